package bootstrap

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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

// Check looks for everything that would make the daemon fail at its start, do nothing
// forever, or silently do something else than the properties say. lock is the lock of the
// daemon's jars; nil means DaemonLock(). Check knows the properties of that daemon only:
// if Lock.Name is not "MultiLangDaemon 3.1.3" it checks less. The error is a
// [*ConfigError] with all of these:
//
//   - executableName is missing, or its first word (the daemon splits it at spaces,
//     without quoting) is not an executable file: in PATH, or, if it contains a slash,
//     relative to the working directory;
//   - applicationName, AwsCredentialsProvider (whose name is not case-sensitive;
//     kinesisCredentialsProvider.class will do too), or all of streamName, streamArn and
//     streams are missing, or have a form that AWS refuses, such as a space at the end of
//     the line;
//   - streams is not as [ParseStreams] reads it, or another property says the same;
//   - no region is named: not by regionName (a streamArn does not count), nor by anything
//     else that the AWS SDK reads (see the README);
//   - an endpoint is not an http or https URL;
//   - a property that the daemon does not know, also of a client or a provider, with the
//     name that was probably meant; only a warning for another daemon;
//   - a value that is not of the property's type, which the daemon would silently read as
//     0 or false, or fail because of;
//   - a value that KCL or AWS refuses later: names of tables, consumers and workers,
//     numbers out of range, an initial time in the future or in milliseconds, something that is
//     not a region, an ARN of another region or stream;
//   - an ARN instead of a name, and the reverse; an AWS profile that uses aws login if
//     nothing else can provide credentials;
//   - a credentials provider that this daemon does not have. If its name has a package it
//     may be in ClassPath: then this is a warning.
//
// The warnings are about properties that are ignored, in general or in this retrieval
// mode, that are set twice or together with another of the same meaning, about a 0 that
// the daemon reads as unset, and about settings that are legal but seldom meant: no
// shutdownGraceMillis or one too short, metrics to CloudWatch although other endpoints
// are set, no initialPositionInStream, a retrieval mode that follows from other
// properties, quotes and spaces in executableName, spaces at the end of a value.
//
// Warnings and errors are in the order of the file's lines. Check depends on the
// environment, and may be called concurrently. What it says of streams and streamArn is
// true of package engine; see [Properties.CheckStock] for Amazon's own main class.
func (p *Properties) Check(lock *Lock) (warnings []Finding, err error) {
	if lock != nil && lock.Name != daemonName {
		return p.check(nil)
	}
	return p.check(daemonKeys())
}

// check is Check for a daemon with these keys, or nil if they are unknown.
func (p *Properties) check(keys *knownKeys) (warnings []Finding, err error) {
	c := &checker{Properties: p, keys: keys, inOrder: p.sorted()}
	c.required()
	c.names()
	c.synonyms()
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

// A checker collects what one Check finds.
type checker struct {
	*Properties
	keys             *knownKeys
	inOrder          []string // the properties' names
	errors, warnings []Finding
}

// error and warn add a finding about a property, which need not be set.
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

// required looks for properties that the daemon requires.
func (c *checker) required() {
	if !c.has("executableName") {
		c.error("executableName", "it is missing", "set it to the command that processes records")
	} else {
		c.executable(c.value("executableName"))
	}
	if name := c.value("applicationName"); !c.has("applicationName") {
		c.error("applicationName", "it is missing", "set it to the name of this application and its lease table")
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

// allEndpoints includes the endpoint of CloudWatch, without which the daemon works too.
func (c *checker) allEndpoints() []endpoint {
	all := c.endpoints()
	const cloudWatch = "cloudWatchClient.endpointOverride"
	if value, ok := c.Get(cloudWatch); ok {
		all = append(all, endpoint{cloudWatch, value})
	}
	return all
}

// executable checks the command as the daemon will split it, and looks for its first word
// as Java will.
func (c *checker) executable(command string) {
	name, _, _ := strings.Cut(command, " ")
	if err := lookExecutable(name); err != nil {
		whole := javaTrim(command)
		info, statErr := os.Stat(whole)
		switch {
		case strings.Contains(whole, " ") && statErr == nil && !info.IsDir():
			c.error("executableName", fmt.Sprintf("the daemon splits it at spaces, so it cannot start %q", command),
				"put its folder on PATH, or use a link whose path has no space")
			return
		case runtime.GOOS == "windows" || strings.Contains(name, "/"):
			suggestion := "build the program, or correct the path"
			if !filepath.IsAbs(name) {
				suggestion = "build the program, or start this in its folder: a relative path starts at the working directory"
			}
			c.error("executableName", fmt.Sprintf("%q cannot be executed: %v", name, err), suggestion)
		default:
			c.error("executableName", fmt.Sprintf("%q cannot be executed: %v", name, err),
				"name the file with its path, for example ./"+name)
		}
	}
	if strings.ContainsAny(command, "\"'") || strings.Contains(command, `\ `) {
		c.warn("executableName", "the daemon splits it at every space and passes quotes and backslashes on",
			"there is no quoting: give the command no argument with a space")
	}
}

// names looks for properties that the daemon does not know, that it ignores, and that are
// set twice.
func (c *checker) names() {
	for _, r := range c.repeated {
		if c.values[r.name].line == 0 { // neither is used
			continue
		}
		c.warnings = append(c.warnings, Finding{
			File: c.given, Line: r.line, Warning: true, Key: r.name,
			Text: fmt.Sprintf("it is set again in line %d, which is used", r.overriddenBy), Suggestion: "remove one",
		})
	}
	for _, name := range c.inOrder {
		if rest, ok := strings.CutPrefix(name, byteOrderMark); ok {
			c.mark(name, rest)
			continue
		}
		if c.keys == nil {
			if _, ok := daemonKeys().lookup(name); !ok && name != streamsProperty {
				c.warn(name, "it is not a property of "+daemonName, "check that this daemon has it")
			}
			continue
		}
		if key, ok := c.keys.lookup(name); name == streamsProperty {
			// Another check finds it.
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
			c.warn(name, "this daemon ignores it", "remove it")
		}
	}
}

// byteOrderMark is what some editors write before UTF-8, as the daemon reads it.
const byteOrderMark = "\u00ef\u00bb\u00bf"

// mark reports what a byte order mark does to the file's first line. It is harmless if the
// line is otherwise empty, or a comment.
func (c *checker) mark(name, rest string) {
	f := c.finding(name, "the file begins with a byte order mark, which the daemon reads as part of the name",
		"save the file as UTF-8 without one")
	f.Key = rest
	if rest == "" || strings.ContainsAny(rest[:1], "#!") {
		f.Key, f.Warning = "", true
		f.Text = "the file begins with a byte order mark, which turns its first line into a property"
		c.warnings = append(c.warnings, f)
		return
	}
	c.errors = append(c.errors, f)
}

// synonyms are pairs of properties of which the daemon uses one: the one that comes last in
// Java's hash table.
var synonyms = [][2]string{
	{"initialPositionInStream", "initialPositionInStreamExtended"},
	{"workerId", "workerIdentifier"},
	{"kinesisEndpoint", "kinesisClient.endpointOverride"},
	{"dynamoDBEndpoint", "dynamoDbClient.endpointOverride"},
	{"regionName", "kinesisClient.region"},
	{"regionName", "dynamoDbClient.region"},
	{"regionName", "cloudWatchClient.region"},
}

func (c *checker) synonyms() {
	pairs := slices.Clone(synonyms)
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

// spaceChecked are properties for which other checks find a space.
var spaceChecked = []string{
	"applicationName", "streamName", "streamArn", "executableName",
	"regionName", "kinesisClient.region", "dynamoDbClient.region", "cloudWatchClient.region",
}

// types compares the values with their types.
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
			used := "its default"
			if key.zeroDefault != "" {
				used += ", " + key.zeroDefault
			}
			c.warn(name, fmt.Sprintf("the daemon reads %s as unset and uses %s", javaTrim(value), used), "")
		case key.typ.name == "string" && strings.TrimRight(value, " \t") != value && !slices.Contains(spaceChecked, name) && forms[name].takes == nil:
			c.warn(name, "the space at the end of the line is part of the value", "remove it")
		}
	}
}

// mode returns the retrieval mode that the daemon will use, or "" if it refuses the
// properties.
func (c *checker) mode() string {
	mode, _ := c.chosenMode()
	return mode
}

// chosenMode also returns the property that chooses the mode if retrievalMode names none.
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

// modes looks for properties that choose the retrieval mode, and that it ignores.
func (c *checker) modes() {
	mode, by := c.chosenMode()
	if mode == "" {
		return // another check finds it
	}
	if by != "" {
		c.warn(by, fmt.Sprintf("retrievalMode is unset or DEFAULT, so this property makes the daemon use %s, not %s", mode, fanoutMode),
			"set retrievalMode to the one that you mean")
	}
	for _, name := range c.inOrder {
		if key, ok := c.keys.lookup(name); ok && key.only != "" && key.only != mode {
			c.warn(name, "it is ignored in retrieval mode "+mode, "remove it, or set retrievalMode to "+key.only)
		}
	}
	for _, s := range c.several() {
		if s.ConsumerARN != "" && mode != fanoutMode {
			c.warn(streamsProperty, s.Stream+": consumerArn is ignored in retrieval mode "+mode, "remove it, or set retrievalMode to "+fanoutMode)
		}
	}
}

// The retrieval mode if none is named, and the mode that this means.
const (
	defaultMode = "DEFAULT"
	fanoutMode  = "FANOUT"
)

// defaultFailover is KCL's default for failoverTimeMillis.
const defaultFailover = 10_000

// advise looks for settings that are legal but seldom meant.
func (c *checker) advise() {
	if strings.EqualFold(c.value("initialPositionInStream"), "AT_TIMESTAMP") {
		c.error("initialPositionInStream", "the daemon refuses AT_TIMESTAMP here", "set initialPositionInStreamExtended to the seconds since 1970 instead")
	} else if !c.has("initialPositionInStream") && !c.has("initialPositionInStreamExtended") && !c.ownPositions() {
		c.warn("initialPositionInStream", "it is not set: a new application starts at LATEST and skips what is in the stream", "TRIM_HORIZON reads all")
	}

	failover := c.number("failoverTimeMillis", defaultFailover)
	switch grace := c.number("shutdownGraceMillis", 0); {
	case grace < 0 || failover < 0: // another check finds it
	case grace == 0:
		state := "it is not set"
		if c.has("shutdownGraceMillis") {
			state = "it is 0"
		}
		c.warn("shutdownGraceMillis", state+": Amazon's MultiLangDaemon then stops without shutdownRequested, so without a last checkpoint; kcl-bootstrap --execute without --stock allows 10 s",
			fmt.Sprintf("%d is enough for most", 2*failover))
	case grace < failover:
		c.warn("shutdownGraceMillis", fmt.Sprintf("%d is shorter than failoverTimeMillis, %d, which a stop of Amazon's MultiLangDaemon can take", grace, failover),
			"raise it, or records since the last checkpoint are delivered again")
	}

	// With another endpoint the daemon does not read from AWS.
	if level, ok := c.Get("metricsLevel"); len(c.endpoints()) > 0 && !strings.EqualFold(level, "NONE") && !c.has("cloudWatchClient.endpointOverride") {
		if !ok {
			level = "DETAILED unless set"
		}
		c.warn("metricsLevel", fmt.Sprintf("it is %s: the daemon sends metrics to CloudWatch itself, whatever the other endpoints are", level), "set it to NONE")
	}
}

// number returns a property that is a whole number, otherwise if it is not set or 0, and
// -1 if it is not a number.
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

// hasRegion reports whether the properties name a region for all of the daemon's clients.
// A streamArn does not.
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
