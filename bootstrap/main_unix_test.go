//go:build unix

package bootstrap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/lifeline"
)

// The tests run this binary again in the role of Java, of a record processor
// and of a process that uses Run.
const roleVariable = "KCL_BOOTSTRAP_TEST_ROLE"

func TestMain(m *testing.M) {
	lifeline.Tie()
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
	"fetches": func() {
		_, err := Fetch(context.Background(), DaemonLock(), &FetchOptions{Repository: "http://127.0.0.1:1"})
		fmt.Println(err)
	},
	// A start of the daemon with as many jars.
	"files": func() {
		n, _ := strconv.Atoi(os.Args[1])
		fmt.Println(Command{Java: os.Args[0], Jars: make([]string, n), Properties: &Properties{}}.Run(context.Background(), &RunOptions{Env: role("exit")}))
	},
	// What Go makes of the proxies of the environment, for each argument.
	"proxies": func() {
		for _, arg := range os.Args[1:] {
			u, err := url.Parse(arg)
			if err != nil {
				panic(err)
			}
			proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
			fmt.Println(proxy, err)
		}
	},
	// As Java does: stops at SIGTERM, with 143 or its argument, and counts them.
	"stoppable": func() {
		signals := make(chan os.Signal, 9)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println("ready", os.Getpid())
		<-signals
		// A second one would come at once.
		time.Sleep(100 * time.Millisecond)
		fmt.Println("signals", 1+len(signals))
		if len(os.Args) > 1 {
			code, _ := strconv.Atoi(os.Args[1])
			os.Exit(code)
		}
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
	// A process that claims a worker ID and runs a command that does not stop.
	"claims": func() {
		claim, err := ClaimWorkerID(context.Background(), os.Args[1], "app", nil)
		if err != nil {
			panic(err)
		}
		command := process{
			args: []string{os.Args[0]}, claim: claim,
			options: (&RunOptions{
				Env: role("unstoppable"), Output: os.Stdout,
				Started: func(pid int) { fmt.Println("noted", pid) },
			}).withDefaults(),
		}
		panic(command.run(context.Background()))
	},
	// Java that shows what it was started with.
	"shows": func() {
		for i, arg := range os.Args {
			fmt.Printf("arg %s\n", arg)
			if i > 0 && (os.Args[i-1] == "--properties-file" || os.Args[i-1] == "--log-configuration") {
				text, err := os.ReadFile(arg)
				if err != nil {
					panic(err)
				}
				fmt.Printf("%s\n", text)
			}
		}
		for _, name := range []string{"LC_CTYPE", "http_proxy", "no_proxy"} {
			fmt.Printf("%s %s\n", name, os.Getenv(name))
		}
		os.Exit(9)
	},
}
