package bootstrap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// logConfiguration is the logback.xml of a daemon that is not given another
// one: a line for each event, whatever line ends its text has, so that
// daemonLog can read it.
//
// Four loggers are quieter than the rest: MessageWriter, LineReaderTask and
// MultiLangProtocol tell of each message in several lines (which costs more
// than half of the throughput of small batches, and one of them would show a
// record's data), and KinesisClientLibConfigurator of each property's value,
// which may be a secret. DrainChildSTDERRTask is off: it copies each line of a
// record processor's standard error to the daemon's, and logs it besides.
const logConfiguration = `<?xml version="1.0" encoding="UTF-8"?>
<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.out</target>
    <encoder>
      <charset>UTF-8</charset>
      <pattern>%%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %%-5level %%logger{0} - %%replace(%%replace(%%msg%%n%%rEx){'\s+$', ''}){'\s*[\r\n]+\s*', ' | '}%%nopex%%n</pattern>
    </encoder>
  </appender>
  <logger name="software.amazon.kinesis" level="%s"/>
  <logger name="software.amazon.kinesis.multilang.MessageWriter" level="WARN"/>
  <logger name="software.amazon.kinesis.multilang.LineReaderTask" level="WARN"/>
  <logger name="software.amazon.kinesis.multilang.MultiLangProtocol" level="WARN"/>
  <logger name="software.amazon.kinesis.multilang.config.KinesisClientLibConfigurator" level="WARN"/>
  <logger name="software.amazon.kinesis.multilang.DrainChildSTDERRTask" level="OFF"/>
  <root level="INFO">
    <appender-ref ref="OUT"/>
  </root>
</configuration>
`

// lineBreak is what stands in a line of the log for a line end in its text.
const lineBreak = " | "

// logConfigurationFor returns it for a level. More than INFO concerns KCL
// alone: at DEBUG the HTTP client would log credentials. INFO is the least,
// because daemonLog looks at its events; it drops what is not wanted.
func logConfigurationFor(level slog.Level) []byte {
	name := "INFO"
	if level < slog.LevelInfo {
		name = "DEBUG"
	}
	return fmt.Appendf(nil, logConfiguration, name)
}

// A daemonLog reads what a daemon with logConfiguration prints, passes on what
// is of the wanted level, and knows from it what the daemon is about.
type daemonLog struct {
	level slog.Level
	// changed gets a value when the answer of holding has changed.
	changed chan struct{}

	mu          sync.Mutex
	initialised bool
	shards      int
	lastError   string // of the log
	firstLine   string // of standard error
	stopping    bool
	stopped     bool
}

func newDaemonLog(level slog.Level) *daemonLog {
	return &daemonLog{level: level, changed: make(chan struct{}, 1)}
}

// holding tells whether the daemon has initialised, and how many shards it
// holds.
func (l *daemonLog) holding() (shards int, initialised bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shards, l.initialised
}

// shutdown tells whether the daemon has begun to shut down, and whether it
// said that it was through. One that is stopped before it has installed its
// shutdown hook, and so before it has touched a shard, says neither.
func (l *daemonLog) shutdown() (begun, complete bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopping, l.stopped
}

// reason returns in a line why the daemon has ended, as far as it said so.
func (l *daemonLog) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.lastError != "":
		return l.lastError
	case !l.initialised:
		// There was no record processor yet, so Java itself has said it.
		return l.firstLine
	}
	return ""
}

// readOut reads the daemon's standard output, where its log goes.
func (l *daemonLog) readOut(w io.Writer, r io.Reader) { copyLines(w, r, l.logLine) }

// readErr reads its standard error: a copy of its record processors', and what
// Java says when there is no log.
func (l *daemonLog) readErr(w io.Writer, r io.Reader) { copyLines(w, r, l.errLine) }

// copyLines copies the lines that keep wants, each in one write, which keeps
// them whole beside those of others. Only the beginning of a very long line is
// looked at. It reads on when w fails: the daemon must not block on its log.
func copyLines(w io.Writer, r io.Reader, keep func(line []byte) bool) {
	in := bufio.NewReaderSize(r, 64<<10)
	begins, kept := true, false
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			if begins {
				kept = keep(bytes.TrimRight(line, "\r\n"))
			}
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				line = append(line[:len(line):len(line)], '\n')
			}
			if kept {
				w.Write(line)
			}
			begins = err == nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

var logLevels = map[string]slog.Level{
	"TRACE": slog.LevelDebug,
	"DEBUG": slog.LevelDebug,
	"INFO":  slog.LevelInfo,
	"WARN":  slog.LevelWarn,
	"ERROR": slog.LevelError,
}

// An event is a line of the daemon's log.
type event struct {
	level           slog.Level
	logger, message string
}

// parseEvent reads a line in the form of logConfiguration.
func parseEvent(line string) (e event, ok bool) {
	_, rest, ok := strings.Cut(line, " ")
	if !ok {
		return event{}, false
	}
	name, rest, ok := strings.Cut(rest, " ")
	if !ok {
		return event{}, false
	}
	if e.level, ok = logLevels[name]; !ok {
		return event{}, false
	}
	e.logger, e.message, ok = strings.Cut(strings.TrimLeft(rest, " "), " - ")
	return e, ok
}

// logLine tells whether a line of the log is to be shown.
func (l *daemonLog) logLine(line []byte) bool {
	e, ok := parseEvent(string(line))
	if !ok {
		return true // not of the log: the daemon's usage, or logback's own
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.level >= slog.LevelError {
		l.lastError = firstParts(e.message)
	}
	switch e.logger {
	case "Scheduler":
		switch {
		case strings.HasPrefix(e.message, "Initialization complete."):
			l.initialised = true
			l.tell()
		case strings.HasPrefix(e.message, "Created new shardConsumer for "):
			l.shards++
			l.tell()
		}
	case "MultiLangShardRecordProcessor":
		// One of them ends each record processor's life.
		if strings.HasPrefix(e.message, "Child process exited with value") ||
			strings.HasPrefix(e.message, "Record processor was not initialized and will not have a child process") {
			l.shards--
			l.tell()
		}
	case "MultiLangDaemon":
		switch {
		case strings.HasPrefix(e.message, "Process terminated, will initiate shutdown."):
			l.stopping = true
		case strings.HasPrefix(e.message, "Process shutdown is complete."):
			l.stopped = true
		}
	}
	return e.level >= l.level
}

func (l *daemonLog) tell() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// errLine keeps the first line, for an error that Java reports outside the log.
// All lines are shown.
func (l *daemonLog) errLine(line []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := string(line)
	// "Picked up JAVA_TOOL_OPTIONS: ...", warnings of Java's own, and an error that
	// the next line tells.
	notice := strings.HasPrefix(text, "Picked up ") || strings.HasPrefix(text, "Error: A JNI error has occurred") || strings.Contains(strings.ToLower(text), "warning:")
	if l.firstLine == "" && text != "" && !notice {
		l.firstLine = firstParts(text)
	}
	return true
}

// firstParts returns a message with the first line of its exception, short
// enough for one of bootstrap's own lines.
func firstParts(message string) string {
	parts := strings.SplitN(message, lineBreak, 3)
	if len(parts) > 2 {
		parts = parts[:2]
	}
	text := []rune(strings.TrimSpace(strings.Join(parts, ": ")))
	const most = 300
	if len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(text)
}
