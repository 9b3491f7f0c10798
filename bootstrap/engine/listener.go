package engine

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxSocketPath = 103 // the limit of macOS, the lowest of all systems
	maxHello      = 4096
	helloTime     = 5 * time.Second
)

// A listener accepts connections of Java on a Unix socket, in a folder that only this
// user may enter.
type listener struct {
	dir       string
	token     string // must be in each hello
	helloTime time.Duration
	log       *slog.Logger

	socket     net.Listener
	controlled atomic.Bool // whether there was a control connection
	// connections are the goroutines that accept and serve connections.
	connections sync.WaitGroup
	// hungUp is done when all connections are to be closed.
	hungUp context.Context
	hangUp context.CancelFunc
}

// A conn is a connection after its hello. Its reader may have read ahead.
type conn struct {
	net.Conn
	r *bufio.Reader
}

// A hello is the first line of a connection.
type hello struct {
	Token      string `json:"token"`
	Connection string `json:"connection"`
	// Only of the control connection:
	KCL  string `json:"kcl"`
	Java string `json:"java"`
	// Only of a lease's connection:
	Lease     int64  `json:"lease"`
	LeaseKey  string `json:"leaseKey"`
	ShardID   string `json:"shardId"`
	Stream    string `json:"stream"`
	StreamARN string `json:"streamArn"`
}

func listen(log *slog.Logger) (*listener, error) {
	dir, err := makeDir()
	if err != nil {
		return nil, fmt.Errorf("cannot create a folder for the socket: %w", err)
	}
	token := make([]byte, 32)
	rand.Read(token)
	l := &listener{dir: dir, token: hex.EncodeToString(token), helloTime: helloTime, log: log}
	if l.socket, err = net.Listen("unix", l.path("socket")); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("cannot listen for Java: %w", err)
	}
	l.hungUp, l.hangUp = context.WithCancel(context.Background())
	return l, nil
}

// makeDir creates a folder in which the path of the socket is short enough, and whose
// path can be in a Java class path.
func makeDir() (string, error) {
	parents := []string{os.TempDir(), os.Getenv("XDG_RUNTIME_DIR"), "/tmp"}
	if runtime.GOOS == "windows" {
		parents = parents[:1] // only this user may enter it
	}
	for _, parent := range parents {
		if parent == "" || strings.ContainsRune(parent, filepath.ListSeparator) {
			continue
		}
		parent, err := filepath.Abs(parent)
		if err != nil {
			continue
		}
		dir, err := os.MkdirTemp(parent, "kcl-engine-")
		if err != nil {
			continue
		}
		if len(filepath.Join(dir, "socket")) <= maxSocketPath {
			return dir, nil
		}
		os.Remove(dir)
	}
	return "", fmt.Errorf("none of %q is a writable folder with a short path without %q; set TMPDIR (on Windows TMP) to such a folder",
		parents, filepath.ListSeparator)
}

// path returns the path of a file in the listener's folder.
func (l *listener) path(name string) string { return filepath.Join(l.dir, name) }

// stdin returns the ends of a pipe for Java's standard input, which contains the
// token. Java sees the end of the pipe when this process has ended.
func (l *listener) stdin() (java, ours *os.File, err error) {
	java, ours, err = os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot create a pipe for Java: %w", err)
	}
	// A pipe has room for this without a reader.
	if _, err := ours.WriteString(l.token + "\n"); err != nil {
		java.Close()
		ours.Close()
		return nil, nil, fmt.Errorf("cannot write to Java's pipe: %w", err)
	}
	return java, ours, nil
}

// start begins to accept connections. For each one a goroutine reads the hello, calls
// serve, and closes the connection when serve has returned.
func (l *listener) start(serve func(hello, *conn)) {
	l.connections.Go(func() {
		for {
			c, err := l.socket.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				// For example, this process has too many open files.
				l.log.Warn("cannot accept a connection of Java; trying again", "error", err)
				time.Sleep(time.Second)
				continue
			}
			l.connections.Go(func() {
				defer c.Close()
				defer context.AfterFunc(l.hungUp, func() { c.Close() })()
				h, r, err := l.readHello(c)
				if err != nil {
					l.log.Warn("rejected a connection to the socket for Java", "error", err)
					return
				}
				serve(h, &conn{c, r})
			})
		}
	})
}

// readHello reads the hello of a connection. Its errors contain nothing of it.
func (l *listener) readHello(c net.Conn) (hello, *bufio.Reader, error) {
	c.SetReadDeadline(time.Now().Add(l.helloTime))
	r := bufio.NewReaderSize(c, maxHello)
	line, err := r.ReadSlice('\n')
	if err != nil {
		return hello{}, nil, fmt.Errorf("no hello: %w", err)
	}
	c.SetReadDeadline(time.Time{})
	var h hello
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if d.Decode(&h) != nil || !errors.Is(d.Decode(&struct{}{}), io.EOF) {
		return hello{}, nil, errors.New("the hello is not understood")
	}
	if subtle.ConstantTimeCompare([]byte(h.Token), []byte(l.token)) != 1 {
		return hello{}, nil, errors.New("the hello has a wrong token")
	}
	switch {
	case h.Connection == "control":
		if !l.controlled.CompareAndSwap(false, true) {
			return hello{}, nil, errors.New("a second control connection")
		}
	case h.Connection != "lease" || h.Lease <= 0 || !isName(h.LeaseKey) || !isName(h.ShardID) || !isName(h.Stream) || h.StreamARN != "" && !isName(h.StreamARN):
		return hello{}, nil, errors.New("the hello does not name a valid connection")
	}
	return h, r, nil
}

// close stops accepting connections, waits until all are served, and removes the
// folder.
func (l *listener) close() {
	l.socket.Close()
	l.connections.Wait()
	l.hangUp()
	os.RemoveAll(l.dir)
}
