package processor

import (
	"os"
	"syscall"
)

// pipeSize is the largest size that Linux allows an unprivileged process by default
// (/proc/sys/fs/pipe-max-size), in bytes.
const pipeSize = 1 << 20

const setPipeSize = 1031 // F_SETPIPE_SZ, which package syscall lacks

// widen makes the kernel hold more of what the daemon writes. With the usual 64 KiB,
// daemon and child take turns many times per batch. A file that is not a pipe, or a pipe
// that may not be larger, stays as it is.
func widen(pipe *os.File) {
	syscall.Syscall(syscall.SYS_FCNTL, pipe.Fd(), setPipeSize, pipeSize)
}
