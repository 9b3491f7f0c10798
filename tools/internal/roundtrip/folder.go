package roundtrip

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder is where a run keeps what it makes.
type Folder struct {
	// Bin has the commands. It is in a temporary folder.
	Bin string
	// Dir is the daemon's working directory: all that follows is in it.
	Dir string
	// Data is the folder of the shard files.
	Data string
	// Log is what kcl-bootstrap and the daemon print.
	Log string
	// Properties is the daemon's configuration. It also marks Dir as a run's.
	Properties string

	temp  string
	named bool
}

// MakeFolder makes a temporary folder and, where dir is named, that one. Of an
// earlier run's files those go that this one makes anew; a folder with anything
// else in it is refused.
func MakeFolder(dir string) (*Folder, error) {
	temp, err := os.MkdirTemp("", "kcl-roundtrip-")
	if err != nil {
		return nil, err
	}
	f := &Folder{temp: temp, Bin: filepath.Join(temp, "bin"), Dir: filepath.Join(temp, "out"), named: dir != ""}
	if f.named {
		if f.Dir, err = filepath.Abs(dir); err != nil {
			return nil, errors.Join(err, os.RemoveAll(temp))
		}
	}
	f.Data = filepath.Join(f.Dir, "data")
	f.Log = filepath.Join(f.Dir, "daemon.log")
	f.Properties = filepath.Join(f.Dir, "run.properties")
	if err := f.prepare(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(temp))
	}
	return f, nil
}

func (f *Folder) prepare() error {
	entries, err := os.ReadDir(f.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(f.Dir, 0o755)
	case err != nil:
		return err
	case len(entries) == 0:
		return nil
	}
	if _, err := os.Stat(f.Properties); err != nil {
		return fmt.Errorf("%s holds files that are not of an earlier run: name an empty or a new folder", f.Dir)
	}
	old, err := filepath.Glob(filepath.Join(f.Data, "shardId-*.jsonl"))
	if err != nil {
		return err
	}
	old = append(old, f.Log, filepath.Join(f.Dir, "application.log"))
	for _, name := range old {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Remove removes the temporary folder, and says whether the shard files were in
// it.
func (f *Folder) Remove() (all bool, err error) {
	if err := os.RemoveAll(f.temp); err != nil {
		return false, fmt.Errorf("cannot remove the temporary folder: %w", err)
	}
	return !f.named, nil
}
