package processor

import (
	"context"
	"fmt"
	"math/big"
	"path/filepath"
	"regexp"
	"strings"
)

// Lease is the lease of a shard that this process holds: from Initialize until
// LeaseLost, the end of the input or the end of Run. Its methods may be called
// from any goroutine.
type Lease struct {
	shardID  string
	stream   string
	key      string
	ctx      context.Context
	cancel   context.CancelCauseFunc
	stopping <-chan struct{}
	run      *runner
}

// ShardID returns the shard's ID, such as shardId-000000000000.
func (l *Lease) ShardID() string { return l.shardID }

// Stream returns the name of the shard's stream, or "" when the host does not say it;
// Amazon's MultiLangDaemon does not. Streams of two accounts may have the same name.
func (l *Lease) Stream() string { return l.stream }

// Key returns the key of the lease in KCL's table, which is unique in the application:
// the shard's ID or, in an application of several streams, ACCOUNT:NAME:EPOCH:SHARD;
// see [SplitLeaseKey]. When the host does not say it, it is the shard's ID.
func (l *Lease) Key() string { return l.key }

// SplitLeaseKey splits the key of a lease into the shard's ID and what KCL calls the
// stream identifier, ACCOUNT:NAME:EPOCH. EPOCH is the time at which the stream was
// created, in seconds since 1970. In an application of one stream the key is the shard's
// ID and the identifier is empty; a key of another form is returned as the shard's ID
// too. Two different keys never have the same two parts. SplitLeaseKey is for hosts and
// for programs that keep data of several leases.
func SplitLeaseKey(key string) (streamIdentifier, shardID string) {
	if m := severalStreams.FindStringSubmatch(key); m != nil {
		return m[1] + ":" + m[2] + ":" + m[3], m[4]
	}
	return "", key
}

// The forms that AWS and KCL use, with their maximum lengths. KCL reads keys from its
// lease table, so whoever can write there could make up a key. The only upper-case
// letter in a shard's ID is that of shardId-, and no ID is a name reserved by Windows.
var (
	severalStreams = regexp.MustCompile(`^([0-9]{1,12}):([a-zA-Z0-9_.-]{1,128}):([0-9]{1,19}):([^:]*)$`)
	shardIDForm    = regexp.MustCompile(`^(shardId-)?[a-z0-9]([a-z0-9_.-]{0,126}[a-z0-9])?$`)
	reserved       = regexp.MustCompile(`^(shardid-.*|(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?)$`)
)

// LeaseFile returns a relative path, without an extension, for the data of the lease with
// this key: SHARD or, in an application of several streams, ACCOUNT_NAME_EPOCH/SHARD
// with the system's separator. If NAME has upper-case letters, EPOCH is followed by a
// dot and a hexadecimal number that says which letters they are. So no two leases have
// the same file, even where the file system ignores case. A key of another form is an
// error, for it could lead out of the folder. LeaseFile is for hosts and for programs
// that keep data of several leases.
func LeaseFile(key string) (string, error) {
	stream, shardID := SplitLeaseKey(key)
	if !shardIDForm.MatchString(shardID) || reserved.MatchString(shardID) {
		return "", fmt.Errorf("processor: lease key %+q cannot be a file name: it is neither SHARD nor ACCOUNT:NAME:EPOCH:SHARD, where SHARD is like shardId-000000000000", key)
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

// Context returns the lease's context, under which work that outlives its batch should
// run. It is cancelled with a cause (context.Cause):
//
//   - an error that is [ErrLeaseLost] (errors.Is) when the lease is lost;
//   - [ErrDaemonGone] when the daemon closed the input;
//   - the error with which Run ends, without the lease's key that Run puts before it.
func (l *Lease) Context() context.Context { return l.ctx }

// Stopping returns a channel that is closed at the early notice of a stop. [Main] closes
// it at the first SIGTERM, SIGINT or SIGHUP, which a supervisor sends to the daemon and
// its children alike. ShutdownRequested follows only after the method at work has
// returned, so a method should return soon when the channel is closed. Package
// worker closes it when the worker is to stop. Under [Run] the channel is
// [HostOptions.Stopping]; it may be nil, which is never closed.
func (l *Lease) Stopping() <-chan struct{} { return l.stopping }

// Fail ends Run with err. It is for goroutines that outlive a batch and cannot go on.
// The first call counts; it cancels the lease's context, and the cause wraps err. An err
// that is [ErrLeaseLost] reports the loss of the lease: it ends the lease, not Run. Fail
// does nothing when err is nil or a nil [*CheckpointError] or [*PanicError], and nothing
// after the lease was lost. It never blocks.
func (l *Lease) Fail(err error) {
	if !noFailure(err) {
		l.run.fail(err)
	}
}
