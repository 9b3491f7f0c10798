package bootstrap

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Worker is a worker ID that a daemon has for itself: as long as the claim
// or the daemon lives, no other claim on this host gets it, and afterwards the
// next one does. A daemon that bears the ID of one that was killed takes that
// one's leases over at once, not when they have expired.
type Worker struct {
	// ID is the worker ID: the host's name, the slot's number, and a hash.
	ID string

	owner  *os.File // locked as long as this process lives and holds it
	daemon *os.File // locked as long as the daemon or this process lives
}

// ErrNotLocal is the error of a state folder whose locks other hosts might not
// see.
var ErrNotLocal = errors.New("not on a local disk")

// claimPoll is how often the lock of a daemon that somebody left behind is
// tried.
const claimPoll = 200 * time.Millisecond

// ClaimWorker claims the first free worker ID of an application on this host.
//
// dir is the state folder, made when missing, the same at each start. It holds
// two lock files for each slot; slot 0 belongs to the first daemon of the
// application, slot 1 to a second one beside it, and so on. The daemon inherits
// one of the locks, so that it lasts as long as the daemon does, whatever
// happens to this process. A slot whose former owner was killed and whose
// daemon still lives is waited for, until ctx ends, with a warning to log
// (which may be nil): two daemons of one ID would both work on the same shards.
//
// The error wraps ErrNotLocal if dir is not on a disk of this host, or if that
// cannot be told, and errors.ErrUnsupported on systems without such locks.
func ClaimWorker(ctx context.Context, dir, application string, log *slog.Logger) (*Worker, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state folder: %w", err)
	}
	if err := checkLocal(dir); err != nil {
		return nil, fmt.Errorf("state folder %s: %w; name one that is, or set a worker ID that is this worker's alone", dir, err)
	}
	for slot := 0; ; slot++ {
		base := filepath.Join(dir, fmt.Sprintf("%s.%d", url.PathEscape(application), slot))
		owner, err := openLocked(base + ".owner")
		if errors.Is(err, errLocked) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot claim a worker ID: %w", err)
		}
		w := &Worker{owner: owner}
		if w.daemon, err = awaitLocked(ctx, base+".daemon", log); err == nil {
			w.ID, err = workerID(owner, slot)
		}
		if err != nil {
			w.Close()
			return nil, fmt.Errorf("cannot claim a worker ID: %w", err)
		}
		return w, nil
	}
}

// awaitLocked locks the file that a daemon inherits.
func awaitLocked(ctx context.Context, file string, log *slog.Logger) (*os.File, error) {
	tick := time.NewTicker(claimPoll)
	defer tick.Stop()
	for warned := false; ; {
		locked, err := openLocked(file)
		if !errors.Is(err, errLocked) {
			return locked, err
		}
		if !warned {
			warned = true
			pid, err := os.ReadFile(file)
			if err != nil || len(pid) == 0 {
				pid = []byte("unknown")
			}
			log.Warn("waiting for the daemon of a kcl-bootstrap that was killed; kill it if it does not stop", "pid", string(pid))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// note writes down which process holds the lock, for those who wait for it.
func (w *Worker) note(pid int) {
	text := strconv.Itoa(pid)
	if w.daemon.Truncate(0) == nil {
		w.daemon.WriteAt([]byte(text), 0)
	}
}

// Close gives the worker ID back. A daemon that still runs keeps it.
func (w *Worker) Close() error {
	var errs []error
	for _, file := range []*os.File{w.owner, w.daemon} {
		if file != nil {
			// The lock itself is not taken back: it is the daemon's too.
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}

// workerID makes the ID from a number that the slot keeps. A copy of the state
// folder on another host, in a machine image for example, must not give the
// same one: the host's name and Linux's machine ID are part of it.
func workerID(slotFile *os.File, slot int) (string, error) {
	const size = 32
	number := make([]byte, size)
	n, err := slotFile.ReadAt(number, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if _, err := hex.Decode(make([]byte, size/2), number[:n]); err != nil || n != size {
		random := make([]byte, size/2)
		rand.Read(random)
		hex.Encode(number, random)
		if _, err := slotFile.WriteAt(number, 0); err != nil {
			return "", err
		}
		if err := slotFile.Sync(); err != nil {
			return "", err
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("the host's name: %w", err)
	}
	machine, _ := os.ReadFile("/etc/machine-id") // not everywhere
	sum := sha256.Sum256([]byte(strings.Join([]string{string(number), host, string(machine)}, "\n")))
	return fmt.Sprintf("%s-%d-%x", host, slot, sum[:6]), nil
}
