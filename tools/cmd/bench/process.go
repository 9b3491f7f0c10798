package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// These functions read /proc of Linux. On other systems, and for a process that has
// ended, they return NaN.

// cpuMillis returns the CPU time of a process in milliseconds. Threads that have ended
// do not count.
func cpuMillis(pid int) float64 {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if len(files) == 0 {
		return math.NaN()
	}
	var nanos int64
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has just ended
		}
		first, _, _ := bytes.Cut(text, []byte(" "))
		n, err := strconv.ParseInt(string(first), 10, 64)
		if err != nil {
			return math.NaN()
		}
		nanos += n
	}
	return float64(nanos) / 1e6
}

// peak returns the maximum memory of a process so far, in MB (10^6 bytes).
func peak(pid int) float64 {
	return megabytes(fmt.Sprintf("/proc/%d/status", pid), "VmHWM")
}

// pss returns the memory of a process in MB, with shared pages divided among the
// processes that share them.
func pss(pid int) float64 {
	return megabytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss")
}

// megabytes returns a field of a file that is in kB.
func megabytes(file, field string) float64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return math.NaN()
	}
	_, rest, ok := bytes.Cut(text, []byte("\n"+field+":"))
	var kib float64
	if _, err := fmt.Sscanf(string(rest), "%f kB", &kib); !ok || err != nil {
		return math.NaN()
	}
	return kib * 1024 / 1e6
}

// A process describes a running process.
type process struct {
	pid, parent int
	name        string
	start       float64 // seconds since the machine's start
	cpu         float64 // seconds so far
}

// family returns a process and its descendants, nothing without /proc.
func family(pid int) (all []process) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	children := make(map[int][]process)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		// PID (NAME) STATE PARENT ...; the name may contain brackets. After the name,
		// the user's and the system's time are fields 12 and 13 and the start is
		// field 20, in hundredths of a second.
		open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
		fields := strings.Fields(string(text[end+1:]))
		p := process{name: string(text[open+1 : end])}
		p.pid, _ = strconv.Atoi(strings.TrimSpace(string(text[:open])))
		p.parent, _ = strconv.Atoi(fields[1])
		p.start, _ = strconv.ParseFloat(fields[19], 64)
		p.start /= 100
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		p.cpu = (user + system) / 100
		if p.pid == pid {
			all = append(all, p)
		}
		children[p.parent] = append(children[p.parent], p)
	}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i].pid]...)
	}
	return all
}

// uptime returns the seconds since the machine's start.
func uptime() float64 {
	text, _ := os.ReadFile("/proc/uptime")
	seconds := math.NaN()
	_, _ = fmt.Sscan(string(text), &seconds)
	return seconds
}
