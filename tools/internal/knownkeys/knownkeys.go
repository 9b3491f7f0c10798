// Package knownkeys finds out which properties a MultiLangDaemon reads, by a
// small Java program on the daemon's own classes. What it finds is kept beside
// the lock of that daemon, in bootstrap/locks, where kcl-bootstrap's check
// reads it.
package knownkeys

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
)

//go:embed KnownKeys.java
var program []byte

// Of returns the known keys of the daemon that lock names, as the text of a
// file. It fetches the jars unless they are there, and needs Java 17.
func Of(ctx context.Context, lock *bootstrap.Lock) ([]byte, error) {
	out, err := run(ctx, lock, "")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.WriteString("# The properties that this daemon reads, and the credentials providers that it\n" +
		"# makes, from its classes: go run ./tools/cmd/knownkeys. bootstrap.ParseKeys says\n" +
		"# what each word means.\n")
	text.WriteString(out)
	return text.Bytes(), nil
}

// An Attempt is a properties file that is given to the daemon's classes, and
// the property in it that is asked about.
type Attempt struct{ File, Name string }

// Try says what the daemon's classes make of each attempt: "refused" when they
// throw an exception, else "is" with the value that they then hold and ",
// ignored" if the daemon would run the same without it; "taken" or "ignored"
// where the value cannot be asked for.
func Try(ctx context.Context, lock *bootstrap.Lock, attempts []Attempt) ([]string, error) {
	var in strings.Builder
	for _, a := range attempts {
		fmt.Fprintf(&in, "%s\n%s\n", a.File, a.Name)
	}
	out, err := run(ctx, lock, in.String(), "try")
	if err != nil {
		return nil, err
	}
	results := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(results) != len(attempts) {
		return nil, fmt.Errorf("%d results for %d attempts", len(results), len(attempts))
	}
	return results, nil
}

func run(ctx context.Context, lock *bootstrap.Lock, stdin string, args ...string) (stdout string, err error) {
	java, err := bootstrap.FindJava("")
	if err != nil {
		return "", err
	}
	fetched, err := bootstrap.Fetch(ctx, lock, bootstrap.FetchOptions{})
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "knownkeys-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "KnownKeys.java")
	if err := os.WriteFile(source, program, 0o600); err != nil {
		return "", err
	}
	classPath := strings.Join(fetched.Files, string(os.PathListSeparator))
	// The region is for the providers that ask another service of AWS.
	cmd := exec.Command(java, append([]string{"-Dfile.encoding=UTF-8", "-Daws.region=us-east-1", "-cp", classPath, source}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	if err := child.Run(ctx, cmd, time.Second); err != nil {
		return "", fmt.Errorf("run KnownKeys.java: %w: %s", err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}
