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
	maxSocketPath = 103 // of macOS, the least of all systems
	maxHello      = 4096
	helloTime     = 5 * time.Second
)

// A listener has a folder that only this user may enter, with the socket that
// Java connects to.
type listener struct {
	dir       string
	token     string // which each connection must present
	helloTime time.Duration
	log       *slog.Logger

	socket     net.Listener
	controlled atomic.Bool // there has been a control connection
	// connections are the goroutines that accept and serve them.
	connections sync.WaitGroup
	// hungUp ends all connections.
	hungUp context.Context
	hangUp context.CancelFunc
}

// A conn is a connection after its hello. The rest of what was read with that is
// in the reader.
type conn struct {
	net.Conn
	r *bufio.Reader
}

// A hello is the first line of a connection.
type hello struct {
	Token      string `json:"token"`
	Connection string `json:"connection"`
	// Of the control connection:
	KCL  string `json:"kcl"`
	Java string `json:"java"`
	// Of a lease's:
	Lease     int64  `json:"lease"`
	LeaseKey  string `json:"leaseKey"`
	ShardID   string `json:"shardId"`
	Stream    string `json:"stream"`
	StreamARN string `json:"streamArn"`
}

func listen(log *slog.Logger) (*listener, error) {
	dir, err := makeDir()
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the socket: %w", err)
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

// makeDir makes the folder where the path of a socket in it is short enough, and
// where Java can have a jar in its class path.
func makeDir() (string, error) {
	parents := []string{os.TempDir(), os.Getenv("XDG_RUNTIME_DIR"), "/tmp"}
	if runtime.GOOS == "windows" {
		parents = parents[:1] // which only this user may enter
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
	return "", fmt.Errorf("none of %q can be written to and has a short path without %q; set TMPDIR (on Windows TMP) to one that does",
		parents, filepath.ListSeparator)
}

// path returns the path of a file in the folder.
func (l *listener) path(name string) string { return filepath.Join(l.dir, name) }

// stdin returns the two ends of a pipe that has the token for Java's standard
// input. The end of the other one tells Java that this process has ended.
func (l *listener) stdin() (java, ours *os.File, err error) {
	java, ours, err = os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a pipe for Java: %w", err)
	}
	// A pipe holds that much without a reader.
	if _, err := ours.WriteString(l.token + "\n"); err != nil {
		java.Close()
		ours.Close()
		return nil, nil, fmt.Errorf("cannot write to Java's pipe: %w", err)
	}
	return java, ours, nil
}

// start begins to accept connections. Each is greeted and served in a goroutine
// of its own, and closed when serve has returned.
func (l *listener) start(serve func(hello, *conn)) {
	l.connections.Go(func() {
		for {
			c, err := l.socket.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				// For example that this process has too many files open.
				l.log.Warn("cannot accept a connection of Java's, trying again", "error", err)
				time.Sleep(time.Second)
				continue
			}
			l.connections.Go(func() {
				defer c.Close()
				defer context.AfterFunc(l.hungUp, func() { c.Close() })()
				h, r, err := l.greet(c)
				if err != nil {
					l.log.Warn("refused a connection to the worker's socket", "error", err)
					return
				}
				serve(h, &conn{c, r})
			})
		}
	})
}

// greet reads the hello of a connection. Its errors repeat nothing of it.
func (l *listener) greet(c net.Conn) (hello, *bufio.Reader, error) {
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
		return hello{}, nil, errors.New("the hello does not say what the connection is for")
	}
	return h, r, nil
}

// close accepts no more, waits until all connections are served, and removes
// the folder.
func (l *listener) close() {
	l.socket.Close()
	l.connections.Wait()
	l.hangUp()
	os.RemoveAll(l.dir)
}
