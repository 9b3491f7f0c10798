package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

const (
	owner  = "111111111111"
	reader = "222222222222"
)

// shared is a service in which the account owner has a stream s with a consumer c.
type shared struct {
	t                        *testing.T
	h                        *Handler
	stream, consumer, record string // ARNs, and an iterator
}

func newShared(t *testing.T) *shared {
	t.Helper()
	f := &shared{t: t, h: newHandler(t), stream: "arn:aws:kinesis:us-east-1:" + owner + ":stream/s"}
	f.must(owner, "CreateStream", `{"StreamName": "s", "ShardCount": 2}`)
	out := f.must(owner, "RegisterStreamConsumer", `{"StreamARN": "STREAM", "ConsumerName": "c"}`)
	f.consumer = out["Consumer"].(map[string]any)["ConsumerARN"].(string)
	out = f.must(owner, "GetShardIterator", `{"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}`)
	f.record = out["ShardIterator"].(string)
	return f
}

// call calls an operation as an account. It replaces STREAM, CONSUMER and
// ITERATOR in the body.
func (f *shared) call(account, operation, body string) (out map[string]any, code string) {
	f.t.Helper()
	body = strings.NewReplacer("STREAM", f.stream, "CONSUMER", f.consumer, "ITERATOR", f.record).Replace(body)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", targetPrefix+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+account+"/20261130/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0")
	if operation == "SubscribeToShard" { // the response would take five minutes
		ctx, cancel := context.WithCancel(f.t.Context())
		cancel()
		r = r.WithContext(ctx)
	}
	w := httptest.NewRecorder()
	f.h.ServeHTTP(w, r)
	if w.Code == http.StatusOK && operation == "SubscribeToShard" {
		return nil, ""
	}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			f.t.Fatal(err)
		}
	}
	return out, w.Header().Get("x-amzn-ErrorType")
}

func (f *shared) must(account, operation, body string) map[string]any {
	f.t.Helper()
	out, code := f.call(account, operation, body)
	if code != "" {
		f.t.Fatalf("%s of %s: %v", operation, account, out)
	}
	return out
}

// share gives the stream and the consumer a policy for all operations that can be
// shared.
func (f *shared) share(effect, with string) {
	f.t.Helper()
	for arn, actions := range map[string][]string{
		f.stream:   {"DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards", "PutRecord", "PutRecords"},
		f.consumer: {"DescribeStreamConsumer", "SubscribeToShard"},
	} {
		policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": {"Effect": %q, "Principal": {"AWS": %q}, "Action": ["kinesis:%s"], "Resource": %q}}`,
			effect, with, strings.Join(actions, `", "kinesis:`), arn)
		f.must(owner, "PutResourcePolicy", fmt.Sprintf(`{"ResourceARN": %q, "Policy": %q}`, arn, policy))
	}
}

// Each operation on a stream or consumer is called by its own account and by
// another account.
//
// Guarantee: A stream of another account can be used only by its ARN, and only
// as the policy of the stream or of its consumer allows.
func TestOperationsAcrossAccounts(t *testing.T) {
	t.Parallel()
	type row struct {
		byARN  string
		byName string // the same with a name instead of the ARN; "" where the operation takes no name
		shared bool   // whether a policy can share it
	}
	ref := func(more string, shared bool) row {
		return row{`{"StreamARN": "STREAM"` + more + `}`, `{"StreamName": "s"` + more + `}`, shared}
	}
	const key = `, "EncryptionType": "KMS", "KeyId": "k"`
	table := map[string]row{
		"AddTagsToStream":               ref(`, "Tags": {"a": "b"}`, false),
		"DecreaseStreamRetentionPeriod": ref(`, "RetentionPeriodHours": 24`, false),
		"DeleteResourcePolicy":          {`{"ResourceARN": "STREAM"}`, "", false},
		"DeleteStream":                  ref(`, "EnforceConsumerDeletion": true`, false),
		"DeregisterStreamConsumer":      {`{"ConsumerARN": "CONSUMER"}`, "", false},
		"DescribeStream":                ref("", true),
		"DescribeStreamConsumer":        {`{"ConsumerARN": "CONSUMER"}`, "", true},
		"DescribeStreamSummary":         ref("", true),
		"DisableEnhancedMonitoring":     ref(`, "ShardLevelMetrics": ["ALL"]`, false),
		"EnableEnhancedMonitoring":      ref(`, "ShardLevelMetrics": ["ALL"]`, false),
		"GetRecords":                    {`{"ShardIterator": "ITERATOR", "StreamARN": "STREAM"}`, "", true},
		"GetResourcePolicy":             {`{"ResourceARN": "CONSUMER"}`, "", false},
		"GetShardIterator":              ref(`, "ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"`, true),
		"IncreaseStreamRetentionPeriod": ref(`, "RetentionPeriodHours": 48`, false),
		"ListShards":                    ref("", true),
		"ListStreamConsumers":           {`{"StreamARN": "STREAM"}`, "", false},
		"ListTagsForResource":           {`{"ResourceARN": "STREAM"}`, "", false},
		"ListTagsForStream":             ref("", false),
		"MergeShards":                   ref(`, "ShardToMerge": "shardId-000000000000", "AdjacentShardToMerge": "shardId-000000000001"`, false),
		"PutRecord":                     ref(`, "PartitionKey": "k", "Data": "AAEC"`, true),
		"PutRecords":                    ref(`, "Records": [{"PartitionKey": "k", "Data": "AAEC"}]`, true),
		"PutResourcePolicy": {`{"ResourceARN": "STREAM", "Policy": "{\"Statement\": {\"Effect\": \"Allow\", \"Principal\": {\"AWS\": \"222222222222\"},` +
			` \"Action\": \"kinesis:GetRecords\", \"Resource\": \"STREAM\"}}"}`, "", false},
		"RegisterStreamConsumer": {`{"StreamARN": "STREAM", "ConsumerName": "d"}`, "", false},
		"RemoveTagsFromStream":   ref(`, "TagKeys": ["a"]`, false),
		"SplitShard":             ref(`, "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "1000"`, false),
		"StartStreamEncryption":  ref(key, false),
		"StopStreamEncryption":   ref(key, false),
		"SubscribeToShard":       {`{"ConsumerARN": "CONSUMER", "ShardId": "shardId-000000000000", "StartingPosition": {"Type": "LATEST"}}`, "", true},
		"TagResource":            {`{"ResourceARN": "CONSUMER", "Tags": {"a": "b"}}`, "", false},
		"UntagResource":          {`{"ResourceARN": "STREAM", "TagKeys": ["a"]}`, "", false},
		"UpdateMaxRecordSize":    {`{"StreamARN": "STREAM", "MaxRecordSizeInKiB": 2048}`, "", false},
		"UpdateShardCount":       ref(`, "TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING"`, false),
		"UpdateStreamMode":       {`{"StreamARN": "STREAM", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}`, "", false},
	}
	const denied, notFound = string(core.AccessDenied), string(core.ResourceNotFound)
	ofAccounts := []string{"CreateStream", "DescribeLimits", "ListStreams"}
	for _, operation := range slices.Sorted(maps.Keys(operations)) {
		row, ok := table[operation]
		if !ok {
			if !slices.Contains(ofAccounts, operation) {
				t.Errorf("%s is not in the table", operation)
			}
			continue
		}
		want := denied
		if row.shared {
			want = ""
		}
		for _, c := range []struct {
			name          string
			account, body string
			effect, with  string // of the policy, "" for none
			want          string
		}{
			{"own by ARN", owner, row.byARN, "Allow", reader, ""},
			{"own by name", owner, row.byName, "", "", ""},
			{"foreign, allowed", reader, row.byARN, "Allow", reader, want},
			{"foreign, allowed to its role", reader, row.byARN, "Allow", "arn:aws:iam::" + reader + ":role/r", want},
			{"foreign, without a policy", reader, row.byARN, "", "", denied},
			{"foreign, allowed to others", reader, row.byARN, "Allow", "333333333333", denied},
			{"foreign, denied", reader, row.byARN, "Deny", reader, denied},
			{"foreign by name", reader, row.byName, "Allow", reader, notFound},
			{"foreign, of no account", "local", row.byARN, "", "", denied},
		} {
			if c.body == "" || c.effect == "" && c.account == owner && strings.HasSuffix(operation, "ResourcePolicy") && operation != "PutResourcePolicy" {
				continue
			}
			f := newShared(t)
			if c.effect != "" {
				f.share(c.effect, c.with)
			}
			out, code := f.call(c.account, operation, c.body)
			if code != c.want {
				t.Errorf("%s, %s: %q, want %q: %v", operation, c.name, code, c.want, out)
			}
			if message, _ := out["message"].(string); code == denied && !strings.Contains(message, "is not authorized to perform: kinesis:"+operation+" on resource: arn:aws:kinesis:us-east-1:"+owner) {
				t.Errorf("%s, %s: %s", operation, c.name, message)
			}
		}
	}
}

// A name without an ARN is in the caller's account.
func TestAccountsHaveTheirOwn(t *testing.T) {
	t.Parallel()
	f := newShared(t)
	f.share("Allow", reader)
	f.must(reader, "CreateStream", `{"StreamName": "s", "ShardCount": 1}`) // the same name
	f.must(reader, "CreateStream", `{"StreamName": "mine", "ShardCount": 4}`)
	for account, want := range map[string][2]string{
		owner:          {"[s]", "2"},
		reader:         {"[mine s]", "5"},
		"333333333333": {"[]", "0"},
		"local":        {"[s]", "2"}, // newHandler's
	} {
		if got := f.must(account, "ListStreams", "{}")["StreamNames"]; fmt.Sprint(got) != want[0] {
			t.Errorf("streams of %s: %v, want %s", account, got, want[0])
		}
		if got := f.must(account, "DescribeLimits", "{}")["OpenShardCount"]; fmt.Sprint(got) != want[1] {
			t.Errorf("open shards of %s: %v, want %s", account, got, want[1])
		}
	}

	// The record goes to the stream of the ARN only.
	f.must(reader, "PutRecord", `{"StreamName": "s", "StreamARN": "STREAM", "PartitionKey": "k", "Data": "AAEC", "ExplicitHashKey": "0"}`)
	const position = `, "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}`
	records := func(ref, more string) int {
		t.Helper()
		f.record = f.must(reader, "GetShardIterator", `{`+ref+position)["ShardIterator"].(string)
		return len(f.must(reader, "GetRecords", `{"ShardIterator": "ITERATOR"`+more+`}`)["Records"].([]any))
	}
	if n := records(`"StreamName": "s"`, ""); n != 0 {
		t.Errorf("%d records of another account by the name", n)
	}
	if n := records(`"StreamARN": "STREAM"`, `, "StreamARN": "STREAM"`); n != 1 {
		t.Errorf("%d records by the ARN", n)
	}

	// Iterators and tokens of another account's stream work only with its ARN.
	token := f.must(reader, "ListShards", `{"StreamARN": "STREAM", "MaxResults": 1}`)["NextToken"].(string)
	f.must(reader, "ListShards", `{"StreamARN": "STREAM", "NextToken": "`+token+`"}`)
	own := strings.Replace(f.stream, owner, reader, 1)
	for body, want := range map[[2]string]core.Code{
		{"GetRecords", `{"ShardIterator": "ITERATOR"}`}:                                       core.AccessDenied,
		{"GetRecords", `{"ShardIterator": "ITERATOR", "StreamARN": "` + own + `"}`}:           core.InvalidArgument,
		{"ListShards", `{"NextToken": "` + token + `"}`}:                                      core.InvalidArgument,
		{"DescribeStreamConsumer", `{"ConsumerARN": "CONSUMER", "StreamARN": "` + own + `"}`}: core.InvalidArgument,
		// A consumer of another account can be named only by its ARN.
		{"DescribeStreamConsumer", `{"StreamARN": "STREAM", "ConsumerName": "c"}`}: core.AccessDenied,
		{"DescribeStreamConsumer", `{"ConsumerARN": "CONSUMER7"}`}:                 core.AccessDenied,
	} {
		if out, code := f.call(reader, body[0], body[1]); code != string(want) {
			t.Errorf("%s: %q, want %q: %v", body, code, want, out)
		}
	}
}

func TestResourcePolicies(t *testing.T) {
	t.Parallel()
	for _, ofConsumer := range []bool{false, true} {
		f := newShared(t)
		arn := f.stream
		if ofConsumer {
			arn = f.consumer
		}
		ref := fmt.Sprintf(`{"ResourceARN": %q}`, arn)
		put := func(policy string) (map[string]any, string) {
			return f.call(owner, "PutResourcePolicy", fmt.Sprintf(`{"ResourceARN": %q, "Policy": %q}`, arn, policy))
		}
		for _, operation := range []string{"GetResourcePolicy", "DeleteResourcePolicy"} {
			if out, code := f.call(owner, operation, ref); code != string(core.ResourceNotFound) {
				t.Errorf("%s without one: %v", operation, out)
			}
		}
		f.share("Allow", reader)
		text := f.must(owner, "GetResourcePolicy", ref)["Policy"].(string)
		for _, bad := range []string{"", "{}", strings.Replace(text, reader, "*", 1), strings.Repeat(" ", 20<<10) + text} {
			if out, code := put(bad); code != string(core.InvalidArgument) || strings.Contains(out["message"].(string), "\n") {
				t.Errorf("policy %q: %v", bad, out)
			}
		}
		if got := f.must(owner, "GetResourcePolicy", ref)["Policy"]; got != text {
			t.Errorf("refused policies changed it to %s", got)
		}
		f.must(owner, "DeleteResourcePolicy", ref)
	}
	f := newShared(t)
	f.share("Allow", reader)
	f.must(owner, "DeleteResourcePolicy", `{"ResourceARN": "STREAM"}`)
	if out, code := f.call(reader, "DescribeStreamSummary", `{"StreamARN": "STREAM"}`); code != string(core.AccessDenied) {
		t.Errorf("with its policy deleted: %v", out)
	}
	// An explicit deny applies to the owner too, who can delete it.
	f.share("Deny", owner)
	if out, code := f.call(owner, "DescribeStreamSummary", `{"StreamName": "s"}`); code != string(core.AccessDenied) || !strings.Contains(out["message"].(string), "explicit deny") {
		t.Errorf("denied to the owner: %v", out)
	}
	f.must(owner, "DeleteResourcePolicy", `{"ResourceARN": "STREAM"}`)
	f.must(owner, "DescribeStreamSummary", `{"StreamName": "s"}`)
}
