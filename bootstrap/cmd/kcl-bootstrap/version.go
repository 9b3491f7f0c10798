package main

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/spf13/pflag"
)

const versionHelp = `Usage: kcl-bootstrap version

Prints the versions of kcl-bootstrap and of the daemon that it runs.

  -h, --help  print this text

Example:
  kcl-bootstrap version
`

// version is the subcommand.
func (c *command) version(_ context.Context, args []string) int {
	set := pflag.NewFlagSet("kcl-bootstrap version", pflag.ContinueOnError)
	if status, ok := c.parse(set, versionHelp, args); !ok {
		return status
	}
	if _, err := fmt.Fprintf(c.stdout, "kcl-bootstrap %s, %s\n", ownVersion(), daemon); err != nil {
		return c.failed(fmt.Errorf("cannot print the version: %w", err))
	}
	return statusOK
}

// ownVersion returns the version of the module from which this command was built.
func ownVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "(unknown)"
}
