package bootstrap

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
		line := strings.TrimPrefix(f.String(), p.given+":")
		lines = append(lines, strings.TrimPrefix(line, " "))
	}
	slices.Sort(lines)
	return lines
}

func TestCheckFindings(t *testing.T) {
	base := minimal(t)
	for _, tt := range []struct {
		name, lines string // from line 8 on; "-" and a name take that away
		want        []string
	}{
		{"nothing to say", "", nil},
		{
			"a slip of the fingers", "failoverTimeMilis = 5000",
			[]string{`8: error: failoverTimeMilis: the daemon knows no such property; did you mean failoverTimeMillis?`},
		},
		{
			"another case", "RetrievalMode = FANOUT",
			[]string{`8: error: RetrievalMode: the daemon knows no such property; did you mean retrievalMode?`},
		},
		{
			"a nested one", "fanoutConfig.consumername = x",
			[]string{`8: error: fanoutConfig.consumername: the daemon knows no such property; did you mean fanoutConfig.consumerName?`},
		},
		{
			"like none", "colour = green",
			[]string{`8: error: colour: the daemon knows no such property; remove it, or comment it out`},
		},
		{"a client's own", "kinesisClient.endpointOverride = https://kinesis.example\nmetricsLevel = none", nil},
		{
			"a client's slip", "kinesisClient.endpontOverride = x",
			[]string{`8: error: kinesisClient.endpontOverride: the daemon knows no such property; did you mean kinesisClient.endpointOverride?`},
		},
		{
			"a client's object", "dynamoDbClient.httpClient = x",
			[]string{`8: error: dynamoDbClient.httpClient: the daemon can make nothing of a text here`},
		},
		{"a client's object's own", "kinesisClient.overrideConfiguration.apiCallTimeout = PT5S", nil},
		{
			"a client's boolean", "cloudWatchClient.fipsEnabled = maybe",
			[]string{`8: error: cloudWatchClient.fipsEnabled: "maybe" is neither true nor false`},
		},
		{"credentials in any case", "AWSCREDENTIALSPROVIDERDynamoDB = DefaultCredentialsProvider", nil},
		{"no number", "retrievalMode = POLLING\nmaxRecords = many", []string{`9: error: maxRecords: "many" is not a whole number up to 2147483647`}},
		{"too large", "maxLeasesForWorker = 3000000000", []string{`8: error: maxLeasesForWorker: "3000000000" is not a whole number up to 2147483647`}},
		{"negative", "failoverTimeMillis = -1", []string{`8: error: failoverTimeMillis: "-1" is below 0`}},
		{"no value", "maxLeasesForWorker =", []string{`8: error: maxLeasesForWorker: "" is not a whole number up to 2147483647`}},
		{"a space after a number", "maxLeasesForWorker = 10 ", nil},
		{"a control character before a number", `maxLeasesForWorker = \u000110`, nil},
		{
			"a no-break space after a number", `maxLeasesForWorker = 10\u00a0`,
			[]string{`8: error: maxLeasesForWorker: "10\u00a0" is not a whole number up to 2147483647`},
		},
		{
			"a number that is parsed as it is", "maxActiveThreads = 5 ",
			[]string{`8: error: maxActiveThreads: "5 " is not a whole number up to 2147483647, for there is a space beside it`},
		},
		{"a number that may be below 0", "maxActiveThreads = -1", nil},
		{"no boolean", "validate = 1\nignoreUnexpectedChildShards = maybe", []string{
			`8: error: validate: the daemon knows no such property; remove it, or comment it out`,
			`9: error: ignoreUnexpectedChildShards: "maybe" is neither true nor false`,
		}},
		{
			"a space after a boolean", "ignoreUnexpectedChildShards = true ",
			[]string{`8: error: ignoreUnexpectedChildShards: "true " is neither true nor false, for there is a space beside it`},
		},
		{"enum", "retrievalMode = fanout", nil},
		{"no such value", "retrievalMode = PUSH\nmaxRecords = 10", []string{`8: error: retrievalMode: "PUSH" is not one of FANOUT, POLLING, DEFAULT`}},
		{
			"a position in time", "-initialPositionInStream\ninitialPositionInStream = AT_TIMESTAMP",
			[]string{"8: error: initialPositionInStream: the daemon refuses AT_TIMESTAMP here; set initialPositionInStreamExtended to the seconds since 1970 instead"},
		},
		{
			"seconds", "-initialPositionInStream\ninitialPositionInStreamExtended = yesterday",
			[]string{`8: error: initialPositionInStreamExtended: "yesterday" is not a number of seconds since 1970`},
		},
		{
			"two positions", "initialPositionInStreamExtended = 1700000000",
			[]string{`8: warning: initialPositionInStreamExtended: it sets the same as initialPositionInStream, and one of them silently overrides the other; remove one`},
		},
		{
			"two names of one", "retrievalMode = POLLING\nmaxRecords = 10\npollingConfig.maxRecords = 20",
			[]string{`10: warning: pollingConfig.maxRecords: it sets the same as maxRecords, and one of them silently overrides the other; remove one`},
		},
		{
			"a duration", "staleWorkerMetricsEntryCleanupDuration = 5 minutes",
			[]string{`8: error: staleWorkerMetricsEntryCleanupDuration: "5 minutes" is not a duration such as PT5M or P1D`},
		},
		{"no tags", "coordinatorStateTags = team", []string{"8: error: coordinatorStateTags: it is not a list of NAME=VALUE,NAME=VALUE"}},
		{"no tag's value", "coordinatorStateTags = a=", []string{"8: error: coordinatorStateTags: it is not a list of NAME=VALUE,NAME=VALUE"}},
		{"tags and what Java drops", "coordinatorStateTags = a=b=\nworkerMetricsTags = a=b, c = d,", nil},
		{"an object", "shardPrioritization = x", []string{"8: error: shardPrioritization: the daemon can make nothing of a text here"}},
		{
			"no difference", "cleanupLeasesUponShardCompletion = false",
			[]string{"8: warning: cleanupLeasesUponShardCompletion: it makes no difference to this daemon; remove it"},
		},
		{"zero", "retrievalMode = POLLING\nidleTimeBetweenReadsInMillis = 0\nmaxLeasesToStealAtOneTime = 0", []string{
			"10: warning: maxLeasesToStealAtOneTime: the daemon takes 0 for unset: its default, 1, holds",
			"9: warning: idleTimeBetweenReadsInMillis: the daemon takes 0 for unset: its default holds",
		}},
		{
			"polling's under fan-out", "retrievalMode = FANOUT\nmaxRecords = 100",
			[]string{"9: warning: maxRecords: it makes no difference in retrieval mode FANOUT; remove it, or set retrievalMode to POLLING"},
		},
		{
			"fan-out's under polling", "retrievalMode = polling\nfanoutConfig.consumerName = c",
			[]string{"9: warning: fanoutConfig.consumerName: it makes no difference in retrieval mode POLLING; remove it, or set retrievalMode to FANOUT"},
		},
		{"what chooses polling", "maxRecords = 100\nfanoutConfig.consumerName = c", []string{
			"8: warning: maxRecords: as retrievalMode names neither, it makes the daemon use POLLING, not FANOUT; set retrievalMode to what you mean",
			"9: warning: fanoutConfig.consumerName: it makes no difference in retrieval mode POLLING; remove it, or set retrievalMode to FANOUT",
		}},
		{
			"a 0 that chooses", "retrievalMode = default\nmaxGetRecordsThreadPool = 0",
			[]string{"9: warning: maxGetRecordsThreadPool: as retrievalMode names neither, it makes the daemon use POLLING, not FANOUT; set retrievalMode to what you mean"},
		},
		{
			"a 0 that does not", "millisBehindLatestThresholdForReducedTps = 0",
			[]string{"8: warning: millisBehindLatestThresholdForReducedTps: it makes no difference in retrieval mode FANOUT; remove it, or set retrievalMode to POLLING"},
		},
		{"twice", "streamName = a\nstreamName = orders", []string{
			"3: warning: streamName: it is set again in line 9, which holds; remove one",
			"8: warning: streamName: it is set again in line 9, which holds; remove one",
		}},
		{
			"a space at the end", "tableName = orders ",
			[]string{"8: warning: tableName: the space at the end of the line is part of the value; remove it"},
		},
		{
			"metrics beside endpoints", "kinesisEndpoint = http://127.0.0.1:1",
			[]string{"warning: metricsLevel: it is DETAILED unless set: the daemon sends metrics to CloudWatch itself, whatever the other endpoints are; set it to NONE"},
		},
		{
			"some metrics beside endpoints", "kinesisEndpoint = http://127.0.0.1:1\nmetricsLevel = summary",
			[]string{"9: warning: metricsLevel: it is summary: the daemon sends metrics to CloudWatch itself, whatever the other endpoints are; set it to NONE"},
		},
		{"no metrics beside endpoints", "kinesisEndpoint = http://127.0.0.1:1\nmetricsLevel = none", nil},
		{
			"two endpoints", "kinesisEndpoint = http://127.0.0.1:1\nkinesisClient.endpointOverride = http://127.0.0.1:2\nmetricsLevel = none",
			[]string{"9: warning: kinesisClient.endpointOverride: it sets the same as kinesisEndpoint, and one of them silently overrides the other; remove one"},
		},
		{
			"grace too short", "failoverTimeMillis = 20000",
			[]string{"7: warning: shutdownGraceMillis: 10000 is shorter than failoverTimeMillis, 20000, which a graceful stop can take; raise it, or records since the last checkpoint come again"},
		},
		{
			"no grace", "-shutdownGraceMillis",
			[]string{"warning: shutdownGraceMillis: it is not set: the daemon stops without shutdownRequested, so no last checkpoint; 20000 is enough for most"},
		},
		{
			"a grace of 0", "-shutdownGraceMillis\nshutdownGraceMillis = 0",
			[]string{"8: warning: shutdownGraceMillis: it is 0: the daemon stops without shutdownRequested, so no last checkpoint; 20000 is enough for most"},
		},
		{
			"no position", "-initialPositionInStream",
			[]string{"warning: initialPositionInStream: it is not set: a new application starts at LATEST and does not read what is in the stream; TRIM_HORIZON reads all"},
		},
		{
			"quotes", "-executableName\nexecutableName = " + base[len("executableName = "):strings.IndexByte(base, '\n')] + " --name 'a b'",
			[]string{"8: warning: executableName: the daemon parts it at every space and hands quotes and backslashes on; it knows no quoting: give the command no argument with a space"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := findings(readProperties(t, withChange(base, tt.lines)), DaemonKeys())
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// withChange returns a file's text with lines after it; "-" and a property's
// name leave an empty line where that was.
func withChange(text, lines string) string {
	for line := range strings.SplitSeq(lines, "\n") {
		if name, ok := strings.CutPrefix(line, "-"); ok {
			before, after, _ := strings.Cut(text, name+" = ")
			_, after, _ = strings.Cut(after, "\n")
			text = before + "\n" + after
		} else {
			text += line + "\n"
		}
	}
	return text
}

func TestCheckProviders(t *testing.T) {
	base := withChange(minimal(t), "-AwsCredentialsProvider")
	const usual = "; DefaultCredentialsProvider is the usual one"
	for _, tt := range []struct {
		lines string // from line 8 on
		want  []string
	}{
		{"AwsCredentialsProvider = DefaultCredentialsProvider ", nil},
		{"AwsCredentialsProvider = EnvironmentVariableCredentialsProvider , ,ProfileCredentialsProvider|dev", nil},
		{"AwsCredentialsProvider = software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider", nil},
		{"AwsCredentialsProvider = StsAssumeRoleCredentialsProvider|arn|session|endpointRegion=us-east-1", nil},
		{
			"AwsCredentialsProvider = StsAssumeRoleCredentialsProvider|s3cr3t",
			[]string{"8: error: AwsCredentialsProvider: StsAssumeRoleCredentialsProvider takes 2 arguments at least, not 1; write them after it, each after a |"},
		},
		{
			"AwsCredentialsProvider = DefaultCredentialsProviderX|s3cr3t",
			[]string{"8: error: AwsCredentialsProvider: the daemon has no class DefaultCredentialsProviderX; did you mean DefaultCredentialsProvider?"},
		},
		{
			"awscredentialsprovider = DefaultAWSCredentialsProviderChain",
			[]string{"8: error: awscredentialsprovider: the daemon has no class DefaultAWSCredentialsProviderChain; did you mean DefaultCredentialsProvider?"},
		},
		{
			"AwsCredentialsProvider = com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
			[]string{"8: error: AwsCredentialsProvider: com.amazonaws.auth.DefaultAWSCredentialsProviderChain is of the AWS SDK for Java 1, which this daemon does not use; did you mean DefaultCredentialsProvider?"},
		},
		{
			"AwsCredentialsProvider = com.example.Vault|s3cr3t",
			[]string{"8: warning: AwsCredentialsProvider: com.example.Vault is not among the daemon's classes; it must be on a class path of your own"},
		},
		{
			"AwsCredentialsProvider = s3c/r3t+",
			[]string{"8: error: AwsCredentialsProvider: it is not the name of a class" + usual},
		},
		{
			"AwsCredentialsProvider = Green",
			[]string{"8: error: AwsCredentialsProvider: the daemon has no class Green" + usual},
		},
		{"AwsCredentialsProvider = ,", []string{"8: error: AwsCredentialsProvider: it names no class" + usual}},
		{
			"AwsCredentialsProvider = DefaultCredentialsProvider\nAwsCredentialsProviderDynamoDB =",
			[]string{"9: error: AwsCredentialsProviderDynamoDB: it names no class" + usual},
		},
		{
			"AwsCredentialsProvider = DefaultCredentialsProvider\nawsCredentialsProvider = DefaultCredentialsProvider",
			[]string{"9: error: awsCredentialsProvider: the daemon takes it and AwsCredentialsProvider for one property, and refuses to set it again; remove one"},
		},
		{"kinesisCredentialsProvider.class = software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider", nil},
		{
			"AwsCredentialsProvider = DefaultCredentialsProvider\nkinesisCredentialsProvider.class = DefaultCredentialsProvider",
			[]string{"9: error: kinesisCredentialsProvider.class: the daemon takes only one of it and AwsCredentialsProvider; remove one"},
		},
		{
			"AwsCredentialsProvider = DefaultCredentialsProvider\ndynamoDBCredentialsProvider.profileName = dev",
			[]string{"9: error: dynamoDBCredentialsProvider.profileName: the daemon refuses it without dynamoDBCredentialsProvider.class; set that to the class of the provider"},
		},
	} {
		got := findings(readProperties(t, withChange(base, tt.lines)), DaemonKeys())
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.lines, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// An executable whose path has a space is there, but not for the daemon.
func TestCheckExecutableWithSpace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with space")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := executable(t, dir, "consumer")
	got := findings(readProperties(t, withChange(minimal(t), "-executableName\nexecutableName = "+file)), DaemonKeys())
	want := []string{"8: error: executableName: the daemon parts it at spaces, so it cannot start " + strconv.Quote(file) +
		"; put its folder on PATH, or make a link whose path has none"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCheckUnknownDaemon(t *testing.T) {
	base := minimal(t)
	got := findings(readProperties(t, base+"newIn4 = 1\nmaxRecords = many\n"), nil)
	if want := []string{"8: warning: newIn4: it is not a property of MultiLangDaemon 3.1.3; look whether this daemon has it"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestCheckOverrides(t *testing.T) {
	p := readProperties(t, minimal(t)+"retrievalMode = FANOUT\nretrievalMode = PUSH\n")
	p.Set("retrievalMode", "POLLING")
	p.Set("colour", "green")
	if got, _ := p.Get("retrievalMode"); got != "POLLING" {
		t.Errorf("%q", got)
	}
	got := findings(p, DaemonKeys())
	if want := []string{"set apart from the file: error: colour: the daemon knows no such property; remove it, or comment it out"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A value of an unknown property may be a secret that missed its name.
func TestCheckHidesUnknownValues(t *testing.T) {
	for _, line := range findings(readProperties(t, minimal(t)+"awsSecretKey = s3cr3t\nkinesisClient.x = s3cr3t\ndynamoDBEndpoint = user:s3cr3t@host\n"), DaemonKeys()) {
		if strings.Contains(line, "s3cr3t") {
			t.Error(line)
		}
	}
}

func TestParseKeys(t *testing.T) {
	for text, want := range map[string]string{
		"provider:A class\nprovider:A class": "line 2: A is named twice",
		"provider:A int":                     "line 1: unknown type int",
		"provider:A class arguments=-1":      "line 1: unknown word arguments=-1",
		"provider:A class 2":                 "line 1: unknown word 2",
		"a int only":                         "line 1: unknown word only",
		"a int chooses=0":                    "line 1: unknown word chooses=0",
		"a":                                  "line 1: a name and a type are needed",
		"# x\na int\n\nb whole":              "line 4: unknown type whole",
		"a int\na long":                      "line 2: a is named twice",
		"a int strange":                      "line 1: unknown word strange",
		"a int zero-ignored=5\nb":            "line 2: a name",
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
	f.Add([]byte("a int zero-ignored=5\nb.* any\nc enum:A,B ignored\nd int only=X chooses=any\nprovider:E class arguments=2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if keys, err := ParseKeys("fuzz", text); (keys == nil) == (err == nil) {
			t.Errorf("%v, %v", keys, err)
		}
	})
}
