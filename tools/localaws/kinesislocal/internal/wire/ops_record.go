package wire

import (
	"fmt"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

const (
	maxPutRecords = 500
	maxPutBytes   = 10 << 20 // of a request, partition keys included
)

func (in *putRecordInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.entry("", putRecordsRequestEntry{Data: in.Data, PartitionKey: in.PartitionKey, ExplicitHashKey: in.ExplicitHashKey})
	c.number("sequenceNumberForOrdering", in.SequenceNumberForOrdering, 129)
}

func putRecord(c *call, in *putRecordInput) (*putRecordOutput, error) {
	of, name, err := c.resolve(in.streamRef)
	if err != nil {
		return nil, err
	}
	// Sequence numbers always rise, so the number only has to be valid.
	if s := in.SequenceNumberForOrdering; s != nil {
		if _, ok := core.ParseSequenceNumber(*s); !ok {
			return nil, &failure{invalidArgument, "SequenceNumberForOrdering " + *s + " used in PutRecord on stream " + name + " is invalid."}
		}
	}
	placed, encryption, err := put(of, name, []putRecordsRequestEntry{{Data: in.Data, PartitionKey: in.PartitionKey, ExplicitHashKey: in.ExplicitHashKey}}, in.DryRun)
	if err != nil {
		return nil, err
	}
	if placed[0].Err != nil {
		return nil, placed[0].Err
	}
	return &putRecordOutput{ShardId: &placed[0].ShardID, SequenceNumber: ptr(placed[0].Sequence.String()), EncryptionType: encryption}, nil
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
	of, name, err := c.resolve(in.streamRef)
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
	out := &putRecordsOutput{Records: make([]putRecordsResultEntry, len(in.Records))}
	failed := int32(0)
	stored := make([]putRecordsRequestEntry, 0, len(in.Records))
	position := make([]int, 0, len(in.Records)) // of each stored entry in the request
	for i, e := range in.Records {
		if c.refuseRecord() {
			out.Records[i] = refused(&failure{internalFailure, "Internal service failure."})
			failed++
			continue
		}
		stored, position = append(stored, e), append(position, i)
	}
	placed, encryption, err := put(of, name, stored, in.DryRun)
	if err != nil {
		return nil, err
	}
	for i, p := range placed {
		if p.Err != nil {
			out.Records[position[i]] = refused(asFailure(p.Err))
			failed++
			continue
		}
		out.Records[position[i]] = putRecordsResultEntry{ShardId: &p.ShardID, SequenceNumber: ptr(p.Sequence.String())}
	}
	out.FailedRecordCount, out.EncryptionType = &failed, encryption
	return out, nil
}

func refused(f *failure) putRecordsResultEntry {
	return putRecordsResultEntry{ErrorCode: &f.code, ErrorMessage: &f.message}
}

// put stores records and also returns their encryption type, nil for none.
func put(of *core.Account, name string, in []putRecordsRequestEntry, dry *bool) ([]core.PutResult, *string, error) {
	entries := make([]core.Entry, len(in))
	for i, e := range in {
		entries[i] = core.Entry{PartitionKey: *e.PartitionKey, Data: e.Data}
		if e.ExplicitHashKey == nil {
			entries[i].HashKey = core.HashKeyOf(*e.PartitionKey)
			continue
		}
		var err error
		if entries[i].HashKey, err = hashKey("ExplicitHashKey", *e.ExplicitHashKey); err != nil {
			return nil, nil, err
		}
	}
	isDry := valueOr(dry, false)
	placed, keyID, err := of.Put(name, entries, isDry)
	if err != nil {
		return nil, nil, err
	}
	if isDry {
		return nil, nil, dryRunError()
	}
	return placed, encryptionOf(keyID), nil
}

// encryptionOf returns the encryption type of records, nil for none.
func encryptionOf(keyID string) *string {
	if keyID == "" {
		return nil
	}
	return ptr(encryptionKMS)
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
	of, name, err := c.resolve(in.streamRef)
	if err != nil {
		return nil, err
	}
	p, err := position(*in.ShardIteratorType, "StartingSequenceNumber", in.StartingSequenceNumber, in.Timestamp)
	if err != nil {
		return nil, err
	}
	token, err := of.ShardIterator(name, *in.ShardId, p)
	if err != nil {
		return nil, err
	}
	if valueOr(in.DryRun, false) {
		return nil, dryRunError()
	}
	return &getShardIteratorOutput{&token}, nil
}

// position returns the position in a request; member is the name of the request's
// member for the sequence number.
func position(kind, member string, sequence *string, at *timestamp) (core.Position, error) {
	p := core.Position{Type: core.PositionType(kind), Sequence: valueOr(sequence, "")}
	wantsSequence := p.Type == core.AtSequenceNumber || p.Type == core.AfterSequenceNumber
	switch {
	case wantsSequence != (sequence != nil):
		return p, &failure{invalidArgument, member + " goes with AT_SEQUENCE_NUMBER and AFTER_SEQUENCE_NUMBER, and only with these."}
	case (p.Type == core.AtTime) != (at != nil):
		return p, &failure{invalidArgument, "Timestamp goes with AT_TIMESTAMP, and only with it."}
	}
	if at != nil {
		p.Timestamp = at.Time
	}
	return p, nil
}

func (in *getRecordsInput) check(c *constraints) {
	c.required("shardIterator", in.ShardIterator != nil)
	if in.ShardIterator != nil {
		c.length("shardIterator", *in.ShardIterator, 1, 512)
	}
	c.within("limit", in.Limit, 1, core.MaxRecordsRead)
	c.stream(streamRef{StreamARN: in.StreamARN})
}

func getRecords(c *call, in *getRecordsInput) (*getRecordsOutput, error) {
	of, name := c.account, ""
	if in.StreamARN != nil {
		var err error
		if of, name, err = c.resolve(streamRef{StreamARN: in.StreamARN}); err != nil {
			return nil, err
		}
	}
	b, err := of.GetRecords(*in.ShardIterator, name, int(valueOr(in.Limit, core.MaxRecordsRead)))
	if err != nil {
		return nil, err
	}
	if valueOr(in.DryRun, false) {
		return nil, dryRunError()
	}
	out := &getRecordsOutput{
		Records:            recordShapes(b.Records, b.KeyID),
		MillisBehindLatest: ptr(b.Behind.Milliseconds()),
		ChildShards:        childShapes(b.Children),
	}
	if b.Next != "" {
		out.NextShardIterator = &b.Next
	}
	return out, nil
}

func recordShapes(records []core.Record, keyID string) []record {
	encryption := encryptionOf(keyID)
	out := make([]record, len(records))
	for i := range records {
		r := &records[i]
		out[i] = record{
			Data:                        r.Data,
			PartitionKey:                &r.PartitionKey,
			SequenceNumber:              ptr(r.Sequence.String()),
			ApproximateArrivalTimestamp: &timestamp{r.Arrival},
			EncryptionType:              encryption,
		}
	}
	return out
}

func childShapes(children []core.Child) []childShard {
	var out []childShard
	for _, child := range children {
		out = append(out, childShard{ShardId: &child.ID, ParentShards: child.Parents, HashKeyRange: hashKeys(child.HashKeys)})
	}
	return out
}
