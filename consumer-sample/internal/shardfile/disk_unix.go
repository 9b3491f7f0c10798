//go:build unix

package shardfile

import (
	"os"
	"syscall"
)

// lock waits until no other File has the file locked, and locks it until it is closed
// or this process ends. The child of a killed daemon may still be writing when its
// successor starts.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			return err
		}
	}
}

// syncFolder syncs a folder, so that the name of a new file is on disk too.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
