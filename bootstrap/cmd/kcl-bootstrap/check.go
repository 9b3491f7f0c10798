package main

import (
	"context"
	"errors"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const checkHelp = `Usage: kcl-bootstrap check --properties FILE [flags]

Checks the properties file as a start does, and starts nothing.

  -p, --properties FILE  the application's properties file (required)
  -h, --help             print this text

Example:
  kcl-bootstrap check --properties sample.properties
`

// checkFlags are the flags of all command lines that read the properties.
type checkFlags struct {
	properties string
}

var errNoProperties = errors.New("--properties FILE is required")

func (f *checkFlags) register(set *pflag.FlagSet) {
	set.StringVarP(&f.properties, "properties", "p", "", "")
}

// check is the subcommand.
func (c *command) check(_ context.Context, args []string) int {
	var f checkFlags
	set := pflag.NewFlagSet("kcl-bootstrap check", pflag.ContinueOnError)
	f.register(set)
	if status, ok := c.parse(set, checkHelp, args); !ok {
		return status
	}
	if f.properties == "" {
		return c.usage(set, errNoProperties)
	}
	if _, err := c.checkProperties(f); err != nil {
		return c.failed(err)
	}
	return statusOK
}

// checkProperties reads the properties and looks for what is wrong with them.
func (c *command) checkProperties(f checkFlags) (*bootstrap.Properties, error) {
	properties, err := bootstrap.ReadProperties(f.properties)
	if err != nil {
		return nil, err
	}
	return properties, properties.Check()
}
