//go:build unix

package bootstrap

import (
	"fmt"
	"syscall"
)

// spareFiles are those that Java needs beside the jars before the daemon reads
// anything: with fewer it ends with "A JNI error has occurred".
const spareFiles = 50

// enoughFiles tells whether Java may open this many jars, each of which stays open.
// It raises the limit by itself, up to the hard one.
func enoughFiles(jars int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil // Java will say what it lacks
	}
	if needed := uint64(jars + spareFiles); uint64(limit.Max) < needed {
		return fmt.Errorf("this process may have %d files open, and Java needs %d to begin with, more for each shard: raise the limit to 1024 (ulimit -n, systemd's LimitNOFILE, or --ulimit nofile of a container)",
			limit.Max, needed)
	}
	return nil
}
