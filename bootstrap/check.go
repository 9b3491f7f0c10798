package bootstrap

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// What DynamoDB and Kinesis take as a name of a table or stream.
var (
	tableName  = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)
	streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)
	streamARN  = regexp.MustCompile(`^arn:[a-z0-9-]+:kinesis:([a-z0-9-]+):[0-9]{12}:stream/[a-zA-Z0-9_.-]{1,128}$`)
)

// Check looks for what would make the daemon fail at its start, do nothing
// without end, or do silently otherwise than the properties say. keys are those
// of the daemon, such as DaemonKeys; nil when they are not known. The error is a
// *ConfigError with all of these:
//
//   - executableName is missing, or its first word (the daemon parts it at
//     spaces, without quoting) is no executable file: in PATH, or, where it
//     has a slash, from the working directory on;
//   - applicationName, AwsCredentialsProvider (which KCL looks up without
//     case), or both streamName and streamArn are missing, or have a form that
//     AWS refuses, such as a space at the end of the line;
//   - no region is named: not by regionName (a streamArn does not count), nor
//     by anything else that the AWS SDK looks at (see the README);
//   - an endpoint is not a URL of http or https;
//   - a property that the daemon does not know, with the name that was probably
//     meant; only a warning if keys is nil;
//   - a value that is not of the property's type, for which the daemon would
//     take 0 or false without a word, or die.
//
// The warnings are about properties that are read but make no difference, that
// are there twice, a 0 that the daemon takes for unset, and settings that are
// legal but seldom meant: no shutdownGraceMillis or one too short, metrics to
// CloudWatch beside endpoints of one's own, no initialPositionInStream, quotes
// and spaces in executableName, spaces at the end of a value.
//
// Both are in the order of the file's lines. Check depends on the environment,
// and may be called concurrently.
func (p *Properties) Check(keys *Keys) (warnings []Finding, err error) {
	c := &checker{Properties: p, keys: keys}
	c.required()
	c.names()
	c.types()
	c.advise()
	byLine := func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) }
	slices.SortStableFunc(c.warnings, byLine)
	slices.SortStableFunc(c.errors, byLine)
	if c.errors != nil {
		err = &ConfigError{c.errors}
	}
	return c.warnings, err
}

// A checker gathers what one Check finds.
type checker struct {
	*Properties
	keys             *Keys
	errors, warnings []Finding
}

// error and warn note a finding about a property, which need not be there.
func (c *checker) error(name, format string, args ...any) {
	c.errors = append(c.errors, c.finding(name, fmt.Sprintf(format, args...)))
}

func (c *checker) warn(name, format string, args ...any) {
	f := c.finding(name, fmt.Sprintf(format, args...))
	f.Warning = true
	c.warnings = append(c.warnings, f)
}

func (p *Properties) finding(name, text string) Finding {
	s, ok := p.values[name]
	if ok && s.line == 0 {
		return Finding{Text: text}
	}
	return Finding{File: p.given, Line: s.line, Text: text}
}

// sorted returns the names in the file's order, then the others.
func (p *Properties) sorted() []string {
	return slices.SortedFunc(maps.Keys(p.values), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.values[a].line, p.values[b].line), strings.Compare(a, b))
	})
}

// required looks for what the daemon cannot do without.
func (c *checker) required() {
	if !c.has("executableName") {
		c.error("executableName", "executableName is missing; set it to the command that processes records")
	} else {
		c.executable(c.value("executableName"))
	}
	if name := c.value("applicationName"); !c.has("applicationName") {
		c.error("applicationName", "applicationName is missing; set it to the name of this application, which its lease table gets too")
	} else if !tableName.MatchString(name) && !c.has("tableName") {
		c.error("applicationName", "applicationName %q cannot name a DynamoDB table; use 3 to 255 of a-z A-Z 0-9 _ . -", name)
	}
	switch name, arn := c.value("streamName"), c.value("streamArn"); {
	case !c.has("streamName") && !c.has("streamArn"):
		c.error("streamName", "streamName and streamArn are missing; set one of them to the stream to read")
	case c.has("streamArn") && !streamARN.MatchString(arn):
		c.error("streamArn", "streamArn %q is not of the form arn:aws:kinesis:REGION:ACCOUNT:stream/NAME", arn)
	case !c.has("streamArn") && !streamName.MatchString(name):
		c.error("streamName", "streamName %q cannot name a stream; use 1 to 128 of a-z A-Z 0-9 _ . -", name)
	}
	if !c.hasCredentialsProvider() {
		c.error("AwsCredentialsProvider", "AwsCredentialsProvider is missing; DefaultCredentialsProvider is the usual one")
	}
	if !c.hasRegion() && !regionFromElsewhere() {
		c.error("regionName", "regionName is missing; set it to the stream's region, for example us-east-1")
	}
	for _, e := range c.endpoints() {
		if _, err := e.url(); err != nil {
			c.error(e.property, "%v", err)
		}
	}
}

// executable checks the command as the daemon will part it.
func (c *checker) executable(command string) {
	err := checkExecutable(command)
	if info, statErr := os.Stat(strings.TrimSpace(command)); err != nil && strings.Contains(strings.TrimSpace(command), " ") && statErr == nil && !info.IsDir() {
		c.error("executableName", "executableName: the daemon parts it at spaces, so it cannot start %q; put its folder on PATH, or make a link whose path has none", command)
		return
	}
	if err != nil {
		c.error("executableName", "%v", err)
	}
	if strings.ContainsAny(command, "\"'") || strings.Contains(command, `\ `) {
		c.warn("executableName", "executableName: the daemon parts it at every space and hands quotes and backslashes on; it knows no quoting")
	}
}

// names looks for properties that the daemon does not know, that it knows but
// does not heed, and that are there twice.
func (c *checker) names() {
	for _, r := range c.repeated {
		c.warnings = append(c.warnings, Finding{File: c.given, Line: r.Line, Warning: true,
			Text: fmt.Sprintf("%s is set again in line %d, which holds", r.Key, c.values[r.Key].line)})
	}
	if c.keys == nil {
		for _, name := range c.sorted() {
			if _, ok := DaemonKeys().lookup(name); !ok {
				c.warn(name, "%s is not a property of MultiLangDaemon %s; it is not known what this daemon makes of it", name, DaemonVersion)
			}
		}
		return
	}
	for _, name := range c.sorted() {
		key, ok := c.keys.lookup(name)
		switch {
		case !ok:
			text := "the daemon knows no property " + strconv.Quote(name) + " and would pass over it"
			if meant := c.keys.meant(name); meant != "" {
				text += "; did you mean " + meant + "?"
			} else {
				text += "; remove it, or comment it out"
			}
			c.error(name, "%s", text)
		case key.ignored:
			c.warn(name, "%s makes no difference to this daemon; remove it", name)
		}
	}
}

// types compares the values with what the daemon reads them as.
func (c *checker) types() {
	keys := c.keys
	if keys == nil {
		return
	}
	for _, name := range c.sorted() {
		key, ok := keys.lookup(name)
		if !ok {
			continue
		}
		value := c.value(name)
		if wrong := key.typ.wrong(value); wrong != "" {
			c.error(name, "%s: %s", name, wrong)
			continue
		}
		switch {
		case key.zeroIgnored && key.typ.isZero(value):
			holds := "its default holds"
			if key.zeroDefault != "" {
				holds = "its default, " + key.zeroDefault + ", holds"
			}
			c.warn(name, "%s: the daemon takes %s for unset: %s", name, strings.TrimSpace(value), holds)
		case key.typ.name == "string" && strings.TrimRight(value, " \t") != value && !slices.Contains([]string{"applicationName", "streamName", "streamArn", "executableName"}, name):
			c.warn(name, "%s: the space at the end of the line is part of the value", name)
		}
	}
}

// defaultFailover is KCL's failoverTimeMillis where none is set.
const defaultFailover = 10_000

// advise looks for what is legal but seldom meant.
func (c *checker) advise() {
	if strings.EqualFold(c.value("initialPositionInStream"), "AT_TIMESTAMP") {
		c.error("initialPositionInStream", "initialPositionInStream: the daemon refuses AT_TIMESTAMP here; set initialPositionInStreamExtended to the seconds since 1970 instead")
	} else if !c.has("initialPositionInStream") && !c.has("initialPositionInStreamExtended") {
		c.warn("initialPositionInStream", "initialPositionInStream is not set: a new application starts at LATEST and does not read what is in the stream; TRIM_HORIZON reads all")
	}

	failover := c.number("failoverTimeMillis", defaultFailover)
	switch grace := c.number("shutdownGraceMillis", 0); {
	case grace < 0 || failover < 0: // a finding of its own
	case grace == 0:
		c.warn("shutdownGraceMillis", "shutdownGraceMillis is not set: the daemon stops without shutdownRequested, so no last checkpoint; %d is enough for most", 2*failover)
	case grace < failover:
		c.warn("shutdownGraceMillis", "shutdownGraceMillis: %d is shorter than failoverTimeMillis, %d, which a graceful stop can take; records since the last checkpoint then come again", grace, failover)
	}

	if level, ok := c.Get("metricsLevel"); c.ownEndpoint() && !strings.EqualFold(level, "NONE") && !c.has("cloudWatchClient.endpointOverride") {
		if !ok {
			level = "DETAILED unless set"
		}
		c.warn("metricsLevel", "metricsLevel is %s: the daemon sends metrics to CloudWatch itself, whatever the other endpoints are; set it to NONE", level)
	}
}

// number returns a whole number of the properties, otherwise if it is not set
// or 0, and -1 if it is none.
func (c *checker) number(name string, otherwise int64) int64 {
	if !c.has(name) {
		return otherwise
	}
	n, err := strconv.ParseInt(strings.TrimSpace(c.value(name)), 10, 64)
	switch {
	case err != nil:
		return -1
	case n == 0:
		return otherwise
	}
	return n
}

// ownEndpoint tells whether AWS is not where the daemon reads from.
func (c *checker) ownEndpoint() bool { return len(c.endpoints()) > 0 }

// hasRegion tells whether all of the daemon's clients get a region from the
// file. A streamArn gives none.
func (p *Properties) hasRegion() bool {
	return p.has("regionName") ||
		p.has("kinesisClient.region") && p.has("dynamoDbClient.region") && p.has("cloudWatchClient.region")
}

func (p *Properties) hasCredentialsProvider() bool {
	for name := range p.values {
		if strings.EqualFold(name, "AwsCredentialsProvider") && p.has(name) {
			return true
		}
	}
	return false
}

// checkExecutable looks for the first word of executableName as Java will.
func checkExecutable(command string) error {
	name, _, _ := strings.Cut(command, " ")
	err := lookExecutable(name)
	switch {
	case err == nil:
		return nil
	case runtime.GOOS == "windows" || strings.Contains(name, "/"):
		return fmt.Errorf("executableName: %q cannot be executed: %w; a path starts at the working directory, or make it absolute", name, err)
	default:
		return fmt.Errorf("executableName: %q cannot be executed: %w; name the file with its path, for example ./%s", name, err, name)
	}
}
