package handover

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A Listener is where a worker waits for its shims.
type Listener struct {
	dir, executable, token string
	mode                   mode
	socket                 *net.UnixListener
}

// Listen makes the folder, with a socket and a link to the executable of the
// shims in it, in the folder for temporary files or, where its path is too long
// or has a space in it, in another.
func Listen(executable string, relays bool) (*Listener, error) {
	dir, err := makeDir()
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the shims: %w", err)
	}
	l := &Listener{dir: dir, token: newToken()}
	if relays || !canPass {
		l.mode = relay
	}
	l.executable = filepath.Join(dir, "shim"+filepath.Ext(executable))
	if err := link(executable, l.executable); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("cannot link the shim's command: %w", err)
	}
	l.socket, err = net.ListenUnix("unix", &net.UnixAddr{Name: l.path(), Net: "unix"})
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("cannot listen for the shims: %w", err)
	}
	return l, nil
}

func makeDir() (string, error) {
	var tried []string
	for _, parent := range folders() {
		if !usable(parent) {
			tried = append(tried, parent)
			continue
		}
		if dir, err := os.MkdirTemp(parent, "kcl-worker-"); err == nil {
			return dir, nil
		}
		tried = append(tried, parent)
	}
	return "", fmt.Errorf("of %q none can be written to and has a path that is short and without a space; set TMPDIR to one", tried)
}

func newToken() string {
	token := make([]byte, tokenLength/2)
	rand.Read(token)
	return hex.EncodeToString(token)
}

// link makes name the executable. A link is enough, on Linux to the very file
// that this process runs, also when another has taken its place; where there are
// no links, a copy.
func link(executable, name string) error {
	if os.Symlink(executable, name) == nil {
		return nil
	}
	if os.Link(executable, name) == nil {
		return nil
	}
	in, err := os.Open(executable)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (l *Listener) path() string { return l.Path("socket") }

// Path returns the path of a file in the folder, which goes with the Listener.
func (l *Listener) Path(name string) string { return filepath.Join(l.dir, name) }

// Command is the daemon's executableName: it has no space but that between the
// shim and its argument.
func (l *Listener) Command() string { return l.executable + " " + Argument }

// Environ is what a shim needs in its environment.
func (l *Listener) Environ() []string {
	return []string{SocketEnv + "=" + l.path(), tokenEnv + "=" + l.token, modeEnv + "=" + l.mode.String()}
}

// helloTime is how long a shim may take to say what it is.
const helloTime = 10 * time.Second

// Accept calls serve, in a goroutine of its own, for each shim that comes, and
// refused for each caller that is none. It returns when the Listener is closed,
// with nil, or cannot go on.
func (l *Listener) Accept(serve func(*Child), refused func(error)) error {
	for {
		conn, err := l.socket.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot wait for the shims: %w", err)
		}
		go func() {
			child, err := l.greet(conn)
			if err != nil {
				conn.Close()
				refused(err)
				return
			}
			serve(child)
		}()
	}
}

// greet takes the hello of a shim.
func (l *Listener) greet(conn *net.UnixConn) (*Child, error) {
	pid, err := checkPeer(conn)
	if err != nil {
		return nil, err
	}
	conn.SetReadDeadline(time.Now().Add(helloTime))
	message := make([]byte, helloLength)
	n, files, err := receive(conn, message)
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if err == nil {
		_, err = io.ReadFull(conn, message[n:])
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHello, err)
	}
	m, token, err := parseHello(message)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(l.token)) != 1 {
		return nil, errors.New("a shim with a wrong token")
	}
	if want := map[mode]int{descriptors: 2, relay: 0}[m]; len(files) != want {
		return nil, fmt.Errorf("%w: %d descriptors, want %d", errHello, len(files), want)
	}
	conn.SetReadDeadline(time.Time{})
	c := &Child{PID: pid, conn: conn}
	if m == relay {
		c.In, c.Out = conn, &frameWriter{w: conn}
		return c, nil
	}
	widen(files[0])
	c.In, c.Out, c.files = files[0], files[1], files
	files = nil
	return c, nil
}

// Close ends Accept, and removes the folder. Children go on.
func (l *Listener) Close() error {
	return errors.Join(l.socket.Close(), os.RemoveAll(l.dir))
}

// A Child is a shim, and what it has handed over.
type Child struct {
	// In is what the daemon writes, Out what it reads.
	In  io.Reader
	Out io.Writer
	// PID is the shim's process ID, 0 if that is not known.
	PID int

	conn  *net.UnixConn
	files []*os.File
	exit  sync.Once
}

// Exit ends the shim with a status. In and Out must not be used any more. Only
// the first call counts.
func (c *Child) Exit(status int) {
	c.exit.Do(func() {
		for _, f := range c.files {
			f.Close()
		}
		// A shim that has gone before, or does not read, cannot be helped.
		c.conn.SetWriteDeadline(time.Now().Add(time.Second))
		c.conn.Write(appendFrame(nil, kindStatus, []byte{byte(status)}))
		c.conn.Close()
	})
}
