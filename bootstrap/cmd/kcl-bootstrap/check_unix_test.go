//go:build unix

package main

import (
	"os"
	"strings"
	"testing"
)

func TestCheckCommand(t *testing.T) {
	b := newBench(t, nil)
	good, err := os.ReadFile(b.properties)
	if err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := b.run(t, nil, "check", "-p", "sample.properties")
	if status != 0 || stdout != "" || stderr != "kcl-bootstrap: sample.properties: 0 errors, 0 warnings\n" {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}

	b.write(t, "slip.properties", string(good)+"failoverTimeMilis = 5000\nmaxLeasesForWorker = 0\n")
	status, stdout, stderr = b.run(t, nil, "check", "-p", "slip.properties")
	want := `slip.properties:8: error: failoverTimeMilis: the daemon knows no such property; did you mean failoverTimeMillis?
slip.properties:9: warning: maxLeasesForWorker: the daemon reads 0 as unset and uses its default, 2147483647
`
	if status != 1 || stdout != want || stderr != "kcl-bootstrap: slip.properties: 1 error, 1 warning\n" {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	// A start finds the same, and fetches nothing.
	status, stdout, stderr = b.run(t, nil, "-e", "-p", "slip.properties", "-c", b.cache)
	if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 2 || !strings.Contains(stderr, ":8: error: ") || !strings.Contains(stderr, ":9: warning: ") || b.requests() != 0 {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}

	status, stdout, _ = b.run(t, nil, "check", "-p", "sample.properties", "--set", "retrievalMode=PUSH", "--set", "maxLeasesForWorker = 10")
	if status != 1 || stdout != "override: error: retrievalMode: \"PUSH\" is not one of FANOUT, POLLING, DEFAULT\n" {
		t.Errorf("status %d, %q", status, stdout)
	}

	// Of another daemon it is not known what it reads.
	b.write(t, "other.lock", "software.amazon.kinesis:amazon-kinesis-client-multilang:9.9.9 "+strings.Repeat("0", 64)+" 1\n")
	status, stdout, _ = b.run(t, nil, "check", "-p", "sample.properties", "--set", "newIn9=1", "--lock", "other.lock")
	if status != 0 || stdout != "override: warning: newIn9: it is not a property of MultiLangDaemon 3.1.3; check that this daemon has it\n" {
		t.Errorf("another daemon: status %d, %q", status, stdout)
	}
	for _, args := range [][]string{{"check"}, {"check", "-p", "sample.properties", "--set", "s3cr3t"}, {"-p", "sample.properties", "--set", "maxRecords=1"}} {
		if status, stdout, stderr := b.run(t, nil, args...); status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "s3cr3t") {
			t.Errorf("%q: status %d, %q, %q", args, status, stdout, stderr)
		}
	}
}
