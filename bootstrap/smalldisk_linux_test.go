package bootstrap

import (
	"syscall"
	"testing"
)

// smallDisk mounts a file system of 256 kB on dir, which only root may, and
// returns what makes it read-only.
func smallDisk(t *testing.T, dir string) (readOnly func(t *testing.T)) {
	t.Helper()
	const size = "size=256k"
	if err := syscall.Mount("none", dir, "tmpfs", 0, size); err != nil {
		t.Fatalf("cannot mount a small file system: %v; run the tests as another user, or in a container that may mount", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return func(t *testing.T) {
		t.Helper()
		if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, size); err != nil {
			t.Fatal(err)
		}
	}
}
