//go:build unix

package bootstrap

import (
	"fmt"
	"syscall"
)

// spareFiles is how many files Java needs besides the jars before the daemon reads anything.
// With fewer it ends with "A JNI error has occurred".
const spareFiles = 50

// enoughFiles returns an error if Java may not open this many jars, which all stay open. Java
// itself raises the limit up to the hard one.
func enoughFiles(jars int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil // Java will report it
	}
	if needed := uint64(jars + spareFiles); uint64(limit.Max) < needed {
		return fmt.Errorf("this process may open %d files, but Java needs %d to start, and more for each shard: raise the limit to 1024 (ulimit -n, systemd's LimitNOFILE, or --ulimit nofile of a container)",
			limit.Max, needed)
	}
	return nil
}
