// Package policy writes the IAM policies of an application of KCL: the policy for its
// role, and the resource policies that the owner of another account's stream attaches:
//
//	c := policy.Consumer{Region: "us-east-1", Account: "*", Streams: streams, Application: "orders"}
//	text, err := c.JSON()
//
// On resource policies see
// https://docs.aws.amazon.com/streams/latest/dev/resource-based-policy-examples.html
package policy

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// Consumer is an application that reads streams.
type Consumer struct {
	Region string
	// Account is the number of the application's AWS account, or * for any.
	Account     string
	Streams     []kcl.Stream
	Application string
	// Layouts are the layouts of its tables, two during a migration.
	Layouts []kcl.Layout
}

type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    []string
	Resource  []string
	Condition map[string]map[string]string `json:",omitempty"`
}

const version = "2012-10-17"

func allow(sid string, actions, resources []string) statement {
	return statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources}
}

// readActions and fanOutActions are what an application does with a stream of another
// account and with its fan-out consumer. The stream's owner registers the consumer.
var (
	readActions   = []string{"kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"}
	fanOutActions = []string{"kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"}
)

// OfAnotherAccount reports whether a stream belongs to another account. It is false for a
// stream that is named by its name, and if Account is *.
func (c Consumer) OfAnotherAccount(s kcl.Stream) bool {
	return s.ARN != "" && c.Account != "*" && s.Account() != c.Account
}

func (c Consumer) arn(service, resource string) string {
	return strings.Join([]string{"arn", partition(c.Region), service, c.Region, c.Account, resource}, ":")
}

// JSON returns the smallest policy with which the application runs, with POLLING and with
// FANOUT, and creates missing tables and the missing index.
func (c Consumer) JSON() ([]byte, error) {
	table := func(t kcl.Table) string { return c.arn("dynamodb", "table/"+t.Name) }
	tables := kcl.TablesOf(c.Application)
	var own, foreign, fanOut []string
	for _, s := range c.Streams {
		stream := cmp.Or(s.ARN, c.arn("kinesis", "stream/"+s.Name))
		if c.OfAnotherAccount(s) {
			foreign = append(foreign, stream)
		} else {
			own = append(own, stream)
		}
		if s.ConsumerARN != "" {
			fanOut = append(fanOut, s.ConsumerARN)
		} else {
			consumer := stream + "/consumer/" + c.Application
			fanOut = append(fanOut, consumer, consumer+":*")
		}
	}
	// PutMetricData has no resources. A condition can restrict it to a namespace, which
	// is the application's name.
	metrics := allow("Metrics", []string{"cloudwatch:PutMetricData"}, []string{"*"})
	metrics.Condition = map[string]map[string]string{"StringEquals": {"cloudwatch:namespace": c.Application}}

	// A statement whose resources stay empty is left out.
	var index, others, otherActions []string
	leaseActions := tableActions
	three, one := slices.Contains(c.Layouts, kcl.KCL3), slices.Contains(c.Layouts, kcl.KCL35)
	if three || one {
		leaseActions = slices.Concat([]string{"dynamodb:UpdateTable"}, tableActions) // to add the index
		index = []string{table(tables.Leases) + "/index/" + kcl.OwnerIndex}
		others = []string{table(tables.CoordinatorState), table(tables.WorkerMetricStats)}
		otherActions = []string{"dynamodb:DescribeTable"} // KCL 3.5 exits unless it can find out that they do not exist; if they do, it needs KCL3 too
	}
	if three {
		otherActions = tableActions
	}
	if three && one {
		otherActions = slices.Concat([]string{"dynamodb:ConditionCheckItem"}, tableActions) // to move rows while it holds the leader lock
	}
	statements := []statement{
		allow("Stream", []string{
			"kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
			"kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:RegisterStreamConsumer",
		}, own),
		allow("StreamOfAnotherAccount", readActions, foreign),
		allow("FanOutConsumer", fanOutActions, fanOut),
		allow("LeaseTable", leaseActions, []string{table(tables.Leases)}),
		allow("LeaseIndex", []string{"dynamodb:Query"}, index),
		allow("CoordinatorAndWorkerTables", otherActions, others),
		metrics,
	}
	return marshal(document{version, slices.DeleteFunc(statements, func(s statement) bool { return len(s.Resource) == 0 })})
}

// ResourcePolicies returns the policies that the owners of other accounts' streams must
// attach to the streams and to their fan-out consumers, as a JSON object by ARN.
func (c Consumer) ResourcePolicies() ([]byte, error) {
	policies := map[string]document{}
	put := func(sid string, actions []string, arn string) {
		s := allow(sid, actions, []string{arn})
		s.Principal = map[string]string{"AWS": strings.Join([]string{"arn", partition(c.Region), "iam", "", c.Account, "root"}, ":")}
		policies[arn] = document{version, []statement{s}}
	}
	for _, s := range c.Streams {
		if !c.OfAnotherAccount(s) {
			continue
		}
		put("Stream", readActions, s.ARN)
		if s.ConsumerARN != "" {
			put("FanOutConsumer", fanOutActions, s.ConsumerARN)
		}
	}
	return marshal(policies)
}

func marshal(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}

var tableActions = []string{
	"dynamodb:CreateTable", "dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:GetItem",
	"dynamodb:PutItem", "dynamodb:Scan", "dynamodb:UpdateItem",
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}
