package knownkeys

import (
	"os"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// The keys that bootstrap carries are those that the daemon's classes have.
func TestKeysAreTheDaemons(t *testing.T) {
	needs.Java(t)
	root, err := workspace.Find(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(root + "/bootstrap/locks/multilang-daemon-" + bootstrap.DaemonVersion + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Of(t.Context(), bootstrap.DaemonLock())
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the keys differ: go run ./tools/cmd/knownkeys, and look at the difference\n%s", got)
	}
}

// What check refuses the daemon's classes do not take as it stands there, and
// what check lets through they do.
func TestTypesAreTheDaemons(t *testing.T) {
	needs.Java(t)
	// name, value, and what the classes then hold.
	good := [][3]string{
		{"maxRecords", "77", "is 77"},
		{"maxRecords", " 78 ", "is 78"},
		{"maxRecords", "+79", "is 79"},
		{"failoverTimeMillis", "9000000000", "is 9000000000"},
		{"timeoutInSeconds", "5", "is 5"},
		{"maxThroughputPerHostKBps", "1.5e3", "is 1500.0"},
		{"maxThroughputPerHostKBps", ".5", "is 0.5"},
		{"ignoreUnexpectedChildShards", "YES", "is true"},
		{"ignoreUnexpectedChildShards", "on", "is true"},
		{"isGracefulLeaseHandoffEnabled", "off", "is false"},
		{"retrievalMode", "fanout", "is FANOUT"},
		{"metricsLevel", "Summary", "is SUMMARY"},
		{"initialPositionInStream", "trim_horizon", "is TRIM_HORIZON"},
		{"staleWorkerMetricsEntryCleanupDuration", "pt1h30m", "is PT1H30M"},
		{"staleWorkerMetricsEntryCleanupDuration", "P1D", "is PT24H"},
		{"metricsEnabledDimensions", "a,b", "is [a, b]"},
		{"fanoutConfig.consumerName", "me", "is me"},
		{"tableName", "t ", "is t "},
	}
	// bad values: the classes throw, or hold what nobody has set.
	bad := [][3]string{
		{"maxRecords", "many", "is 0"},
		{"maxRecords", "3000000000", "is 0"},
		{"maxRecords", "1e3", "is 0"},
		{"maxRecords", "", "is 0"},
		{"failoverTimeMillis", "10s", "is 0"},
		{"maxThroughputPerHostKBps", "fast", "is 0.0"},
		{"ignoreUnexpectedChildShards", "true ", "is false"},
		{"ignoreUnexpectedChildShards", "maybe", "is false"},
		{"retrievalMode", "PUSH", "refused"},
		{"retrievalMode", "POLLING ", "refused"},
		{"metricsLevel", "ALL", "refused"},
		{"initialPositionInStream", "AT_TIMESTAMP", "refused"},
		{"initialPositionInStreamExtended", "yesterday", "refused"},
		{"staleWorkerMetricsEntryCleanupDuration", "5 minutes", "refused"},
		{"staleWorkerMetricsEntryCleanupDuration", "P", "refused"},
		{"staleWorkerMetricsEntryCleanupDuration", "PT-5M", "refused"},
		{"shardPrioritization", "x", "refused"},
		{"failoverTimeMilis", "5000", "ignored"},
		{"RetrievalMode", "FANOUT", "ignored"},
	}
	var attempts []Attempt
	all := append(append([][3]string{}, good...), bad...)
	for _, c := range all {
		attempts = append(attempts, Attempt{c[0], c[1]})
	}
	results, err := Try(t.Context(), bootstrap.DaemonLock(), attempts)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range all {
		if results[i] != c[2] {
			t.Errorf("%s = %q: the daemon's classes say %q, not %q", c[0], c[1], results[i], c[2])
		}
		if refused := refused(t, c[0], c[1]); refused != (i >= len(good)) {
			t.Errorf("%s = %q: check refuses it: %v", c[0], c[1], refused)
		}
	}
}

// refused tells whether check finds an error in the value.
func refused(t *testing.T, name, value string) bool {
	t.Helper()
	file := t.TempDir() + "/test.properties"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := bootstrap.ReadProperties(file)
	if err != nil {
		t.Fatal(err)
	}
	p.Set(name, value)
	_, err = p.Check(bootstrap.DaemonKeys())
	return err != nil && strings.Contains(err.Error(), "set apart from the file: error: ")
}
