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

// A WorkerIDClaim is a worker ID that belongs to one daemon. While the claim or its
// daemon lives, no other claim on this host gets the ID; afterwards the next claim
// does. A daemon with the worker ID of one that was killed takes over its leases at
// once, without waiting until they expire.
type WorkerIDClaim struct {
	// ID is the worker ID: the host's name, the slot's number and a hash.
	ID string

	owner  *os.File // locked while this process lives and holds it
	daemon *os.File // locked while the daemon or this process lives
}

// ClaimOptions are the optional settings of [ClaimWorkerID].
type ClaimOptions struct {
	// Logger logs a warning when ClaimWorkerID waits for a daemon. Defaults to nil, no
	// logging.
	Logger *slog.Logger
}

// ErrNotLocal says that other hosts might not see the locks of a state folder.
var ErrNotLocal = errors.New("not on a local disk")

// claimPoll is how often ClaimWorkerID tries the lock of a daemon that was left behind.
const claimPoll = 200 * time.Millisecond

// ClaimWorkerID claims the first free worker ID of an application on this host. Each
// daemon of the application has a slot, which has the ID.
//
// dir is the state folder. It is created if missing, and must be the same at each start.
// It contains two lock files for each slot. The first daemon of the application gets slot
// 0, a second one beside it slot 1, and so on. The daemon inherits one of the two locks,
// which therefore lasts as long as the daemon, whatever happens to this process. If the
// owner of a slot was killed and its daemon still runs, ClaimWorkerID logs a warning and
// waits until that daemon or ctx ends: two daemons with one worker ID would work on the
// same shards.
//
// nil options mean the defaults. The error wraps ErrNotLocal if dir is not on a disk of
// this host, or if that is unknown, and errors.ErrUnsupported on systems without such
// locks.
func ClaimWorkerID(ctx context.Context, dir, application string, opts *ClaimOptions) (*WorkerIDClaim, error) {
	var logger *slog.Logger
	if opts != nil {
		logger = opts.Logger
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the state folder: %w", err)
	}
	if err := checkLocal(dir); err != nil {
		return nil, fmt.Errorf("state folder %s: %w; name a folder on a local disk, or set a worker ID that is unique", dir, err)
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
		c := &WorkerIDClaim{owner: owner}
		if c.daemon, err = awaitLocked(ctx, base+".daemon", logger); err == nil {
			c.ID, err = workerID(owner, slot)
		}
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("cannot claim a worker ID: %w", err)
		}
		return c, nil
	}
}

// awaitLocked locks the file that a daemon inherits, once nobody else has it locked.
func awaitLocked(ctx context.Context, file string, logger *slog.Logger) (*os.File, error) {
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
			logger.Warn("waiting for the daemon of a kcl-bootstrap that was killed; kill it if it does not stop", "pid", string(pid))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// note writes the ID of the process that holds the lock into it, for those who wait.
func (c *WorkerIDClaim) note(pid int) {
	text := strconv.Itoa(pid)
	if c.daemon.Truncate(0) == nil {
		c.daemon.WriteAt([]byte(text), 0)
	}
}

// Close releases the worker ID. A daemon that still runs keeps it.
func (c *WorkerIDClaim) Close() error {
	var errs []error
	for _, file := range []*os.File{c.owner, c.daemon} {
		if file != nil {
			// Closing must not unlock it: the daemon has the lock too.
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}

// workerID derives the ID from a random number that the slot's file keeps. A copy of the
// state folder on another host, for example in a machine image, must result in another
// ID, so the host's name and Linux's machine ID are part of it.
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
