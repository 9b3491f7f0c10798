package bootstrap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
)

// What the daemon prints in a run, shortened; as observed.
const (
	logStart = `2026-11-24T15:35:28.885Z INFO  MultiLangDaemonConfig - Using workerId: worker-1
2026-11-24T15:35:29.100Z WARN  CloudWatchPublisherRunnable - Dropping metrics []
`
	logReady = `2026-11-24T15:35:30.000Z INFO  Scheduler - Initialization complete. Starting worker loop.
2026-11-24T15:35:30.100Z INFO  Scheduler - Created new shardConsumer for : ShardInfo(streamIdentifierSerOpt=Optional.empty, shardId=shardId-000000000000)
2026-11-24T15:35:30.101Z INFO  Scheduler - Created new shardConsumer for : ShardInfo(streamIdentifierSerOpt=Optional.empty, shardId=shardId-000000000001)
`
	logReturned = `2026-11-24T15:35:31.000Z INFO  MultiLangShardRecordProcessor - Child process exited with value: 0
`
	logNeverStarted = `2026-11-24T15:35:31.000Z INFO  MultiLangShardRecordProcessor - Record processor was not initialized and will not have a child process, so not invoking child process shutdown.
`
	logStopping = `2026-11-24T15:35:32.000Z INFO  MultiLangDaemon - Process terminated, will initiate shutdown.
`
	logStopped = `2026-11-24T15:35:33.000Z INFO  MultiLangDaemon - Process shutdown is complete.
`
	logNotStopped = `2026-11-24T15:35:33.000Z ERROR MultiLangDaemon - Encountered an error during shutdown. | java.util.concurrent.TimeoutException: null | at java.base/java.util.concurrent.FutureTask.get(FutureTask.java:204)
`
	logFailed = `2026-11-24T15:35:33.000Z ERROR Scheduler - Unable to initialize after 20 attempts. Shutting down. | java.net.ConnectException: Connection refused | at x.y(Z.java:1) | Wrapped by: java.lang.RuntimeException: outer
`
)

func TestDaemonLogState(t *testing.T) {
	for _, tt := range []struct {
		name, log              string
		shards                 int
		initialised, begun, ok bool
		reason                 string
	}{
		{name: "nothing"},
		{name: "starting", log: logStart},
		{name: "ready", log: logStart + logReady, shards: 2, initialised: true},
		{name: "one returned", log: logStart + logReady + logReturned, shards: 1, initialised: true},
		{name: "one that never began", log: logStart + logReady + logNeverStarted, shards: 1, initialised: true},
		{name: "stopping", log: logStart + logReady + logStopping, shards: 2, initialised: true, begun: true},
		{name: "stopped", log: logStart + logReady + logStopping + logReturned + logReturned + logStopped, initialised: true, begun: true, ok: true},
		{
			name: "not in time", log: logStart + logStopping + logNotStopped, begun: true,
			reason: "Encountered an error during shutdown.: java.util.concurrent.TimeoutException: null",
		},
		{
			name: "failed", log: logStart + logFailed,
			reason: "Unable to initialize after 20 attempts. Shutting down.: java.net.ConnectException: Connection refused",
		},
		{name: "the text in another class's line", log: "2026-11-24T15:35:30.000Z INFO  Other - Initialization complete. Starting worker loop.\n"},
		{name: "the text in a stack trace", log: "2026-11-24T15:35:30.000Z INFO  Scheduler - failed | Initialization complete.\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newDaemonLog(slog.LevelInfo)
			var out bytes.Buffer
			l.readOut(&out, iotest.HalfReader(strings.NewReader(tt.log)))
			if out.String() != tt.log {
				t.Errorf("passed on %q, want all", &out)
			}
			if n, initialised := l.holding(); n != tt.shards || initialised != tt.initialised {
				t.Errorf("holding %d, %t, want %d, %t", n, initialised, tt.shards, tt.initialised)
			}
			if begun, complete := l.shutdown(); begun != tt.begun || complete != tt.ok {
				t.Errorf("shutdown %t, %t, want %t, %t", begun, complete, tt.begun, tt.ok)
			}
			if got := l.reason(); got != tt.reason {
				t.Errorf("reason %q, want %q", got, tt.reason)
			}
		})
	}
}

// What is below the level is not shown, and read all the same; what is not of
// the log is shown.
func TestDaemonLogLevel(t *testing.T) {
	const other = "Usage: amazon-kinesis-client MultiLangDaemon [options]\n"
	const debug = "2026-11-24T15:35:30.000Z DEBUG Scheduler - detail\n"
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: debug + logStart + logReady + logFailed + other,
		slog.LevelInfo:  logStart + logReady + logFailed + other,
		slog.LevelWarn:  strings.SplitAfter(logStart, "\n")[1] + logFailed + other,
		slog.LevelError: logFailed + other,
	} {
		l := newDaemonLog(level)
		var out bytes.Buffer
		l.readOut(&out, strings.NewReader(debug+logStart+logReady+logFailed+other))
		if out.String() != want {
			t.Errorf("%v: %q, want %q", level, &out, want)
		}
		if n, initialised := l.holding(); n != 2 || !initialised {
			t.Errorf("%v: holding %d, %t", level, n, initialised)
		}
	}
}

// An error of Java's own, outside the log, is the reason; what a record
// processor says later is not.
func TestDaemonLogFirstError(t *testing.T) {
	for _, tt := range []struct{ name, before, log, after, want string }{
		{
			name: "Java's options", before: "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nUnrecognized option: -Xfoo\nError: Could not create\n",
			want: "Unrecognized option: -Xfoo",
		},
		{
			name: "Java's start", before: "Error: A JNI error has occurred, please check your installation and try again\nException in thread \"main\" java.lang.UnsupportedClassVersionError: X\n",
			want: `Exception in thread "main" java.lang.UnsupportedClassVersionError: X`,
		},
		{
			name: "the daemon's", before: "java.lang.IllegalArgumentException: No enum constant X\n\tat a.b(C.java:1)\n",
			want: "java.lang.IllegalArgumentException: No enum constant X",
		},
		{name: "a warning", before: "OpenJDK 64-Bit Server VM warning: something\n", want: ""},
		{name: "the daemon's, after its log has begun", log: logStart, after: "java.lang.RuntimeException: no\n", want: "java.lang.RuntimeException: no"},
		{name: "a processor", log: logStart + logReady, after: "panic: no\n", want: ""},
		{name: "both", before: "odd\n", log: logFailed, want: "Unable to initialize after 20 attempts. Shutting down.: java.net.ConnectException: Connection refused"},
	} {
		l := newDaemonLog(slog.LevelError)
		var out bytes.Buffer
		l.readErr(&out, strings.NewReader(tt.before))
		l.readOut(io.Discard, strings.NewReader(tt.log))
		l.readErr(&out, strings.NewReader(tt.after))
		if got := l.reason(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if out.String() != tt.before+tt.after {
			t.Errorf("%s: passed on %q", tt.name, &out)
		}
	}
}

func TestFirstParts(t *testing.T) {
	long := strings.Repeat("ü", 400)
	for text, want := range map[string]string{
		"plain":             "plain",
		"a | b | c | d":     "a: b",
		long:                strings.Repeat("ü", 300) + "...",
		"a |  b":            "a:  b",
		"in a | pipe | end": "in a: pipe",
	} {
		if got := firstParts(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// copyLines writes whole lines, however they come, and lines of any length.
func TestCopyLines(t *testing.T) {
	long := strings.Repeat("x", 200<<10) + "\n"
	text := "a\nskip this\r\n" + long + "skip " + long + "\nlast"
	want := "a\n" + long + "\nlast\n"
	var out bytes.Buffer
	writes := 0
	w := writerFunc(func(p []byte) (int, error) { writes++; return out.Write(p) })
	copyLines(w, iotest.OneByteReader(strings.NewReader(text)), func(line []byte) bool {
		if bytes.ContainsAny(line, "\r\n") {
			t.Errorf("keep got %q", line)
		}
		return !bytes.HasPrefix(line, []byte("skip"))
	})
	if out.String() != want {
		t.Errorf("%d bytes, want %d", out.Len(), len(want))
	}
	if writes > 8 {
		t.Errorf("%d writes for 4 lines", writes)
	}

	// A writer that fails does not stop it: the daemon would block.
	r := strings.NewReader(text)
	copyLines(writerFunc(func([]byte) (int, error) { return 0, errors.New("no reader") }), r, func([]byte) bool { return true })
	if r.Len() != 0 {
		t.Errorf("%d bytes were not read", r.Len())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// The configuration quietens five loggers, and nothing else.
func TestLogConfiguration(t *testing.T) {
	type logger struct {
		Name  string `xml:"name,attr"`
		Level string `xml:"level,attr"`
	}
	for level, kcl := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelWarn: "INFO", slog.LevelError: "INFO",
	} {
		var config struct {
			Loggers []logger `xml:"logger"`
			Root    logger   `xml:"root"`
		}
		if err := xml.Unmarshal(logConfigurationFor(level), &config); err != nil {
			t.Fatal(err)
		}
		const pkg = "software.amazon.kinesis"
		want := []logger{
			{pkg, kcl},
			{pkg + ".multilang.MessageWriter", "WARN"},
			{pkg + ".multilang.LineReaderTask", "WARN"},
			{pkg + ".multilang.MultiLangProtocol", "WARN"},
			{pkg + ".multilang.config.KinesisClientLibConfigurator", "WARN"},
			{pkg + ".multilang.DrainChildSTDERRTask", "OFF"},
		}
		if len(config.Loggers) != len(want) || config.Root.Level != "INFO" {
			t.Fatalf("%v: %+v", level, config)
		}
		for i, l := range config.Loggers {
			if l != want[i] {
				t.Errorf("%v: %v, want %v", level, l, want[i])
			}
		}
	}
}

func FuzzDaemonLog(f *testing.F) {
	for _, text := range []string{logStart, logReady, logFailed, logStopping + logStopped, "x INFO  - ", "  ", "a  b\n\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l := newDaemonLog(slog.LevelDebug)
		var out bytes.Buffer
		l.readOut(&out, bytes.NewReader(text))
		want := text
		if len(text) > 0 && text[len(text)-1] != '\n' {
			want = append(text[:len(text):len(text)], '\n')
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("passed on %q, want %q", &out, want)
		}
		if reason := l.reason(); strings.Contains(reason, "\n") {
			t.Errorf("reason of more than a line: %q", reason)
		}
	})
}
