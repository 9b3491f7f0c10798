//go:build linux || darwin || freebsd

package bootstrap

import (
	"errors"
	"os"
	"syscall"
)

// errLocked says that somebody else has the lock.
var errLocked = errors.New("locked")

// openLocked opens a file and locks it. The lock lasts as long as the file is open in this
// process or in one that inherited it.
func openLocked(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		file.Close()
		if err == syscall.EWOULDBLOCK {
			return nil, errLocked
		}
		return nil, &os.PathError{Op: "lock", Path: name, Err: err}
	}
	return file, nil
}
