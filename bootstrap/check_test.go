package bootstrap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
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
func findings(p *Properties, keys *knownKeys) []string {
	warnings, err := p.check(keys)
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
			[]string{`8: error: dynamoDbClient.httpClient: it is a Java object, which no text can set`},
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
			[]string{`8: error: maxActiveThreads: "5 " is not a whole number up to 2147483647, because of a space at its start or end`},
		},
		{"a number that may be below 0", "maxActiveThreads = -1", nil},
		{"no boolean", "validate = 1\nignoreUnexpectedChildShards = maybe", []string{
			`8: error: validate: the daemon knows no such property; remove it, or comment it out`,
			`9: error: ignoreUnexpectedChildShards: "maybe" is neither true nor false`,
		}},
		{
			"a space after a boolean", "ignoreUnexpectedChildShards = true ",
			[]string{`8: error: ignoreUnexpectedChildShards: "true " is neither true nor false, because of a space at its start or end`},
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
		{"an object", "shardPrioritization = x", []string{"8: error: shardPrioritization: it is a Java object, which no text can set"}},
		{
			"no difference", "cleanupLeasesUponShardCompletion = false",
			[]string{"8: warning: cleanupLeasesUponShardCompletion: this daemon ignores it; remove it"},
		},
		{"zero", "retrievalMode = POLLING\nidleTimeBetweenReadsInMillis = 0\nmaxLeasesToStealAtOneTime = 0", []string{
			"10: warning: maxLeasesToStealAtOneTime: the daemon reads 0 as unset and uses its default, 1",
			"9: warning: idleTimeBetweenReadsInMillis: the daemon reads 0 as unset and uses its default",
		}},
		{
			"polling's under fan-out", "retrievalMode = FANOUT\nmaxRecords = 100",
			[]string{"9: warning: maxRecords: it is ignored in retrieval mode FANOUT; remove it, or set retrievalMode to POLLING"},
		},
		{
			"fan-out's under polling", "retrievalMode = polling\nfanoutConfig.consumerName = c",
			[]string{"9: warning: fanoutConfig.consumerName: it is ignored in retrieval mode POLLING; remove it, or set retrievalMode to FANOUT"},
		},
		{"what chooses polling", "maxRecords = 100\nfanoutConfig.consumerName = c", []string{
			"8: warning: maxRecords: retrievalMode is unset or DEFAULT, so this property makes the daemon use POLLING, not FANOUT; set retrievalMode to the one that you mean",
			"9: warning: fanoutConfig.consumerName: it is ignored in retrieval mode POLLING; remove it, or set retrievalMode to FANOUT",
		}},
		{
			"a 0 that chooses", "retrievalMode = default\nretryGetRecordsInSeconds = 0",
			[]string{"9: warning: retryGetRecordsInSeconds: retrievalMode is unset or DEFAULT, so this property makes the daemon use POLLING, not FANOUT; set retrievalMode to the one that you mean"},
		},
		{
			"a 0 that does not", "millisBehindLatestThresholdForReducedTps = 0",
			[]string{"8: warning: millisBehindLatestThresholdForReducedTps: it is ignored in retrieval mode FANOUT; remove it, or set retrievalMode to POLLING"},
		},
		{"twice", "streamName = a\nstreamName = orders", []string{
			"3: warning: streamName: it is set again in line 9, which is used; remove one",
			"8: warning: streamName: it is set again in line 9, which is used; remove one",
		}},
		{
			"a space at the end", "processingLanguage = go ",
			[]string{"8: warning: processingLanguage: the space at the end of the line is part of the value; remove it"},
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
			[]string{"7: warning: shutdownGraceMillis: 10000 is shorter than failoverTimeMillis, 20000, which a stop of Amazon's MultiLangDaemon can take; raise it, or records since the last checkpoint are delivered again"},
		},
		{
			"no grace", "-shutdownGraceMillis",
			[]string{"warning: shutdownGraceMillis: it is not set: Amazon's MultiLangDaemon then stops without shutdownRequested, so without a last checkpoint; kcl-bootstrap --execute without --stock allows 10 s; 20000 is enough for most"},
		},
		{
			"a grace of 0", "-shutdownGraceMillis\nshutdownGraceMillis = 0",
			[]string{"8: warning: shutdownGraceMillis: it is 0: Amazon's MultiLangDaemon then stops without shutdownRequested, so without a last checkpoint; kcl-bootstrap --execute without --stock allows 10 s; 20000 is enough for most"},
		},
		{
			"no position", "-initialPositionInStream",
			[]string{"warning: initialPositionInStream: it is not set: a new application starts at LATEST and skips what is in the stream; TRIM_HORIZON reads all"},
		},
		{
			"quotes", "-executableName\nexecutableName = " + base[len("executableName = "):strings.IndexByte(base, '\n')] + " --name 'a b'",
			[]string{"8: warning: executableName: the daemon splits it at every space and passes quotes and backslashes on; there is no quoting: give the command no argument with a space"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := findings(readProperties(t, withChange(base, tt.lines)), daemonKeys())
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// What the daemon's classes take, and AWS or KCL at work does not.
func TestCheckLimits(t *testing.T) {
	base := minimal(t)
	now := time.Now().Unix()
	long := strings.Repeat("a", 129)
	for _, tt := range []struct {
		name, lines string // from line 8 on
		want        []string
	}{
		{
			"a start in milliseconds", "-initialPositionInStream\ninitialPositionInStreamExtended = 1700000000000",
			[]string{"8: error: initialPositionInStreamExtended: 1700000000000 is in milliseconds, but the daemon reads it as seconds since 1970: write 1700000000"},
		},
		{
			"a start to come", fmt.Sprintf("-initialPositionInStream\ninitialPositionInStreamExtended = %d", now+1000),
			[]string{fmt.Sprintf("8: error: initialPositionInStreamExtended: %d is in the future: AWS refuses that, and the daemon reads nothing", now+1000)},
		},
		{"a start that was", fmt.Sprintf("-initialPositionInStream\ninitialPositionInStreamExtended = %d", now-1), nil},
		{"a start before 1970", "-initialPositionInStream\ninitialPositionInStreamExtended = -1", []string{`8: error: initialPositionInStreamExtended: "-1" is not a number of seconds since 1970`}},
		{"a table", "tableName = a/b", []string{`8: error: tableName: "a/b" cannot name a DynamoDB table; use 3 to 255 of a-z A-Z 0-9 _ . -`}},
		{"a table by its long name", "workerMetricStatsTableConfigBean.workerMetricsTableName = x", []string{`8: error: workerMetricStatsTableConfigBean.workerMetricsTableName: "x" cannot name a DynamoDB table; use 3 to 255 of a-z A-Z 0-9 _ . -`}},
		{"a consumer", "fanoutConfig.consumerName = a b", []string{`8: error: fanoutConfig.consumerName: "a b" cannot name a consumer; use 1 to 128 of a-z A-Z 0-9 _ . -`}},
		{"a consumer of the application's name", "-applicationName\napplicationName = " + long, []string{
			"8: error: applicationName: it has 129 characters, too many for the name of the stream's consumer; use at most 128, or set fanoutConfig.consumerName",
		}},
		{"no consumer of the application's name", "retrievalMode = POLLING\n-applicationName\napplicationName = " + long, nil},
		{"the application's other tables", "retrievalMode = POLLING\n-applicationName\napplicationName = " + long + long[:109], []string{
			"9: error: applicationName: it has 238 characters, too many for the table NAME-WorkerMetricStats; use at most 237",
		}},
		{"a consumer's ARN", "fanoutConfig.consumerArn = arn:aws:kinesis:us-east-1:123456789012:stream/orders", []string{
			`8: error: fanoutConfig.consumerArn: "arn:aws:kinesis:us-east-1:123456789012:stream/orders" is not the ARN of a consumer; its form is arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/NAME:SECONDS`,
		}},
		{"another stream's consumer", "fanoutConfig.consumerArn = arn:aws:kinesis:us-east-1:123456789012:stream/bills/consumer/c:1", []string{
			"8: error: fanoutConfig.consumerArn: it is a consumer of stream bills, not of orders; name a consumer of the stream that is read",
		}},
		{"two streams", "streamArn = arn:aws:kinesis:us-east-1:123456789012:stream/bills", []string{"3: warning: streamName: streamArn names another stream, bills, which is read; remove one"}},
		{"one stream twice", "streamArn = arn:aws:kinesis:us-east-1:123456789012:stream/orders", nil},
		{"an ARN elsewhere", "streamArn = arn:aws:kinesis:eu-west-1:123456789012:stream/orders", []string{
			"8: error: streamArn: it is in eu-west-1, but the region is us-east-1, where AWS finds no such stream; set regionName to eu-west-1",
		}},
		{"an ARN of a stream that is played", "metricsLevel = NONE\nkinesisEndpoint = http://127.0.0.1:1\nstreamArn = arn:aws:kinesis:eu-west-1:123456789012:stream/orders", []string{`10: error: streamArn: it is in eu-west-1, but the region is us-east-1, where AWS finds no such stream; set regionName to eu-west-1`}},
		{"a region without its last hyphen", "-regionName\nregionName = us-east1", []string{`8: error: regionName: "us-east1" is not a region; did you mean us-east-1?`}},
		{"a region in capitals", "-regionName\nregionName = US-EAST-1", []string{`8: error: regionName: "US-EAST-1" is not a region; did you mean us-east-1?`}},
		{"an availability zone", "-regionName\nregionName = us-east-1a", []string{`8: error: regionName: "us-east-1a" is not a region; did you mean us-east-1?`}},
		{"a region with a space", "-regionName\nregionName = us-east-1 ", []string{`8: error: regionName: "us-east-1 " is not a region, because of a space at its start or end; did you mean us-east-1?`}},
		{"a region that may be new", "-regionName\nregionName = us-esat-1", []string{`8: warning: regionName: "us-esat-1" is not a region that this daemon's AWS SDK knows; did you mean us-east-1?`}},
		{"a region that is played", "-regionName\nregionName = local\nmetricsLevel = NONE\nkinesisEndpoint = http://127.0.0.1:1", nil},
		{"CloudWatch elsewhere", "cloudWatchClient.region = eu-west-1", []string{"8: warning: cloudWatchClient.region: it sets the same as regionName, and one of them silently overrides the other; remove one"}},
		{"CloudWatch's endpoint", "cloudWatchClient.endpointOverride = x", []string{"8: error: cloudWatchClient.endpointOverride: it is not a URL of the form http://HOST:PORT; correct it, or remove it for AWS"}},
		{"more than a call gives", "retrievalMode = POLLING\nmaxRecords = 10001", []string{"9: error: maxRecords: 10001 is too large: GetRecords returns no more; the maximum is 10000"}},
		{"a timer of 0", "leaseAssignmentIntervalMillis = 50\nmaxLeaseRenewalThreads = 1", []string{
			"8: error: leaseAssignmentIntervalMillis: 50 is too small: KCL derives an interval of 0 from it, and ends; the minimum is 52",
			"9: error: maxLeaseRenewalThreads: 1 is too small: KCL ends without a second thread; the minimum is 2",
		}},
		{"AWS's own tags", "coordinatorStateTags = aws:a=b", []string{
			"8: error: coordinatorStateTags: AWS refuses a tag whose name is longer than 128 or begins with aws:, or whose value is longer than 256",
		}},
		{"what a client has not", "kinesisClient.overrideConfiguration.apiCalTimeout = PT5S", []string{
			"8: error: kinesisClient.overrideConfiguration.apiCalTimeout: the daemon knows no such property; did you mean kinesisClient.overrideConfiguration.apiCallTimeout?",
		}},
		{"what no class was named for", "kinesisClient.httpClient.maxConcurrency = 5", []string{
			"8: error: kinesisClient.httpClient.maxConcurrency: the daemon refuses it without kinesisClient.httpClient.class; remove it",
		}},
		{"what a provider has not", "-AwsCredentialsProvider\nkinesisCredentialsProvider.class = ProfileCredentialsProvider\nkinesisCredentialsProvider.profilName = dev", []string{
			"9: error: kinesisCredentialsProvider.profilName: the daemon's software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider has no such property; did you mean kinesisCredentialsProvider.profileName?",
			"9: warning: kinesisCredentialsProvider.profilName: Java's hash table may give it to the daemon before kinesisCredentialsProvider.class, and it then fails; name the provider in AwsCredentialsProvider, with its arguments each after a |, such as ProfileCredentialsProvider|NAME",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := findings(readProperties(t, withChange(base, tt.lines)), daemonKeys())
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// A region of the environment is looked at as one of the file is.
func TestCheckRegionOfEnvironment(t *testing.T) {
	base := minimal(t)
	t.Setenv("AWS_REGION", "us-east1")
	got := findings(readProperties(t, withChange(base, "-regionName")), daemonKeys())
	if want := []string{`error: regionName: AWS_REGION, "us-east1", is not a region; did you mean us-east-1?`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A byte order mark is a part of the first line, whatever that is.
func TestCheckByteOrderMark(t *testing.T) {
	base := minimal(t)
	const mark = "\uFEFF"
	for _, tt := range []struct {
		text string
		want []string
	}{
		{mark + "# a comment\n" + base, []string{"1: warning: the file begins with a byte order mark, which turns its first line into a property; save the file as UTF-8 without one"}},
		{mark + "\n" + base, []string{"1: warning: the file begins with a byte order mark, which turns its first line into a property; save the file as UTF-8 without one"}},
		{mark + "retrievalMode = POLLING\n" + base, []string{"1: error: retrievalMode: the file begins with a byte order mark, which the daemon reads as part of the name; save the file as UTF-8 without one"}},
	} {
		for _, keys := range []*knownKeys{daemonKeys(), nil} {
			if got := findings(readProperties(t, tt.text), keys); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		}
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

// What the profile of a provider comes to, if nothing else can take its place.
func TestCheckProfiles(t *testing.T) {
	const config = `
[default]
login_session = arn
[profile keys]
aws_access_key_id = a
[profile sso]
sso_session = s
[profile renewed]
sso_session = renewed
[profile expired]
sso_start_url = https://sso.example/start
[profile absent]
sso_session = absent
[profile login]
login_session = arn
[profile assumed]
role_arn = r
source_profile = login
[profile circle]
role_arn = r
source_profile = circle
[profile code]
role_arn = r
mfa_serial = m
source_profile = keys
`
	const (
		ofLogin = `error: AwsCredentialsProvider: the AWS profile "login" uses aws login, which the daemon's AWS SDK does not know; use another profile, with credential_process = aws configure export-credentials --format process --profile login`
		ofCode  = `warning: AwsCredentialsProvider: the AWS profile "code" has mfa_serial, and the daemon cannot ask for a code; use another profile`
		none    = `warning: AwsCredentialsProvider: there is no AWS profile "gone" here; aws configure list-profiles`
	)
	loggedOut := func(profile string) string {
		return fmt.Sprintf("warning: AwsCredentialsProvider: nobody is logged in for the AWS profile %q; run aws sso login --profile %s", profile, profile)
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	cache := filepath.Join(home, ".aws", "sso", "cache")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{ // sha1 of s, renewed and the URL
		"a0f1490a20d0211c997b44bc357e1972deab8ae3": `{"accessToken": "a", "expiresAt": "2999-01-01T00:00:00Z"}`,
		"b6e9e91e3757f963ffcaa159b4f6966a3b7f5c80": `{"accessToken": "a", "expiresAt": "2020-01-01T00:00:00Z", "refreshToken": "r"}`,
		"98df91031e87f97bfc088c045be6442dc5d70b2a": `{"accessToken": "a", "expiresAt": "2020-01-01T00:00:00Z", "refreshToken": "r"}`,
	} {
		if err := os.WriteFile(filepath.Join(cache, name+".json"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := withChange(minimal(t), "-AwsCredentialsProvider")
	for _, tt := range []struct {
		provider string
		env      []string // names and values
		want     string
	}{
		{"ProfileCredentialsProvider|keys", nil, ""},
		{"ProfileCredentialsProvider|sso", nil, ""},
		{"ProfileCredentialsProvider|renewed", nil, ""},
		{"ProfileCredentialsProvider|expired", nil, loggedOut("expired")},
		{"ProfileCredentialsProvider|absent", nil, loggedOut("absent")},
		{"ProfileCredentialsProvider|circle", nil, ""},
		{"ProfileCredentialsProvider|login", nil, ofLogin},
		{"software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider|login", nil, ofLogin},
		{"ProfileCredentialsProvider|assumed", nil, ofLogin},
		{"ProfileCredentialsProvider|code", nil, ofCode},
		{"ProfileCredentialsProvider|gone", nil, none},
		{"ProfileCredentialsProvider", nil, strings.ReplaceAll(ofLogin, "login\"", "default\"")[:70]},
		{"ProfileCredentialsProvider", []string{"AWS_PROFILE", "gone"}, none},
		{"ProfileCredentialsProvider|login,EnvironmentVariableCredentialsProvider", nil, ""},
		{"DefaultCredentialsProvider", nil, strings.ReplaceAll(ofLogin, "login\"", "default\"")[:70]},
		{"DefaultCredentialsProvider", []string{"AWS_PROFILE", "keys"}, ""},
		{"DefaultCredentialsProvider", []string{"AWS_PROFILE", "gone"}, none},
		{"DefaultCredentialsProvider", []string{"AWS_ACCESS_KEY_ID", "a"}, ""},
		{"DefaultCredentialsProvider", []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "a"}, ""},
		{"DefaultCredentialsProvider", []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "a"}, ""},
		{"DefaultCredentialsProvider", []string{"AWS_CONFIG_FILE", "none"}, ""},
		{"EnvironmentVariableCredentialsProvider", nil, ""},
	} {
		bare(t)
		for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
			t.Setenv(name, "")
		}
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_CONFIG_FILE", file)
		if len(tt.env) > 0 {
			t.Setenv(tt.env[0], tt.env[1])
		}
		got := strings.Join(findings(readProperties(t, base+"AwsCredentialsProvider = "+tt.provider+"\n"), daemonKeys()), "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s, %q: %s\nwant %s", tt.provider, tt.env, got, tt.want)
		}
	}
}

// Guarantee: No finding repeats what may be a secret: the value of an unknown
// property, an endpoint, or the arguments of a credentials provider.
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
			[]string{"8: error: AwsCredentialsProvider: StsAssumeRoleCredentialsProvider takes at least 2 arguments, not 1; write them after it, each after a |"},
		},
		{
			"AwsCredentialsProvider = DefaultCredentialsProvider|s3cr3t",
			[]string{"8: error: AwsCredentialsProvider: DefaultCredentialsProvider takes at most 0 arguments, and with 1 the daemon creates it without any; remove the others"},
		},
		{
			"AwsCredentialsProvider = EnvironmentVariableCredentialsProvider,ProfileCredentialsProvider|dev|s3cr3t",
			[]string{"8: error: AwsCredentialsProvider: ProfileCredentialsProvider takes at most 1 arguments, and with 2 the daemon creates it without any; remove the others"},
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
			[]string{"8: error: AwsCredentialsProvider: com.amazonaws.auth.DefaultAWSCredentialsProviderChain belongs to the AWS SDK for Java 1, which this daemon does not use; did you mean DefaultCredentialsProvider?"},
		},
		{
			"AwsCredentialsProvider = com.example.Vault|s3cr3t",
			[]string{"8: warning: AwsCredentialsProvider: com.example.Vault is not among the daemon's classes; its jar must be added to the class path"},
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
			[]string{"9: error: awsCredentialsProvider: the daemon reads it and AwsCredentialsProvider as one property, and refuses to set that twice; remove one"},
		},
		{"kinesisCredentialsProvider.class = software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider", nil},
		{
			"AwsCredentialsProvider = DefaultCredentialsProvider\nkinesisCredentialsProvider.class = DefaultCredentialsProvider",
			[]string{"9: error: kinesisCredentialsProvider.class: the daemon takes only one of this and AwsCredentialsProvider; remove one"},
		},
		{
			"AwsCredentialsProvider = DefaultCredentialsProvider\ndynamoDBCredentialsProvider.profileName = dev",
			[]string{"9: error: dynamoDBCredentialsProvider.profileName: the daemon refuses it without dynamoDBCredentialsProvider.class; set that to the class of the provider"},
		},
	} {
		got := findings(readProperties(t, withChange(base, tt.lines)), daemonKeys())
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
	got := findings(readProperties(t, withChange(minimal(t), "-executableName\nexecutableName = "+file)), daemonKeys())
	want := []string{"8: error: executableName: the daemon splits it at spaces, so it cannot start " + strconv.Quote(file) +
		"; put its folder on PATH, or use a link whose path has no space"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCheckUnknownDaemon(t *testing.T) {
	base := minimal(t)
	got := findings(readProperties(t, base+"newIn4 = 1\nmaxRecords = many\n"), nil)
	if want := []string{"8: warning: newIn4: it is not a property of MultiLangDaemon 3.1.3; check that this daemon has it"}; !slices.Equal(got, want) {
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
	got := findings(p, daemonKeys())
	if want := []string{"override: error: colour: the daemon knows no such property; remove it, or comment it out"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A value of an unknown property may be a secret that missed its name.
//
// Guarantee: No finding repeats what may be a secret: the value of an unknown
// property, an endpoint, or the arguments of a credentials provider.
func TestCheckHidesUnknownValues(t *testing.T) {
	for _, line := range findings(readProperties(t, minimal(t)+"awsSecretKey = s3cr3t\nkinesisClient.x = s3cr3t\ndynamoDBEndpoint = user:s3cr3t@host\n"), daemonKeys()) {
		if strings.Contains(line, "s3cr3t") {
			t.Errorf("the finding %q repeats a secret", line)
		}
	}
}

func TestParseKeys(t *testing.T) {
	for text, want := range map[string]string{
		"provider:A class\nprovider:A class": "line 2: A is named twice",
		"provider:A int":                     "line 1: unknown type int",
		"provider:A class arguments=-1":      "line 1: unknown word arguments=-1",
		"provider:A class most=x":            "line 1: unknown word most=x",
		"provider:A class 2":                 "line 1: unknown word 2",
		"a int only":                         "line 1: unknown word only",
		"a int chooses=0":                    "line 1: unknown word chooses=0",
		"a":                                  "line 1: a name and a type are needed",
		"# x\na int\n\nb whole":              "line 4: unknown type whole",
		"a int\na long":                      "line 2: a is named twice",
		"a int strange":                      "line 1: unknown word strange",
		"a int zero-ignored=5\nb":            "line 2: a name",
	} {
		if _, err := parseKeys("test", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, ok := daemonKeys().lookup("leaseAssignmentIntervalMillis"); !ok {
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

// Whatever a file says, and is set beside it, each finding is a line, and what passes
// has streams of one form.
//
// Guarantee: A finding is one line without control characters, whatever the file
// contains.
func FuzzCheck(f *testing.F) {
	f.Add("applicationName = a\\u001b[2J\nstreamName = ../../etc\nregionName = \\u202e", "workerId", "w\n1")
	f.Add("streams = a\\nb, arn:aws:kinesis:us-east-1:1:stream/\\u0000", "executableName", "x\x00y")
	f.Add("applicationName = "+strings.Repeat("a", 300)+"\nkinesisEndpoint = http://[::1%25\nfailoverTimeMillis = "+strings.Repeat("9", 99), "dynamoDBEndpoint", "\xff")
	f.Add("shutdownGraceMillis = 1e9\ninitialPositionInStreamExtended = -1\nAwsCredentialsProvider = a|b\\r", "a\rb", "")
	keys, file := daemonKeys(), filepath.Join(f.TempDir(), "f")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		if len(text)+len(name)+len(value) > 500 {
			t.Skip() // it takes long, and says nothing else
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := ReadProperties(file)
		var warnings []Finding
		if err == nil {
			p.Set(name, value)
			warnings, err = p.check(keys)
		}
		var wrong *ConfigError
		switch {
		case errors.As(err, &wrong):
			warnings = append(warnings, wrong.Findings...)
		case err != nil:
			t.Errorf("error %v, want a *ConfigError", err)
		}
		for _, finding := range warnings {
			if text := finding.String(); text == "" || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", text)
			}
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("a int zero-ignored=5\nb.* any\nc enum:A,B ignored\nd int only=X chooses=any\nprovider:E class arguments=2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if keys, err := parseKeys("fuzz", text); (keys == nil) == (err == nil) {
			t.Errorf("%v, %v", keys, err)
		}
	})
}
