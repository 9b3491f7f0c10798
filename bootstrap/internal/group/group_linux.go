package group

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// dieWithParent has the command asked to stop when this process is killed, so
// that nothing goes on that nobody looks after. When a process of many threads
// dies the signal can come more than once; Java takes no notice of the later
// ones. One that is deaf to it is killed instead.
func dieWithParent(attr *syscall.SysProcAttr, deaf bool) {
	attr.Pdeathsig = syscall.SIGTERM
	if deaf {
		attr.Pdeathsig = syscall.SIGKILL
	}
}

// onlyZombies tells whether all that is left of a group has ended, and waits
// only for the system's first process to collect it, which in a container may
// never be.
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
			continue // it has gone
		}
		// pid (name) state parent group ...; the name may hold anything.
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
