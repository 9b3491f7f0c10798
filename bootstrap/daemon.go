package bootstrap

import (
	_ "embed"
	"sync"
)

// DaemonVersion is the version of the MultiLangDaemon, and so of KCL, in DaemonLock and
// DaemonFullLock.
const DaemonVersion = "3.1.3"

const daemonName = "MultiLangDaemon " + DaemonVersion

// daemonMain is the daemon's main class.
const daemonMain = "software.amazon.kinesis.multilang.MultiLangDaemon"

// tools/jarlock makes the locks, and its test makes them again.
var (
	//go:embed locks/multilang-daemon-3.1.3.lock
	daemonLockText []byte
	daemonLock     = sync.OnceValue(func() *Lock { return embedded(daemonLockText) })

	//go:embed locks/multilang-daemon-3.1.3-full.lock
	daemonFullLockText []byte
	daemonFullLock     = sync.OnceValue(func() *Lock { return embedded(daemonFullLockText) })
)

func embedded(text []byte) *Lock {
	lock, err := ParseLock(daemonName, text)
	if err != nil {
		// Part of the binary, and parsed by a test: it cannot happen.
		panic(err)
	}
	return lock
}

// DaemonLock returns the lock of MultiLangDaemon 3.1.3 that is part of this
// package: 78 jars, 33.7 MB. It is the same value at each call.
func DaemonLock() *Lock { return daemonLock() }

// DaemonFullLock returns the lock of the jars of DaemonLock and of all others that Maven
// puts on the class path of MultiLangDaemon 3.1.3: 133 jars, 77.1 MB. The others are those
// of the Glue Schema Registry. No property of the daemon uses it, but classes in
// Command.ClassPath may. It is the same value at each call.
func DaemonFullLock() *Lock { return daemonFullLock() }
