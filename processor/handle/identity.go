package handle

import (
	"context"
	"strconv"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Shard names the lease that something is about, as [processor.Lease] does. Where
// an application has several streams ShardID alone names none: use Key.
type Shard struct {
	// ShardID is the shard's ID, such as shardId-000000000000.
	ShardID string
	// Stream is the name of its stream; empty where the host does not say it.
	Stream string
	// Key is the key of its lease: ShardID, or in an application of several
	// streams ACCOUNT:NAME:EPOCH:SHARD.
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

// ShardID returns the shard of the handler that was given ctx, such as
// shardId-000000000000; empty for any other context. In an application of several
// streams each may have a shard of this ID.
func ShardID(ctx context.Context) string { return shardOf(ctx).ShardID }

// Stream returns the name of the stream of the handler that was given ctx; empty
// where the host does not say it, as Amazon's MultiLangDaemon does not, and for any
// other context.
func Stream(ctx context.Context) string { return shardOf(ctx).Stream }

// ID names r among all records of the application, as
// leaseKey/sequenceNumber/subSequenceNumber: the same at every delivery, on every
// host, and never that of another record. The lease key is the shard's ID, or in an
// application of several streams ACCOUNT:NAME:EPOCH:SHARD. A handler that stores the
// ID together with its effect, in one transaction, and passes over what is there
// already, has that effect exactly once. ctx is the handler's.
func ID(ctx context.Context, r processor.Record) string {
	return recordID(shardOf(ctx).Key, r.Position())
}

func recordID(key string, p processor.Position) string {
	return key + "/" + p.SequenceNumber + "/" + strconv.FormatInt(p.SubSequenceNumber, 10)
}
