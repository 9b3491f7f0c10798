package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

const classpathHelp = `Usage: kcl-bootstrap classpath [flags]

Prints the class path of all jars, with which you can start Java yourself, and
fetches those that are not in the cache.

` + jarHelp + `
Example:
  CLASSPATH=$(kcl-bootstrap classpath)
`

// classpath is the subcommand.
func (c *command) classpath(ctx context.Context, args []string) int {
	var f fetchFlags
	set := pflag.NewFlagSet("kcl-bootstrap classpath", pflag.ContinueOnError)
	f.register(set)
	if status, ok := c.parse(set, classpathHelp, args); !ok {
		return status
	}
	fetched, err := c.fetchJars(ctx, f)
	if err != nil {
		return c.failed(err)
	}
	files := slices.Sorted(slices.Values(fetched.Files))
	if _, err := fmt.Fprintln(c.stdout, strings.Join(files, string(os.PathListSeparator))); err != nil {
		return c.failed(fmt.Errorf("cannot print the class path: %w", err))
	}
	return statusOK
}
