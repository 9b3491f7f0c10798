// Command smoke runs the demo's job on AWS itself, with a stream and tables of
// its own that it deletes again. It costs money, and asks for a yes. See the
// README of tools.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/tools/internal/roundtrip"
)

const (
	regionVariable = "KCL_SMOKE_REGION"
	prefixVariable = "KCL_SMOKE_PREFIX"

	// shards is what the stream has; each costs for the hour that it begins.
	shards     = 2
	maxRecords = 10_000
)

// cost is said before anything is made.
const cost = `about 0.05 US dollars a run: 2 shards of a stream for an hour (0.015 each in
us-east-1, more elsewhere), some thousand requests to tables on demand; no
CloudWatch metrics`

const help = `Usage: ` + regionVariable + `=REGION ` + prefixVariable + `=NAME go run ./tools/cmd/smoke --yes [flags]

Runs the demo's job on AWS itself, with your credentials: makes a stream of 2
shards and three tables, puts records, has the real MultiLangDaemon run the
sample consumer until each is in a shard's file, deletes stream and tables. It
takes about three minutes. It costs ` + cost + `.

All names begin with ` + prefixVariable + `, 1 to 40 letters, digits and hyphens, and end
with the time. Whatever goes wrong, and on Ctrl-C, what was made is deleted; a
second Ctrl-C ends it at once, and then kcl-infra delete does that.

Flags:
%s
Example:
  ` + regionVariable + `=eu-west-1 ` + prefixVariable + `=alice go run ./tools/cmd/smoke --yes

The last line on standard output is
  smoke: sent=N received=N missing=0 duplicates=0 shards=2 first_record_s=X.X total_s=X.X
Exit status: 0 when each record is there once and all is deleted, 1 when not,
2 wrong usage, which it is without --yes.
`

type options struct {
	name, region string
	records      int
	dir          string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal ends it at once; its children go with it.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

var (
	validPrefix = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,39}$`)
	validRegion = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
)

// parse reads the command line and the environment. Everything is refused that
// is not clearly meant.
func parse(args []string, env func(string) string) (o options, usage string, err error) {
	flags := pflag.NewFlagSet("smoke", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	yes := flags.Bool("yes", false, "yes, make these resources in my account, and bill me")
	flags.IntVarP(&o.records, "records", "n", 500, fmt.Sprintf("`number` of sensor records to put, 1 to %d", maxRecords))
	flags.StringVarP(&o.dir, "dir", "d", "", "`folder` for shard files and the daemon's log, which then stay (default: a temporary one)")
	if err := flags.Parse(args); errors.Is(err, pflag.ErrHelp) {
		return o, fmt.Sprintf(help, flags.FlagUsages()), nil
	} else if err != nil {
		return o, "", err
	}
	o.region = env(regionVariable)
	prefix := env(prefixVariable)
	switch {
	case flags.NArg() > 0:
		return o, "", fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.records < 1 || o.records > maxRecords:
		return o, "", fmt.Errorf("--records %d is not between 1 and %d", o.records, maxRecords)
	case o.region == "" || prefix == "":
		return o, "", fmt.Errorf("set %s and %s: where the resources are made, and how their names begin", regionVariable, prefixVariable)
	case !validRegion.MatchString(o.region):
		return o, "", fmt.Errorf("%s %q is no name of a region, like us-east-1", regionVariable, o.region)
	case !validPrefix.MatchString(prefix):
		return o, "", fmt.Errorf("%s %q is not 1 to 40 letters, digits and hyphens", prefixVariable, prefix)
	}
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL_DYNAMODB"} {
		if env(name) != "" {
			return o, "", fmt.Errorf("%s is set, and this is for AWS itself: unset it", name)
		}
	}
	if !*yes {
		return o, "", fmt.Errorf("refused without --yes: it makes a stream and three tables in %s and deletes them, and costs %s",
			o.region, strings.ReplaceAll(cost, "\n", " "))
	}
	var random [3]byte
	if _, err := rand.Read(random[:]); err != nil {
		return o, "", err
	}
	o.name = fmt.Sprintf("%s-smoke-%s-%s", prefix, time.Now().UTC().Format("20060102-150405"), hex.EncodeToString(random[:]))
	return o, "", nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, usage, err := parse(args, os.Getenv)
	if err != nil {
		fmt.Fprintf(stderr, "smoke: %v; try --help\n", err)
		return 2
	}
	if usage != "" {
		fmt.Fprint(stdout, usage)
		return 0
	}
	result, err := smoke(ctx, o, aws(o.region, os.Environ()), stderr)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, roundtrip.ErrLeft) {
			err = errors.New("interrupted; everything was stopped, and deleted if it was made")
		}
		fmt.Fprintf(stderr, "smoke: %v\n", err)
		if errors.Is(err, roundtrip.ErrLeft) {
			fmt.Fprintf(stderr, "smoke: delete them: %s\n", deleteCommand(o))
		}
	}
	if result != nil {
		fmt.Fprintln(stdout, result)
	}
	if err != nil || !result.Good() {
		return 1
	}
	return 0
}

// deleteCommand is what a user types where this command could not delete.
func deleteCommand(o options) string {
	return fmt.Sprintf("kcl-infra delete --stream --force --region %s --application %s --stream-name %[2]s", o.region, o.name)
}
