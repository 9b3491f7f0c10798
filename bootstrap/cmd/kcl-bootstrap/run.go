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
needs and, if there is none, Java. With --execute it runs KCL, and for each
shard the program in the property executableName; if one program fails, it is
started again while the others go on. Without --execute it prints the command
that --stock would run.

  -p, --properties FILE         the application's properties file (required)
  -e, --execute                 run KCL instead of printing the command
  -j, --java PATH               the java command, or a Java installation
                                (default: JAVA_HOME, else PATH, else fetched)
      --no-fetch-java           do not fetch Java
      --no-archive              neither use nor make a class-data archive
      --java-opt OPTION         an option for Java itself; may be repeated
      --add-classpath PATH      a further jar or folder; may be repeated
  -c, --jar-path DIR            the folder for the jars (default:
                                kcl-bootstrap/maven in the user's cache folder)
      --lock FILE               your list of jars; full: the Glue Registry's too
      --repo URL                the Maven repository (default: KCL_MAVEN_REPO,
                                KCL_MVN_REPO_SEARCH_URL, or Maven Central)
      --java-index URL          index for Java (default: see fetch --help)
      --offline                 fetch nothing; fail if a file is missing
      --quiet                   do not show the progress of downloads
  -l, --log-configuration FILE  a logback.xml for Amazon's main class: for the
                                printed command and for --stock
  -h, --help                    print this text
Only with --execute:
      --set KEY=VALUE           override a property; may be repeated
      --restart                 start Java again when it ends by itself,
                                at most 10 times within an hour
      --worker-id ID            the worker ID (default: workerId, or a new one);
                                auto: the same at each start
      --state-dir DIR           a folder on a local disk, required for auto
      --stop-timeout DURATION   kill everything if a stop takes longer, such as
                                30s (default: shutdownGraceMillis plus 10 s)
      --log-level LEVEL         error, warn, info or debug
                                (default: warn; with --stock: info)
      --stock                   run Amazon's main class, as always with Java 8
                                to 16: a program that fails ends all others

Example:
  kcl-bootstrap --properties sample.properties --execute --restart

Ctrl-C, SIGTERM and SIGHUP stop gracefully; another one, a second later or more,
kills. Exit status: 0 done, or stopped as asked; 1 failed; 2 wrong usage; with
--execute also any other status of Java.
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

// or returns the level, or another one if none was given.
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

// auto is the --worker-id that means a claimed one.
const auto = "auto"

// check returns what is wrong with the combination of flags.
func (f *runFlags) check(set *pflag.FlagSet) error {
	if err := f.validate(); err != nil {
		return err
	}
	switch {
	case f.workerID == auto && f.stateDir == "":
		return errors.New("--worker-id auto needs --state-dir, a folder on a local disk that survives a restart")
	case f.workerID != auto && f.stateDir != "":
		return errors.New("--state-dir needs --worker-id auto")
	case set.Changed("worker-id") && strings.TrimSpace(f.workerID) == "":
		return errors.New("--worker-id is empty")
	case set.Changed("stop-timeout") && f.stopTimeout <= 0:
		return errors.New("--stop-timeout must be more than 0")
	case f.logConfiguration != "" && set.Changed("log-level"):
		return errors.New("--log-level has no effect with --log-configuration")
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

// run is kcl-bootstrap without a subcommand. It has the flags of KCL's bootstrap for Node.js,
// and more.
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

	java, problems := c.prepare(ctx, &f)
	if problems != nil {
		for _, problem := range problems {
			c.say("%s", problem)
		}
		return statusFailed
	}
	if f.execute {
		return c.execute(ctx, f, java)
	}
	line, err := java.Args()
	if err != nil {
		return c.failed(err)
	}
	if _, err := fmt.Fprintln(c.stdout, quote(line)); err != nil {
		return c.failed(fmt.Errorf("cannot print the command: %w", err))
	}
	return statusOK
}

// prepare checks everything, what is quick first, and fetches the jars. It returns the
// command that starts the daemon, or a line for each problem.
func (c *command) prepare(ctx context.Context, f *runFlags) (java bootstrap.Command, problems []string) {
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
		JavaOptions: f.javaOptions, ClassPath: f.classPath, LogConfiguration: f.logConfiguration, Properties: properties,
	}
	var noJava error
	java.Java, noJava = f.findJava()
	fetchJava := noJava != nil && !f.noFetchJava && f.java == "" && os.Getenv("JAVA_HOME") == ""
	if errors.Is(noJava, bootstrap.ErrOldJava) && !fetchJava {
		f.stock = true
		c.say("only Amazon's main class is run, as with --stock: %v", noJava)
		java.Java, noJava = f.findJava()
	}
	if !fetchJava {
		problems = append(problems, describe(noJava)...)
	}
	if problems != nil {
		return java, problems
	}
	if !f.execute || f.stock {
		if err := c.checkStock(properties); err != nil {
			return java, describe(err)
		}
	}
	if f.execute {
		if err := properties.CheckEndpoints(ctx, f.javaOptions...); err != nil {
			return java, describe(err)
		}
	}
	if fetchJava {
		if java.Java, err = c.fetchJava(ctx, f.fetchFlags); err != nil {
			return java, describe(fmt.Errorf("%w: JAVA_HOME is not set and PATH has no suitable Java; %w", bootstrap.ErrNoJava, err))
		}
	}
	fetched, err := c.fetchJars(ctx, f.fetchFlags)
	if err != nil {
		return java, describe(err)
	}
	java.Jars = fetched.Files
	if !f.noArchive {
		java.CacheDir = fetched.CacheDir
	}
	return java, nil
}

// findJava looks for a Java of the version that the flags require.
func (f *runFlags) findJava() (string, error) {
	minVersion := 8 // for Amazon's main class
	if f.execute && !f.stock {
		minVersion = engine.MinJava
	}
	return bootstrap.FindJava(f.java, minVersion)
}

// checkStock prints which properties Amazon's main class reads otherwise. It returns an error
// if that cannot run with them.
func (c *command) checkStock(properties *bootstrap.Properties) error {
	warnings, err := properties.CheckStock()
	for _, warning := range warnings {
		c.say("%s", warning)
	}
	return err
}

// execute runs Java until it ends, or until it is no longer restarted.
func (c *command) execute(ctx context.Context, f runFlags, java bootstrap.Command) int {
	log := slog.New(lineHandler{say: c.say})
	switch f.workerID {
	case "":
	case auto:
		application, _ := java.Properties.Get("applicationName")
		claim, err := bootstrap.ClaimWorkerID(ctx, f.stateDir, application, &bootstrap.ClaimOptions{Logger: log})
		if err != nil {
			return c.failed(err)
		}
		defer claim.Close()
		java.Claim = claim
	default:
		java.Properties.Set("workerId", f.workerID)
	}

	quiet := context.AfterFunc(ctx, func() {
		c.say("stopping %s; another signal after a second kills it", c.kcl())
	})
	defer quiet()
	run := c.withChildren(f, java, log)
	if f.stock {
		run = c.stock(f, java, log)
	}
	var err error
	if f.restart {
		err = bootstrap.RestartPolicy{Restarting: func(err error, n int, delay time.Duration) {
			c.say("stopped %s: %v", c.kcl(), err)
			c.say("restarting %s in %.1f s, number %d within an hour", c.kcl(), delay.Seconds(), n)
		}}.Run(ctx, run)
	} else {
		err = run(ctx)
	}
	var exit *bootstrap.ExitError
	switch {
	case err == nil:
		c.say("stopped %s as asked", c.kcl())
		return statusOK
	case errors.As(err, &exit):
		c.say("stopped %s: %v", c.kcl(), err)
		if exit.Code == 0 || exit.Stopping && !exit.Killed {
			return statusFailed
		}
		return exit.Code
	default:
		return c.failed(err)
	}
}

// started prints that Java has been started. The form of this line is part of the command's
// interface.
func (c *command) started(pid int) { c.say("started %s, pid %d", c.kcl(), pid) }

// kcl names what runs, with either main class, in its version.
func (c *command) kcl() string { return "KCL" + strings.TrimPrefix(c.lock.Name, "MultiLangDaemon") }

// stock returns a function that runs Amazon's main class.
func (c *command) stock(f runFlags, java bootstrap.Command, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		return java.Run(ctx, &bootstrap.RunOptions{
			Output: c.stderr, LogLevel: f.logLevel.or(slog.LevelInfo), Kill: c.kill, StopTimeout: f.stopTimeout, Started: c.started, Logger: log,
		})
	}
}

// defaultGrace is how long a stop may take if the properties do not say.
const defaultGrace = 10 * time.Second

// withChildren returns a function that runs KCL with a child process for each shard, or
// Amazon's main class if this version of KCL does not support that.
func (c *command) withChildren(f runFlags, java bootstrap.Command, log *slog.Logger) func(context.Context) error {
	text := func(name string) string {
		value, _ := java.Properties.Get(name)
		return value
	}
	// Check has seen that they are numbers.
	number := func(name string) time.Duration {
		n, _ := strconv.ParseInt(strings.TrimSpace(text(name)), 10, 64)
		return time.Duration(n)
	}
	level := f.logLevel.or(slog.LevelWarn)
	config := children.Config{
		Engine:      engine.Config{Command: java, StopGrace: number("shutdownGraceMillis") * time.Millisecond, LogLevel: level, Logger: log, Kill: c.kill, Started: c.started},
		Program:     strings.FieldsFunc(text("executableName"), func(r rune) bool { return r == ' ' }), // as KCL splits it
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
			config.Engine.Event = newReporter(ctx, c.say, c.stderr).event
			err := children.Run(ctx, config)
			var unlinked *engine.IncompatibleError
			if !errors.As(err, &unlinked) {
				return err
			}
			c.say("KCL %s has no %s: only Amazon's main class runs it, as with --stock", unlinked.KCL, unlinked.Member)
			if err := c.checkStock(java.Properties); err != nil {
				return err
			}
			stock = true
		}
		return c.stock(f, java, log)(ctx)
	}
}
