//go:build unix && !linux

package bootstrap

import "syscall"

// dieWithParent does nothing: this system has no such service. Java goes on
// when kcl-bootstrap is killed by SIGKILL.
func dieWithParent(*syscall.SysProcAttr, bool) {}

// onlyZombies is not needed where the first process collects them at once.
func onlyZombies(int) bool { return false }
