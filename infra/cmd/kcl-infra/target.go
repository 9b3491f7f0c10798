package main

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/infra/connect"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
	"github.com/seed96110120/kinesis-client-go/infra/internal/properties"
)

// target is the application that a command works on, from flags and a properties file.
type target struct {
	application      string
	streamFlags      []string     // the streams as the flags name them
	streams          []kcl.Stream // from the flags or the file
	region           string
	kinesisEndpoint  string
	dynamoDBEndpoint string
	propertiesFile   string
	properties       *properties.File // nil without a file
	arguments        int              // how many arguments the command takes, besides flags
}

// yesUsage describes --yes.
const yesUsage = "do not ask; required without a terminal"

// sampleName is the application and the stream of consumer-sample.
const sampleName = "kclgosample"

func (t *target) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&t.application, "application", sampleName, "`name` of the application and of its tables")
	flags.StringSliceVarP(&t.streamFlags, "stream-name", "s", []string{sampleName}, "`name` or ARN of the stream; repeat it for several streams")
	flags.Lookup("stream-name").DefValue = sampleName // in the help, without brackets
	flags.StringVarP(&t.propertiesFile, "properties", "p", "", "properties `FILE` of the MultiLangDaemon, for the application, streams, region and endpoints that no flag sets")
	flags.StringVar(&t.region, "region", "", "AWS `region` (default: in the streams' ARNs, else AWS_REGION, else the profile's, else "+connect.DefaultRegion+")")
	flags.StringVar(&t.kinesisEndpoint, "kinesis-endpoint", "", "`URL` of Kinesis (default: AWS_ENDPOINT_URL_KINESIS, AWS_ENDPOINT_URL, else AWS's)")
	flags.StringVar(&t.dynamoDBEndpoint, "dynamodb-endpoint", "", "`URL` of DynamoDB (default: AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL, else AWS's)")
}

var validRegion = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// parse parses the flags and reads the properties file that they name. It returns an error
// if the file contradicts a flag.
func (t *target) parse(c *console, flags *pflag.FlagSet, args []string, help string) error {
	flags.SortFlags = false
	flags.Usage = func() {}
	if err := flags.Parse(args); err == pflag.ErrHelp {
		if _, err := c.stdout.Write([]byte(help[:indexFlags(help)] + flags.FlagUsages() + help[indexFlags(help):] + exitStatus)); err != nil {
			return err
		}
		return pflag.ErrHelp
	} else if err != nil {
		return usageError{err}
	}
	if flags.NArg() > t.arguments {
		return usagef("unexpected argument %q", flags.Arg(t.arguments))
	}
	if err := t.parseStreams(); err != nil {
		return err
	}
	if err := t.validate(flags); err != nil {
		return err
	}
	if t.propertiesFile == "" {
		return t.setRegion()
	}
	file, err := properties.Read(t.propertiesFile)
	if err != nil {
		return err
	}
	t.properties = file
	for _, s := range []struct {
		flag, property string
		value          *string
		file           string
		exact          bool
	}{
		{"application", "applicationName", &t.application, file.Application, true},
		{"region", "regionName", &t.region, file.Region, true},
		// Different URLs can name the same place.
		{"kinesis-endpoint", "kinesisEndpoint", &t.kinesisEndpoint, file.KinesisEndpoint, false},
		{"dynamodb-endpoint", "dynamoDBEndpoint", &t.dynamoDBEndpoint, file.DynamoDBEndpoint, false},
	} {
		switch {
		case s.file == "":
		case !flags.Changed(s.flag):
			*s.value = s.file
		case s.exact && *s.value != s.file:
			return usagef("--%s %s, but %s sets %s %s: nothing was done", s.flag, *s.value, t.propertiesFile, s.property, s.file)
		}
	}
	if flags.Changed("stream-name") && len(file.Streams) > 0 && !slices.Equal(names(t.streams), names(file.Streams)) {
		return usagef("--stream-name %s, but %s names %s: nothing was done", strings.Join(names(t.streams), ","), t.propertiesFile, strings.Join(names(file.Streams), ","))
	}
	if len(file.Streams) > 0 {
		t.streams = file.Streams
	}
	if err := t.validate(flags); err != nil {
		return err
	}
	return t.setRegion()
}

// names returns the streams as the user named them, sorted.
func names(streams []kcl.Stream) []string {
	var list []string
	for _, s := range streams {
		list = append(list, s.String())
	}
	slices.Sort(list)
	return list
}

// setRegion sets the region to that of the streams if it is not set. It returns an error if
// a stream is in another region.
func (t *target) setRegion() error {
	for _, s := range t.streams {
		if t.region = cmp.Or(t.region, s.Region()); s.Region() != "" && s.Region() != t.region {
			return usagef("stream %s or its consumer is not in region %s: KCL reads all streams in one region", s, t.region)
		}
	}
	return nil
}

// parseStreams parses the streams that the flags name.
func (t *target) parseStreams() error {
	for _, name := range t.streamFlags {
		s, err := kcl.ParseStream(name)
		switch {
		case err != nil:
			return usageError{err}
		case slices.ContainsFunc(t.streams, func(other kcl.Stream) bool { return other.String() == name }):
			return usagef("stream %s is named twice", name)
		}
		t.streams = append(t.streams, s)
	}
	if len(t.streams) == 0 {
		return usagef("--stream-name names no stream")
	}
	return nil
}

func (t *target) validate(flags *pflag.FlagSet) error {
	switch {
	case !kcl.ValidApplication(t.application):
		return usagef("application %q cannot name tables: use 3 to 237 letters, digits, and _ . -", t.application)
	case (flags.Changed("region") || t.region != "") && !validRegion.MatchString(t.region):
		return usagef("region %q is not a region such as us-east-1", t.region)
	case (flags.Changed("kinesis-endpoint") || t.kinesisEndpoint != "") && !validEndpoint(t.kinesisEndpoint):
		return usagef("kinesis endpoint %q is not an http or https URL such as http://127.0.0.1:4567", t.kinesisEndpoint)
	case (flags.Changed("dynamodb-endpoint") || t.dynamoDBEndpoint != "") && !validEndpoint(t.dynamoDBEndpoint):
		return usagef("dynamodb endpoint %q is not an http or https URL such as http://127.0.0.1:8000", t.dynamoDBEndpoint)
	}
	return nil
}

func validEndpoint(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
