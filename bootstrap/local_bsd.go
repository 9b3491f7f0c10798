//go:build darwin || freebsd

package bootstrap

import "golang.org/x/sys/unix"

func checkLocal(dir string) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return err
	}
	if uint64(disk.Flags)&unix.MNT_LOCAL == 0 {
		return ErrNotLocal
	}
	return nil
}
