// Package conformance drives the executable of a record processor as MultiLangDaemon does,
// but without AWS: there is no stream and no lease table. The daemon's side is Driver.java,
// with Amazon's classes: MultiLangRecordProcessorFactory starts the executable,
// MultiLangShardRecordProcessor talks to it, and ShardRecordProcessorCheckpointer checks
// each checkpoint. On a failure they exit, as the daemon does.
package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// Config configures a Driver. Only Java must be set.
type Config struct {
	// Java is the java command of a JDK 17 or later.
	Java string
	// Dir is the working directory of the JVM and the executables.
	Dir string
	// Environ is added to this program's environment for the JVM and the executables.
	Environ []string
}

// A Driver is a JVM that plays the daemon for any number of shards. Its methods may be
// called concurrently.
type Driver struct {
	process *subprocess.Process
	log     *log

	mu       sync.Mutex // guards stdin and shards
	stdin    io.WriteCloser
	commands *json.Encoder
	shards   map[string]*Shard

	ended chan struct{} // closed when the JVM has ended, after exits is set
	exits map[string]Answer
}

// Start fetches the daemon's jars and compiles the Java program, unless that was done
// before, and starts the driver.
func Start(ctx context.Context, c Config) (*Driver, error) {
	jars, err := bootstrap.Fetch(ctx, bootstrap.DaemonLock(), nil)
	if err != nil {
		return nil, err
	}
	classes, err := compile(ctx, c.Java, strings.Join(jars.Files, string(os.PathListSeparator)))
	if err != nil {
		return nil, err
	}
	args, err := javaArgs(c, append([]string{classes}, jars.Files...))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(c.Java, args...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Environ...)
	d := &Driver{shards: map[string]*Shard{}, ended: make(chan struct{}), exits: map[string]Answer{}, log: &log{}}
	cmd.Stderr = d.log
	if d.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	d.commands = json.NewEncoder(d.stdin)
	// Not StdoutPipe, which Wait closes before the last output has been read.
	reports, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = stdout
	d.process, err = subprocess.Start(cmd)
	stdout.Close()
	if err != nil {
		reports.Close()
		return nil, err
	}
	go d.read(reports)
	return d, nil
}

// javaArgs returns the JVM options of bootstrap's command for the daemon, so that they are
// tested too, and the driver.
func javaArgs(c Config, classPath []string) ([]string, error) {
	file := filepath.Join(classPath[0], "empty.properties")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return nil, err
	}
	properties, err := bootstrap.ReadProperties(file)
	if err != nil {
		return nil, err
	}
	daemon, err := bootstrap.Command{Java: c.Java, Jars: classPath, Properties: properties}.Args()
	if err != nil {
		return nil, err
	}
	at := slices.Index(daemon, "-cp")
	if at < 0 {
		return nil, errors.New("the daemon's command has no -cp")
	}
	// INFO logs several lines for each message.
	return append(daemon[1:at+2:at+2], "-Ddriver.log=WARN", "Driver"), nil
}

// Close ends the JVM and the executables that LeaseLost or ShardEnded has not ended.
func (d *Driver) Close() {
	d.stdin.Close()
	select {
	case <-d.process.Done():
	case <-time.After(10 * time.Second):
		d.process.Stop(0)
	}
	<-d.ended
}

// Log returns the last part of the log and of the executables' standard error. It is
// complete after Close or an [*ExitError].
func (d *Driver) Log() string { return d.log.String() }

// Shard returns the shard with an ID. The first call makes it.
func (d *Driver) Shard(id string) *Shard {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.shards[id]
	if s == nil {
		s = &Shard{driver: d, id: id, answers: make(chan Answer, 1), held: make(chan struct{}, 1)}
		d.shards[id] = s
	}
	return s
}

// read passes reports to the shards until the JVM has ended.
func (d *Driver) read(reports io.ReadCloser) {
	defer reports.Close()
	in := bufio.NewReader(reports)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		var r struct {
			Event string `json:"event"`
			Shard string `json:"shard"`
			Answer
		}
		if err := json.Unmarshal(line, &r); err != nil {
			fmt.Fprintf(d.log, "the driver printed an invalid report: %v: %s", err, line)
			continue
		}
		switch r.Event {
		case "answer":
			d.Shard(r.Shard).answers <- r.Answer
		case "held":
			d.Shard(r.Shard).held <- struct{}{}
		case "exit":
			d.exits[r.Shard] = r.Answer
		}
	}
	<-d.process.Done()
	close(d.ended)
}

func (d *Driver) send(c command) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.commands.Encode(c)
}

// A log keeps the last logLimit bytes that are written to it.
type log struct {
	mu   sync.Mutex
	last []byte
}

const logLimit = 1 << 20

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, p...)
	l.last = l.last[max(0, len(l.last)-logLimit):]
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.ToValidUTF8(l.last, []byte("?")))
}

// An ExitError means that the JVM has ended, as the daemon does when an executable fails.
type ExitError struct {
	// Status is the exit status: 1 is the daemon's, 70 means that the Java program
	// itself has failed.
	Status int
	// Shard and Action are those of the call.
	Shard, Action string
	// Last has the shard's checkpoints and the executable's status at the end.
	Last Answer
	// Log is the last part of the log.
	Log string
}

// Error returns one line with the errors that the daemon logged during the action.
func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s of %s: the daemon exited with status %d", e.Action, e.Shard, e.Status)
	if len(e.Last.Errors) > 0 {
		text += ": " + strings.Join(e.Last.Errors, "; ")
	}
	return text
}
