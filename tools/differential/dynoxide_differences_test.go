package differential

// dynoxideDifferences are all steps that dynamolocal and dynoxide 3.2.0 answer differently,
// with the page that decides.
var dynoxideDifferences = []difference{
	{
		step:          `tables that are refused: no throughput`,
		ours:          `error ValidationException`,
		theirs:        `{"TableDescription":{"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"CreationDateTime":"time","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"TableArn":"arn:aws:dynamodb:place:table/refused","TableName":"refused","TableSizeBytes":0,"TableStatus":"ACTIVE"}}`,
		documentation: `API_CreateTable, BillingMode and ProvisionedThroughput: PROVISIONED is the default, and throughput must then be there`,
	},
	{
		step:          `a table of KCL: delete the table`,
		ours:          `{"TableDescription":{"AttributeDefinitions":[{"AttributeName":"leaseKey","AttributeType":"S"},{"AttributeName":"leaseOwner","AttributeType":"S"}],"BillingModeSummary":{"BillingMode":"PAY_PER_REQUEST"},"CreationDateTime":"time","GlobalSecondaryIndexes":[{"IndexName":"LeaseOwnerToLeaseKeyIndex","IndexStatus":"ACTIVE","KeySchema":[{"AttributeName":"leaseOwner","KeyType":"HASH"},{"AttributeName":"leaseKey","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"},"ProvisionedThroughput":{"ReadCapacityUnits":0,"WriteCapacityUnits":0}}],"KeySchema":[{"AttributeName":"leaseKey","KeyType":"HASH"}],"ProvisionedThroughput":{"ReadCapacityUnits":0,"WriteCapacityUnits":0},"TableArn":"arn:aws:dynamodb:place:table/kcl","TableName":"kcl","TableSizeBytes":95,"TableStatus":"DELETING"}}`,
		theirs:        `{"TableDescription":{"AttributeDefinitions":[{"AttributeName":"leaseKey","AttributeType":"S"},{"AttributeName":"leaseOwner","AttributeType":"S"}],"BillingModeSummary":{"BillingMode":"PAY_PER_REQUEST"},"CreationDateTime":"time","GlobalSecondaryIndexes":[{"IndexName":"LeaseOwnerToLeaseKeyIndex","IndexStatus":"ACTIVE","KeySchema":[{"AttributeName":"leaseOwner","KeyType":"HASH"},{"AttributeName":"leaseKey","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"},"ProvisionedThroughput":{"ReadCapacityUnits":0,"WriteCapacityUnits":0}}],"KeySchema":[{"AttributeName":"leaseKey","KeyType":"HASH"}],"ProvisionedThroughput":{"ReadCapacityUnits":0,"WriteCapacityUnits":0},"TableArn":"arn:aws:dynamodb:place:table/kcl","TableName":"kcl","TableSizeBytes":0,"TableStatus":"DELETING"}}`,
		documentation: `API_TableDescription, TableSizeBytes: not later than after six hours, with whatever status`,
	},
	{
		step:          `conditions: "attribute_type(n, :bad)" of the item`,
		ours:          `error ValidationException`,
		theirs:        `error ConditionalCheckFailedException`,
		documentation: `Expressions.OperatorsAndFunctions, attribute_type: the type must be one of ten; Programming.Errors: ValidationException`,
	},
	{
		step:          `conditions: "attribute_type(n, :bad)" of none`,
		ours:          `error ValidationException`,
		theirs:        `error ConditionalCheckFailedException`,
		documentation: `Expressions.OperatorsAndFunctions, attribute_type: the type must be one of ten; Programming.Errors: ValidationException`,
	},
	{
		step:          `conditions: "n = n" of the item`,
		ours:          `error ValidationException`,
		theirs:        `{}`,
		documentation: `no page: Expressions.OperatorsAndFunctions says it of contains (a, a), and the service answers for = too that the operands must be distinct`,
	},
	{
		step:          `conditions: "n = n" of none`,
		ours:          `error ValidationException`,
		theirs:        `error ConditionalCheckFailedException`,
		documentation: `no page: Expressions.OperatorsAndFunctions says it of contains (a, a), and the service answers for = too that the operands must be distinct`,
	},
	{
		step:          `settings: time to live again`,
		ours:          `error ValidationException`,
		theirs:        `{"TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}}`,
		documentation: `API_UpdateTimeToLive: more calls within an hour are a ValidationException`,
	},
	{
		step:          `settings: backups, off`,
		ours:          `{"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED","PointInTimeRecoveryDescription":{"PointInTimeRecoveryStatus":"DISABLED"}}}`,
		theirs:        `error UnknownOperationException`,
		documentation: `API_DescribeContinuousBackups, which dynoxide has not`,
	},
	{
		step:          `settings: backups`,
		ours:          `{"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED","PointInTimeRecoveryDescription":{"EarliestRestorableDateTime":"time","LatestRestorableDateTime":"time","PointInTimeRecoveryStatus":"ENABLED","RecoveryPeriodInDays":35}}}`,
		theirs:        `error UnknownOperationException`,
		documentation: `API_UpdateContinuousBackups, which dynoxide has not`,
	},
	{
		step:          `settings: backups, on`,
		ours:          `{"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED","PointInTimeRecoveryDescription":{"EarliestRestorableDateTime":"time","LatestRestorableDateTime":"time","PointInTimeRecoveryStatus":"ENABLED","RecoveryPeriodInDays":35}}}`,
		theirs:        `error UnknownOperationException`,
		documentation: `API_DescribeContinuousBackups, which dynoxide has not`,
	},
	{
		step:          `settings: backups of what is not there`,
		ours:          `error TableNotFoundException`,
		theirs:        `error UnknownOperationException`,
		documentation: `API_DescribeContinuousBackups, which dynoxide has not`,
	},
	{
		step:          `returns: update of none: ALL_OLD`,
		ours:          `{}`,
		theirs:        `{"Attributes":{"id":{"S":"fresh ALL_OLD"}}}`,
		documentation: `API_UpdateItem, ReturnValues: ALL_OLD returns the item as it was before, and there was none`,
	},
}
