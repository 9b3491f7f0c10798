// Command knownkeys finds out which properties the classes of MultiLangDaemon read, with a
// small Java program, and writes them beside the daemon's lock for kcl-bootstrap check. Run
// it after a change of the lock.
package main

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const help = `Usage: go run ./tools/cmd/knownkeys

Finds out which properties the classes of MultiLangDaemon ` + bootstrap.DaemonVersion + ` read, and writes
bootstrap/locks/multilang-daemon-` + bootstrap.DaemonVersion + `.keys. Needs JDK 17 or later.

Example:
  go run ./tools/cmd/knownkeys && git diff bootstrap/locks

Exit status: 0 written, 1 failed, 2 wrong usage.
`

func main() {
	file := "bootstrap/locks/multilang-daemon-" + bootstrap.DaemonVersion + ".keys"
	workspace.Generate("knownkeys", help, file, func(ctx context.Context, _ string) ([]byte, error) {
		text, err := knownKeys(ctx)
		return []byte(text), err
	})
}

//go:embed KnownKeys.java
var program string

// knownKeys returns the text of the file.
func knownKeys(ctx context.Context) (string, error) {
	out, err := java(ctx, program, "")
	return "# The properties that this daemon reads, the credentials providers that it makes,\n" +
		"# and the regions that it knows, from its classes: go run ./tools/cmd/knownkeys.\n" +
		"# parseKeys in bootstrap/keys.go explains each word.\n" + out, err
}

// java runs a Java program of one file on the daemon's classes and returns its output. It
// fetches the jars.
func java(ctx context.Context, program, stdin string) (stdout string, err error) {
	java, err := bootstrap.FindJava("", 17)
	if err != nil {
		return "", err
	}
	fetched, err := bootstrap.Fetch(ctx, bootstrap.DaemonLock(), nil)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "knownkeys-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "Program.java")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		return "", err
	}
	// Some credentials providers need the region. The program ends before optimising
	// compilation would pay.
	cmd := exec.Command(java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8", "-Daws.region=us-east-1",
		"-cp", strings.Join(fetched.Files, string(os.PathListSeparator)), source)
	cmd.Stdin = strings.NewReader(stdin)
	return subprocess.Output(ctx, cmd, time.Second)
}
