package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const checkHelp = `Usage: kcl-bootstrap check --properties FILE [flags]

Checks the properties file as a start does, and starts nothing. It prints a line
for each mistake to standard output:

  FILE:LINE: error: KEY: what makes the daemon fail, or is silently ignored
  FILE:LINE: warning: KEY: what is probably not meant

  -p, --properties FILE  the application's properties file (required)
      --set KEY=VALUE    override a property; may be repeated
      --lock FILE        the --lock of the later start; if it is of another
                         version than ` + bootstrap.DaemonVersion + `, less is checked
  -h, --help             print this text

Example:
  kcl-bootstrap check --properties sample.properties

Exit status: 0 no errors, 1 errors, 2 wrong usage.
`

// checkFlags are the flags of all subcommands that read the properties.
type checkFlags struct {
	properties string
	set        []string // KEY=VALUE
}

var errNoProperties = errors.New("--properties FILE is required")

func (f *checkFlags) register(set *pflag.FlagSet) {
	set.StringVarP(&f.properties, "properties", "p", "", "")
	set.StringArrayVar(&f.set, "set", nil, "")
}

func (f *checkFlags) validate() error {
	if f.properties == "" {
		return errNoProperties
	}
	for _, s := range f.set {
		if name, _, ok := strings.Cut(s, "="); !ok || strings.TrimSpace(name) == "" {
			// The argument may be a secret.
			return errors.New("--set takes KEY=VALUE")
		}
	}
	return nil
}

// check is the subcommand.
func (c *command) check(_ context.Context, args []string) int {
	var f checkFlags
	var lock string
	set := pflag.NewFlagSet("kcl-bootstrap check", pflag.ContinueOnError)
	f.register(set)
	set.StringVar(&lock, "lock", "", "")
	if status, ok := c.parse(set, checkHelp, args); !ok {
		return status
	}
	if err := f.validate(); err != nil {
		return c.usage(set, err)
	}
	_, warnings, err := c.checkProperties(f, lock)
	var config *bootstrap.ConfigError
	if err != nil && !errors.As(err, &config) {
		return c.failed(err)
	}
	findings := slices.Clone(warnings)
	errorCount := 0
	if config != nil {
		errorCount = len(config.Findings)
		findings = append(findings, config.Findings...)
	}
	slices.SortStableFunc(findings, func(a, b bootstrap.Finding) int { return cmp.Compare(a.Line, b.Line) })
	for _, finding := range findings {
		if _, err := fmt.Fprintln(c.stdout, finding); err != nil {
			return c.failed(err)
		}
	}
	c.say("%s: %s, %s", f.properties, plural(errorCount, "error"), plural(len(warnings), "warning"))
	if errorCount > 0 {
		return statusFailed
	}
	return statusOK
}

// plural returns a number with its noun.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// checkProperties reads the properties and checks them for the daemon of the lock.
func (c *command) checkProperties(f checkFlags, lockName string) (properties *bootstrap.Properties, warnings []bootstrap.Finding, err error) {
	lock, err := c.chooseLock(lockName)
	if err != nil {
		return nil, nil, err
	}
	properties, err = bootstrap.ReadProperties(f.properties)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range f.set {
		name, value, _ := strings.Cut(s, "=")
		properties.Set(strings.TrimSpace(name), strings.TrimLeft(value, " \t"))
	}
	warnings, err = properties.Check(lock)
	return properties, warnings, err
}
