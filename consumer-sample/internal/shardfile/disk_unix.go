//go:build unix

package shardfile

import (
	"os"
	"syscall"
)

// lock waits until no other process has the file locked, and locks it until it
// is closed or this process ends. It keeps the child of a daemon that was killed
// apart from its successor.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			return err
		}
	}
}

// syncFolder makes sure that a new file's name is on disk too.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
