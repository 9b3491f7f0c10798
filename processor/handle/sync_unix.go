//go:build unix

package handle

import "os"

// syncDir makes a file that was just made in dir outlive a crash of the
// machine.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
