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

// The first call fails within seconds, with an error of one line.
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
	cfg, err := connect.LoadConfig(ctx, &connect.Options{Region: "eu-west-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := kinesis.NewFromConfig(cfg)
	first, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = client.ListStreams(first, nil, func(o *kinesis.Options) { o.RetryMaxAttempts = 2 })
	location := connect.Location("kinesis", client.Options().BaseEndpoint, cfg.Region)
	fmt.Println(connect.Explain(err, location))
	// Output: AccessDeniedException: you may not list streams
}

func ExampleLoadConfig() {
	cfg, err := connect.LoadConfig(context.Background(), &connect.Options{Region: "eu-west-1", NoCredentials: true})
	fmt.Println(cfg.Region, err)
	// Output: eu-west-1 <nil>
}
