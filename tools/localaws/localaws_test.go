package localaws_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"

	"github.com/seed96110120/kinesis-client-go/tools/localaws"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// One configuration works for both services, and a client of a third service
// fails with it.
func TestOneConfigurationForBoth(t *testing.T) {
	s := localaws.StartTest(t, nil)
	c := s.AWSConfig()
	t.Cleanup(c.HTTPClient.(*http.Client).CloseIdleConnections)
	if _, err := kinesis.NewFromConfig(c).ListStreams(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if _, err := dynamodb.NewFromConfig(c).ListTables(t.Context(), nil); err != nil {
		t.Error(err)
	}
	c.ConfigSources = nil // as for a service that localaws does not have
	_, err := dynamodb.NewFromConfig(c, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }).ListTables(t.Context(), nil)
	if api := smithy.APIError(nil); !errors.As(err, &api) || api.ErrorCode() != "UnknownOperationException" {
		t.Errorf("error %v, want UnknownOperationException", err)
	}
}

func TestStartFailsAsAWhole(t *testing.T) {
	s, err := localaws.Start(&localaws.Options{
		Kinesis: kinesislocal.Options{MaxMemory: 1}, DynamoDB: dynamolocal.Options{TransitionDelay: -1},
	})
	if err == nil {
		s.Close()
		t.Fatal("started, want an error")
	}
	for _, want := range []string{"kinesislocal: Options.MaxMemory", "dynamolocal: Options.TransitionDelay"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %s", err, want)
		}
	}
}

// Both services are ready in 20 ms.
func TestStartIsFast(t *testing.T) {
	var took []time.Duration
	for range 11 {
		began := time.Now()
		s, err := localaws.Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(took)
	if median := took[len(took)/2]; median > 20*time.Millisecond {
		t.Errorf("the start takes %s, want at most 20ms", median)
	} else {
		t.Logf("the start takes %s", median)
	}
}
