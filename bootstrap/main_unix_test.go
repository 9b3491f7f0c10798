//go:build unix

package bootstrap

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// The tests run this binary again in the role of Java, of a record processor
// and of a process that uses Run.
const roleVariable = "KCL_BOOTSTRAP_TEST_ROLE"

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv(roleVariable)]; ok {
		role()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var roles = map[string]func(){
	"exit": func() {
		code, _ := strconv.Atoi(os.Args[1])
		os.Exit(code)
	},
	"streams": func() {
		input, err := io.ReadAll(os.Stdin)
		fmt.Printf("input %q %v\n", input, err)
		fmt.Fprintln(os.Stderr, "error line")
		os.Exit(3)
	},
	// As Java does: stops at SIGTERM, with 143, and counts them.
	"stoppable": func() {
		signals := make(chan os.Signal, 9)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println("ready", os.Getpid())
		<-signals
		// A second one would come at once.
		time.Sleep(100 * time.Millisecond)
		fmt.Println("signals", 1+len(signals))
		os.Exit(143)
	},
	"unstoppable": func() {
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready", os.Getpid())
		select {}
	},
	"crash": func() {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	},
	// Java with a record processor: ends with 5 and leaves it behind.
	"parent": func() {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), roleVariable+"="+os.Args[1])
		child.Stderr = os.Stderr
		if _, err := child.StdinPipe(); err != nil {
			panic(err)
		}
		out, err := child.StdoutPipe()
		if err != nil {
			panic(err)
		}
		if err := child.Start(); err != nil {
			panic(err)
		}
		ready, _ := bufio.NewReader(out).ReadString('\n') // it has its signal handlers now
		fmt.Print("child ", ready)
		os.Exit(5)
	},
	"ends on EOF": func() {
		fmt.Println("ready", os.Getpid())
		io.Copy(io.Discard, os.Stdin)
		fmt.Fprintln(os.Stderr, "saw EOF")
	},
	"supervisor": supervise,
}
