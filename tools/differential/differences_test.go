package differential

// A difference is a call that kinesislocal and kinesis-local answer differently.
type difference struct {
	// step is the names of the script and the step.
	step string
	// ours and theirs are the normalised answers of kinesislocal and kinesis-local.
	ours, theirs string
	// documentation names the pages of the service's API reference
	// (docs.aws.amazon.com/kinesis/latest/APIReference) that decide, and what they say.
	documentation string
}

var differences = []difference{
	{
		step:          `streams: summary`,
		ours:          `{"StreamDescriptionSummary":{"ConsumerCount":0,"EnhancedMonitoring":[null],"MaxRecordSizeInKiB":1024,"OpenShardCount":3,"RetentionPeriodHours":24,"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/streams","StreamCreationTimestamp":"time","StreamModeDetails":{"StreamMode":"PROVISIONED"},"StreamName":"streams","StreamStatus":"ACTIVE"}}`,
		theirs:        `{"StreamDescriptionSummary":{"ConsumerCount":0,"EnhancedMonitoring":[null],"OpenShardCount":3,"RetentionPeriodHours":24,"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/streams","StreamCreationTimestamp":"time","StreamModeDetails":{"StreamMode":"PROVISIONED"},"StreamName":"streams","StreamStatus":"ACTIVE"}}`,
		documentation: `API_StreamDescriptionSummary: MaxRecordSizeInKiB, which kinesis-local does not know`,
	},
	{
		step:          `streams: summary by ARN`,
		ours:          `{"StreamDescriptionSummary":{"ConsumerCount":0,"EnhancedMonitoring":[null],"MaxRecordSizeInKiB":1024,"OpenShardCount":3,"RetentionPeriodHours":24,"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/streams","StreamCreationTimestamp":"time","StreamModeDetails":{"StreamMode":"PROVISIONED"},"StreamName":"streams","StreamStatus":"ACTIVE"}}`,
		theirs:        `{"StreamDescriptionSummary":{"ConsumerCount":0,"EnhancedMonitoring":[null],"OpenShardCount":3,"RetentionPeriodHours":24,"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/streams","StreamCreationTimestamp":"time","StreamModeDetails":{"StreamMode":"PROVISIONED"},"StreamName":"streams","StreamStatus":"ACTIVE"}}`,
		documentation: `API_StreamDescriptionSummary: MaxRecordSizeInKiB, which kinesis-local does not know`,
	},
	{
		step:          `stream limits: create with a name with a space`,
		ours:          `error ValidationException`,
		theirs:        `error InvalidArgumentException`,
		documentation: `API_CreateStream: the pattern and length of StreamName, the minimum of ShardCount; CommonErrors: ValidationError`,
	},
	{
		step:          `stream limits: create with a name too long`,
		ours:          `error ValidationException`,
		theirs:        `error InvalidArgumentException`,
		documentation: `API_CreateStream: the pattern and length of StreamName, the minimum of ShardCount; CommonErrors: ValidationError`,
	},
	{
		step:          `stream limits: create with no shards`,
		ours:          `error ValidationException`,
		theirs:        `error LimitExceededException`,
		documentation: `API_CreateStream: the pattern and length of StreamName, the minimum of ShardCount; CommonErrors: ValidationError`,
	},
	{
		step:          `iterators: an invalid type`,
		ours:          `error ValidationException`,
		theirs:        `error SerializationException`,
		documentation: `API_GetShardIterator: the valid values of ShardIteratorType; CommonErrors: ValidationError`,
	},
	{
		step:          `iterators: a sequence number that is none`,
		ours:          `error ValidationException`,
		theirs:        `error InvalidArgumentException`,
		documentation: `API_GetShardIterator: the pattern of StartingSequenceNumber; CommonErrors: ValidationError`,
	},
	{
		step:          `iterators: an iterator that is none`,
		ours:          `error InvalidArgumentException`,
		theirs:        `error UnknownError`,
		documentation: `API_GetRecords: InvalidArgumentException, "A specified parameter exceeds its restrictions, is not supported, or can't be used"; kinesis-local answers 500`,
	},
	{
		step:          `split and merge: split a closed shard`,
		ours:          `error InvalidArgumentException`,
		theirs:        `error ResourceInUseException`,
		documentation: `API_SplitShard: ResourceInUseException is for a stream that is not ACTIVE; a closed shard is an InvalidArgumentException`,
	},
	{
		step:          `update shard count: double`,
		ours:          `{"CurrentShardCount":2,"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/scaled","StreamName":"scaled","TargetShardCount":4}`,
		theirs:        `{"CurrentShardCount":2,"StreamName":"scaled","TargetShardCount":4}`,
		documentation: `API_UpdateShardCount, response: StreamARN`,
	},
	{
		step:          `update shard count: halve`,
		ours:          `{"CurrentShardCount":4,"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/scaled","StreamName":"scaled","TargetShardCount":2}`,
		theirs:        `{"CurrentShardCount":4,"StreamName":"scaled","TargetShardCount":2}`,
		documentation: `API_UpdateShardCount, response: StreamARN`,
	},
	{
		step:          `update shard count: less than half`,
		ours:          `error ValidationException`,
		theirs:        `error InvalidArgumentException`,
		documentation: `API_UpdateShardCount: the minimum of TargetShardCount is 1; CommonErrors: ValidationError`,
	},
	{
		step:          `update shard count: ranges of the open shards`,
		ours:          `[{"EndingHashKey":"170141183460469231731687303715884105727","StartingHashKey":"0"},{"EndingHashKey":"340282366920938463463374607431768211455","StartingHashKey":"170141183460469231731687303715884105728"}]`,
		theirs:        `[{"EndingHashKey":"170141183460469231731687303715884105726","StartingHashKey":"0"},{"EndingHashKey":"340282366920938463463374607431768211455","StartingHashKey":"170141183460469231731687303715884105727"}]`,
		documentation: `API_HashKeyRange with the key space of 2^128 that API_CreateStream divides evenly: the first half ends at 2^127-1; kinesis-local is one off`,
	},
	{
		step:          `list shards: at trim horizon`,
		ours:          `["shardId-000000000000","shardId-000000000001"]`,
		theirs:        `["shardId-000000000000","shardId-000000000001","shardId-000000000002","shardId-000000000003"]`,
		documentation: `API_ShardFilter: which shards were open at the time that the filter names; kinesis-local lists all`,
	},
	{
		step:          `list shards: an invalid filter`,
		ours:          `error ValidationException`,
		theirs:        `error SerializationException`,
		documentation: `API_ShardFilter: the valid values of Type; CommonErrors: ValidationError`,
	},
	{
		step:          `consumers: list`,
		ours:          `{"Consumers":[{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/fan-out/consumer/one:time","ConsumerCreationTimestamp":"time","ConsumerName":"one","ConsumerStatus":"ACTIVE"}]}`,
		theirs:        `{"Consumers":[{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/fan-out/consumer/one:time","ConsumerCreationTimestamp":"time","ConsumerName":"one","ConsumerStatus":"ACTIVE"}],"NextToken":"token"}`,
		documentation: `API_ListStreamConsumers: NextToken is there when more consumers are than the answer has`,
	},
	{
		step:          `consumers: deregister`,
		ours:          `{}`,
		theirs:        `error ResourceNotFoundException`,
		documentation: `API_DeregisterStreamConsumer: the consumer's name and the stream's ARN name it`,
	},
	{
		step:          `tags: a key too long`,
		ours:          `error ValidationException`,
		theirs:        `error InvalidArgumentException`,
		documentation: `API_AddTagsToStream: the maximum length of a key; CommonErrors: ValidationError`,
	},
	{
		step:          `records that are refused: a key that is too long`,
		ours:          `error ValidationException`,
		theirs:        `error InvalidArgumentException`,
		documentation: `API_PutRecord: the lengths of PartitionKey, the pattern of ExplicitHashKey; CommonErrors: ValidationError`,
	},
	{
		step:          `records that are refused: an empty key`,
		ours:          `error ValidationException`,
		theirs:        `error InvalidArgumentException`,
		documentation: `API_PutRecord: the lengths of PartitionKey, the pattern of ExplicitHashKey; CommonErrors: ValidationError`,
	},
	{
		step:          `records that are refused: a hash key that is none`,
		ours:          `error ValidationException`,
		theirs:        `error UnknownError`,
		documentation: `API_PutRecord: the lengths of PartitionKey, the pattern of ExplicitHashKey; CommonErrors: ValidationError`,
	},
	{
		step:          `records that are refused: 501 records`,
		ours:          `error ValidationException`,
		theirs:        `null`,
		documentation: `API_PutRecords: 1 to 500 array members; CommonErrors: ValidationError`,
	},
	{
		step:          `records that are refused: no records`,
		ours:          `error ValidationException`,
		theirs:        `null`,
		documentation: `API_PutRecords: 1 to 500 array members; CommonErrors: ValidationError`,
	},
	{
		step:          `records that are refused: a limit that is too high`,
		ours:          `error ValidationException`,
		theirs:        `error UnknownError`,
		documentation: `API_GetRecords: the maximum of Limit; CommonErrors: ValidationError`,
	},
}
