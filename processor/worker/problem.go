package worker

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

// explain says in a line what KCL met, and what to do about it. stream is as Shard
// has it; causes are outermost first: the innermost that is known says most.
func explain(operation string, about Status, stream string, causes []engine.Cause) (text, advice string) {
	if len(causes) == 0 {
		return operation + " failed", "the log of KCL may say why"
	}
	cause := causes[len(causes)-1]
	advice = "KCL goes on trying; its log says more"
	for _, c := range slices.Backward(causes) {
		if a := adviceOn(c, operation, about, stream); a != "" {
			cause, advice = c, a
			break
		}
	}
	text = operation + ": " + simpleName(cause.Class)
	// Without what differs each time, so that the same is seen to be so.
	if message := serviceDetails.ReplaceAllString(cause.Message, ""); message != "" {
		text += ": " + message
	}
	return cut(strings.Join(strings.Fields(text), " "), maxErrorText), advice
}

// simpleName is a Java class's name without its package.
func simpleName(class string) string { return class[strings.LastIndexAny(class, ".$")+1:] }

// serviceDetails is what the AWS SDK puts behind a message, with the request's ID.
var serviceDetails = regexp.MustCompile(`\s*\((Service|SDK Attempt Count): [^()]*(\([^()]*\)[^()]*)*\)`)

var deniedAction = regexp.MustCompile(`not authorized to perform: (\w+:\w+)`)

// madeAnew is the advice on a checkpoint that the stream cannot have. Where there
// are several streams only this one's leases may go, and the workers take the new
// stream for another one, for a lease's key has the time at which its stream was made.
func madeAnew(about Status, stream string) string {
	advice := "the stream cannot have this checkpoint: kcl-infra status shows all such; if it was made anew under its old name, " +
		"stop all workers, remove the old leases with: kcl-infra delete --application " + about.Application
	if about.several() {
		advice += " --leases-of " + stream
	}
	return advice
}

// adviceOn returns nothing for a cause that is not known.
func adviceOn(c engine.Cause, operation string, about Status, stream string) string {
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
		advice := fmt.Sprintf("allow %s to the worker's role; kcl-infra iam-policy prints all that it needs", action)
		if slices.ContainsFunc(about.Streams, func(s string) bool { return strings.HasPrefix(s, "arn:") }) {
			advice += "; for a stream of another account its resource policy, or its key's policy, must allow it too"
		}
		return advice
	case "KmsDisabledException", "KmsInvalidStateException", "KmsNotFoundException", "KmsOptInRequiredException":
		return "the key that the stream's records are encrypted with cannot be used: see aws kms describe-key, and enable the key or cancel its deletion"
	case "ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException":
		return "see that the worker's credentials are valid, and the host's clock is right"
	case "ExpiredIteratorException":
		return "KCL gets another iterator by itself; if this goes on, handlers hold the shard up for more than 5 minutes, or the lease table lacks write capacity"
	case "ProvisionedThroughputExceededException":
		return "all consumers of the shard together read more than it allows: set RetrievalMode to FanOut, or IdleTimeBetweenReads higher, or split the shard"
	case "LimitExceededException", "KmsThrottlingException", "ThrottlingException":
		return "AWS throttles these calls, and KCL repeats them; if this goes on, ask for a higher limit or run fewer consumers"
	case "ResourceNotFoundException":
		if operation == "SubscribeToShard" {
			return "the stream, or its fan-out consumer, is not there: see aws kinesis list-stream-consumers, and start the worker again to register it"
		}
		return "the stream or the shard is not there: see kcl-infra status, and the names of stream and region"
	case "OpenShardException":
		if operation == "ShardEnd" {
			return "its fan-out consumer was deleted, perhaps: see aws kinesis list-stream-consumers, and start the worker again to register it; until then the shard is tried again"
		}
		return madeAnew(about, stream)
	case "InvalidArgumentException":
		if operation == "Initialize" || strings.Contains(c.Message, "StartingSequenceNumber") {
			return madeAnew(about, stream)
		}
	case "ResourceInUseException":
		return "another subscription of this consumer is open: give each application a consumer of its own (ConsumerName)"
	case "UnknownHostException", "ConnectException", "ConnectTimeoutException", "SSLHandshakeException":
		return "the endpoint cannot be reached: see region, endpoint, network and proxy"
	}
	return ""
}
