package bootstrap

import (
	_ "embed"
	"sync"
)

// DaemonVersion is the version of the MultiLangDaemon, and so of KCL, that
// DaemonLock locks.
const DaemonVersion = "3.1.3"

// daemonMain is the daemon's main class.
const daemonMain = "software.amazon.kinesis.multilang.MultiLangDaemon"

//go:embed locks/multilang-daemon-3.1.3.lock
var daemonLockText []byte

var daemonLock = sync.OnceValue(func() *Lock {
	lock, err := ParseLock("MultiLangDaemon "+DaemonVersion, daemonLockText)
	if err != nil {
		// Part of the binary, and parsed by a test: it cannot happen.
		panic(err)
	}
	return lock
})

// DaemonLock returns the lock of MultiLangDaemon 3.1.3 that is part of this
// package: 76 jars, 32.8 MB. It is the same value at each call.
func DaemonLock() *Lock { return daemonLock() }
