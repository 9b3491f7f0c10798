//go:build unix

package bootstrap

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// trusted tells whether only this user and root may write to a file, or replace what
// is in a folder. A sticky folder keeps what others have made from the rest: sticky
// says that this is enough.
//
// Root's group may write, and so may this process's group if it has the user's number:
// most distributions of Linux give each user such a group, and have it write by default.
//
// In a Kubernetes pod only the owner counts: a volume's own folder is open to all there
// (emptyDir) or to a group (fsGroup), and only the pod's containers see it. So a volume
// that pods of different trust share is no place for a cache.
func trusted(name string, info fs.FileInfo, sticky bool) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	user := uint32(os.Geteuid())
	if stat.Uid != 0 && stat.Uid != user {
		return &untrustedError{
			name, fmt.Sprintf("belongs to user %d", stat.Uid),
			fmt.Sprintf("make it the property of user %d (chown), or run as its owner", user),
		}
	}
	mode := info.Mode()
	if mode.Type() == fs.ModeSymlink || sticky && mode&fs.ModeSticky != 0 || os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return nil
	}
	switch {
	case mode&0o002 != 0:
		return &untrustedError{name, "may be written to by everybody", "take that away (chmod o-w)"}
	case mode&0o020 != 0 && stat.Gid != 0 && (stat.Gid != user || os.Getegid() != os.Geteuid()):
		return &untrustedError{name, fmt.Sprintf("may be written to by group %d", stat.Gid), "take that away (chmod g-w)"}
	}
	return nil
}
