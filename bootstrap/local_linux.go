package bootstrap

import "golang.org/x/sys/unix"

// localDisks are the file systems of local disks and memory. Others may be shared with other
// hosts.
var localDisks = map[uint32]bool{
	unix.BTRFS_SUPER_MAGIC:     true,
	unix.EXT4_SUPER_MAGIC:      true, // and ext2, ext3
	unix.F2FS_SUPER_MAGIC:      true,
	unix.OVERLAYFS_SUPER_MAGIC: true,
	unix.REISERFS_SUPER_MAGIC:  true,
	unix.TMPFS_MAGIC:           true,
	unix.XFS_SUPER_MAGIC:       true,
	0x2fc12fc1:                 true, // ZFS
	0x3153464a:                 true, // JFS
	0xca451a4e:                 true, // bcachefs
}

func checkLocal(dir string) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return err
	}
	if !localDisks[uint32(disk.Type)] {
		return ErrNotLocal
	}
	return nil
}
