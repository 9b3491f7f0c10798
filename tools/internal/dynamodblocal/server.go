// Package dynamodblocal runs Amazon's DynamoDB Local, the DynamoDB that AWS
// publishes for tests: fetched once from a Maven repository, started as a
// child process on a free port, with its tables in memory.
package dynamodblocal

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// minJava is the Java release that its classes are compiled for.
const minJava = 17

const mainClass = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"

//go:embed dynamodb-local-2.6.1.lock.txt
var lockText []byte

// lock names 59 files, 37 MB.
var lock = sync.OnceValue(func() *bootstrap.Lock {
	l, err := bootstrap.ParseLock("DynamoDB Local", lockText)
	if err != nil {
		panic(err) // part of the binary, and parsed by a test
	}
	return l
})

// Config says how to run DynamoDB Local. The zero value is good.
type Config struct {
	// Java is the java command or the folder of a Java installation, 17 or
	// later. Empty means JAVA_HOME, or else PATH.
	Java string

	// Port is the TCP port; 0 means a free one. DynamoDB Local listens on all
	// addresses of the machine, it has no option for that.
	Port int

	// Log gets what happens, at debug level, and at warning level an end that
	// nobody asked for. nil means no log.
	Log *slog.Logger

	// Progress, if not nil, is told how far the download has come.
	Progress func(bootstrap.Progress)
}

// ErrPortInUse is the error of a Config.Port that another program listens on.
var ErrPortInUse = errors.New("port in use")

// A Server is a DynamoDB Local that runs. Its methods may be called
// concurrently.
type Server struct {
	url     string
	process *subprocess.Process
	output  *tail
	tempDir string
	log     *slog.Logger

	done   chan struct{}
	stop   sync.Once
	asked  chan struct{} // closed when Close is called
	failed error         // set before done is closed
}

const (
	// startLimit is for a machine under heavy load; 1-2 s are usual.
	startLimit = 60 * time.Second
	// stopGrace: it ends 0.4 s after SIGTERM.
	stopGrace = 1500 * time.Millisecond
	// pollInterval is short next to the start of a JVM, and long next to a
	// refused connection.
	pollInterval = 20 * time.Millisecond
	// portTries: a free port can be taken between its choice and the moment
	// when the JVM binds it, a second later.
	portTries = 5
)

// Start fetches what is missing, starts DynamoDB Local, and returns when it
// has answered a request. When ctx ends before that, nothing is left behind;
// afterwards ctx has no effect.
func Start(ctx context.Context, config Config) (*Server, error) {
	log := config.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	java, err := bootstrap.FindJava(config.Java)
	if err != nil {
		return nil, fmt.Errorf("dynamodb local: %w", err)
	}
	if config.Port != 0 {
		// Known before a second has gone into the start of a JVM.
		if _, err := freePort(config.Port); err != nil {
			return nil, fmt.Errorf("dynamodb local: %w", err)
		}
	}
	fetched, err := bootstrap.Fetch(ctx, lock(), bootstrap.FetchOptions{Log: config.Log, Progress: config.Progress})
	if err != nil {
		return nil, fmt.Errorf("dynamodb local: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit,
		fmt.Errorf("it has not answered within %s", startLimit))
	defer cancel()
	for try := 1; ; try++ {
		port, err := freePort(config.Port)
		if err != nil {
			return nil, fmt.Errorf("dynamodb local: %w", err)
		}
		s, err := start(ctx, java, fetched.Files, port, log)
		if err == nil {
			return s, nil
		}
		// A port of the caller's own choice is not another one next time.
		if !errors.Is(err, ErrPortInUse) || config.Port != 0 || try == portTries {
			return nil, fmt.Errorf("dynamodb local: %w", err)
		}
		log.Debug("dynamodb local lost its port to another program; trying another one", "port", port)
	}
}

// freePort returns a port that nobody listens on, on any address, or port
// itself.
func freePort(port int) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(port)))
	if err != nil {
		if port != 0 {
			return 0, fmt.Errorf("%w: %d: %w; choose another one, or 0 for a free one", ErrPortInUse, port, err)
		}
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func start(ctx context.Context, java string, jars []string, port int, log *slog.Logger) (_ *Server, err error) {
	// sqlite's native library is unpacked here. Java removes it itself, but
	// not when it is killed.
	tempDir, err := os.MkdirTemp("", "dynamodb-local-")
	if err != nil {
		return nil, err
	}
	// The name tells our server from another one that has taken the port
	// meanwhile: it comes back in the answer. No web page has this origin, so
	// it also ends the default, which lets every page in.
	origin := "http://" + strings.ToLower(rand.Text()) + ".invalid"
	args := []string{
		// A start is one second of work, all of it in cold code.
		"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xms16m", "-Xmx512m",
		"-Dfile.encoding=UTF-8",
		"-Dorg.sqlite.tmpdir=" + tempDir,
		"-cp", strings.Join(jars, string(filepath.ListSeparator)),
		mainClass,
		"-disableTelemetry", "-inMemory",
		// One database, whatever region and access key a client has: the
		// daemon and the tools need not agree on them.
		"-sharedDb",
		"-port", strconv.Itoa(port), "-cors", origin,
	}
	cmd := exec.Command(java, args...)
	cmd.Dir = tempDir
	s := &Server{
		url:     "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		output:  &tail{},
		tempDir: tempDir,
		log:     log,
		done:    make(chan struct{}),
		asked:   make(chan struct{}),
	}
	cmd.Stdout, cmd.Stderr = s.output, s.output
	began := time.Now()
	if s.process, err = subprocess.Start(cmd); err != nil {
		os.RemoveAll(tempDir)
		return nil, err
	}
	go s.watch()
	if err := s.ready(ctx, origin); err != nil {
		s.Close()
		return nil, err
	}
	log.Debug("dynamodb local is ready", "url", s.url, "pid", s.process.PID(), "after", time.Since(began))
	return s, nil
}

func (s *Server) watch() {
	<-s.process.Done()
	os.RemoveAll(s.tempDir)
	select {
	case <-s.asked:
	default:
		s.failed = fmt.Errorf("dynamodb local ended by itself: %w%s", ended(s.process), s.output.quoted())
		s.log.Warn("dynamodb local ended by itself", "url", s.url, "error", s.failed)
	}
	close(s.done)
}

func ended(p *subprocess.Process) error {
	if p.Err() != nil {
		return p.Err()
	}
	return errors.New("exit status 0")
}

// ready returns when the server has answered a request, or has ended.
func (s *Server) ready(ctx context.Context, origin string) error {
	client := &http.Client{Transport: &http.Transport{Proxy: nil}} // never by a proxy: it is on this machine
	defer client.CloseIdleConnections()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.process.Done():
			return s.startError()
		case <-ctx.Done():
			return fmt.Errorf("%w%s", context.Cause(ctx), s.output.quoted())
		case <-tick.C:
		}
		if answers(ctx, client, s.url, origin) {
			return nil
		}
	}
}

// answers reports whether our server has listed its tables. Any other answer
// means that it is not up yet: the port may be another program's until then.
func answers(ctx context.Context, client *http.Client, url, origin string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		panic(err) // a URL of our own making
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
	// It looks at the form only.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20200101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	req.Header.Set("Origin", origin)
	resp, err := client.Do(req)
	if err != nil {
		return false // refused, or cut off by who had the port
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode == http.StatusOK && resp.Header.Get("Access-Control-Allow-Origin") == origin
}

// startError tells why the server ended before it was ready.
func (s *Server) startError() error {
	text := s.output.String()
	switch {
	case strings.Contains(text, "java.lang.UnsupportedClassVersionError"):
		return fmt.Errorf("%s is too old: it needs Java %d or later; point to one with --java or JAVA_HOME", s.process.Path(), minJava)
	case strings.Contains(text, "java.net.BindException"):
		return ErrPortInUse
	}
	return fmt.Errorf("it ended before it was ready: %w%s", ended(s.process), s.output.quoted())
}

// URL returns the endpoint, http://127.0.0.1:PORT.
func (s *Server) URL() string { return s.url }

// Done returns a channel that is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err returns why the server ended, with its last words, nil if it was closed.
// It must be called only once Done is closed.
func (s *Server) Err() error { return s.failed }

// Close ends the server, in less than 2 s, and returns when it has
// ended and nothing is left of it. Later calls return at once with the same
// result: an error when the server had ended before it was asked to.
func (s *Server) Close() error {
	s.stop.Do(func() {
		close(s.asked)
		s.process.Stop(stopGrace)
	})
	<-s.done
	return s.failed
}

// tail keeps the last of what a process prints.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const (
	tailSize    = 16 << 10 // bytes; a stack trace is 2-4 KB
	quotedLines = 6
)

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// quoted returns what was printed, less the stack traces' frames, as the end of
// a one-line error message.
func (t *tail) quoted() string {
	var kept []string
	for line := range strings.Lines(t.String()) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "at ") || strings.HasPrefix(line, "... ") {
			continue
		}
		kept = append(kept, line)
	}
	if len(kept) == 0 {
		return ""
	}
	return "; it printed: " + strings.Join(kept[max(0, len(kept)-quotedLines):], " | ")
}
