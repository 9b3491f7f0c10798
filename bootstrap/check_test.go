package bootstrap

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// minimal are properties that are right, and about which there is nothing to
// say; their lines come before those of a test.
func minimal(t *testing.T) string {
	t.Helper()
	bare(t)
	dir := t.TempDir()
	return "executableName = " + executable(t, dir, "consumer") + `
applicationName = orders
streamName = orders
regionName = us-east-1
AwsCredentialsProvider = DefaultCredentialsProvider
initialPositionInStream = TRIM_HORIZON
shutdownGraceMillis = 10000
`
}

// findings are the lines of a check, without the file.
func findings(p *Properties, keys *Keys) []string {
	warnings, err := p.Check(keys)
	var config *ConfigError
	if errors.As(err, &config) {
		warnings = append(warnings, config.Findings...)
	}
	var lines []string
	for _, f := range warnings {
		lines = append(lines, strings.TrimPrefix(f.String(), p.given+":"))
	}
	slices.Sort(lines)
	return lines
}

func TestCheckFindings(t *testing.T) {
	base := minimal(t)
	for _, tt := range []struct {
		name, lines string // from line 8 on
		want        []string
	}{
		{"nothing to say", "", nil},
		{"a slip of the fingers", "failoverTimeMilis = 5000",
			[]string{`8: error: the daemon knows no property "failoverTimeMilis" and would pass over it; did you mean failoverTimeMillis?`}},
		{"another case", "RetrievalMode = FANOUT",
			[]string{`8: error: the daemon knows no property "RetrievalMode" and would pass over it; did you mean retrievalMode?`}},
		{"a nested one", "fanoutConfig.consumername = x",
			[]string{`8: error: the daemon knows no property "fanoutConfig.consumername" and would pass over it; did you mean fanoutConfig.consumerName?`}},
		{"like none", "colour = green",
			[]string{`8: error: the daemon knows no property "colour" and would pass over it; remove it, or comment it out`}},
		{"a client's own", "kinesisClient.endpointOverride = https://kinesis.example\nmetricsLevel = none", nil},
		{"credentials in any case", "AWSCREDENTIALSPROVIDERDynamoDB = DefaultCredentialsProvider", nil},
		{"no number", "maxRecords = many", []string{`8: error: maxRecords: "many" is not a whole number up to 2147483647`}},
		{"too large", "maxRecords = 3000000000", []string{`8: error: maxRecords: "3000000000" is not a whole number up to 2147483647`}},
		{"negative", "failoverTimeMillis = -1", []string{`8: error: failoverTimeMillis: "-1" is below 0`}},
		{"no value", "maxRecords =", []string{`8: error: maxRecords: "" is not a whole number up to 2147483647`}},
		{"a space after a number", "maxRecords = 10 ", nil},
		{"no boolean", "validate = 1\nignoreUnexpectedChildShards = maybe", []string{
			`8: error: the daemon knows no property "validate" and would pass over it; remove it, or comment it out`,
			`9: error: ignoreUnexpectedChildShards: "maybe" is neither true nor false`}},
		{"a space after a boolean", "ignoreUnexpectedChildShards = true ",
			[]string{`8: error: ignoreUnexpectedChildShards: "true " is neither true nor false: there is a space at its end`}},
		{"enum", "retrievalMode = fanout", nil},
		{"no such value", "retrievalMode = PUSH", []string{`8: error: retrievalMode: "PUSH" is not one of FANOUT, POLLING, DEFAULT`}},
		{"a position in time", "initialPositionInStream = AT_TIMESTAMP",
			[]string{"7: warning: initialPositionInStream is set again", "8: error: initialPositionInStream: the daemon refuses AT_TIMESTAMP here"}},
		{"seconds", "initialPositionInStreamExtended = yesterday",
			[]string{`8: error: initialPositionInStreamExtended: "yesterday" is not a number of seconds since 1970`}},
		{"a duration", "staleWorkerMetricsEntryCleanupDuration = 5 minutes",
			[]string{`8: error: staleWorkerMetricsEntryCleanupDuration: "5 minutes" is not a duration such as PT5M or P1D`}},
		{"tags", "coordinatorStateTags = team", []string{"8: error: coordinatorStateTags: it is not a list of NAME=VALUE,NAME=VALUE"}},
		{"an object", "shardPrioritization = x", []string{"8: error: shardPrioritization: the daemon can make nothing of a text here"}},
		{"no difference", "cleanupLeasesUponShardCompletion = false",
			[]string{"8: warning: cleanupLeasesUponShardCompletion makes no difference to this daemon; remove it"}},
		{"zero", "idleTimeBetweenReadsInMillis = 0\nmaxLeasesToStealAtOneTime = 0", []string{
			"8: warning: idleTimeBetweenReadsInMillis: the daemon takes 0 for unset: its default holds",
			"9: warning: maxLeasesToStealAtOneTime: the daemon takes 0 for unset: its default, 1, holds"}},
		{"twice", "streamName = a\nstreamName = orders", []string{
			"3: warning: streamName is set again in line 9, which holds",
			"8: warning: streamName is set again in line 9, which holds"}},
		{"a space at the end", "tableName = orders ",
			[]string{"8: warning: tableName: the space at the end of the line is part of the value"}},
		{"metrics beside endpoints", "kinesisEndpoint = http://127.0.0.1:1",
			[]string{"warning: metricsLevel is DETAILED unless set: the daemon sends metrics to CloudWatch itself"}},
		{"some metrics beside endpoints", "kinesisEndpoint = http://127.0.0.1:1\nmetricsLevel = summary",
			[]string{"9: warning: metricsLevel is summary: the daemon sends metrics to CloudWatch itself"}},
		{"no metrics beside endpoints", "kinesisEndpoint = http://127.0.0.1:1\nmetricsLevel = none", nil},
		{"grace too short", "failoverTimeMillis = 20000",
			[]string{"7: warning: shutdownGraceMillis: 10000 is shorter than failoverTimeMillis, 20000,"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines := base
			if tt.name == "a position in time" {
				lines = strings.Replace(base, "initialPositionInStream = TRIM_HORIZON\nshutdownGraceMillis = 10000\n", "shutdownGraceMillis = 10000\ninitialPositionInStream = LATEST\n", 1)
			}
			got := findings(readProperties(t, lines+tt.lines+"\n"), DaemonKeys())
			match := func(got, want string) bool {
				return strings.HasPrefix(got, want) || strings.HasSuffix(got, want) || strings.Contains(got, want)
			}
			if !slices.EqualFunc(got, tt.want, match) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestCheckWithoutSettings(t *testing.T) {
	base := minimal(t)
	base = base[:strings.Index(base, "initialPositionInStream")]
	got := findings(readProperties(t, base), DaemonKeys())
	if len(got) != 2 || !strings.Contains(got[0], "initialPositionInStream is not set: a new application starts at LATEST") ||
		!strings.Contains(got[1], "shutdownGraceMillis is not set: the daemon stops without shutdownRequested") {
		t.Errorf("%q", got)
	}
}

func TestCheckExecutable(t *testing.T) {
	base := minimal(t)
	dir := t.TempDir() + "/with space"
	t.Chdir(t.TempDir())
	for command, want := range map[string]string{
		`consumer --name 'a b'`: "the daemon parts it at every space and hands quotes and backslashes on",
		dir + "/none":           "cannot be executed",
	} {
		got := findings(readProperties(t, base+"executableName = "+command+"\n"), DaemonKeys())
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("%s: %q", command, got)
		}
	}
}

func TestCheckUnknownDaemon(t *testing.T) {
	base := minimal(t)
	got := findings(readProperties(t, base+"newIn4 = 1\nmaxRecords = many\n"), nil)
	if len(got) != 1 || !strings.HasPrefix(got[0], "8: warning: newIn4 is not a property of MultiLangDaemon ") {
		t.Errorf("%q", got)
	}
}

func TestCheckOverrides(t *testing.T) {
	p := readProperties(t, minimal(t)+"maxRecords = many\n")
	p.Set("maxRecords", "10")
	p.Set("colour", "green")
	if got, _ := p.Get("maxRecords"); got != "10" {
		t.Errorf("%q", got)
	}
	got := findings(p, DaemonKeys())
	if len(got) != 1 || !strings.HasPrefix(got[0], `set apart from the file: error: the daemon knows no property "colour"`) {
		t.Errorf("%q", got)
	}
}

// A value of an unknown property may be a secret that missed its name.
func TestCheckHidesUnknownValues(t *testing.T) {
	for _, line := range findings(readProperties(t, minimal(t)+"awsSecretKey = s3cr3t\nkinesisClient.x = s3cr3t\n"), DaemonKeys()) {
		if strings.Contains(line, "s3cr3t") {
			t.Error(line)
		}
	}
}

func TestParseKeys(t *testing.T) {
	for text, want := range map[string]string{
		"a":                       "line 1: a name and a type are needed",
		"# x\na int\n\nb whole":   "line 4: unknown type whole",
		"a int\na long":           "line 2: a is named twice",
		"a int strange":           "line 1: unknown word strange",
		"a int zero-ignored=5\nb": "line 2: a name",
	} {
		if _, err := ParseKeys("test", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, ok := DaemonKeys().lookup("leaseAssignmentIntervalMillis"); !ok {
		t.Error("a property that every user needs is not known")
	}
}

func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"stream", "steam", 1}, {"kitten", "sitting", 3}} {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := editDistance(tt.b, tt.a); got != tt.want {
			t.Errorf("%q %q: %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("a int zero-ignored=5\nb.* any\nc enum:A,B ignored\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if keys, err := ParseKeys("fuzz", text); (keys == nil) == (err == nil) {
			t.Errorf("%v, %v", keys, err)
		}
	})
}
