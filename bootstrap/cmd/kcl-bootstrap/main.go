// Command kcl-bootstrap fetches Amazon's MultiLangDaemon, the Kinesis Client
// Library for processors in any language, and runs it. See the module's README.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const daemon = "MultiLangDaemon " + bootstrap.DaemonVersion

func main() { os.Exit(realMain(bootstrap.DaemonLock())) }

func realMain(lock *bootstrap.Lock) int {
	ctx, kill := catchSignals(context.Background())
	c := command{lock: lock, stdout: os.Stdout, stderr: os.Stderr}
	return c.run(ctx, kill, os.Args[1:])
}

// A command is what kcl-bootstrap is, apart from its arguments and signals.
type command struct {
	lock   *bootstrap.Lock
	stdout io.Writer
	stderr *os.File
}

// say prints a line for people.
func (c *command) say(format string, args ...any) {
	fmt.Fprintf(c.stderr, "kcl-bootstrap: "+format+"\n", args...)
}

// The exit statuses of the command itself; with --execute it may be any that
// Java ends with.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

const help = `Usage: kcl-bootstrap --properties FILE [--execute] [flags]

Checks the properties file, finds Java, fetches ` + daemon + ` and the jars
it needs, and prints the command that starts the daemon, or runs it.

  -p, --properties FILE         the application's properties file (required)
  -e, --execute                 run the daemon; otherwise only print the command
  -j, --java PATH               the java command, or a Java installation
                                (default: that of JAVA_HOME, else java in PATH)
  -l, --log-configuration FILE  a logback.xml for the daemon's log
                                (default: the log goes to standard error)
  -c, --jar-path DIR            where the jars are kept (default: the folder
                                kcl-bootstrap/maven in the user's cache folder)
      --repo URL                the Maven repository (default: that of
                                KCL_MAVEN_REPO or KCL_MVN_REPO_SEARCH_URL, else
                                Maven Central)
  -h, --help                    print this text

Example:
  kcl-bootstrap --properties sample.properties --execute

Ctrl-C, SIGTERM and SIGHUP stop the daemon gracefully; another one, a second
later or more, kills it. Exit status: 0 done, or stopped as asked; 1 failed;
2 wrong usage; with --execute also any other that Java ends with.
`

type flags struct {
	properties, java, logConfiguration, jarPath, repo string
	execute, help                                     bool
}

func parseFlags(args []string) (*flags, error) {
	var f flags
	set := pflag.NewFlagSet("kcl-bootstrap", pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVarP(&f.properties, "properties", "p", "", "")
	set.BoolVarP(&f.execute, "execute", "e", false, "")
	set.StringVarP(&f.java, "java", "j", "", "")
	set.StringVarP(&f.logConfiguration, "log-configuration", "l", "", "")
	set.StringVarP(&f.jarPath, "jar-path", "c", "", "")
	set.StringVar(&f.repo, "repo", "", "")
	set.BoolVarP(&f.help, "help", "h", false, "")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.help:
	case set.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", set.Arg(0))
	case f.properties == "":
		return nil, errors.New("--properties FILE is required")
	}
	return &f, nil
}

// run is the whole command. ctx ends at the first signal, kill at the second.
func (c *command) run(ctx context.Context, kill <-chan struct{}, args []string) int {
	f, err := parseFlags(args)
	if err != nil {
		c.say("%v; try kcl-bootstrap --help", err)
		return statusUsage
	}
	if f.help {
		fmt.Fprint(c.stdout, help)
		return statusOK
	}

	java, problems := c.prepare(ctx, f)
	if problems != nil {
		for _, problem := range problems {
			c.say("%s", problem)
		}
		return statusFailed
	}
	if !f.execute {
		if _, err := fmt.Fprintln(c.stdout, bootstrap.Quote(java)); err != nil {
			c.say("cannot print the command: %v", err)
			return statusFailed
		}
		return statusOK
	}
	return c.execute(ctx, kill, java)
}

// prepare checks everything and fetches the jars, what is quick first, and
// returns the command that starts the daemon, or a line for each problem.
func (c *command) prepare(ctx context.Context, f *flags) (args, problems []string) {
	properties, err := bootstrap.ReadProperties(f.properties)
	if err == nil {
		err = properties.Check()
	}
	problems = append(problems, describe(err)...)
	if f.logConfiguration != "" {
		if _, err := os.Stat(f.logConfiguration); err != nil {
			problems = append(problems, fmt.Sprintf("cannot read the log configuration: %v", err))
		}
	}
	java, err := bootstrap.FindJava(f.java)
	problems = append(problems, describe(err)...)
	if problems != nil {
		return nil, problems
	}
	if f.execute {
		if err := properties.CheckEndpoints(ctx); err != nil {
			return nil, describe(err)
		}
	}
	fetched, err := bootstrap.Fetch(ctx, c.lock, bootstrap.FetchOptions{
		Repository: f.repo,
		CacheDir:   f.jarPath,
		Log:        slog.New(lineHandler{c.say}),
		Progress:   c.progress(),
	})
	if err != nil {
		return nil, describe(err)
	}
	args, err = bootstrap.Command{
		Java:             java,
		Jars:             fetched.Files,
		Properties:       properties.File,
		LogConfiguration: f.logConfiguration,
	}.Args()
	return args, describe(err)
}

// execute runs Java until it ends.
func (c *command) execute(ctx context.Context, kill <-chan struct{}, java []string) int {
	quiet := context.AfterFunc(ctx, func() {
		c.say("stopping %s; another signal after a second kills it", daemon)
	})
	err := bootstrap.Run(ctx, java, bootstrap.RunOptions{
		Output: c.stderr,
		Kill:   kill,
		Started: func(pid int) {
			// The form of this line is part of the command's interface.
			c.say("started %s, pid %d", daemon, pid)
		},
		Log: slog.New(lineHandler{c.say}),
	})
	quiet()
	var exit *bootstrap.ExitError
	switch {
	case err == nil:
		c.say("stopped %s as asked", daemon)
		return statusOK
	case errors.As(err, &exit):
		c.say("stopped %s: %v", daemon, err)
		if exit.Code == 0 {
			return statusFailed
		}
		return exit.Code
	default:
		c.say("%s", describe(err)[0])
		return statusFailed
	}
}

// progress returns a function that tells how far the download is: at its
// start, once a second, and at its end.
func (c *command) progress() func(bootstrap.Progress) {
	var last time.Time
	return func(p bootstrap.Progress) {
		if done := p.Files == p.TotalFiles; !done && time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		const mb = 1e6
		c.say("fetching %s: %d of %d jars, %.1f of %.1f MB", daemon,
			p.Files, p.TotalFiles, float64(p.Bytes)/mb, float64(p.TotalBytes)/mb)
	}
}

// describe returns an error as lines for the user; none for nil.
func describe(err error) []string {
	var config *bootstrap.ConfigError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errStopped):
		return []string{"stopped before the daemon was started"}
	case errors.As(err, &config):
		lines := make([]string, len(config.Problems))
		for i, problem := range config.Problems {
			lines[i] = config.File + ": " + problem
		}
		return lines
	default:
		return []string{err.Error()}
	}
}
