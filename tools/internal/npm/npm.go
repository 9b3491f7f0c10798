// Package npm installs Amazon's own library for Node.js.
package npm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// KCLVersion is of npm's aws-kcl.
const KCLVersion = "2.3.2"

// InstallKCL installs aws-kcl with what it depends on into the user's cache, and
// returns the folder node_modules that holds it. Where it is already, npm has
// nothing to do; what a killed run has left it repairs.
func InstallKCL(ctx context.Context) (modules string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "kinesis-client-go", "npm", "aws-kcl-"+KCLVersion)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "install", "--prefix", dir, "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts",
		"--loglevel=error", "aws-kcl@"+KCLVersion)
	var output strings.Builder
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	if err := subprocess.Run(ctx, cmd, time.Second); err != nil {
		return "", fmt.Errorf("cannot install aws-kcl with npm: %w: %s", err, strings.TrimSpace(output.String()))
	}
	return filepath.Join(dir, "node_modules"), nil
}
