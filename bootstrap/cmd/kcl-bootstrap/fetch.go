package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const fetchHelp = `Usage: kcl-bootstrap fetch [flags]

Fetches ` + daemon + ` and the jars it needs into the cache, and
verifies each of them. A later start needs no network.

  -c, --jar-path DIR  where the jars are kept (default: the folder
                      kcl-bootstrap/maven in the user's cache folder)
      --repo URL      the Maven repository (default: that of KCL_MAVEN_REPO or
                      KCL_MVN_REPO_SEARCH_URL, else Maven Central)
  -h, --help          print this text

Example:
  kcl-bootstrap fetch --jar-path /opt/kcl
`

// fetchFlags are the flags of all command lines that need the jars.
type fetchFlags struct {
	jarPath, repo string
}

func (f *fetchFlags) register(set *pflag.FlagSet) {
	set.StringVarP(&f.jarPath, "jar-path", "c", "", "")
	set.StringVar(&f.repo, "repo", "", "")
}

// fetch is the subcommand.
func (c *command) fetch(ctx context.Context, args []string) int {
	var f fetchFlags
	set := pflag.NewFlagSet("kcl-bootstrap fetch", pflag.ContinueOnError)
	f.register(set)
	if status, ok := c.parse(set, fetchHelp, args); !ok {
		return status
	}
	if _, err := c.fetchJars(ctx, f); err != nil {
		return c.failed(err)
	}
	return statusOK
}

// fetchJars brings the jars into the cache, and tells how far it is.
func (c *command) fetchJars(ctx context.Context, f fetchFlags) (*bootstrap.Fetched, error) {
	return bootstrap.Fetch(ctx, c.lock, bootstrap.FetchOptions{
		Repository: f.repo,
		CacheDir:   f.jarPath,
		Log:        slog.New(lineHandler{c.say}),
		Progress:   c.progress(),
	})
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
