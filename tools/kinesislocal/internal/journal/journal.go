// Package journal keeps entries in a folder, in the order in which they were
// appended, so that they outlast the process however it ends. It does not know
// what the entries say.
//
// An entry is with the operating system when Append returns: the process may be
// killed at any moment after. Sync puts it on the disk, for the machine may go
// down too. An entry is read back whole or, when the process ended while it was
// being written, not at all.
//
// The folder holds files with rising numbers, which are read in that order.
// Entries go to the last. To get rid of what is no longer true, the owner
// begins a new file (Rotate) and, while entries go there, writes what was true
// at that moment into a file that takes the place of all before (Replace).
package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gofrs/flock"
)

// ErrInUse is the error of a folder that another journal has open, in this
// process or another.
var ErrInUse = errors.New("in use")

// ErrDamaged is the error of a folder with an entry, not the last, that is not as
// it was written.
var ErrDamaged = errors.New("damaged")

// ErrClosed is the error of a journal after Close.
var ErrClosed = errors.New("the journal is closed")

const (
	lockName = "lock"
	suffix   = ".log"
	unready  = ".tmp" // after the name of a file that is not complete yet
)

// Journal is an open folder. Append and Size may be called concurrently, also
// with all else; of Sync, Rotate, Replace and Close one at a time.
type Journal struct {
	dir  string
	lock *flock.Flock

	mu       sync.Mutex // guards what follows
	file     *os.File   // the last one
	number   int        // of file
	size     int64      // of file
	others   int64      // bytes of the files before
	unsynced bool
	failed   error // why nothing can be appended any more
}

// Open opens a folder, which it makes if need be, and calls replay with each of
// its entries; replay must not keep them. An entry at the very end that was not
// written to its end is dropped, and log told. Any other damage is an error,
// which says where it is.
func Open(dir string, log *slog.Logger, replay func(entry []byte) error) (_ *Journal, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	j := &Journal{dir: dir, lock: flock.New(filepath.Join(dir, lockName))}
	locked, err := j.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("%s is %w by another process: stop it, or choose another folder", dir, ErrInUse)
	}
	defer func() {
		if err != nil {
			if j.file != nil {
				j.file.Close()
			}
			j.lock.Unlock()
		}
	}()
	numbers, err := j.list()
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		j.number = 1
		j.file, err = create(j.name(1))
		j.size = int64(len(magic))
		return j, err
	}
	for i, n := range numbers {
		if err := j.load(n, i == len(numbers)-1, log, replay); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// list returns the numbers of the files, and removes what was not finished.
func (j *Journal) list() (numbers []int, err error) {
	files, err := os.ReadDir(j.dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), suffix+unready) {
			if err := os.Remove(filepath.Join(j.dir, f.Name())); err != nil {
				return nil, err
			}
		}
		digits, is := strings.CutSuffix(f.Name(), suffix)
		if n, err := strconv.Atoi(digits); is && err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (j *Journal) name(number int) string {
	return filepath.Join(j.dir, fmt.Sprintf("%08d%s", number, suffix))
}

// create makes a file that has no entries.
func create(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(magic); err != nil {
		f.Close()
		os.Remove(name)
		return nil, err
	}
	return f, nil
}

// load replays a file. The last one stays open.
func (j *Journal) load(number int, last bool, log *slog.Logger, replay func([]byte) error) error {
	name := j.name(number)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if last {
		j.file, j.number = f, number
	} else {
		defer f.Close()
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	good, err := read(f, size, replay)
	switch {
	case err == nil:
	case last && errors.Is(err, errTorn):
		if err := cut(f, good); err != nil {
			return err
		}
		good = max(good, int64(len(magic)))
		log.Warn("the last entry had not been written to its end when the process ended, and is dropped",
			"file", name, "offset", good, "bytes", size-good)
		size = good
	case errors.Is(err, errTorn) || errors.Is(err, ErrDamaged):
		after := ""
		if !last {
			after = ", and remove the files with higher numbers"
		}
		return fmt.Errorf("%s is %w at byte %d of %d: remove %s to start anew, or go on with what comes before: truncate -s %[3]d %[1]s%[6]s",
			name, ErrDamaged, good, size, j.dir, after)
	default:
		return fmt.Errorf("%s: entry at byte %d: %w", name, good, err)
	}
	if last {
		j.size = size
	} else {
		j.others += size
	}
	return nil
}

// cut removes what comes after the good part of a file.
func cut(f *os.File, good int64) error {
	if err := f.Truncate(good); err != nil {
		return err
	}
	if good == 0 { // not even the beginning was written
		_, err := f.WriteAt([]byte(magic), 0)
		return err
	}
	return nil
}

// Append adds an entry that was built on Begin. After an error the journal is
// as it was before, or takes no more entries.
func (j *Journal) Append(frame []byte) error {
	if len(frame)-headSize > math.MaxUint32 {
		return fmt.Errorf("an entry of %d bytes is too large", len(frame))
	}
	seal(frame)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	if _, err := j.file.WriteAt(frame, j.size); err != nil {
		// What comes next would be lost behind half an entry.
		if cutErr := j.file.Truncate(j.size); cutErr != nil {
			j.failed = errors.Join(err, cutErr)
		}
		return err
	}
	j.size += int64(len(frame))
	j.unsynced = true
	return nil
}

// Size returns the bytes of all files.
func (j *Journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.others + j.size
}

// Sync puts on the disk what was appended before the call.
func (j *Journal) Sync() error {
	j.mu.Lock()
	file, unsynced := j.file, j.unsynced
	j.unsynced = false
	j.mu.Unlock()
	if !unsynced {
		return nil
	}
	return file.Sync()
}

// Rotate begins a new file. Replace may follow.
func (j *Journal) Rotate() error {
	if err := j.Sync(); err != nil { // only the last file may have lost its end
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	number := j.number + 2 // one below is for what takes the place of all before
	file, err := create(j.name(number))
	if err != nil {
		return err
	}
	j.file.Close()
	j.others += j.size
	j.file, j.number, j.size = file, number, int64(len(magic))
	return nil
}

// Replace puts the entries that write appends in the place of all that were
// appended before the last Rotate. When it fails, or the process ends
// meanwhile, those are still there.
func (j *Journal) Replace(write func(add func(frame []byte) error) error) (err error) {
	j.mu.Lock()
	number := j.number - 1
	j.mu.Unlock()
	name := j.name(number)
	f, err := create(name + unready)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(name + unready)
		}
	}()
	size := int64(len(magic))
	err = write(func(frame []byte) error {
		seal(frame)
		n, err := f.Write(frame)
		size += int64(n)
		return err
	})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+unready, name); err != nil {
		return err
	}
	syncFolder(j.dir)
	// Those that stay because of an error are read again, to no effect, and go
	// next time.
	numbers, err := j.list()
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n < number {
			err = errors.Join(err, os.Remove(j.name(n)))
		}
	}
	j.mu.Lock()
	j.others = size
	j.mu.Unlock()
	return err
}

// syncFolder makes a rename last. Not every system can; there it lasts anyway.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

// Close puts all on the disk and lets others open the folder.
func (j *Journal) Close() error {
	err := j.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if errors.Is(j.failed, ErrClosed) {
		return nil
	}
	j.failed = ErrClosed
	return errors.Join(err, j.file.Close(), j.lock.Unlock())
}
