// Package policy writes the IAM policy of a consumer under KCL 3.1.3.
package policy

import (
	"encoding/json"
	"strings"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// Consumer says for whom the policy is.
type Consumer struct {
	Region string
	// Account is the number of the AWS account, or * for any.
	Account     string
	StreamName  string
	Application string
}

type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string]string `json:",omitempty"`
}

// JSON returns the least policy that lets the consumer run, in POLLING and in
// FANOUT, making the tables and the index that are not there.
func (c Consumer) JSON() ([]byte, error) {
	arn := func(service, resource string) string {
		return strings.Join([]string{"arn", partition(c.Region), service, c.Region, c.Account, resource}, ":")
	}
	table := func(t kcl.Table) string { return arn("dynamodb", "table/"+t.Name) }
	tables := kcl.TablesOf(c.Application)
	stream := arn("kinesis", "stream/"+c.StreamName)
	allow := func(sid string, actions, resources []string) statement {
		return statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources}
	}
	// An application's metrics have its name as namespace. PutMetricData knows
	// no resources, so this condition is all that can confine it.
	metrics := allow("Metrics", []string{"cloudwatch:PutMetricData"}, []string{"*"})
	metrics.Condition = map[string]map[string]string{"StringEquals": {"cloudwatch:namespace": c.Application}}

	text, err := json.MarshalIndent(document{
		Version: "2012-10-17",
		Statement: []statement{
			allow("Stream", []string{
				"kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
				"kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:RegisterStreamConsumer",
			}, []string{stream}),
			allow("FanOutConsumer", []string{
				"kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard",
			}, []string{stream + "/consumer/" + c.Application, stream + "/consumer/" + c.Application + ":*"}),
			allow("LeaseTable", append([]string{"dynamodb:UpdateTable"}, tableActions...), []string{table(tables.Leases)}),
			allow("LeaseIndex", []string{"dynamodb:Query"}, []string{table(tables.Leases) + "/index/" + kcl.OwnerIndex}),
			allow("CoordinatorAndWorkerTables", tableActions, []string{table(tables.CoordinatorState), table(tables.WorkerMetricStats)}),
			metrics,
		},
	}, "", "  ")
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
