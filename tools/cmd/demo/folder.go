package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// folder is where a demo keeps what it makes.
type folder struct {
	temp string // removed at the end, unless --keep
	bin  string // the commands
	dir  string // the daemon's working directory: all that follows is in it
	data string // the shard files
	log  string
	// properties also marks dir as a demo's.
	properties string
}

// makeFolder makes the temporary folder and, where one is given, o.dir. Of an
// earlier demo's files those go that this one makes anew; a folder with
// anything else in it is refused.
func makeFolder(o options) (*folder, error) {
	temp, err := os.MkdirTemp("", "kcl-demo-")
	if err != nil {
		return nil, err
	}
	f := &folder{temp: temp, bin: filepath.Join(temp, "bin"), dir: filepath.Join(temp, "out")}
	if o.dir != "" {
		if f.dir, err = filepath.Abs(o.dir); err != nil {
			return nil, errors.Join(err, os.RemoveAll(temp))
		}
	}
	f.data = filepath.Join(f.dir, "data")
	f.log = filepath.Join(f.dir, "daemon.log")
	f.properties = filepath.Join(f.dir, "demo.properties")
	if err := f.prepare(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(temp))
	}
	return f, nil
}

func (f *folder) prepare() error {
	entries, err := os.ReadDir(f.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(f.dir, 0o755)
	case err != nil:
		return err
	case len(entries) == 0:
		return nil
	}
	if _, err := os.Stat(f.properties); err != nil {
		return fmt.Errorf("%s holds files that are no demo's: name an empty or a new folder", f.dir)
	}
	old, err := filepath.Glob(filepath.Join(f.data, "shardId-*.jsonl"))
	if err != nil {
		return err
	}
	old = append(old, f.log, filepath.Join(f.dir, "application.log"))
	for _, name := range old {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// remove removes the temporary folder and says whether the shard files were in
// it. With --keep nothing is removed.
func (f *folder) remove(o options) (bool, error) {
	if o.keep {
		return false, nil
	}
	return o.dir == "", os.RemoveAll(f.temp)
}
