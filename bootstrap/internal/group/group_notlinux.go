//go:build unix && !linux

package group

import "syscall"

// dieWithParent does nothing: this system has no such service. The command
// goes on when this process is killed by SIGKILL.
func dieWithParent(*syscall.SysProcAttr, bool) {}

// onlyZombies is not needed where the first process collects them at once.
func onlyZombies(int) bool { return false }
