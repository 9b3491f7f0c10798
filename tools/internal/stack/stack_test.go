package stack

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// Environ replaces what is set; an SDK client that knows the environment only reaches both services.
func TestClientsByEnvironment(t *testing.T) {
	testenv.Java(t)
	ctx := t.Context()
	s, err := Start(ctx, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := s.Environ([]string{"AWS_PROFILE=mine", "HOME=/h", "AWS_REGION=eu-west-1", "AWS_SESSION_TOKEN=t", "AWS_PROFILES=x"})
	if !slices.Contains(got, "HOME=/h") || !slices.Contains(got, "AWS_PROFILES=x") || !slices.Contains(got, "AWS_REGION=us-east-1") {
		t.Error(got)
	}
	for _, e := range got {
		if strings.HasPrefix(e, "AWS_PROFILE=") || strings.HasPrefix(e, "AWS_SESSION_TOKEN=") || e == "AWS_REGION=eu-west-1" {
			t.Error(e)
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
	select {
	case <-s.Done():
		t.Fatal("ended by itself")
	default:
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if err := s.Close(); err != nil {
		t.Fatal("the second Close:", err)
	}
}

func TestStartFailsAsAWhole(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := Start(ctx, Config{Java: t.TempDir()}); err == nil {
		s.Close()
		t.Fatal("started without Java")
	}
}
