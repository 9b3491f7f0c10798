package stack

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// Environ replaces variables that are set, and an SDK client with that environment reaches
// both services.
func TestClientsByEnvironment(t *testing.T) {
	ctx := t.Context()
	s, err := Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := s.Environ([]string{"AWS_PROFILE=mine", "HOME=/h", "AWS_REGION=eu-west-1", "AWS_SESSION_TOKEN=t", "AWS_PROFILES=x"})
	if !slices.Contains(got, "HOME=/h") || !slices.Contains(got, "AWS_PROFILES=x") || !slices.Contains(got, "AWS_REGION=us-east-1") {
		t.Errorf("%q lacks HOME=/h, AWS_PROFILES=x or AWS_REGION=us-east-1", got)
	}
	for _, e := range got {
		if strings.HasPrefix(e, "AWS_PROFILE=") || strings.HasPrefix(e, "AWS_SESSION_TOKEN=") || e == "AWS_REGION=eu-west-1" {
			t.Errorf("the environment has %s", e)
		}
	}
	for _, v := range s.Env() {
		t.Setenv(v.Name, v.Value)
	}
	for _, name := range Unset() {
		t.Setenv(name, "")
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stream := &kinesis.CreateStreamInput{StreamName: aws.String("s"), ShardCount: aws.Int32(1)}
	if _, err := kinesis.NewFromConfig(cfg).CreateStream(ctx, stream); err != nil {
		t.Fatal(err)
	}
	if _, err := dynamodb.NewFromConfig(cfg).ListTables(ctx, nil); err != nil {
		t.Fatal(err)
	}
}
