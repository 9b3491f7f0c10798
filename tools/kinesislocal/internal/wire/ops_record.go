package wire

import (
	"fmt"

	"github.com/seed96110120/kinesis-client-go/tools/kinesislocal/internal/core"
)

const (
	maxPutRecords = 500
	maxPutBytes   = 10 << 20 // of a request, partition keys included
)

func (in *putRecordInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.entry("", putRecordsEntry{in.Data, in.PartitionKey, in.ExplicitHashKey})
	c.number("sequenceNumberForOrdering", in.SequenceNumberForOrdering, 129)
}

func putRecord(c *call, in *putRecordInput) (*putRecordOutput, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	// Sequence numbers always rise: beyond being one, the number changes nothing.
	if s := in.SequenceNumberForOrdering; s != nil {
		if _, ok := core.ParseSequenceNumber(*s); !ok {
			return nil, &failure{invalidArgument, "SequenceNumberForOrdering " + *s + " used in PutRecord on stream " + name + " is invalid."}
		}
	}
	placed, err := put(c, name, []putRecordsEntry{{in.Data, in.PartitionKey, in.ExplicitHashKey}}, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &placed[0], nil
}

func (in *putRecordsInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.required("records", in.Records != nil)
	switch n := len(in.Records); {
	case n == 0 && in.Records != nil:
		c.violate("'[]' ", "records", "have length greater than or equal to 1")
	case n > maxPutRecords:
		c.violate("", "records", "have length less than or equal to %d", maxPutRecords)
	default:
		for i, e := range in.Records {
			c.entry(fmt.Sprintf("records.%d.member.", i+1), e)
		}
	}
}

func putRecords(c *call, in *putRecordsInput) (*putRecordsOutput, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	size := 0
	for _, e := range in.Records {
		size += len(e.Data) + len(*e.PartitionKey)
	}
	if size > maxPutBytes {
		return nil, &failure{invalidArgument, fmt.Sprintf("Records size exceeds %d bytes: %d with the partition keys.", maxPutBytes, size)}
	}
	placed, err := put(c, name, in.Records, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &putRecordsOutput{Records: placed}, nil
}

func put(c *call, name string, in []putRecordsEntry, dry bool) ([]putRecordOutput, error) {
	entries := make([]core.Entry, len(in))
	for i, e := range in {
		entries[i] = core.Entry{PartitionKey: *e.PartitionKey, Data: e.Data}
		if e.ExplicitHashKey == nil {
			entries[i].HashKey = core.HashKeyOf(*e.PartitionKey)
			continue
		}
		var err error
		if entries[i].HashKey, err = hashKey("ExplicitHashKey", *e.ExplicitHashKey); err != nil {
			return nil, err
		}
	}
	placed, err := c.service.Put(name, entries, dry)
	if err != nil {
		return nil, err
	}
	if dry {
		return nil, dryRun()
	}
	out := make([]putRecordOutput, len(placed))
	for i, p := range placed {
		out[i] = putRecordOutput{ShardId: p.ShardID, SequenceNumber: p.Sequence.String()}
	}
	return out, nil
}

func (in *getShardIteratorInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.required("shardId", in.ShardId != nil)
	c.name("shardId", in.ShardId)
	c.required("shardIteratorType", in.ShardIteratorType != nil)
	oneOf(c, "shardIteratorType", in.ShardIteratorType, core.PositionTypes)
	c.number("startingSequenceNumber", in.StartingSequenceNumber, 129)
}

func getShardIterator(c *call, in *getShardIteratorInput) (*getShardIteratorOutput, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	p := core.Position{Type: core.PositionType(*in.ShardIteratorType), Sequence: value(in.StartingSequenceNumber, "")}
	wantsSequence := p.Type == core.AtSequenceNumber || p.Type == core.AfterSequenceNumber
	switch {
	case wantsSequence != (in.StartingSequenceNumber != nil):
		return nil, &failure{invalidArgument, "StartingSequenceNumber goes with AT_SEQUENCE_NUMBER and AFTER_SEQUENCE_NUMBER, and only with these."}
	case (p.Type == core.AtTime) != (in.Timestamp != nil):
		return nil, &failure{invalidArgument, "Timestamp goes with AT_TIMESTAMP, and only with it."}
	}
	if in.Timestamp != nil {
		p.Timestamp = in.Timestamp.Time
	}
	token, err := c.service.ShardIterator(name, *in.ShardId, p)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRun()
	}
	return &getShardIteratorOutput{token}, nil
}

func (in *getRecordsInput) check(c *constraints) {
	c.stream(streamRef{StreamARN: in.StreamARN})
	c.required("shardIterator", in.ShardIterator != nil)
	if in.ShardIterator != nil {
		c.length("shardIterator", *in.ShardIterator, 1, 512)
	}
	c.within("limit", in.Limit, 1, core.MaxRecordsRead)
}

func getRecords(c *call, in *getRecordsInput) (*getRecordsOutput, error) {
	var name string
	if in.StreamARN != nil {
		var err error
		if name, err = (streamRef{StreamARN: in.StreamARN}).resolve(); err != nil {
			return nil, err
		}
	}
	b, err := c.service.GetRecords(*in.ShardIterator, name, value(in.Limit, core.MaxRecordsRead))
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRun()
	}
	out := &getRecordsOutput{
		Records:            make([]record, len(b.Records)),
		NextShardIterator:  b.Next,
		MillisBehindLatest: b.Behind.Milliseconds(),
	}
	for i, r := range b.Records {
		out.Records[i] = record{r.Sequence.String(), timestamp{r.Arrival}, r.Data, r.PartitionKey}
	}
	for _, child := range b.Children {
		out.ChildShards = append(out.ChildShards, childShard{child.ID, child.Parents, hashKeys(child.HashKeys)})
	}
	return out, nil
}
