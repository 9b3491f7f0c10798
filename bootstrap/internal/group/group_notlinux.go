//go:build unix && !linux

package group

import "syscall"

// dieWithParent does nothing: this system has no such service. The command goes on
// when SIGKILL ends this process.
func dieWithParent(*syscall.SysProcAttr, bool) {}

// onlyZombies is not needed on systems whose first process collects zombies at once.
func onlyZombies(int) bool { return false }
