//go:build unix && !linux

package bootstrap

import "testing"

// smallDisk needs Linux.
func smallDisk(t *testing.T, _ string) (readOnly func(t *testing.T)) {
	t.Helper()
	t.Skip("a small file system is made on Linux only; run the tests as another user than root")
	return nil
}
