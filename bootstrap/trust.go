package bootstrap

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// An untrustedError says that somebody else could change what Java is to run: between
// the moment that a file is hashed and the one that Java reads it.
type untrustedError struct {
	name   string
	reason string
	remedy string
}

func (e *untrustedError) Error() string {
	return fmt.Sprintf("%s %s, and who can write there can run code as this user; %s", e.name, e.reason, e.remedy)
}

// checkFolder tells whether nobody but this user and root can replace a folder or
// what is in it: each folder and link on the way to it must be theirs, and not be
// writable to others but for a sticky one, such as /tmp. The way ends at the user's
// home, for whoever may change that has the user's shell as well. On Windows nothing
// is looked at: see trusted.
func checkFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // all the way, then
	}
	return checkWay(dir, filepath.Clean(home), 0)
}

func checkWay(dir, home string, links int) error {
	for ; dir != home; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Type() == fs.ModeSymlink {
			if links++; links > 40 { // as Linux has it
				return fmt.Errorf("%s: too many links", dir)
			}
			target, err := os.Readlink(dir)
			if err != nil {
				return err
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(dir), target)
			}
			if err := checkWay(target, home, links); err != nil {
				return err
			}
		}
		if err := trusted(dir, info, true); err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return nil
}
