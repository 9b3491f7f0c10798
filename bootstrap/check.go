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
	"sync"
)

func compiled(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// Check looks for what would make the daemon fail at its start, do nothing
// without end, or do silently otherwise than the properties say. keys are those
// of the daemon, such as DaemonKeys; nil when they are not known. The error is a
// *ConfigError with all of these:
//
//   - executableName is missing, or its first word (the daemon parts it at
//     spaces, without quoting) is no executable file: in PATH, or, where it
//     has a slash, from the working directory on;
//   - applicationName, AwsCredentialsProvider (which KCL looks up without
//     case; kinesisCredentialsProvider.class also does), or all of streamName,
//     streamArn and streams are missing, or have a form that AWS refuses, such as a
//     space at the end of the line;
//   - streams is not as [ParseStreams] has it, or beside what says the same;
//   - no region is named: not by regionName (a streamArn does not count), nor
//     by anything else that the AWS SDK looks at (see the README);
//   - an endpoint is not a URL of http or https;
//   - a property that the daemon does not know, also of a client or a provider,
//     with the name that was probably meant; only a warning if keys is nil;
//   - a value that is not of the property's type, for which the daemon would
//     take 0 or false without a word, or die;
//   - a value that KCL or AWS refuses later: names of tables, consumers and
//     workers, numbers out of range, a start in the future or in milliseconds,
//     what is not a region, an ARN of another region or stream;
//   - an ARN in the place of a name, and the reverse; an AWS profile of aws login,
//     where nothing else can give credentials;
//   - a credentials provider that this daemon does not have, unless its name has
//     a package: then it may be on a class path of one's own, and is a warning.
//
// The warnings are about properties that are read but make no difference, in
// general or in this retrieval mode, that are there twice or beside another that
// means the same, a 0 that the daemon takes for unset, and settings that are
// legal but seldom meant: no shutdownGraceMillis or one too short, metrics to
// CloudWatch beside endpoints of one's own, no initialPositionInStream, a
// retrieval mode that follows from other properties, quotes and spaces in
// executableName, spaces at the end of a value.
//
// Both are in the order of the file's lines. Check depends on the environment,
// and may be called concurrently. What it says of streams and streamArn holds for
// package engine; see CheckStock for Amazon's own main class.
func (p *Properties) Check(keys *Keys) (warnings []Finding, err error) {
	c := &checker{Properties: p, keys: keys, inOrder: p.sorted()}
	c.required()
	c.names()
	c.twins()
	if keys != nil {
		c.types()
		c.limits()
		c.derived()
		c.regions()
		c.oneStream()
		c.providers()
		c.nested()
		c.modes()
	}
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
	inOrder          []string // the properties' names
	errors, warnings []Finding
}

// error and warn note a finding about a property, which need not be there.
func (c *checker) error(name, text, suggestion string) {
	c.errors = append(c.errors, c.finding(name, text, suggestion))
}

func (c *checker) warn(name, text, suggestion string) {
	f := c.finding(name, text, suggestion)
	f.Warning = true
	c.warnings = append(c.warnings, f)
}

func (p *Properties) finding(name, text, suggestion string) Finding {
	f := Finding{Key: name, Text: text, Suggestion: suggestion}
	if s, ok := p.values[name]; !ok || s.line > 0 {
		f.File, f.Line = p.given, s.line
	}
	return f
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
		c.error("executableName", "it is missing", "set it to the command that processes records")
	} else {
		c.executable(c.value("executableName"))
	}
	if name := c.value("applicationName"); !c.has("applicationName") {
		c.error("applicationName", "it is missing", "set it to the name of this application, which its lease table gets too")
	} else if !tableName().MatchString(name) && !c.has("tableName") {
		c.error("applicationName", strconv.Quote(name)+" cannot name a DynamoDB table", "use 3 to 255 of a-z A-Z 0-9 _ . -")
	}
	switch name, arn := c.value("streamName"), c.value("streamArn"); {
	case c.hasStreams():
		c.streamList()
	case !c.has("streamName") && !c.has("streamArn"):
		c.error("streamName", "it is missing, and so are streamArn and streams", "set one of them to the stream to read")
	case c.has("streamArn") && !strings.HasPrefix(arn, "arn:") && streamName().MatchString(arn):
		c.error("streamArn", strconv.Quote(arn)+" is a name, not an ARN", "set streamName to it instead")
	case c.has("streamArn") && !streamARN().MatchString(arn):
		c.error("streamArn", strconv.Quote(arn)+" is not the ARN of a stream", "its form is arn:aws:kinesis:REGION:ACCOUNT:stream/NAME")
	case strings.HasPrefix(name, "arn:"):
		c.error("streamName", "it is an ARN", "set streamArn to it instead")
	case !c.has("streamArn") && !streamName().MatchString(name):
		c.error("streamName", strconv.Quote(name)+" cannot name a stream", "use 1 to 128 of a-z A-Z 0-9 _ . -")
	}
	for _, prefix := range []string{"", "fanoutConfig."} {
		if strings.HasPrefix(c.value(prefix+"consumerName"), "arn:") {
			c.error(prefix+"consumerName", "it is an ARN", "set "+prefix+"consumerArn to it instead")
		}
		if c.has(prefix+"consumerArn") && !strings.HasPrefix(c.value(prefix+"consumerArn"), "arn:") {
			c.error(prefix+"consumerArn", "it is not an ARN", "set "+prefix+"consumerName to a name")
		}
	}
	if !c.hasCredentialsProvider() {
		c.error("AwsCredentialsProvider", "it is missing", "DefaultCredentialsProvider is the usual one")
	}
	if !c.hasRegion() && !regionFromElsewhere() {
		c.error("regionName", "it is missing", "set it to the stream's region, for example us-east-1")
	}
	for _, e := range c.allEndpoints() {
		if _, err := e.url(); err != nil {
			c.error(e.property, err.Error(), "correct it, or remove it for AWS")
		}
	}
}

// allEndpoints has that of CloudWatch too, which the daemon can do without.
func (c *checker) allEndpoints() []endpoint {
	all := c.endpoints()
	const cloudWatch = "cloudWatchClient.endpointOverride"
	if value, ok := c.Get(cloudWatch); ok {
		all = append(all, endpoint{cloudWatch, value})
	}
	return all
}

// executable checks the command as the daemon will part it: its first word is
// looked for as Java will.
func (c *checker) executable(command string) {
	name, _, _ := strings.Cut(command, " ")
	if err := lookExecutable(name); err != nil {
		whole := javaTrim(command)
		info, statErr := os.Stat(whole)
		switch {
		case strings.Contains(whole, " ") && statErr == nil && !info.IsDir():
			c.error("executableName", fmt.Sprintf("the daemon parts it at spaces, so it cannot start %q", command),
				"put its folder on PATH, or make a link whose path has none")
			return
		case runtime.GOOS == "windows" || strings.Contains(name, "/"):
			c.error("executableName", fmt.Sprintf("%q cannot be executed: %v", name, err),
				"a path starts at the working directory; or make it absolute")
		default:
			c.error("executableName", fmt.Sprintf("%q cannot be executed: %v", name, err),
				"name the file with its path, for example ./"+name)
		}
	}
	if strings.ContainsAny(command, "\"'") || strings.Contains(command, `\ `) {
		c.warn("executableName", "the daemon parts it at every space and hands quotes and backslashes on",
			"it knows no quoting: give the command no argument with a space")
	}
}

// names looks for properties that the daemon does not know, that it knows but
// does not heed, and that are there twice.
func (c *checker) names() {
	for _, r := range c.repeated {
		if c.values[r.name].line == 0 { // neither holds
			continue
		}
		c.warnings = append(c.warnings, Finding{
			File: c.given, Line: r.line, Warning: true, Key: r.name,
			Text: fmt.Sprintf("it is set again in line %d, which holds", r.heldByLine), Suggestion: "remove one",
		})
	}
	for _, name := range c.inOrder {
		if rest, ok := strings.CutPrefix(name, byteOrderMark); ok {
			c.mark(name, rest)
			continue
		}
		if c.keys == nil {
			if _, ok := DaemonKeys().lookup(name); !ok && name != streamsProperty {
				c.warn(name, "it is not a property of MultiLangDaemon "+DaemonVersion, "look whether this daemon has it")
			}
			continue
		}
		if key, ok := c.keys.lookup(name); name == streamsProperty {
			// A finding of its own.
		} else if !ok {
			suggestion := "remove it, or comment it out"
			if meant := c.keys.meant(name); meant != "" {
				if strings.EqualFold(name, "stream") {
					meant = "streamName or streams"
				}
				suggestion = "did you mean " + meant + "?"
			}
			c.error(name, "the daemon knows no such property", suggestion)
		} else if key.ignored {
			c.warn(name, "it makes no difference to this daemon", "remove it")
		}
	}
}

// byteOrderMark is what editors put before UTF-8, as the daemon reads it.
const byteOrderMark = "\u00ef\u00bb\u00bf"

// mark says what a byte order mark makes of the file's first line. Without more on
// it, or with a comment, nothing that matters.
func (c *checker) mark(name, rest string) {
	f := c.finding(name, "the file begins with a byte order mark, which the daemon takes for a part of the name",
		"save the file as UTF-8 without one")
	f.Key = rest
	if rest == "" || strings.ContainsAny(rest[:1], "#!") {
		f.Key, f.Warning = "", true
		f.Text = "the file begins with a byte order mark, which makes a property of its first line"
		c.warnings = append(c.warnings, f)
		return
	}
	c.errors = append(c.errors, f)
}

// twins are pairs of properties of which the daemon uses one, whichever Java's
// hash table has last.
var twins = [][2]string{
	{"initialPositionInStream", "initialPositionInStreamExtended"},
	{"workerId", "workerIdentifier"},
	{"kinesisEndpoint", "kinesisClient.endpointOverride"},
	{"dynamoDBEndpoint", "dynamoDbClient.endpointOverride"},
	{"regionName", "kinesisClient.region"},
	{"regionName", "dynamoDbClient.region"},
	{"regionName", "cloudWatchClient.region"},
}

func (c *checker) twins() {
	pairs := slices.Clone(twins)
	for _, name := range c.inOrder {
		// Those of retrieval, tables and so on have a short name too.
		if group, short, ok := strings.Cut(name, "."); ok && strings.Contains(group, "onfig") && c.has(short) {
			pairs = append(pairs, [2]string{short, name})
		}
	}
	for _, pair := range pairs {
		if c.has(pair[0]) && c.has(pair[1]) {
			c.warn(pair[1], "it sets the same as "+pair[0]+", and one of them silently overrides the other", "remove one")
		}
	}
}

// looked are texts in which a space is a finding of its own.
var looked = []string{
	"applicationName", "streamName", "streamArn", "executableName",
	"regionName", "kinesisClient.region", "dynamoDbClient.region", "cloudWatchClient.region",
}

// types compares the values with what the daemon reads them as.
func (c *checker) types() {
	for _, name := range c.inOrder {
		key, ok := c.keys.lookup(name)
		if !ok {
			continue
		}
		value := c.value(name)
		if wrong := key.typ.wrong(value); wrong != "" {
			c.error(name, wrong, "")
			continue
		}
		switch {
		case key.zeroIgnored && key.typ.isZero(value):
			holds := "its default"
			if key.zeroDefault != "" {
				holds += ", " + key.zeroDefault + ","
			}
			c.warn(name, fmt.Sprintf("the daemon takes %s for unset: %s holds", javaTrim(value), holds), "")
		case key.typ.name == "string" && strings.TrimRight(value, " \t") != value && !slices.Contains(looked, name) && forms[name].takes == nil:
			c.warn(name, "the space at the end of the line is part of the value", "remove it")
		}
	}
}

// mode returns the retrieval mode that the daemon will use, "" if it refuses what
// the file says.
func (c *checker) mode() string {
	mode, _ := c.chosenMode()
	return mode
}

// chosenMode returns also the property that has chosen it, where retrievalMode
// names none.
func (c *checker) chosenMode() (mode, by string) {
	mode, ok := c.Get("retrievalMode")
	if key, known := c.keys.lookup("retrievalMode"); ok && (!known || key.typ.wrong(mode) != "") {
		return "", ""
	}
	if mode = strings.ToUpper(mode); ok && mode != defaultMode {
		return mode, ""
	}
	for _, name := range c.inOrder {
		if key, ok := c.keys.lookup(name); ok && key.chooses && key.typ.wrong(c.value(name)) == "" && (key.choosesAny || !key.typ.isZero(c.value(name))) {
			return key.only, name
		}
	}
	return fanoutMode, ""
}

// modes looks for what the retrieval mode makes of the properties.
func (c *checker) modes() {
	mode, by := c.chosenMode()
	if mode == "" {
		return // a finding of its own
	}
	if by != "" {
		c.warn(by, fmt.Sprintf("as retrievalMode names neither, it makes the daemon use %s, not %s", mode, fanoutMode),
			"set retrievalMode to what you mean")
	}
	for _, name := range c.inOrder {
		if key, ok := c.keys.lookup(name); ok && key.only != "" && key.only != mode {
			c.warn(name, "it makes no difference in retrieval mode "+mode, "remove it, or set retrievalMode to "+key.only)
		}
	}
	for _, s := range c.several() {
		if s.ConsumerARN != "" && mode != fanoutMode {
			c.warn(streamsProperty, s.Stream+": consumerArn makes no difference in retrieval mode "+mode, "remove it, or set retrievalMode to "+fanoutMode)
		}
	}
}

// The retrieval mode where none is named, and what it is by itself.
const (
	defaultMode = "DEFAULT"
	fanoutMode  = "FANOUT"
)

// defaultFailover is KCL's failoverTimeMillis where none is set.
const defaultFailover = 10_000

// advise looks for what is legal but seldom meant.
func (c *checker) advise() {
	if strings.EqualFold(c.value("initialPositionInStream"), "AT_TIMESTAMP") {
		c.error("initialPositionInStream", "the daemon refuses AT_TIMESTAMP here", "set initialPositionInStreamExtended to the seconds since 1970 instead")
	} else if !c.has("initialPositionInStream") && !c.has("initialPositionInStreamExtended") && !c.ownPositions() {
		c.warn("initialPositionInStream", "it is not set: a new application starts at LATEST and does not read what is in the stream", "TRIM_HORIZON reads all")
	}

	failover := c.number("failoverTimeMillis", defaultFailover)
	switch grace := c.number("shutdownGraceMillis", 0); {
	case grace < 0 || failover < 0: // a finding of its own
	case grace == 0:
		state := "it is not set"
		if c.has("shutdownGraceMillis") {
			state = "it is 0"
		}
		c.warn("shutdownGraceMillis", state+": Amazon's MultiLangDaemon then stops without shutdownRequested, so no last checkpoint; kcl-bootstrap --execute gives 10 s without --stock",
			fmt.Sprintf("%d is enough for most", 2*failover))
	case grace < failover:
		c.warn("shutdownGraceMillis", fmt.Sprintf("%d is shorter than failoverTimeMillis, %d, which a stop of Amazon's MultiLangDaemon can take", grace, failover),
			"raise it, or records since the last checkpoint come again")
	}

	// With an endpoint of one's own AWS is not where the daemon reads from.
	if level, ok := c.Get("metricsLevel"); len(c.endpoints()) > 0 && !strings.EqualFold(level, "NONE") && !c.has("cloudWatchClient.endpointOverride") {
		if !ok {
			level = "DETAILED unless set"
		}
		c.warn("metricsLevel", fmt.Sprintf("it is %s: the daemon sends metrics to CloudWatch itself, whatever the other endpoints are", level), "set it to NONE")
	}
}

// number returns a whole number of the properties, otherwise if it is not set
// or 0, and -1 if it is none.
func (c *checker) number(name string, otherwise int64) int64 {
	if !c.has(name) {
		return otherwise
	}
	n, err := strconv.ParseInt(javaTrim(c.value(name)), 10, 64)
	switch {
	case err != nil:
		return -1
	case n == 0:
		return otherwise
	}
	return n
}

// hasRegion tells whether all of the daemon's clients get a region from the
// file. A streamArn gives none.
func (p *Properties) hasRegion() bool {
	return p.has("regionName") ||
		p.has("kinesisClient.region") && p.has("dynamoDbClient.region") && p.has("cloudWatchClient.region")
}

func (p *Properties) hasCredentialsProvider() bool {
	for name := range p.values {
		if normalName(name) == credentialsPrefix && p.has(name) {
			return true
		}
	}
	return p.has("kinesisCredentialsProvider.class")
}
