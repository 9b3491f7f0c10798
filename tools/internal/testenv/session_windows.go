package testenv

import "syscall"

// newSession is not called on Windows.
func newSession() *syscall.SysProcAttr { return nil }
