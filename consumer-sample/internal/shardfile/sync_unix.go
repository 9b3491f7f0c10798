//go:build unix

package shardfile

import "os"

// syncFolder makes sure that a new file's name is on disk too.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
