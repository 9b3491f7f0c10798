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

// How long after the end of the input the process lives at most: the reader of
// a shard must be gone before the next one starts.
const lifeAfterEOF = 4500 * time.Millisecond

// Main serves p on standard input and output, as the MultiLangDaemon starts a
// child, and ends the process: with status 0 when the daemon ended it, 1 when
// something failed (see [Run]; one line on standard error says what), 2 when it
// was started by hand on a terminal. It does not return, so deferred calls of
// the caller do not run. Call it once, from main.
//
// While it runs:
//
//   - Standard output belongs to the protocol. Main keeps the descriptors 0 and
//     1 for itself, elsewhere and not inherited by child processes, and puts
//     the null device and standard error in their places: whatever prints to
//     os.Stdout, to descriptor 1, from C code or from a child process, prints
//     to standard error. On Windows the same is done with the standard handles
//     and with os.Stdin and os.Stdout, so that only code which kept the old
//     *os.File or handle can still reach the protocol.
//   - SIGTERM, SIGINT and SIGHUP do not end the process: they close
//     [Lease.Stopping]. The daemon says when to stop, by ShutdownRequested or
//     by the end of the input. The program's own handlers (signal.Notify) get
//     the signals too.
//   - SIGQUIT prints all goroutines to standard error and goes on.
//   - SIGPIPE is no reason to end: writing to a standard error whose reader has
//     died gives an error.
//   - [Lease.Stream] and [Lease.Key] are what the environment variables
//     KCL_STREAM_NAME and KCL_LEASE_KEY say, which kcl-bootstrap sets for each
//     child.
//   - When the input ends while a method is in work, the lease's context is
//     cancelled and the process ends within 5 seconds, whatever the method does.
func Main(p RecordProcessor, opts ...Option) {
	os.Exit(runMain(p, opts))
}

func runMain(p RecordProcessor, opts []Option) (status int) {
	c, err := newConfig(opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if isTerminal(os.Stdin) {
		fmt.Fprintf(os.Stderr, "%s: this is a record processor: kcl-bootstrap starts it; name it as executableName in a properties file and run kcl-bootstrap -e -p FILE\n", os.Args[0])
		return 2
	}
	in, out, err := takeStdio()
	if err != nil {
		fmt.Fprintf(os.Stderr, "processor: cannot take over standard input and output: %v\n", err)
		return 1
	}
	c.stopping, c.child = watchSignals(), true
	c.stream, c.key = os.Getenv("KCL_STREAM_NAME"), os.Getenv("KCL_LEASE_KEY")

	// Nothing may keep the process beyond this: no method, no full pipe to a
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

// report prints what Run returned, and the stack of a panic, for which the
// program's own log has no place.
func report(w io.Writer, err error) {
	fmt.Fprintln(w, err)
	var p *PanicError
	if errors.As(err, &p) && p != nil {
		fmt.Fprintf(w, "panic: %v\n\n%s", p.Value, p.Stack)
	}
}

// isTerminal reports whether f is a character device other than the null
// device. There is no other that anybody would start a processor on.
func isTerminal(f *os.File) bool {
	is, err := f.Stat()
	if err != nil || is.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(is, null)
}

// watchSignals returns the channel that the first notice of a stop closes. The
// signals are caught, never ignored: child processes would inherit that.
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
