package handle

import (
	"context"
	"strconv"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Shard names a lease, as [processor.Lease] does. In an application of several
// streams ShardID is not unique: use Key.
type Shard struct {
	// ShardID is the shard's ID, such as shardId-000000000000.
	ShardID string
	// Stream is the name of its stream, empty if the host does not tell it.
	Stream string
	// Key is the key of its lease: the ShardID or, in an application of several
	// streams, ACCOUNT:NAME:EPOCH:SHARD; EPOCH is when the stream was created, in
	// seconds since 1970.
	Key string
}

type shardKey struct{}

func shardOf(ctx context.Context) Shard {
	s, _ := ctx.Value(shardKey{}).(*Shard)
	if s == nil {
		return Shard{}
	}
	return *s
}

// ShardID returns the ID of the shard, such as shardId-000000000000, from the
// context of a handler; it is empty for any other context. In an application of
// several streams, shards of different streams may have the same ID.
func ShardID(ctx context.Context) string { return shardOf(ctx).ShardID }

// Stream returns the name of the stream from the context of a handler. It is empty
// for any other context, and if the host does not tell it; Amazon's MultiLangDaemon
// does not.
func Stream(ctx context.Context) string { return shardOf(ctx).Stream }

// ID returns the ID of r, leaseKey/sequenceNumber/subSequenceNumber. It is the same
// at every delivery and on every machine, and unique in the application. The lease
// key is the shard's ID or, in an application of several streams,
// ACCOUNT:NAME:EPOCH:SHARD: see [processor.SplitLeaseKey]. ctx must be the context
// of the handler or of the sink, or derived from it; from any other the ID lacks
// the lease key.
//
// A handler that stores the ID in the same transaction as its effect, and skips
// records whose ID is already stored, has its effect exactly once.
func ID(ctx context.Context, r processor.Record) string {
	return recordID(shardOf(ctx).Key, r.Position())
}

func recordID(key string, p processor.Position) string {
	return key + "/" + p.SequenceNumber + "/" + strconv.FormatInt(p.SubSequenceNumber, 10)
}
