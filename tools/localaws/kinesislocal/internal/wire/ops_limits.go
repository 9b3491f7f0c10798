package wire

import (
	"slices"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

func (in *describeLimitsInput) check(*constraints) {}

// onDemandLimit is how many on-demand streams an account can have on AWS. It is not
// enforced here.
const onDemandLimit = 50

func describeLimits(c *call, _ *describeLimitsInput) (*describeLimitsOutput, error) {
	shards, onDemand := c.account.Limits()
	return &describeLimitsOutput{
		ShardLimit: ptr(int32(core.MaxShards)), OpenShardCount: ptr(int32(shards)),
		OnDemandStreamCount: ptr(int32(onDemand)), OnDemandStreamCountLimit: ptr(int32(onDemandLimit)),
	}, nil
}

var metrics = []string{
	"IncomingBytes", "IncomingRecords", "IteratorAgeMilliseconds", "OutgoingBytes", "OutgoingRecords",
	"ReadProvisionedThroughputExceeded", "WriteProvisionedThroughputExceeded",
}

const allMetrics = "ALL"

func (c *constraints) metrics(ref streamRef, wanted []string) {
	c.stream(ref)
	c.required("shardLevelMetrics", wanted != nil)
	if wanted != nil && len(wanted) == 0 {
		c.violate("'[]' ", "shardLevelMetrics", "have length greater than or equal to 1")
	}
	for _, m := range wanted {
		oneOf(c, "shardLevelMetrics", &m, append([]string{allMetrics}, metrics...))
	}
}

func (in *enableEnhancedMonitoringInput) check(c *constraints) {
	c.metrics(in.streamRef, in.ShardLevelMetrics)
}

func (in *disableEnhancedMonitoringInput) check(c *constraints) {
	c.metrics(in.streamRef, in.ShardLevelMetrics)
}

func enableEnhancedMonitoring(c *call, in *enableEnhancedMonitoringInput) (*enableEnhancedMonitoringOutput, error) {
	name, arn, before, after, err := setMetrics(c, in.streamRef, in.ShardLevelMetrics, true)
	return &enableEnhancedMonitoringOutput{
		StreamName: &name, StreamARN: &arn, CurrentShardLevelMetrics: before, DesiredShardLevelMetrics: after,
	}, err
}

func disableEnhancedMonitoring(c *call, in *disableEnhancedMonitoringInput) (*disableEnhancedMonitoringOutput, error) {
	name, arn, before, after, err := setMetrics(c, in.streamRef, in.ShardLevelMetrics, false)
	return &disableEnhancedMonitoringOutput{
		StreamName: &name, StreamARN: &arn, CurrentShardLevelMetrics: before, DesiredShardLevelMetrics: after,
	}, err
}

func setMetrics(c *call, ref streamRef, wanted []string, on bool) (name, arn string, before, after []string, err error) {
	of, name, err := c.resolve(ref)
	if err != nil {
		return "", "", nil, nil, err
	}
	sum, err := of.Describe(name)
	if err != nil {
		return "", "", nil, nil, err
	}
	if slices.Contains(wanted, allMetrics) {
		wanted = metrics
	}
	before, after, err = of.SetMetrics(name, wanted, on)
	return name, sum.ARN, append([]string{}, before...), append([]string{}, after...), err
}
