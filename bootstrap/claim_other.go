//go:build !linux && !darwin && !freebsd && !windows

package bootstrap

import (
	"errors"
	"os"
)

var errLocked = errors.New("locked")

func openLocked(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func checkLocal(string) error { return errors.ErrUnsupported }
