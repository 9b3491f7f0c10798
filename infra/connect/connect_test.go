package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// An error is one line, says what to do if the user can do something, and wraps the
// SDK's error.
func TestExplain(t *testing.T) {
	notFound := &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 404}}, Err: errors.New("no\nJSON")}
	for _, test := range []struct {
		err  error
		want string
	}{
		{&smithy.GenericAPIError{Code: "AccessDenied", Message: "not\nallowed"}, "AccessDenied: not allowed"},
		{&smithy.GenericAPIError{Code: "AccessDenied"}, "AccessDenied"},
		{notFound, "kinesis in x answered with HTTP status 404 and no error code: is it the right endpoint?"},
		{&url.Error{Op: "Post", URL: "http://secret", Err: errors.New("connection\nrefused")}, "kinesis in x does not answer (connection refused): check the region, the endpoint flags, AWS_ENDPOINT_URL and the network"},
		{context.DeadlineExceeded, "kinesis in x does not answer (no answer in time): check the region, the endpoint flags, AWS_ENDPOINT_URL and the network"},
		{context.Canceled, "context canceled"},
		{errors.New("two\nlines"), "two lines"},
	} {
		got := Explain(fmt.Errorf("operation error: %w", test.err), Location("kinesis", nil, "x"))
		if errors.Is(test.err, context.Canceled) || test.want == "two lines" {
			test.want = "operation error: " + test.want
		}
		if got.Error() != test.want || !errors.Is(got, test.err) {
			t.Errorf("got  %v\nwant %s", got, test.want)
		}
	}
	if err := Explain(nil, ""); err != nil {
		t.Errorf("got %v for nil, want nil", err)
	}
}

func TestLoadConfig(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
	} {
		t.Setenv(name, value)
	}
	if _, err := LoadConfig(t.Context(), nil); err == nil || !strings.HasPrefix(err.Error(), "no AWS credentials: set AWS_PROFILE") {
		t.Errorf("without credentials: error %v, want what to set", err)
	}
	for _, test := range []struct{ environment, region, want string }{
		{"", "", DefaultRegion}, {"eu-west-1", "", "eu-west-1"}, {"eu-west-1", "us-west-2", "us-west-2"},
	} {
		t.Setenv("AWS_REGION", test.environment)
		if cfg, err := LoadConfig(t.Context(), &Options{Region: test.region, NoCredentials: true}); err != nil || cfg.Region != test.want {
			t.Errorf("region %q, error %v, want that of %+v", cfg.Region, err, test)
		}
	}
	t.Setenv("AWS_PROFILE", "nobody")
	if _, err := LoadConfig(t.Context(), &Options{NoCredentials: true}); err == nil || !strings.HasPrefix(err.Error(), "read the AWS configuration: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("with a missing profile: error %v, want one line", err)
	}
}
