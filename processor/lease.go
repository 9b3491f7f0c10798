package processor

import (
	"context"
	"fmt"
	"math/big"
	"path/filepath"
	"regexp"
	"strings"
)

// Lease is a shard's lease while this process holds it: from Initialize until
// LeaseLost, the end of the input or the end of Run. Its methods may be called
// from any goroutine.
type Lease struct {
	shardID  string
	stream   string
	key      string
	ctx      context.Context
	cancel   context.CancelCauseFunc
	stopping <-chan struct{}
	failures chan<- error
	ended    <-chan struct{}
}

// ShardID returns the shard's ID, such as shardId-000000000000.
func (l *Lease) ShardID() string { return l.shardID }

// Stream returns the name of the shard's stream; empty where the host does not say
// it, as Amazon's MultiLangDaemon does not. Streams of two accounts may have one
// name.
func (l *Lease) Stream() string { return l.stream }

// Key returns what names the lease in KCL's table, and no other lease of the
// application: the shard's ID, or in an application of several streams
// ACCOUNT:NAME:EPOCH:SHARD, as [SplitLeaseKey] has it. Where the host does not say
// it, it is the shard's ID.
func (l *Lease) Key() string { return l.key }

// SplitLeaseKey splits a lease's key into what KCL calls the stream identifier,
// ACCOUNT:NAME:EPOCH, where EPOCH is when the stream was made in seconds since
// 1970, and the shard's ID. In an application of one stream the key is the shard's
// ID, and the identifier empty; so it is with a key of neither form. No two keys have
// both the same.
func SplitLeaseKey(key string) (streamIdentifier, shardID string) {
	if m := severalStreams.FindStringSubmatch(key); m != nil {
		return m[1] + ":" + m[2] + ":" + m[3], m[4]
	}
	return "", key
}

// The forms that AWS and KCL have, and no longer than they. KCL reads its lease table:
// whoever writes there could give a key that is none. No ID of a shard has upper-case
// letters but the one in shardId-, nor is one a name that Windows has given away.
var (
	severalStreams = regexp.MustCompile(`^([0-9]{1,12}):([a-zA-Z0-9_.-]{1,128}):([0-9]{1,19}):([^:]*)$`)
	shardIDForm    = regexp.MustCompile(`^(shardId-)?[a-z0-9]([a-z0-9_.-]{0,126}[a-z0-9])?$`)
	givenAway      = regexp.MustCompile(`^(shardid-.*|(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?)$`)
)

// LeaseFile returns the name of a file for what is of one lease, without an
// extension: SHARD, or in an application of several streams
// ACCOUNT_NAME_EPOCH/SHARD, with the system's separator. Behind EPOCH stands, with a
// dot, which letters of NAME are upper-case, if any are. So no two leases have the
// same, even where the file system takes upper and lower case for one. The error says
// that the key is of another form, such as one that would lead out of the folder.
func LeaseFile(key string) (string, error) {
	stream, shardID := SplitLeaseKey(key)
	if !shardIDForm.MatchString(shardID) || givenAway.MatchString(shardID) {
		return "", fmt.Errorf("processor: lease key %+q is no name of a file: it is neither SHARD nor ACCOUNT:NAME:EPOCH:SHARD, with an ID like shardId-000000000000", key)
	}
	if stream == "" {
		return shardID, nil
	}
	var upper big.Int
	for i, c := range strings.Split(stream, ":")[1] {
		if 'A' <= c && c <= 'Z' {
			upper.SetBit(&upper, i, 1)
		}
	}
	stream = strings.ReplaceAll(stream, ":", "_")
	if upper.Sign() != 0 {
		stream += "." + upper.Text(16)
	}
	return filepath.Join(stream, shardID), nil
}

// Context is cancelled, with a cause (context.Cause), when the lease is lost
// ([ErrLeaseLost]), when a method returned [ErrShutdown], when the daemon
// closed the input ([ErrDaemonGone]) and when Run ends with an error (that
// error). Work that outlives a batch should run under it.
func (l *Lease) Context() context.Context { return l.ctx }

// Stopping is closed at the early notice of a stop: [Main] closes it at the
// first SIGTERM, SIGINT or SIGHUP, which a supervisor sends to daemon and child
// alike. The daemon's own ShutdownRequested follows, but only once the action
// in work is answered: take the notice as a reason to be quick. Never closed
// under Run without [WithStopNotice].
func (l *Lease) Stopping() <-chan struct{} { return l.stopping }

// Fail ends Run with err: what a goroutine that outlives a batch calls when it
// cannot go on. The first call counts; the lease's context is cancelled with
// err as the cause. An err that is [ErrShutdown] says that the lease has gone
// and ends the lease, not Run. Fail(nil) does nothing, nor does Fail with a nil
// [*CheckpointError] or [*PanicError], nor any Fail once the lease has gone. It
// never blocks.
func (l *Lease) Fail(err error) {
	if noFailure(err) {
		return
	}
	select {
	case l.failures <- err:
	case <-l.ended:
	default: // an earlier one waits to be looked at
	}
}
