package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// long skips a test that takes many seconds of Java.
func long(t *testing.T) {
	t.Helper()
	testenv.Long(t)
	testenv.JDK(t)
}

// The keys that bootstrap carries are those that the daemon's classes have.
//
// Guarantee: The properties that Check knows are those that the daemon's classes
// have.
func TestKeysAreTheDaemons(t *testing.T) {
	long(t)
	got, err := knownKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got != keysText(t) {
		t.Errorf("the keys differ: go run ./tools/cmd/knownkeys, and look at the difference\n%s", got)
	}
}

// Properties.Check agrees with the daemon's classes: it finds an error where they throw an
// exception or hold another value than the file has, or none, and a warning where the
// daemon would run the same without the property. Besides the files here, the test tries
// all properties with all forms of values, by the rules in generated_test.go.
//
// Guarantee: Check refuses what the daemon's own classes throw an exception for or
// silently ignore, and warns of what makes no difference to them.
func TestCheckIsTheDaemons(t *testing.T) {
	long(t)
	const credentials = "AwsCredentialsProvider = AnonymousCredentialsProvider\n"
	const polling = credentials + "retrievalMode = POLLING\n"
	const (
		silent  = ""
		warning = "warning"
		fault   = "error"
	)
	tests := []struct {
		before, name, value string
		daemon              string // what the classes then hold
		check               string
	}{
		{polling, "maxRecords", "77", "is 77", silent},
		{polling, "maxRecords", `\u002078 `, "is 78", silent},
		{polling, "maxRecords", `\u000178`, "is 78", silent},
		{polling, "maxRecords", "+79", "is 79", silent},
		{polling, "maxRecords", "0", "is 0, ignored", warning},
		{polling, "maxRecords", "many", "is 0, ignored", fault},
		{polling, "maxRecords", `78\u00a0`, "is 0, ignored", fault},
		{polling, "maxRecords", "3000000000", "is 0, ignored", fault},
		{polling, "maxRecords", "1e3", "is 0, ignored", fault},
		{polling, "maxRecords", "", "is 0, ignored", fault},
		{polling, "fanoutConfig.consumerName", "me", "is me, ignored", warning},
		{credentials, "maxActiveThreads", "5", "is 5", silent},
		{credentials, "maxActiveThreads", "-1", "is 2147483647", silent},
		{credentials, "maxActiveThreads", "5 ", "refused", fault},
		{credentials, "maxActiveThreads", "", "refused", fault},
		{credentials, "failoverTimeMillis", "9000000000", "is 9000000000", silent},
		{credentials, "failoverTimeMillis", "10s", "is 0, ignored", fault},
		{credentials, "timeoutInSeconds", "5", "is 5", silent},
		{credentials, "maxThroughputPerHostKBps", "1.5e3", "is 1500.0", silent},
		{credentials, "maxThroughputPerHostKBps", ".5", "is 0.5", silent},
		{credentials, "maxThroughputPerHostKBps", "fast", "is 0.0, ignored", fault},
		{credentials, "ignoreUnexpectedChildShards", "YES", "is true", silent},
		{credentials, "ignoreUnexpectedChildShards", "on", "is true", silent},
		{credentials, "ignoreUnexpectedChildShards", "true ", "is false, ignored", fault},
		{credentials, "ignoreUnexpectedChildShards", "maybe", "is false, ignored", fault},
		{credentials, "isGracefulLeaseHandoffEnabled", "off", "is false", silent},
		{credentials, "cleanupLeasesUponShardCompletion", "true", "is true, ignored", warning},
		{credentials, "retrievalMode", "polling", "is POLLING", silent},
		{credentials, "retrievalMode", "PUSH", "refused", fault},
		{credentials, "retrievalMode", "POLLING ", "refused", fault},
		{credentials, "metricsLevel", "Summary", "is SUMMARY", silent},
		{credentials, "metricsLevel", "ALL", "refused", fault},
		{credentials, "initialPositionInStream", "trim_horizon", "is TRIM_HORIZON", silent},
		{credentials, "initialPositionInStream", "AT_TIMESTAMP", "refused", fault},
		{credentials, "initialPositionInStreamExtended", "yesterday", "refused", fault},
		{credentials, "staleWorkerMetricsEntryCleanupDuration", "pt1h30m", "is PT1H30M", silent},
		{credentials, "staleWorkerMetricsEntryCleanupDuration", "P2D", "is PT48H", silent},
		{credentials, "staleWorkerMetricsEntryCleanupDuration", "5 minutes", "refused", fault},
		{credentials, "staleWorkerMetricsEntryCleanupDuration", "P", "refused", fault},
		{credentials, "staleWorkerMetricsEntryCleanupDuration", "PT-5M", "refused", fault},
		{credentials, "metricsEnabledDimensions", "a,b", "is [a, b]", silent},
		{credentials, "tableName", "table", "is table", silent},
		{credentials, "coordinatorStateTags", "a=b", "is [Tag(Key=a, Value=b)]", silent},
		{credentials, "coordinatorStateTags", "a=b=", "is [Tag(Key=a, Value=b)]", silent},
		{credentials, "coordinatorStateTags", ",a = b,", "is [Tag(Key=a, Value=b)]", silent},
		{credentials, "coordinatorStateTags", "a=b=c", "is [], ignored", fault},
		{credentials, "coordinatorStateTags", "a=", "is [], ignored", fault},
		{credentials, "shardPrioritization", "x", "refused", fault},
		{credentials, "failoverTimeMilis", "5000", "ignored", fault},
		{credentials, "RetrievalMode", "FANOUT", "ignored", fault},
		{credentials, "kinesisClient.endpontOverride", "http://127.0.0.1:1", "refused", fault},
		{credentials, "kinesisClient.httpClient", "x", "refused", fault},
		{credentials, "fanoutConfig.nope", "x", "ignored", fault},
		{credentials, "kinesisClient.overrideConfiguration.apiCallTimeout", "PT5S", "is PT5S", silent},
		{credentials, "kinesisClient.overrideConfiguration.apiCalTimeout", "PT5S", "refused", fault},
		{credentials, "dynamoDbClient.httpClient.maxConcurrency", "5", "refused", fault},
		{"kinesisCredentialsProvider.class = ProfileCredentialsProvider\n", "kinesisCredentialsProvider.profilName", "dev", "refused", fault},
		{credentials, "dynamoDBCredentialsProvider.profileName", "x", "refused", fault},
		{"kinesisCredentialsProvider.class = DefaultCredentialsProvider\n", "AwsCredentialsProviderDynamoDB", "DefaultCredentialsProviderX", "refused", fault},
		{credentials, "AwsCredentialsProviderDynamoDB", "", "refused", fault},
		{credentials, "awsCredentialsProvider", "AnonymousCredentialsProvider", "refused", fault},
		{"", "AwsCredentialsProvider", "DefaultCredentialsProviderX", "refused", fault},
		{"", "AwsCredentialsProvider", "com.amazonaws.auth.DefaultAWSCredentialsProviderChain", "refused", fault},
		{"", "AwsCredentialsProvider", "com.example.Vault", "refused", warning}, // it may be on another class path
		{"", "AwsCredentialsProvider", "StsAssumeRoleCredentialsProvider|a", "refused", fault},
		{"", "AwsCredentialsProvider", "StsAssumeRoleCredentialsProvider|a|b", "taken", silent},
		{"", "AwsCredentialsProvider", "DefaultCredentialsProvider ", "taken", silent},
		{"", "AwsCredentialsProvider", "ProfileCredentialsProvider|no-such-profile", "taken", warning},
		{"", "AwsCredentialsProvider", "ProfileCredentialsProvider|no-such-profile|more", "taken", fault}, // as the default profile
		{"", "kinesisCredentialsProvider.class", "DefaultCredentialsProvider", "is null", silent},         // its builder does not tell,
	}
	// Each property of one retrieval mode, also in the other mode and without one.
	for line := range strings.Lines(keysText(t)) {
		words := strings.Fields(line)
		name := words[0]
		if !strings.Contains(line, " only=") || words[1] == "string" {
			continue
		}
		for _, mode := range []string{"POLLING", "FANOUT"} {
			daemon, check := "is 77", silent
			if !strings.Contains(line, "only="+mode) {
				daemon, check = "is 77, ignored", warning
			}
			tests = append(tests, struct{ before, name, value, daemon, check string }{credentials + "retrievalMode = " + mode + "\n", name, "77", daemon, check})
		}
		if strings.Contains(line, "only=POLLING") {
			tests = append(tests, struct{ before, name, value, daemon, check string }{credentials, name, "77", "is 77", warning})
		}
	}
	var all []trial
	for _, tt := range tests {
		all = append(all, trial{before: tt.before, name: tt.name, value: tt.value})
	}
	more, properties := generated(t)
	daemon, files := try(t, append(all, more...))
	for i, tt := range tests {
		if daemon[i] != tt.daemon {
			t.Errorf("%s%s = %q: the daemon's classes say %q, not %q", tt.before, tt.name, tt.value, daemon[i], tt.daemon)
		}
		if got := checked(t, files[i], tt.name); got != tt.check {
			t.Errorf("%s%s = %q: check says %q, not %q", tt.before, tt.name, tt.value, got, tt.check)
		}
	}
	daemon, files = daemon[len(all):], files[len(all):]
	for i, tr := range more {
		if got, want := checked(t, files[i], tr.name), tr.decided(daemon[i]); got != want {
			t.Errorf("%s = %q: the daemon's classes say %q, and check %q, not %q", tr.name, tr.value, daemon[i], got, want)
		}
	}
	testenv.Compared(t, "%d properties, and %d forms of values with them", properties, len(more))
}

// tryProgram returns a Java program that prints what the daemon's classes make of each
// properties file and a property in it: "refused" for an exception, else "is" and the value
// that they hold, with ", ignored" if the daemon would run the same without the property;
// "taken" or "ignored" where the value cannot be read.
func tryProgram(t *testing.T) string {
	t.Helper()
	try, err := os.ReadFile(filepath.FromSlash("testdata/Try.java"))
	if err != nil {
		t.Fatal(err)
	}
	imports, class, _ := strings.Cut(program, "\n/**\n")
	return imports + "\n" + string(try) + "\n/**\n" + class
}

// checked returns the worst finding of Properties.Check about a property.
func checked(t *testing.T, file, name string) string {
	t.Helper()
	p, err := bootstrap.ReadProperties(file)
	if err != nil {
		t.Fatal(err)
	}
	found, err := p.Check(nil)
	var config *bootstrap.ConfigError
	if errors.As(err, &config) {
		found = append(config.Findings, found...)
	}
	for _, f := range found {
		switch {
		case !strings.EqualFold(f.Key, name): // of credentials providers
		case f.Warning:
			return "warning"
		default:
			return "error"
		}
	}
	return ""
}

// keysText returns the committed file.
func keysText(t *testing.T) string {
	t.Helper()
	root := testenv.Workspace(t)
	text, err := os.ReadFile(filepath.Join(root, "bootstrap", "locks", "multilang-daemon-"+bootstrap.DaemonVersion+".keys"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
