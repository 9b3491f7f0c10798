package connect_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/infra/connect"
)

// Whatever is wrong, the first call ends within seconds, and in one line.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type": "AccessDeniedException", "message": "you may not list streams"}`)
	}))
	defer server.Close()
	os.Setenv("AWS_ENDPOINT_URL", server.URL)
	os.Setenv("AWS_ACCESS_KEY_ID", "local")
	os.Setenv("AWS_SECRET_ACCESS_KEY", "local")

	ctx := context.Background()
	cfg, err := connect.Config(ctx, "eu-west-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	client := kinesis.NewFromConfig(cfg)
	first, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = client.ListStreams(first, nil, func(o *kinesis.Options) { o.RetryMaxAttempts = 2 })
	where := connect.Where("kinesis", client.Options().BaseEndpoint, cfg.Region)
	fmt.Println(connect.Explain(err, where))
	// Output: AccessDeniedException: you may not list streams
}

func ExampleConfigWithoutCredentials() {
	cfg, err := connect.ConfigWithoutCredentials(context.Background(), "eu-west-1")
	fmt.Println(cfg.Region, err)
	// Output: eu-west-1 <nil>
}
