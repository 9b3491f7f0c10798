// Package npm installs aws-kcl, Amazon's library for Node.js.
package npm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// KCLVersion is the version of aws-kcl.
const KCLVersion = "2.3.2"

// InstallKCL installs aws-kcl and its dependencies in the user's cache folder and returns
// the node_modules folder. If it is already installed, npm does nothing; it repairs what a
// killed run has left.
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
	cmd.Dir = dir
	if _, err := subprocess.Output(ctx, cmd, time.Second); err != nil {
		return "", fmt.Errorf("cannot install aws-kcl: %w", err)
	}
	return filepath.Join(dir, "node_modules"), nil
}
