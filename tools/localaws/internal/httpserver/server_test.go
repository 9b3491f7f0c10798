package httpserver

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestSignerIsTheOneOfTheHeader(t *testing.T) {
	for header, want := range map[string][2]string{
		"": {"", "us-east-1"},
		"AWS4-HMAC-SHA256 Credential=AKID/20260101/ap-south-1/kinesis/aws4_request, SignedHeaders=host, Signature=0": {"AKID", "ap-south-1"},
		"AWS4-HMAC-SHA256 Credential=AKID": {"", "us-east-1"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Authorization", header)
		if key, region := Signer(r); key != want[0] || region != want[1] {
			t.Errorf("Signer of %q = %q, %q, want %q", header, key, region, want)
		}
	}
}
