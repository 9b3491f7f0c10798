// Package policy writes the IAM policies of a consumer under KCL: the one that it runs
// with, and those that the owner of another account's stream puts on it. On
// the latter:
// https://docs.aws.amazon.com/streams/latest/dev/resource-based-policy-examples.html
package policy

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// Consumer says for whom the policy is.
type Consumer struct {
	Region string
	// Account is the number of the AWS account, or * for any.
	Account     string
	Streams     []kcl.Stream
	Application string
	// Layouts are those of the tables, more than one on the way from one to another.
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

// What a consumer does with a stream of another account, and with a fan-out
// consumer. To register one is up to the stream's owner.
var (
	readActions   = []string{"kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"}
	fanOutActions = []string{"kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"}
)

// Foreign tells whether a stream is of another account. One that is named by its
// name is not; without an account nothing is.
func (c Consumer) Foreign(s kcl.Stream) bool {
	return s.ARN != "" && c.Account != "*" && s.Account() != c.Account
}

func (c Consumer) arn(service, resource string) string {
	return strings.Join([]string{"arn", partition(c.Region), service, c.Region, c.Account, resource}, ":")
}

// JSON returns the least policy that lets the consumer run, in POLLING and in
// FANOUT, making the tables and the index that are not there.
func (c Consumer) JSON() ([]byte, error) {
	table := func(t kcl.Table) string { return c.arn("dynamodb", "table/"+t.Name) }
	tables := kcl.TablesOf(c.Application)
	var own, foreign, fanOut []string
	for _, s := range c.Streams {
		stream := cmp.Or(s.ARN, c.arn("kinesis", "stream/"+s.Name))
		if c.Foreign(s) {
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
	// An application's metrics have its name as namespace. PutMetricData knows
	// no resources, so this condition is all that can confine it.
	metrics := allow("Metrics", []string{"cloudwatch:PutMetricData"}, []string{"*"})
	metrics.Condition = map[string]map[string]string{"StringEquals": {"cloudwatch:namespace": c.Application}}

	// What KCL 2 does not use stays empty, and so is no statement.
	var index, others, otherActions []string
	leaseActions := tableActions
	three, one := slices.Contains(c.Layouts, kcl.KCL3), slices.Contains(c.Layouts, kcl.KCL35)
	if three || one {
		leaseActions = slices.Concat([]string{"dynamodb:UpdateTable"}, tableActions) // to add the index
		index = []string{table(tables.Leases) + "/index/" + kcl.OwnerIndex}
		others = []string{table(tables.CoordinatorState), table(tables.WorkerMetricStats)}
		otherActions = []string{"dynamodb:DescribeTable"} // KCL 3.5 ends unless it can see that they are not there; while they are, it needs KCL3 too
	}
	if three {
		otherActions = tableActions
	}
	if three && one {
		otherActions = slices.Concat([]string{"dynamodb:ConditionCheckItem"}, tableActions) // rows move while the leader lock is held
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

// ResourcePolicies returns a JSON object with the policies that the owners of the
// foreign streams have to put on them and on their fan-out consumers, by ARN.
func (c Consumer) ResourcePolicies() ([]byte, error) {
	policies := map[string]document{}
	put := func(sid string, actions []string, arn string) {
		s := allow(sid, actions, []string{arn})
		s.Principal = map[string]string{"AWS": strings.Join([]string{"arn", partition(c.Region), "iam", "", c.Account, "root"}, ":")}
		policies[arn] = document{version, []statement{s}}
	}
	for _, s := range c.Streams {
		if !c.Foreign(s) {
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
