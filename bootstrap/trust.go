package bootstrap

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// An untrustedError says that somebody else could change what Java runs, between the moment
// when a file is hashed and the moment when Java reads it.
type untrustedError struct {
	name   string
	reason string
	remedy string
}

func (e *untrustedError) Error() string {
	return fmt.Sprintf("%s %s, and whoever can write there can run code as this user; %s", e.name, e.reason, e.remedy)
}

// checkFolder returns an error if others can replace a folder or its content. All folders
// and links on the way to it must belong to this user or root and be writable by nobody else,
// or be sticky. The check stops at the home directory: whoever can write there can already
// run commands as the user. On Windows nothing is checked: see checkOwner.
func checkFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return checkLinks(dir, "", "") // no home: check all the way
	}
	home = filepath.Clean(home)
	realHome, err := filepath.EvalSymlinks(home)
	if err != nil {
		realHome = home
	}
	return checkLinks(dir, home, realHome)
}

// checkLinks follows a path as the system does: a relative link starts in the folder that
// contains it.
func checkLinks(dir, home, realHome string) error {
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
		if name == ".." || link { // here the path leaves the folder
			if err := checkAbove(at, realHome); err != nil {
				return err
			}
		}
		if !link {
			at = next
			continue
		}
		if links++; links > 40 { // Linux's limit
			return fmt.Errorf("%s: too many links", next)
		}
		if err := checkOwner(next, info, true); err != nil {
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

// checkAbove checks a folder whose name contains no links, and the folders above it.
func checkAbove(dir, home string) error {
	for ; dir != home; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if err := checkOwner(dir, info, true); err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return nil
}
