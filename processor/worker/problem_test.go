package worker

import (
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

func TestExplain(t *testing.T) {
	const model = "software.amazon.awssdk.services.kinesis.model."
	for name, c := range map[string]struct {
		operation    string
		causes       []engine.Cause
		text, advice string // a part of the advice
	}{
		"nothing": {"GetRecords", nil, "GetRecords failed", "KCL's log"},
		"unknown, the innermost": {
			"GetRecords",
			[]engine.Cause{{Class: "a.Outer", Message: "out"}, {Class: "a.B$Inner"}},
			"GetRecords: Inner", "KCL keeps trying",
		},
		"the innermost that is known": {
			"SubscribeToShard",
			[]engine.Cause{{Class: "a.Outer", Message: "out"}, {Class: model + "ResourceNotFoundException", Message: "no\nconsumer"}, {Class: "a.Inner", Message: "in"}},
			"SubscribeToShard: ResourceNotFoundException: no consumer", "list-stream-consumers",
		},
		"a stream that is not there": {"GetRecords", []engine.Cause{{Class: model + "ResourceNotFoundException"}}, "GetRecords: ResourceNotFoundException", "kcl-infra status"},
		"denied, by the operation":   {"SubscribeToShard", []engine.Cause{{Class: model + "AccessDeniedException", Message: "no"}}, "SubscribeToShard: AccessDeniedException: no", "allow kinesis:SubscribeToShard"},
		"denied, by the message": {
			"GetRecords",
			[]engine.Cause{{Class: model + "AccessDeniedException", Message: "x is not authorized to perform: kinesis:GetShardIterator on y"}},
			"GetRecords: AccessDeniedException: x is not authorized to perform: kinesis:GetShardIterator on y", "allow kinesis:GetShardIterator",
		},
		"a key":               {"GetRecords", []engine.Cause{{Class: model + "KmsAccessDeniedException"}}, "GetRecords: KmsAccessDeniedException", "allow kms:Decrypt"},
		"an expired iterator": {"GetRecords", []engine.Cause{{Class: model + "ExpiredIteratorException"}}, "GetRecords: ExpiredIteratorException", "by itself"},
		"a disabled key":      {"GetRecords", []engine.Cause{{Class: model + "KmsDisabledException"}}, "GetRecords: KmsDisabledException", "enable the key"},
		"a key that is gone":  {"SubscribeToShard", []engine.Cause{{Class: model + "KmsNotFoundException"}}, "SubscribeToShard: KmsNotFoundException", "cannot be used"},
		"without the request's ID": {
			"GetRecords",
			[]engine.Cause{{Class: model + "KmsThrottlingException", Message: "slow (very). (Service: Kinesis, Status Code: 400, Request ID: 4f21, Extended Request ID: a=) (SDK Attempt Count: 4)"}},
			"GetRecords: KmsThrottlingException: slow (very).", "throttles",
		},
		"no end": {
			"ShardEnd",
			[]engine.Cause{{Class: "com.github.seed96110120.kinesis.Ends$OpenShardException", Message: "m"}},
			"ShardEnd: OpenShardException: m", "list-stream-consumers",
		},
		"the end of another stream's shard": {
			"Initialize",
			[]engine.Cause{{Class: "com.github.seed96110120.kinesis.Ends$OpenShardException", Message: "m"}},
			"Initialize: OpenShardException: m", "kcl-infra delete --application app",
		},
		"throughput": {"GetRecords", []engine.Cause{{Class: model + "ProvisionedThroughputExceededException"}}, "GetRecords: ProvisionedThroughputExceededException", "FanOut"},
		"a checkpoint that the stream cannot have": {
			"Initialize",
			[]engine.Cause{{Class: model + "InvalidArgumentException", Message: "StartingSequenceNumber 4 is invalid"}},
			"Initialize: InvalidArgumentException: StartingSequenceNumber 4 is invalid", "kcl-infra delete --application app",
		},
		"another invalid argument": {"GetRecords", []engine.Cause{{Class: model + "InvalidArgumentException"}}, "GetRecords: InvalidArgumentException", "KCL keeps trying"},
		"no network":               {"GetRecords", []engine.Cause{{Class: "java.net.UnknownHostException", Message: "h"}}, "GetRecords: UnknownHostException: h", "endpoint"},
	} {
		text, advice := explain(c.operation, Status{Application: "app", Streams: []string{"orders"}}, "orders", c.causes)
		if text != c.text || !strings.Contains(advice, c.advice) {
			t.Errorf("%s: text %q, advice %q, want %q and %q in it", name, text, advice, c.text, c.advice)
		}
	}
}
