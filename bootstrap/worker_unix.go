//go:build linux || darwin || freebsd

package bootstrap

import (
	"errors"
	"os"
	"syscall"
)

// errLocked is the error of a lock that somebody else has.
var errLocked = errors.New("locked")

// openLocked opens a file with a lock that lasts as long as the file is open
// in any process that has it from this one.
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
