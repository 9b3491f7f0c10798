package handle

import (
	"context"
	"strconv"

	"github.com/seed96110120/kinesis-client-go/processor"
)

type shardKey struct{}

// ShardID returns the shard of the handler that was given ctx, such as
// shardId-000000000000; empty for any other context.
func ShardID(ctx context.Context) string {
	id, _ := ctx.Value(shardKey{}).(string)
	return id
}

// ID names r within its stream, as shard/sequenceNumber/subSequenceNumber: the
// same at every delivery, on every host, and never that of another record. A
// handler that stores it together with its effect, in one transaction, and
// passes over what is there already, has that effect exactly once. ctx is the
// handler's.
func ID(ctx context.Context, r processor.Record) string {
	return recordID(ShardID(ctx), r.Position())
}

func recordID(shardID string, p processor.Position) string {
	return shardID + "/" + p.SequenceNumber + "/" + strconv.FormatInt(p.SubSequenceNumber, 10)
}
