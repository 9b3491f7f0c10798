//go:build unix

package handle

import "os"

// syncDir ensures that a new file in dir outlives a crash of the machine.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
