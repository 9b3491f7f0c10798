package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const help = `Usage: kcl-bootstrap --properties FILE [--execute] [flags]
       kcl-bootstrap check|fetch|classpath|version [--help]

Checks the properties file, finds Java, fetches ` + daemon + ` and
the jars it needs, and prints the command that starts the daemon, or runs it.

  -p, --properties FILE         the application's properties file (required)
  -e, --execute                 run the daemon; otherwise only print the command
      --restart                 start the daemon again when it ends by itself,
                                at most 10 times within an hour
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

type runFlags struct {
	checkFlags
	fetchFlags
	java, logConfiguration string
	execute, restart       bool
}

// run is kcl-bootstrap without a subcommand: the flags of KCL's bootstrap for
// Node.js, and more.
func (c *command) run(ctx context.Context, args []string) int {
	var f runFlags
	set := pflag.NewFlagSet("kcl-bootstrap", pflag.ContinueOnError)
	f.checkFlags.register(set)
	f.fetchFlags.register(set)
	set.BoolVarP(&f.execute, "execute", "e", false, "")
	set.BoolVar(&f.restart, "restart", false, "")
	set.StringVarP(&f.java, "java", "j", "", "")
	set.StringVarP(&f.logConfiguration, "log-configuration", "l", "", "")
	if status, ok := c.parse(set, help, args); !ok {
		return status
	}
	if f.properties == "" {
		return c.usage(set, errNoProperties)
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
			return c.failed(fmt.Errorf("cannot print the command: %w", err))
		}
		return statusOK
	}
	return c.execute(ctx, f, java)
}

// prepare checks everything and fetches the jars, what is quick first, and
// returns the command that starts the daemon, or a line for each problem.
func (c *command) prepare(ctx context.Context, f runFlags) (args, problems []string) {
	properties, err := c.checkProperties(f.checkFlags)
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
	fetched, err := c.fetchJars(ctx, f.fetchFlags)
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

// execute runs Java until it ends, or until it is no longer restarted.
func (c *command) execute(ctx context.Context, f runFlags, java []string) int {
	quiet := context.AfterFunc(ctx, func() {
		c.say("stopping %s; another signal after a second kills it", daemon)
	})
	defer quiet()
	run := func(ctx context.Context) error {
		return bootstrap.Run(ctx, java, bootstrap.RunOptions{
			Output: c.stderr,
			Kill:   c.kill,
			Started: func(pid int) {
				// The form of this line is part of the command's interface.
				c.say("started %s, pid %d", daemon, pid)
			},
			Log: slog.New(lineHandler{c.say}),
		})
	}
	var err error
	if f.restart {
		err = bootstrap.RestartPolicy{Restarting: func(err error, n int, delay time.Duration) {
			c.say("stopped %s: %v", daemon, err)
			c.say("restarting %s in %.1f s, number %d within an hour", daemon, delay.Seconds(), n)
		}}.Run(ctx, run)
	} else {
		err = run(ctx)
	}
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
		return c.failed(err)
	}
}
