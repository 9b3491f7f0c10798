//go:build unix

package bootstrap

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkOwner returns an error unless only this user and root may write to a file, or replace the
// content of a folder. In a sticky folder nobody can replace the files of others; sticky says
// that this is enough.
//
// Root's group may write, and so may this process's group if it has the user's number: most
// Linux distributions give each user such a group, which may write by default.
//
// In a Kubernetes pod only the owner is checked: the folder of a volume is open to all there
// (emptyDir) or to a group (fsGroup), but only the pod's containers see it. So a cache must
// not be in a volume that is shared by pods that do not trust each other.
func checkOwner(name string, info fs.FileInfo, sticky bool) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	user := uint32(os.Geteuid())
	if stat.Uid != 0 && stat.Uid != user {
		return &untrustedError{
			name, fmt.Sprintf("belongs to user %d", stat.Uid),
			fmt.Sprintf("give it to user %d (chown), or run as its owner", user),
		}
	}
	mode := info.Mode()
	if mode.Type() == fs.ModeSymlink || sticky && mode&fs.ModeSticky != 0 || os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return nil
	}
	switch {
	case mode&0o002 != 0:
		return &untrustedError{name, "is writable by everybody", "remove that permission (chmod o-w)"}
	case mode&0o020 != 0 && stat.Gid != 0 && (stat.Gid != user || os.Getegid() != os.Geteuid()):
		return &untrustedError{name, fmt.Sprintf("is writable by group %d", stat.Gid), "remove that permission (chmod g-w)"}
	}
	return nil
}
