package main

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/infra/connect"
	"github.com/seed96110120/kinesis-client-go/producer/internal/put"
	"github.com/seed96110120/kinesis-client-go/producer/internal/record"
	"github.com/seed96110120/kinesis-client-go/producer/internal/stream"
)

// maxShards is far above AWS's quotas, which AWS checks itself.
const maxShards = 100_000

type options struct {
	stream      string
	shards      int
	shardsGiven bool
	region      string
	endpoint    string
	records     int
	rate        float64
	size        int
	file        string
}

// parse returns the options, or the help text if the arguments ask for it.
func parse(args []string) (o options, help string, err error) {
	flags := pflag.NewFlagSet("producer", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	flags.StringVarP(&o.stream, "stream", "s", "kclgosample", "`name` of the stream, created if it does not exist")
	flags.IntVar(&o.shards, "shards", 2, "`number` of shards if the stream is created")
	flags.IntVarP(&o.records, "records", "n", 10, "`number` of sensor records to put")
	flags.IntVar(&o.size, "size", 0, fmt.Sprintf("pad the data of each sensor record to this many `bytes`, at least %d (default: no padding)", record.MinSensorSize))
	flags.StringVarP(&o.file, "file", "f", "", "put the lines of `FILE` instead of sensor records, without --records and --size; - means standard input")
	flags.Float64Var(&o.rate, "rate", 0, "`records` per second (default: as fast as possible)")
	flags.StringVar(&o.region, "region", "", "AWS `region` (default: AWS_REGION, else the profile's, else "+connect.DefaultRegion+")")
	flags.StringVar(&o.endpoint, "endpoint", "", "`URL` of Kinesis (default: AWS_ENDPOINT_URL_KINESIS, AWS_ENDPOINT_URL, else AWS's)")
	if err := flags.Parse(args); errors.Is(err, pflag.ErrHelp) {
		return o, usage(flags), nil
	} else if err != nil {
		return o, "", err
	}
	o.shardsGiven = flags.Changed("shards")
	return o, "", o.validate(flags)
}

func usage(flags *pflag.FlagSet) string {
	return `Usage: producer [flags]

Puts records into a Kinesis data stream, and creates the stream if it does not
exist. The records are readings of made-up sensors, or the lines of a file with the
line number as partition key. Prints one line of JSON for each record that was put.

Flags:
` + flags.FlagUsages() + `
Examples:
  producer                                   put 10 sensor records into stream kclgosample
  producer -s orders -n 5000 --rate 100      5000 records into stream orders, 100 a second
  tail -f app.log | producer --file -        each line of a log as it is written
  producer --endpoint http://127.0.0.1:4567  a local Kinesis

Exit status: 0 all records were put; 1 something failed, or Ctrl-C; 2 wrong usage.
`
}

var validRegion = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (o options) validate(flags *pflag.FlagSet) error {
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if flags.Changed("file") {
		for _, name := range []string{"records", "size"} {
			if flags.Changed(name) {
				return fmt.Errorf("--file and --%s exclude each other: the records are the lines of the file", name)
			}
		}
		if o.file == "" {
			return errors.New("--file needs the name of a file, or - for standard input")
		}
	}
	switch {
	case !stream.ValidName(o.stream):
		return fmt.Errorf("--stream %q is not a stream name: use 1 to 128 letters, digits, and _ . -", o.stream)
	case o.shards < 1 || o.shards > maxShards:
		return fmt.Errorf("--shards %d is not between 1 and %d", o.shards, maxShards)
	case o.records < 0:
		return fmt.Errorf("--records %d is less than 0", o.records)
	case !(o.rate >= 0 && o.rate <= 1e6):
		return fmt.Errorf("--rate %v is not between 0 and 1000000", o.rate)
	case flags.Changed("size") && o.size != 0 && (o.size < record.MinSensorSize || o.size > put.MaxBytes):
		return fmt.Errorf("--size %d is not between %d and %d", o.size, record.MinSensorSize, put.MaxBytes)
	case flags.Changed("region") && !validRegion.MatchString(o.region):
		return fmt.Errorf("--region %q is not a region such as us-east-1", o.region)
	case flags.Changed("endpoint") && !validEndpoint(o.endpoint):
		return fmt.Errorf("--endpoint %q is not an http or https URL such as http://127.0.0.1:4567", o.endpoint)
	}
	return nil
}

func validEndpoint(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.ContainsAny(s, " \t\n")
}
