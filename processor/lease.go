package processor

import (
	"context"
	"fmt"
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
// ID, and the identifier empty.
func SplitLeaseKey(key string) (streamIdentifier, shardID string) {
	i := strings.LastIndexByte(key, ':')
	return key[:max(i, 0)], key[i+1:]
}

var streamIdentifierForm = regexp.MustCompile(`^[0-9]+:[a-zA-Z0-9_.-]+:[0-9]+$`)

// LeaseFile returns the name of a file for what is of one lease, without an
// extension: SHARD, or in an application of several streams
// ACCOUNT_NAME_EPOCH/SHARD, with the system's separator. No two leases have the same.
// The error says that the key is of another form, such as one that would lead out of
// the folder.
func LeaseFile(key string) (string, error) {
	stream, shardID := SplitLeaseKey(key)
	file := shardID
	if stream != "" {
		file = filepath.Join(strings.ReplaceAll(stream, ":", "_"), shardID)
	}
	switch {
	case shardID == "", filepath.Base(shardID) != shardID, !filepath.IsLocal(shardID):
		return "", fmt.Errorf("processor: lease key %q: shard ID %q is no file name", key, shardID)
	case strings.ContainsRune(key, ':') && !streamIdentifierForm.MatchString(stream):
		return "", fmt.Errorf("processor: lease key %q: stream identifier %q is not of the form ACCOUNT:NAME:EPOCH", key, stream)
	}
	return file, nil
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
