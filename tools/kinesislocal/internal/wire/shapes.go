package wire

// The shapes of the operations, with the service's names. A pointer is a
// member that a caller may leave out. One set of tags serves JSON and CBOR.

type streamRef struct {
	StreamName *string
	StreamARN  *string
}

type none struct{}

type streamMode struct {
	StreamMode *string
}

type createStreamInput struct {
	StreamName         *string
	ShardCount         *int
	StreamModeDetails  *streamMode
	MaxRecordSizeInKiB *int
}

type deleteStreamInput struct{ streamRef }

type describeStreamInput struct {
	streamRef
	Limit                 *int
	ExclusiveStartShardId *string
}

type describeStreamOutput struct {
	StreamDescription streamDescription
}

type enhancedMetrics struct {
	ShardLevelMetrics []string
}

type streamDescription struct {
	streamCommon
	HasMoreShards bool
	Shards        []shard
}

type streamCommon struct {
	StreamName              string
	StreamARN               string
	StreamStatus            string
	StreamModeDetails       streamMode
	StreamCreationTimestamp timestamp
	RetentionPeriodHours    int
	EnhancedMonitoring      []enhancedMetrics
	EncryptionType          string
}

type describeStreamSummaryInput struct{ streamRef }

type describeStreamSummaryOutput struct {
	StreamDescriptionSummary streamDescriptionSummary
}

type streamDescriptionSummary struct {
	streamCommon
	OpenShardCount     int
	ConsumerCount      int
	MaxRecordSizeInKiB int
}

type listStreamsInput struct {
	Limit                    *int
	ExclusiveStartStreamName *string
	NextToken                *string
}

type listStreamsOutput struct {
	StreamNames     []string
	HasMoreStreams  bool
	NextToken       string `json:",omitempty"`
	StreamSummaries []streamSummary
}

type streamSummary struct {
	StreamName              string
	StreamARN               string
	StreamStatus            string
	StreamModeDetails       streamMode
	StreamCreationTimestamp timestamp
}

type hashKeyRange struct {
	StartingHashKey string
	EndingHashKey   string
}

type sequenceNumberRange struct {
	StartingSequenceNumber string
	EndingSequenceNumber   string `json:",omitempty"`
}

type shard struct {
	ShardId               string
	ParentShardId         string `json:",omitempty"`
	AdjacentParentShardId string `json:",omitempty"`
	HashKeyRange          hashKeyRange
	SequenceNumberRange   sequenceNumberRange
}

type shardFilter struct {
	Type      *string
	ShardId   *string
	Timestamp *timestamp
}

type listShardsInput struct {
	streamRef
	NextToken               *string
	ExclusiveStartShardId   *string
	MaxResults              *int
	StreamCreationTimestamp *timestamp
	ShardFilter             *shardFilter
}

type listShardsOutput struct {
	Shards    []shard
	NextToken string `json:",omitempty"`
}

type getShardIteratorInput struct {
	streamRef
	ShardId                *string
	ShardIteratorType      *string
	StartingSequenceNumber *string
	Timestamp              *timestamp
	DryRun                 bool
}

type getShardIteratorOutput struct {
	ShardIterator string
}

type getRecordsInput struct {
	ShardIterator *string
	Limit         *int
	StreamARN     *string
	DryRun        bool
}

type record struct {
	SequenceNumber              string
	ApproximateArrivalTimestamp timestamp
	Data                        []byte
	PartitionKey                string
}

type childShard struct {
	ShardId      string
	ParentShards []string
	HashKeyRange hashKeyRange
}

type getRecordsOutput struct {
	Records            []record
	NextShardIterator  string `json:",omitempty"`
	MillisBehindLatest int64
	ChildShards        []childShard `json:",omitempty"`
}

type putRecordInput struct {
	streamRef
	Data                      []byte
	PartitionKey              *string
	ExplicitHashKey           *string
	SequenceNumberForOrdering *string
	DryRun                    bool
}

type putRecordOutput struct {
	ShardId        string
	SequenceNumber string
}

type putRecordsEntry struct {
	Data            []byte
	PartitionKey    *string
	ExplicitHashKey *string
}

type putRecordsInput struct {
	streamRef
	Records []putRecordsEntry
	DryRun  bool
}

type putRecordsOutput struct {
	FailedRecordCount int
	Records           []putRecordOutput
}

type splitShardInput struct {
	streamRef
	ShardToSplit       *string
	NewStartingHashKey *string
}

type mergeShardsInput struct {
	streamRef
	ShardToMerge         *string
	AdjacentShardToMerge *string
}

type updateShardCountInput struct {
	streamRef
	TargetShardCount *int
	ScalingType      *string
}

type updateShardCountOutput struct {
	StreamName        string
	StreamARN         string
	CurrentShardCount int
	TargetShardCount  int
}
