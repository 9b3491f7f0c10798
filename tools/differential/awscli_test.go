//go:build unix

package differential

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// The AWS CLI, which parses answers by the service's model, works with each operation of
// kinesislocal but SubscribeToShard, which the CLI does not have.
func TestAWSCLI(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	server, err := kinesislocal.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	aws := startAWS(t, server.URL())
	run := func(operation string, args ...string) (out map[string]any, stderr string) {
		t.Helper()
		stdout, stderr := aws(append([]string{"kinesis", operation}, args...)...)
		if stderr == "" && stdout != "" {
			if err := json.Unmarshal([]byte(stdout), &out); err != nil {
				t.Fatalf("%s: %v\n%s", operation, err, stdout)
			}
		}
		return out, stderr
	}
	ok := func(operation string, args ...string) map[string]any {
		t.Helper()
		out, stderr := run(operation, args...)
		if stderr != "" {
			t.Fatalf("aws kinesis %s %s: %s", operation, strings.Join(args, " "), stderr)
		}
		return out
	}
	text := func(v map[string]any, keys ...string) string {
		t.Helper()
		var at any = v
		for _, key := range keys {
			m, _ := at.(map[string]any)
			at = m[key]
		}
		s, isText := at.(string)
		if !isText {
			t.Fatalf("no text at %v in %v", keys, v)
		}
		return s
	}

	ok("create-stream", "--stream-name", "cli", "--shard-count", "2")
	ok("wait", "stream-exists", "--stream-name", "cli")
	arn := text(ok("describe-stream-summary", "--stream-name", "cli"), "StreamDescriptionSummary", "StreamARN")
	ok("describe-stream", "--stream-arn", arn)
	ok("list-streams")
	put := ok("put-record", "--stream-name", "cli", "--partition-key", "k", "--data", "aGVsbG8=")
	ok("put-records", "--stream-arn", arn, "--records", "Data=aGVsbG8=,PartitionKey=a", "Data=aGVsbG8=,PartitionKey=b,ExplicitHashKey=0")
	iterator := text(ok("get-shard-iterator", "--stream-name", "cli", "--shard-id", text(put, "ShardId"),
		"--shard-iterator-type", "AT_SEQUENCE_NUMBER", "--starting-sequence-number", text(put, "SequenceNumber")), "ShardIterator")
	got := ok("get-records", "--shard-iterator", iterator)
	if records, _ := got["Records"].([]any); len(records) == 0 || text(records[0].(map[string]any), "PartitionKey") != "k" {
		t.Errorf("get-records: %v", got)
	}

	ok("split-shard", "--stream-name", "cli", "--shard-to-split", *shard(0), "--new-starting-hash-key", "1000")
	ok("merge-shards", "--stream-name", "cli", "--shard-to-merge", *shard(2), "--adjacent-shard-to-merge", *shard(3))
	ok("update-shard-count", "--stream-name", "cli", "--target-shard-count", "4", "--scaling-type", "UNIFORM_SCALING")
	open := ok("list-shards", "--stream-name", "cli", "--shard-filter", "Type=AT_LATEST")
	if shards, _ := open["Shards"].([]any); len(shards) != 4 {
		t.Errorf("list-shards at latest: %v", open)
	}

	consumer := text(ok("register-stream-consumer", "--stream-arn", arn, "--consumer-name", "one"), "Consumer", "ConsumerARN")
	ok("describe-stream-consumer", "--consumer-arn", consumer)
	ok("list-stream-consumers", "--stream-arn", arn)
	ok("deregister-stream-consumer", "--consumer-arn", consumer)

	ok("increase-stream-retention-period", "--stream-name", "cli", "--retention-period-hours", "48")
	ok("decrease-stream-retention-period", "--stream-name", "cli", "--retention-period-hours", "24")
	ok("add-tags-to-stream", "--stream-name", "cli", "--tags", "team=blue")
	ok("list-tags-for-stream", "--stream-name", "cli")
	ok("remove-tags-from-stream", "--stream-name", "cli", "--tag-keys", "team")
	ok("tag-resource", "--resource-arn", arn, "--tags", "team=red")
	ok("list-tags-for-resource", "--resource-arn", arn)
	ok("untag-resource", "--resource-arn", arn, "--tag-keys", "team")
	ok("start-stream-encryption", "--stream-name", "cli", "--encryption-type", "KMS", "--key-id", "alias/aws/kinesis")
	ok("stop-stream-encryption", "--stream-name", "cli", "--encryption-type", "KMS", "--key-id", "alias/aws/kinesis")
	ok("update-max-record-size", "--stream-arn", arn, "--max-record-size-in-ki-b", "2048")
	ok("update-stream-mode", "--stream-arn", arn, "--stream-mode-details", "StreamMode=ON_DEMAND")

	if _, stderr := run("describe-stream", "--stream-name", "none"); !strings.Contains(stderr, "ResourceNotFoundException") {
		t.Errorf("a stream that is not there: %s", stderr)
	}
	ok("delete-stream", "--stream-name", "cli", "--enforce-consumer-deletion")
	ok("wait", "stream-not-exists", "--stream-name", "cli")
}

// startAWS starts testdata/aws.py. It returns a function that runs the command aws for an
// endpoint and returns its output, or its standard error if it fails.
func startAWS(t *testing.T, endpoint string) func(args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(awsCLI(t), "testdata/aws.py")
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_PAGER=",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process, err := subprocess.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Stop(0) })
	commands, answers := json.NewEncoder(stdin), json.NewDecoder(stdout)
	return func(args ...string) (string, string) {
		t.Helper()
		var answer struct {
			Status         int
			Stdout, Stderr string
		}
		err := commands.Encode(append([]string{"--endpoint-url", endpoint, "--region", "us-east-1", "--output", "json"}, args...))
		if err == nil {
			err = answers.Decode(&answer)
		}
		if err != nil {
			t.Fatalf("aws %v: %v", args, err)
		}
		if answer.Status == 0 {
			return answer.Stdout, ""
		}
		if answer.Stderr == "" {
			t.Fatalf("aws %v: status %d without a word", args, answer.Status)
		}
		return "", answer.Stderr
	}
}
