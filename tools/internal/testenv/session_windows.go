package testenv

import "syscall"

// newSession is not called on Windows, which has no /proc.
func newSession() *syscall.SysProcAttr { return nil }
