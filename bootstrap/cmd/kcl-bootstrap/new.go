package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/scaffold"
)

const newHelp = `Usage: kcl-bootstrap new DIR [flags]

Creates a consumer project in DIR, a new or an empty folder: a Go program that
runs KCL and processes all its shards in one process, with retries and dead
letters, a test, a Dockerfile, a Kubernetes Deployment and a systemd unit. It
fetches nothing, and prints what to type next.

      --children                a program that kcl-bootstrap starts for each
                                shard, with a properties file, as in KCL's other
                                languages; without the Deployment
      --module PATH             the module path; its last element is the name of
                                the program (default: the name of DIR)
      --stream NAME             the name or the ARN of the stream to read
                                (default: the program's name)
      --application NAME        the name of the application and its tables
                                (default: the program's name)
      --region REGION           the AWS region (default: that of the stream's
                                ARN, else AWS_REGION, else AWS_DEFAULT_REGION,
                                else us-east-1)
      --processor-version V     the required version of the module
                                processor/worker, or with --children processor
                                (default: ` + scaffold.DefaultWorkerVersion + `; of processor ` + scaffold.DefaultProcessorVersion + `)
  -h, --help                    print this text

Examples:
  kcl-bootstrap new orders --module example.com/team/orders --region eu-west-1
  kcl-bootstrap new b --stream arn:aws:kinesis:us-east-1:111122223333:stream/b
  kcl-bootstrap new orders --children

Exit status: 0 created, 1 failed and nothing is left, 2 wrong usage.
`

// new is the subcommand.
func (c *command) new(ctx context.Context, args []string) int {
	var p scaffold.Project
	set := pflag.NewFlagSet("kcl-bootstrap new", pflag.ContinueOnError)
	set.BoolVar(&p.Children, "children", false, "")
	set.StringVar(&p.Module, "module", "", "")
	set.StringVar(&p.Stream, "stream", "", "")
	set.StringVar(&p.Application, "application", "", "")
	set.StringVar(&p.Region, "region", "", "")
	set.StringVar(&p.ProcessorVersion, "processor-version", scaffold.DefaultWorkerVersion, "")
	if status, ok := c.parseFlags(set, newHelp, args); !ok {
		return status
	}
	if set.NArg() == 0 || set.Arg(0) == "" {
		return c.usage(set, errors.New("DIR is missing: kcl-bootstrap new DIR"))
	}
	if set.NArg() > 1 {
		return c.usage(set, fmt.Errorf("unexpected argument %q", set.Arg(1)))
	}
	dir := set.Arg(0)
	if !set.Changed("module") {
		full, err := filepath.Abs(dir) // of . too
		if err != nil {
			return c.failed(err)
		}
		p.Module = filepath.Base(full)
	}
	// A flag that is set to "" is the unset variable of a script.
	if !set.Changed("stream") {
		p.Stream = p.Name()
	}
	if !set.Changed("application") {
		p.Application = p.Name()
	}
	if !set.Changed("region") {
		p.Region = cmp.Or(p.StreamRegion(), os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "us-east-1")
	}
	if p.Children && !set.Changed("processor-version") {
		p.ProcessorVersion = scaffold.DefaultProcessorVersion
	}
	p.BootstrapVersion = scaffold.InstallableVersion(ownVersion())
	if err := p.Validate(); err != nil {
		return c.usage(set, err)
	}
	made, err := scaffold.Create(ctx, dir, p)
	if err != nil {
		return c.failed(err)
	}
	if _, err := fmt.Fprint(c.stdout, newSummary(dir, p, made)); err != nil {
		return c.failed(err)
	}
	return statusOK
}

// newSummary lists what was created and what to type next.
func newSummary(dir string, p scaffold.Project, made []scaffold.File) string {
	var b strings.Builder
	fmt.Fprintf(&b, "created %s, which reads the stream %s in %s:\n", p.Name(), p.Stream, p.Region)
	width := 0
	for _, f := range made {
		width = max(width, len(f.Name))
	}
	for _, f := range made {
		if f.What != "" {
			fmt.Fprintf(&b, "  %-*s  %s\n", width, f.Name, f.What)
		}
	}
	b.WriteString("next:\n")
	if filepath.Clean(dir) != "." {
		fmt.Fprintf(&b, "  %s\n", quote([]string{"cd", dir}))
	}
	b.WriteString("  go mod tidy && go test ./...\n")
	if p.Children {
		b.WriteString("  go build\n  kcl-bootstrap -e -p sample.properties\n")
	} else {
		b.WriteString("  go run .\n")
	}
	return b.String()
}
