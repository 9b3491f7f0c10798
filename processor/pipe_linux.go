package processor

import (
	"os"
	"syscall"
)

// The largest size that Linux gives to anyone by default
// (/proc/sys/fs/pipe-max-size).
const pipeSize = 1 << 20

const setPipeSize = 1031 // F_SETPIPE_SZ, which package syscall lacks

// widen has the kernel hold more of what the daemon writes: with the usual 64
// KiB the two take turns many times a batch. What is no pipe, or may not be
// larger, stays as it is.
func widen(pipe *os.File) {
	syscall.Syscall(syscall.SYS_FCNTL, pipe.Fd(), setPipeSize, pipeSize)
}
