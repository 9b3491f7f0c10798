package bootstrap

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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

// checkFolder tells whether others can replace a folder or what is in it, by the folders
// and links on the way to it. Each must belong to this user or root and be writable by
// nobody else, or be sticky. The check stops at the home directory: who can write there
// can already run commands as the user. On Windows nothing is checked: see trusted.
func checkFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return checkWay(dir, "", "") // no home: check all the way
	}
	home = filepath.Clean(home)
	realHome, err := filepath.EvalSymlinks(home)
	if err != nil {
		realHome = home
	}
	return checkWay(dir, home, realHome)
}

// checkWay follows a path as the system does, so that a relative link starts in the
// folder where it is.
func checkWay(dir, home, realHome string) error {
	at, names := "/", []string(nil) // a folder without links in its name, and what follows
	follow := func(path string) {
		if rest, ok := strings.CutPrefix(path+"/", home+"/"); ok && home != "" {
			at, path = realHome, rest
		} else if filepath.IsAbs(path) {
			at = "/"
		}
		names = append(strings.Split(path, "/"), names...)
	}
	follow(dir)
	for links := 0; len(names) > 0; {
		name := names[0]
		names = names[1:]
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return err
		}
		link := info.Mode().Type() == fs.ModeSymlink
		if name == ".." || link { // here the way leaves the folder
			if err := checkAbove(at, realHome); err != nil {
				return err
			}
		}
		if !link {
			at = next
			continue
		}
		if links++; links > 40 { // as Linux has it
			return fmt.Errorf("%s: too many links", next)
		}
		if err := trusted(next, info, true); err != nil {
			return err
		}
		target, err := os.Readlink(next)
		if err != nil {
			return err
		}
		follow(target)
	}
	return checkAbove(at, realHome)
}

// checkAbove checks a folder without links in its name, and those above it.
func checkAbove(dir, home string) error {
	for ; dir != home; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
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
