package engine

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A caller has a listener, and receives what the listener served.
type caller struct {
	*listener
	served chan string // what follows the hello of each connection
	log    *syncBuffer
}

func newCaller(t *testing.T, helloTime time.Duration) *caller {
	t.Helper()
	log := &syncBuffer{}
	l, err := listen(slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	l.helloTime = helloTime
	c := &caller{listener: l, served: make(chan string, 9), log: log}
	l.start(func(h hello, conn *conn) {
		text, err := io.ReadAll(conn.r)
		c.served <- fmt.Sprint(h.Connection, h.Lease, " ", string(text), " ", err)
	})
	t.Cleanup(l.close)
	return c
}

func (c *caller) dial(t *testing.T) *net.UnixConn {
	t.Helper()
	conn, err := net.Dial("unix", c.path("socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UnixConn)
}

// closed waits until the other side has closed a connection.
func closed(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || os.IsTimeout(err) {
		t.Errorf("%d bytes, %v, want that it is closed", n, err)
	}
}

// Guarantee: A connection that does not present the token within 5 s is closed, and no
// other connection waits for it.
//
// Guarantee: The names of leases, shards and streams that Java sends are printable
// ASCII without spaces, or are rejected.
func TestRefused(t *testing.T) {
	t.Parallel()
	c := newCaller(t, time.Minute)
	good := leaseHello(c.token, 1)
	for name, text := range map[string]string{
		"empty":                "\n",
		"no JSON":              c.token + "\n",
		"no token":             strings.Replace(good, c.token, "", 1) + "\n",
		"a wrong token":        leaseHello(strings.Repeat("0", len(c.token)), 1) + "\n",
		"a part of the token":  leaseHello(c.token[1:], 1) + "\n",
		"no lease":             strings.Replace(good, `"lease":1`, `"lease":0`, 1) + "\n",
		"no key":               strings.Replace(good, "key-1", "", 1) + "\n",
		"no shard":             strings.Replace(good, "shard-1", "", 1) + "\n",
		"no stream":            strings.Replace(good, `"orders"`, `""`, 1) + "\n",
		"a key of two lines":   strings.Replace(good, "key-1", `key\n1`, 1) + "\n",
		"a shard that escapes": strings.Replace(good, "shard-1", `\u001b[2J`, 1) + "\n",
		"a stream with NUL":    strings.Replace(good, `"orders"`, `"or\u0000ders"`, 1) + "\n",
		"an ARN of two lines":  strings.Replace(good, "arn:orders", `arn:\u2028orders`, 1) + "\n",
		"for something else":   strings.Replace(good, `:"lease"`, `:"else"`, 1) + "\n",
		"an unknown member":    strings.Replace(good, "{", `{"x":1,`, 1) + "\n",
		"something behind it":  good + "{}\n",
		"a lease of a string":  strings.Replace(good, `"lease":1`, `"lease":"1"`, 1) + "\n",
		"a line that is large": strings.Replace(good, "{", "{"+strings.Repeat(" ", maxHello), 1) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := c.dial(t)
			io.WriteString(conn, text)
			closed(t, conn)
		})
	}
	// Its end comes before its hello.
	conn := c.dial(t)
	io.WriteString(conn, good)
	conn.CloseWrite()
	closed(t, conn)
	// The largest is good.
	conn = c.dial(t)
	io.WriteString(conn, strings.Replace(good, "{", "{"+strings.Repeat(" ", maxHello-len(good)-1), 1)+"\n")
	conn.CloseWrite()
	if got := <-c.served; got != "lease1  <nil>" {
		t.Errorf("served %q", got)
	}
	if got := strings.Count(c.log.String(), "level=WARN"); got != 19 {
		t.Errorf("%d warnings, want 19:\n%s", got, c.log)
	}
	if strings.Contains(c.log.String(), c.token[1:]) {
		t.Errorf("the token is in the log:\n%s", c.log)
	}
}

// Guarantee: A connection that does not present the token within 5 s is closed, and no
// other connection waits for it.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	c := newCaller(t, time.Minute)
	c.dial(t) // says nothing
	good := c.dial(t)
	fmt.Fprintln(good, leaseHello(c.token, 2))
	good.CloseWrite()
	if got := <-c.served; got != "lease2  <nil>" {
		t.Errorf("served %q", got)
	}
	c.hangUp()

	c = newCaller(t, 10*time.Millisecond)
	silent := c.dial(t)
	trickling := c.dial(t)
	go func() {
		for err := error(nil); err == nil; { // until it is closed
			_, err = trickling.Write([]byte(" "))
			time.Sleep(time.Millisecond)
		}
	}()
	closed(t, silent)
	closed(t, trickling)
	if listener, err := listen(nil); err != nil || listener.helloTime != 5*time.Second {
		t.Errorf("by default %v, %v", listener.helloTime, err)
	} else {
		listener.close()
	}
}

// Connections that send no complete hello do not keep Java out.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	c := newCaller(t, time.Minute)
	for range 200 {
		io.WriteString(c.dial(t), `{"token":"`)
	}
	good := c.dial(t)
	fmt.Fprintln(good, leaseHello(c.token, 2))
	good.CloseWrite()
	if got := <-c.served; got != "lease2  <nil>" {
		t.Errorf("served %q", got)
	}
	c.hangUp()
}

// FuzzHello accepts a hello only with the token and with valid names. The errors
// repeat nothing of it.
//
// Guarantee: The names of leases, shards and streams that Java sends are printable
// ASCII without spaces, or are rejected.
func FuzzHello(f *testing.F) {
	l, err := listen(slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(l.close)
	for _, hello := range []string{leaseHello("TOKEN", 1), controlHello("TOKEN"), `{"TOKEN":"TOKEN","token":"x"}`, `{"token":["TOKEN"]}`, "[[[[", "null", ""} {
		f.Add([]byte(hello + "\nrest"))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.ReplaceAll(text, []byte("TOKEN"), []byte(l.token))
		l.controlled.Store(false)
		ours, theirs := net.Pipe()
		go func() {
			theirs.Write(text)
			theirs.Close()
		}()
		h, _, err := l.readHello(ours)
		ours.Close()
		switch {
		case err != nil && (h != hello{} || strings.Contains(err.Error(), l.token[:8])):
			t.Errorf("%q: %+v, %v", text, h, err)
		case err == nil && h.Token != l.token:
			t.Errorf("%q is good", text)
		}
		if err == nil && h.Connection != "control" {
			for _, name := range []string{h.LeaseKey, h.ShardID, h.Stream, h.StreamARN + "x"} {
				if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
					t.Errorf("%+v is good", h)
				}
			}
		}
	})
}

// Guarantee: There is only one control connection.
func TestSecondControl(t *testing.T) {
	t.Parallel()
	c := newCaller(t, time.Minute)
	first := c.dial(t)
	fmt.Fprintln(first, controlHello(c.token))
	first.CloseWrite()
	if got := <-c.served; got != "control0  <nil>" {
		t.Errorf("served %q", got)
	}
	second := c.dial(t)
	fmt.Fprintln(second, controlHello(c.token))
	closed(t, second)
	if !strings.Contains(c.log.String(), "a second control connection") {
		t.Errorf("the log is\n%s", c.log)
	}
}

// Guarantee: Lease.Read returns every byte that Java sends after the hello.
func TestWhatFollowsTheHello(t *testing.T) {
	t.Parallel()
	c := newCaller(t, time.Minute)
	text := leaseHello(c.token, 3) + "\nfirst\nsecond"
	for _, size := range []int{1, len(text)} {
		conn := c.dial(t)
		for rest := text; rest != ""; rest = rest[size:] {
			io.WriteString(conn, rest[:size])
		}
		conn.CloseWrite()
		if got := <-c.served; got != "lease3 first\nsecond <nil>" {
			t.Errorf("served %q", got)
		}
	}
}

// Guarantee: The socket is in a folder that only this user may enter, and has a path
// that every system accepts, whatever TMPDIR is.
func TestFolder(t *testing.T) {
	l, err := listen(nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(l.dir)
	if err != nil || runtime.GOOS != "windows" && info.Mode() != 0o700|fs.ModeDir {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	l.close()
	if _, err := os.Stat(l.dir); err == nil {
		t.Errorf("%s is left", l.dir)
	}
}

// TestFolderElsewhere has a TMPDIR whose path is too long, or cannot be in a class
// path.
//
// Guarantee: The socket is in a folder that only this user may enter, and has a path
// that every system accepts, whatever TMPDIR is.
func TestFolderElsewhere(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it has no second folder")
	}
	runtimeDir, err := os.MkdirTemp("/tmp", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtimeDir) })
	t.Setenv("XDG_RUNTIME_DIR", runtimeDir)
	for _, name := range []string{strings.Repeat("x", 100), "a:b"} {
		temp := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(temp, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", temp)
		l, err := listen(nil)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(l.dir) != runtimeDir {
			t.Errorf("%s: the folder is %s", name, l.dir)
		}
		l.close()
		if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
			t.Errorf("left in %s: %v, %v", temp, left, err)
		}
	}
	// 11 of the name, at most 10 at random, and 7 of the socket.
	temp := filepath.Join("/tmp", strings.Repeat("x", maxSocketPath))
	if got := len(filepath.Join(temp[:maxSocketPath-29], "kcl-engine-1234567890", "socket")); got != maxSocketPath {
		t.Errorf("the longest path has %d", got)
	}
}
