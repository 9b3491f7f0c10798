package processor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"time"
)

// lifeAfterEOF is how long the process lives at most after the end of the input: the
// next reader of the shard may start soon after.
const lifeAfterEOF = 4500 * time.Millisecond

// Main serves p on standard input and output, as a child process of kcl-bootstrap or of
// Amazon's MultiLangDaemon, and then ends the process. The status is
//
//   - 0 when the daemon ended the conversation;
//   - 1 when something failed (see [Run]); one line on standard error says what;
//   - 2 when the program was started by hand on a terminal.
//
// Main does not return, so deferred calls of the caller do not run. Call it once, from
// main. While it runs:
//
//   - Standard output belongs to the protocol. Main moves the descriptors 0 and 1 to
//     others that child processes do not inherit, and replaces them by the null device
//     and standard error. So whatever prints to os.Stdout or to descriptor 1, also from
//     C code or from a child process, prints to standard error. On Windows Main does
//     the same with the standard handles and with os.Stdin and os.Stdout; there, code
//     that kept the old *os.File or handle can still reach the protocol.
//   - SIGTERM, SIGINT and SIGHUP close [Lease.Stopping] and do not end the process. The
//     daemon says when to stop, by ShutdownRequested or by the end of the input. The
//     program's own handlers (signal.Notify) get the signals too.
//   - SIGQUIT prints all goroutines to standard error and does not end the process.
//   - SIGPIPE does not end the process. Writing to a standard error whose reader has
//     died returns an error.
//   - [Lease.Stream] and [Lease.Key] return the values of the environment variables
//     KCL_STREAM_NAME and KCL_LEASE_KEY, which kcl-bootstrap sets for each child.
//   - When the input ends while a method is at work, the lease's context is cancelled
//     and the process ends within 5 seconds, whatever the method does.
//   - The garbage collector works as the program or its environment (GOGC, GOMEMLIMIT)
//     says. With batches of 10 MiB, a child that keeps no records takes 63 to 75 MB of
//     resident memory by Go's defaults, and 40 to 47 MB with GOGC=25 at the same
//     throughput.
func Main(p RecordProcessor) { MainWithOptions(p, nil) }

// MainWithOptions is like [Main], with options. It ignores opts.Host and does not change
// opts.
func MainWithOptions(p RecordProcessor, opts *Options) {
	os.Exit(runMain(p, opts))
}

func runMain(p RecordProcessor, opts *Options) (status int) {
	c, err := newConfig(opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if isTerminal(os.Stdin) {
		fmt.Fprintf(os.Stderr, "%s: this is a record processor, which kcl-bootstrap starts: name it as executableName in a properties file and run kcl-bootstrap -e -p FILE\n", os.Args[0])
		return 2
	}
	in, out, err := takeStdio()
	if err != nil {
		fmt.Fprintf(os.Stderr, "processor: cannot take over standard input and output: %v\n", err)
		return 1
	}
	c.Host = HostOptions{Stream: os.Getenv("KCL_STREAM_NAME"), LeaseKey: os.Getenv("KCL_LEASE_KEY"), Stopping: watchSignals()}
	c.child = true
	// Nothing may keep the process alive longer: no method, and no full pipe to a
	// daemon that hangs.
	c.inputEnded = sync.OnceFunc(func() {
		time.AfterFunc(lifeAfterEOF, func() { os.Exit(1) })
	})
	err = run(context.Background(), p, in, out, c)
	if err == nil {
		return 0
	}
	time.AfterFunc(time.Second, func() { os.Exit(1) })
	report(os.Stderr, err)
	return 1
}

// report prints the error of Run and, after a panic, its value and stack, which no log
// has.
func report(w io.Writer, err error) {
	fmt.Fprintln(w, err)
	var p *PanicError
	if errors.As(err, &p) && p != nil {
		fmt.Fprintf(w, "panic: %v\n\n%s", p.Value, p.Stack)
	}
}

// isTerminal reports whether f is a character device other than the null device. Nobody
// starts a processor on any other than a terminal.
func isTerminal(f *os.File) bool {
	is, err := f.Stat()
	if err != nil || is.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(is, null)
}

// watchSignals returns a channel that the first stop signal closes. The signals are
// caught and not ignored, because child processes would inherit that.
func watchSignals() <-chan struct{} {
	stopping := make(chan struct{})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, stopSignals...)
	go func() {
		<-stop
		close(stopping)
		for range stop {
		}
	}()
	if len(dumpSignals) > 0 {
		dump := make(chan os.Signal, 1)
		signal.Notify(dump, dumpSignals...)
		go func() {
			for range dump {
				os.Stderr.Write(allGoroutines())
			}
		}()
	}
	if len(pipeSignals) > 0 {
		signal.Notify(make(chan os.Signal, 1), pipeSignals...)
	}
	return stopping
}

func allGoroutines() []byte {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= 64<<20 {
			return buf[:n]
		}
	}
}
