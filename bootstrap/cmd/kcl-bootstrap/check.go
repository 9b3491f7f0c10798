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

Checks the properties file as a start does, and starts nothing. What it finds
goes to standard output, a line for each:

  FILE:LINE: error: KEY: what the daemon would fail of or silently pass over
  FILE:LINE: warning: KEY: what is probably not meant

  -p, --properties FILE  the application's properties file (required)
      --set KEY=VALUE    check with this in the place of the file's value;
                         may be repeated
      --lock FILE        the lock to run with; of another daemon than
                         ` + daemon + ` not all is known
  -h, --help             print this text

Example:
  kcl-bootstrap check --properties sample.properties

Exit status: 0 no errors, 1 errors, 2 wrong usage.
`

// checkFlags are the flags of all command lines that read the properties.
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
			// What stands there may be a secret.
			return errors.New("--set takes KEY=VALUE")
		}
	}
	return nil
}

// overrides are what --set says.
func (f *checkFlags) overrides() map[string]string {
	all := make(map[string]string, len(f.set))
	for _, s := range f.set {
		name, value, _ := strings.Cut(s, "=")
		all[strings.TrimSpace(name)] = strings.TrimLeft(value, " \t")
	}
	return all
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

// plural tells a number of things.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// checkProperties reads the properties and looks for what is wrong with them,
// for the daemon of the lock.
func (c *command) checkProperties(f checkFlags, lockName string) (properties *bootstrap.Properties, warnings []bootstrap.Finding, err error) {
	lock, err := c.chooseLock(lockName)
	if err != nil {
		return nil, nil, err
	}
	var keys *bootstrap.Keys
	if lock.Name == bootstrap.DaemonLock().Name {
		keys = bootstrap.DaemonKeys()
	}
	properties, err = bootstrap.ReadProperties(f.properties)
	if err != nil {
		return nil, nil, err
	}
	for name, value := range f.overrides() {
		properties.Set(name, value)
	}
	warnings, err = properties.Check(keys)
	return properties, warnings, err
}
