package worker

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

// explain returns a line about what failed in KCL, and another about what to do. stream
// is as in [ShardStatus]. causes are outermost first: the innermost known one explains
// most.
func explain(operation string, status Status, stream string, causes []engine.Cause) (text, advice string) {
	if len(causes) == 0 {
		return operation + " failed", "KCL's log may say why"
	}
	cause := causes[len(causes)-1]
	advice = "KCL keeps trying; its log has more"
	for _, c := range slices.Backward(causes) {
		if a := adviceOn(c, operation, status, stream); a != "" {
			cause, advice = c, a
			break
		}
	}
	text = operation + ": " + simpleName(cause.Class)
	// Without the details that differ each time, so that equal problems look equal.
	if message := serviceDetails.ReplaceAllString(cause.Message, ""); message != "" {
		text += ": " + message
	}
	return truncate(strings.Join(strings.Fields(text), " "), maxErrorText), advice
}

// simpleName returns the name of a Java class without its package.
func simpleName(class string) string { return class[strings.LastIndexAny(class, ".$")+1:] }

// serviceDetails matches what the AWS SDK adds to a message, such as the request ID.
var serviceDetails = regexp.MustCompile(`\s*\((Service|SDK Attempt Count): [^()]*(\([^()]*\)[^()]*)*\)`)

var deniedAction = regexp.MustCompile(`not authorized to perform: (\w+:\w+)`)

// recreatedAdvice is the advice about a checkpoint that the stream cannot have. With
// several streams only the leases of this one must go. The workers take the new stream
// for another one, because a lease key has the time at which its stream was created.
func recreatedAdvice(status Status, stream string) string {
	advice := "the stream cannot have this checkpoint: kcl-infra status lists all such shards; if the stream was deleted and created again, " +
		"stop all workers and remove the old leases with: kcl-infra delete --application " + status.Application
	if len(status.Streams) > 1 {
		advice += " --leases-of " + stream
	}
	return advice
}

// adviceOn returns what to do about a cause, or "" if the cause is not known.
func adviceOn(c engine.Cause, operation string, status Status, stream string) string {
	switch name := simpleName(c.Class); name {
	case "AccessDeniedException", "KmsAccessDeniedException":
		action := "kinesis:" + operation
		if m := deniedAction.FindStringSubmatch(c.Message); m != nil {
			action = m[1]
		} else if name == "KmsAccessDeniedException" {
			action = "kms:Decrypt"
		} else if operation == "Initialize" {
			action = "kinesis:GetShardIterator"
		}
		advice := fmt.Sprintf("allow %s to the worker's role; kcl-infra iam-policy prints all permissions that it needs", action)
		if slices.ContainsFunc(status.Streams, func(s string) bool { return strings.HasPrefix(s, "arn:") }) {
			advice += "; for a stream of another account, its resource policy or the policy of its key must allow it too"
		}
		return advice
	case "KmsDisabledException", "KmsInvalidStateException", "KmsNotFoundException", "KmsOptInRequiredException":
		return "the key that encrypts the stream cannot be used: see aws kms describe-key, and enable the key or cancel its deletion"
	case "ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException":
		return "check that the worker's credentials are valid and the host's clock is right"
	case "ExpiredIteratorException":
		return "KCL gets a new iterator by itself; if this continues, a handler takes more than 5 minutes, or the lease table lacks write capacity"
	case "ProvisionedThroughputExceededException":
		return "all consumers of the shard together read more than it allows: set Retrieval.Mode to FanOut, increase Retrieval.IdleTimeBetweenReads, or split the shard"
	case "LimitExceededException", "KmsThrottlingException", "ThrottlingException":
		return "AWS throttles these calls, and KCL repeats them; if this continues, request a higher limit or run fewer consumers"
	case "ResourceNotFoundException":
		if operation == "SubscribeToShard" {
			return "the stream or its fan-out consumer does not exist: see aws kinesis list-stream-consumers, and restart the worker to register the consumer"
		}
		return "the stream or the shard does not exist: see kcl-infra status, and check the names of the stream and the region"
	case "OpenShardException":
		if operation == "ShardEnd" {
			return "its fan-out consumer may have been deleted: see aws kinesis list-stream-consumers, and restart the worker to register it; until then the shard is tried again"
		}
		return recreatedAdvice(status, stream)
	case "InvalidArgumentException":
		if operation == "Initialize" || strings.Contains(c.Message, "StartingSequenceNumber") {
			return recreatedAdvice(status, stream)
		}
	case "ResourceInUseException":
		return "another subscription of this consumer is open: give each application its own consumer (Retrieval.ConsumerName)"
	case "UnknownHostException", "ConnectException", "ConnectTimeoutException", "SSLHandshakeException":
		return "the endpoint cannot be reached: check region, endpoint, network and proxy"
	}
	return ""
}
