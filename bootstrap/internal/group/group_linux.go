package group

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// dieWithParent asks the command to stop when this process is killed, so that it does
// not go on unattended. The signal can come more than once when a process with many
// threads dies; Java ignores the later ones. A command that ignores signals is killed.
func dieWithParent(attr *syscall.SysProcAttr, ignoreSignals bool) {
	attr.Pdeathsig = syscall.SIGTERM
	if ignoreSignals {
		attr.Pdeathsig = syscall.SIGKILL
	}
}

// onlyZombies reports whether all processes of a group have ended, and only wait for
// the system's first process to collect them, which in a container may never happen.
func onlyZombies(pgid int) bool {
	proc, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return false
	}
	found := false
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // the process has ended
		}
		// The file has: pid (name) state parent group ... The name may contain anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 3 || string(fields[2]) != strconv.Itoa(pgid) {
			continue
		}
		if state := fields[0][0]; state != 'Z' && state != 'X' {
			return false
		}
		found = true
	}
	return found
}
