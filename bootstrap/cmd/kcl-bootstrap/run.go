package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/children"
)

const help = `Usage: kcl-bootstrap --properties FILE [--execute] [flags]
       kcl-bootstrap new|check|fetch|classpath|version [--help]

Checks the properties file, and fetches ` + daemon + `, the jars it
needs and, where there is none, Java. With --execute it runs them, and for each
shard the program of the property executableName; one that fails is started
again while the others go on. Without --execute it prints Amazon's own command.

  -p, --properties FILE         the application's properties file (required)
  -e, --execute                 run it; otherwise only print the command
  -j, --java PATH               the java command, or a Java installation
                                (default: JAVA_HOME's, PATH's, or a fetched one)
      --no-fetch-java           do not fetch one
      --no-archive              neither use nor make a class-data archive
      --java-opt OPTION         an option of Java's own; may be repeated
      --add-classpath PATH      a further jar or folder; may be repeated
  -c, --jar-path DIR            where the jars are kept (default: the folder
                                kcl-bootstrap/maven in the user's cache folder)
      --lock FILE               which jars, and hashes; full: with Glue's too
      --repo URL                the Maven repository (default: KCL_MAVEN_REPO,
                                KCL_MVN_REPO_SEARCH_URL, else Maven Central)
      --java-index URL          where Java comes from (KCL_JAVA_INDEX, or PyPI)
      --offline                 fail where a jar is missing; fetch nothing
      --quiet                   do not tell of the download
  -l, --log-configuration FILE  a logback.xml for Amazon's main class: for the
                                printed command and --stock
With --execute:
      --set KEY=VALUE           a property in the place of the file's
      --restart                 start Java again when it ends by itself,
                                at most 10 times within an hour
      --worker-id ID            the worker ID; auto: one that is this host's,
                                needs --state-dir
      --state-dir DIR           a folder on a local disk for the locks of auto
      --stop-timeout DURATION   kill what has not stopped then, such as 30s
                                (default: shutdownGraceMillis, and 10 s)
      --log-level LEVEL         error, warn, info or debug
                                (default: warn, with --stock info)
      --stock                   run Amazon's main class: a program that fails
                                ends them all; its log is shown as it comes.
                                Java below 17 does no more
  -h, --help                    print this text

Example:
  kcl-bootstrap --properties sample.properties --execute --restart

Ctrl-C, SIGTERM and SIGHUP stop gracefully; another one, a second later or more,
kills. Exit status: 0 done, or stopped as asked; 1 failed; 2 wrong usage; with
--execute also any other that Java ends with.
`

type runFlags struct {
	checkFlags
	fetchFlags
	java, logConfiguration string
	noFetchJava, noArchive bool
	javaOptions, classPath []string
	execute, restart       bool
	stock                  bool
	workerID, stateDir     string
	stopTimeout            time.Duration
	logLevel               logLevel
}

// A logLevel is the value of --log-level.
type logLevel struct {
	slog.Level
	given bool
}

func (l *logLevel) String() string { return strings.ToLower(l.Level.String()) }
func (l *logLevel) Type() string   { return "level" }

// or returns the level, or another one where none was given.
func (l *logLevel) or(other slog.Level) slog.Level {
	if l.given {
		return l.Level
	}
	return other
}

// Set reads one of the names in the help; slog would take INFO+2 as well.
func (l *logLevel) Set(text string) error {
	switch text {
	case "error", "warn", "info", "debug":
		l.given = true
		return l.UnmarshalText([]byte(text))
	}
	return errors.New("not error, warn, info or debug")
}

// auto is the --worker-id that is claimed.
const auto = "auto"

// check returns what is wrong with the flags together.
func (f *runFlags) check(set *pflag.FlagSet) error {
	if err := f.validate(); err != nil {
		return err
	}
	switch {
	case f.workerID == auto && f.stateDir == "":
		return errors.New("--worker-id auto needs --state-dir, a folder on a local disk that is there after a restart")
	case f.workerID != auto && f.stateDir != "":
		return errors.New("--state-dir is for --worker-id auto")
	case set.Changed("worker-id") && strings.TrimSpace(f.workerID) == "":
		return errors.New("--worker-id is empty")
	case set.Changed("stop-timeout") && f.stopTimeout <= 0:
		return errors.New("--stop-timeout must be more than 0")
	case f.logConfiguration != "" && set.Changed("log-level"):
		return errors.New("--log-level has no effect beside --log-configuration")
	case f.logConfiguration != "" && f.execute && !f.stock:
		return errors.New("--log-configuration is for Amazon's main class: add --stock, or name a --log-level")
	}
	for _, name := range []string{"set", "restart", "worker-id", "stop-timeout", "log-level", "stock"} {
		if set.Changed(name) && !f.execute {
			return fmt.Errorf("--%s needs --execute", name)
		}
	}
	return nil
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
	set.BoolVar(&f.stock, "stock", false, "")
	set.StringVarP(&f.java, "java", "j", "", "")
	set.BoolVar(&f.noFetchJava, "no-fetch-java", false, "")
	set.BoolVar(&f.noArchive, "no-archive", false, "")
	set.StringVar(&f.javaIndex, "java-index", "", "")
	set.StringArrayVar(&f.javaOptions, "java-opt", nil, "")
	set.StringArrayVar(&f.classPath, "add-classpath", nil, "")
	set.StringVar(&f.workerID, "worker-id", "", "")
	set.StringVar(&f.stateDir, "state-dir", "", "")
	set.DurationVar(&f.stopTimeout, "stop-timeout", 0, "")
	set.Var(&f.logLevel, "log-level", "")
	set.StringVarP(&f.logConfiguration, "log-configuration", "l", "", "")
	if status, ok := c.parse(set, help, args); !ok {
		return status
	}
	if err := f.check(set); err != nil {
		return c.usage(set, err)
	}

	java, properties, problems := c.prepare(ctx, &f)
	if problems != nil {
		for _, problem := range problems {
			c.say("%s", problem)
		}
		return statusFailed
	}
	if f.execute {
		return c.execute(ctx, f, java, properties)
	}
	line, err := java.Args()
	if err != nil {
		return c.failed(err)
	}
	if _, err := fmt.Fprintln(c.stdout, bootstrap.Quote(line)); err != nil {
		return c.failed(fmt.Errorf("cannot print the command: %w", err))
	}
	return statusOK
}

// prepare checks everything and fetches the jars, what is quick first, and
// returns the command that starts the daemon, or a line for each problem.
func (c *command) prepare(ctx context.Context, f *runFlags) (java bootstrap.Command, properties *bootstrap.Properties, problems []string) {
	properties, warnings, err := c.checkProperties(f.checkFlags, f.lock)
	for _, warning := range warnings {
		c.say("%s", warning)
	}
	problems = append(problems, describe(err)...)
	if f.logConfiguration != "" {
		if _, err := os.Stat(f.logConfiguration); err != nil {
			problems = append(problems, fmt.Sprintf("cannot read the log configuration: %v", err))
		}
	}
	for _, entry := range f.classPath {
		if _, err := os.Stat(entry); err != nil {
			problems = append(problems, fmt.Sprintf("--add-classpath: %v", err))
		}
	}
	java = bootstrap.Command{
		JavaOptions: f.javaOptions, ClassPath: f.classPath, LogConfiguration: f.logConfiguration,
		Overrides: f.overrides(),
	}
	var noJava error
	java.Java, noJava = f.findJava()
	fetchJava := !f.noFetchJava && bootstrap.CanFetchJava(noJava)
	if errors.Is(noJava, bootstrap.ErrOldJava) && !fetchJava {
		f.stock = true
		c.say("only Amazon's main class is run, as with --stock: %v", noJava)
		java.Java, noJava = f.findJava()
	}
	if !fetchJava {
		problems = append(problems, describe(noJava)...)
	}
	if problems != nil {
		return java, nil, problems
	}
	if !f.execute || f.stock {
		if err := c.checkStock(properties); err != nil {
			return java, nil, describe(err)
		}
	}
	if f.execute {
		if err := properties.CheckEndpoints(ctx, f.javaOptions...); err != nil {
			return java, nil, describe(err)
		}
	}
	if fetchJava {
		if java.Java, err = c.fetchJava(ctx, f.fetchFlags); err != nil {
			return java, nil, describe(fmt.Errorf("%w: JAVA_HOME is not set and PATH has no Java that will do; %w", bootstrap.ErrNoJava, err))
		}
	}
	fetched, err := c.fetchJars(ctx, f.fetchFlags)
	if err != nil {
		return java, nil, describe(err)
	}
	java.Jars, java.Properties = fetched.Files, properties.File
	if !f.noArchive {
		java.CacheDir = fetched.CacheDir
	}
	return java, properties, nil
}

// findJava looks for a Java that does what the flags want.
func (f *runFlags) findJava() (string, error) {
	if f.execute && !f.stock {
		return engine.FindJava(f.java)
	}
	return bootstrap.FindJavaOf(f.java, 8) // what Amazon's main class needs
}

// checkStock says what Amazon's main class does not do as the properties say. Its
// error is that it cannot be run with them.
func (c *command) checkStock(properties *bootstrap.Properties) error {
	warnings, err := properties.CheckStock()
	for _, warning := range warnings {
		c.say("%s", warning)
	}
	return err
}

// execute runs Java until it ends, or until it is no longer restarted.
func (c *command) execute(ctx context.Context, f runFlags, java bootstrap.Command, properties *bootstrap.Properties) int {
	log := slog.New(lineHandler{say: c.say})
	switch f.workerID {
	case "":
	case auto:
		application, _ := properties.Get("applicationName")
		worker, err := bootstrap.ClaimWorker(ctx, f.stateDir, application, log)
		if err != nil {
			return c.failed(err)
		}
		defer worker.Close()
		java.Worker = worker
	default:
		java.Overrides["workerId"] = f.workerID
	}

	quiet := context.AfterFunc(ctx, func() {
		c.say("stopping %s; another signal after a second kills it", c.lock.Name)
	})
	defer quiet()
	run := c.withChildren(f, java, properties, log)
	if f.stock {
		run = c.stock(f, java, log)
	}
	var err error
	if f.restart {
		err = bootstrap.RestartPolicy{Restarting: func(err error, n int, delay time.Duration) {
			c.say("stopped %s: %v", c.lock.Name, err)
			c.say("restarting %s in %.1f s, number %d within an hour", c.lock.Name, delay.Seconds(), n)
		}}.Run(ctx, run)
	} else {
		err = run(ctx)
	}
	var exit *bootstrap.ExitError
	switch {
	case err == nil:
		c.say("stopped %s as asked", c.lock.Name)
		return statusOK
	case errors.As(err, &exit):
		c.say("stopped %s: %v", c.lock.Name, err)
		if exit.Code == 0 || exit.Stopping && !exit.Killed {
			return statusFailed
		}
		return exit.Code
	default:
		return c.failed(err)
	}
}

// started is told of Java. The form of this line is part of the command's
// interface.
func (c *command) started(pid int) { c.say("started %s, pid %d", c.lock.Name, pid) }

// stock returns what runs Amazon's main class.
func (c *command) stock(f runFlags, java bootstrap.Command, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		return java.Run(ctx, bootstrap.RunOptions{
			Output: c.stderr, LogLevel: f.logLevel.or(slog.LevelInfo), Kill: c.kill, StopTimeout: f.stopTimeout, Started: c.started, Log: log,
		})
	}
}

// defaultGrace is how long a stop may take where the properties say nothing.
const defaultGrace = 10 * time.Second

// withChildren returns what runs KCL with a child for each shard. Where this
// version of KCL cannot be run so, it runs Amazon's main class.
func (c *command) withChildren(f runFlags, java bootstrap.Command, properties *bootstrap.Properties, log *slog.Logger) func(context.Context) error {
	text := func(name string) string {
		value, _ := properties.Get(name)
		return value
	}
	// Check has seen that they are numbers.
	number := func(name string) time.Duration {
		n, _ := strconv.ParseInt(strings.TrimSpace(text(name)), 10, 64)
		return time.Duration(n)
	}
	level := f.logLevel.or(slog.LevelWarn)
	config := children.Config{
		Engine:      engine.Config{Command: java, StopGrace: number("shutdownGraceMillis") * time.Millisecond, LogLevel: level, Log: log, Kill: c.kill, Started: c.started},
		Program:     strings.FieldsFunc(text("executableName"), func(r rune) bool { return r == ' ' }), // as KCL parts it
		Timeout:     number("timeoutInSeconds") * time.Second,
		StopTimeout: f.stopTimeout,
		Stderr:      c.stderr,
	}
	if config.Engine.StopGrace <= 0 {
		config.Engine.StopGrace = defaultGrace
	}
	stock := false
	return func(ctx context.Context) error {
		if !stock {
			config := config
			config.Engine.Event = newTeller(ctx, c.say, c.stderr).event
			err := children.Run(ctx, config)
			var unlinked *engine.UnlinkedError
			if !errors.As(err, &unlinked) {
				return err
			}
			c.say("KCL %s has no %s: only Amazon's main class runs it, as with --stock", unlinked.KCL, unlinked.Member)
			if err := c.checkStock(properties); err != nil {
				return err
			}
			stock = true
		}
		return c.stock(f, java, log)(ctx)
	}
}
