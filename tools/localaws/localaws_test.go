package localaws_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"

	"github.com/seed96110120/kinesis-client-go/tools/localaws"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// One configuration leads to both services, and a client of a third one to
// neither's success.
func TestOneConfigurationForBoth(t *testing.T) {
	s := localaws.New(t)
	c := s.AWSConfig()
	t.Cleanup(c.HTTPClient.(*http.Client).CloseIdleConnections)
	if _, err := kinesis.NewFromConfig(c).ListStreams(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if _, err := dynamodb.NewFromConfig(c).ListTables(t.Context(), nil); err != nil {
		t.Error(err)
	}
	c.ConfigSources = nil // as for a service that localaws does not know
	_, err := dynamodb.NewFromConfig(c, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }).ListTables(t.Context(), nil)
	if api := smithy.APIError(nil); !errors.As(err, &api) || api.ErrorCode() != "UnknownOperationException" {
		t.Error(err)
	}
}

func TestStartFailsAsAWhole(t *testing.T) {
	s, err := localaws.Start(localaws.Config{Kinesis: kinesislocal.Config{MaxBytes: 1}})
	if err == nil {
		s.Close()
		t.Fatal("started")
	}
}

// Both are ready in 20 ms.
func TestStartIsFast(t *testing.T) {
	var took []time.Duration
	for range 11 {
		began := time.Now()
		s, err := localaws.Start(localaws.Config{})
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
		t.Errorf("the start takes %s", median)
	} else {
		t.Logf("the start takes %s", median)
	}
}
