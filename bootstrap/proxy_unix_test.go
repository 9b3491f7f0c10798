//go:build unix

package bootstrap

import (
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Whether a host needs no proxy is what Go itself says, in a process of its own:
// it reads the environment once.
//
// Guarantee: Behind a proxy Java takes the same way as Go, as far as it can.
func TestNoProxyIsGos(t *testing.T) {
	urls := []string{
		"http://localhost:4566", "http://sub.localhost", "http://127.0.0.1:4566", "http://127.9.9.9", "http://[::1]:4566",
		"http://[::ffff:127.0.0.1]", "http://0.0.0.0:4566", "http://10.1.2.3:4566", "http://10.1.2.3", "http://192.168.7.8", "http://[fd00::7]:4566",
		"https://kinesis.us-east-1.amazonaws.com", "https://kinesis.us-east-1.amazonaws.com:8443", "https://amazonaws.com",
		"https://notamazonaws.com", "https://KINESIS.us-east-1.amazonaws.com", "http://localstack:4566", "http://localstack", "http://a.localstack",
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, noProxy := range []string{
		"", "*", " * ", "localhost", "amazonaws.com", ".amazonaws.com", "*.amazonaws.com", "AmazonAWS.com", " a, .amazonaws.com ,b",
		"kinesis.us-east-1.amazonaws.com", "amazonaws.com:443", "amazonaws.com:8443", ".amazonaws.com:443", "*.amazonaws.com:8443", "kinesis.*",
		"10.0.0.0/8", "10.1.2.3", "10.1.2.3:4566", "10.1.2.3:80", "10.*", "fd00::/8", "fd00::7", "[fd00::7]", "[fd00::7]:4566", "[fd00::7]:80",
		"localstack", "localstack:4566", "localstack:80", ":4566", "0.0.0.0", "0.0.0.0/0", ",,", ".", "*.", "/8", "10.1.2.3/33", "::1",
		"a|localstack", "local", "192.168.7", "192.168.7.8/32,localstack",
	} {
		cmd := exec.Command(self, urls...)
		cmd.Env = append(role("proxies"), "GORACE=atexit_sleep_ms=0", "REQUEST_METHOD=", "HTTP_PROXY=http://proxy:3128", "HTTPS_PROXY=http://proxy:3128", "NO_PROXY="+noProxy, "no_proxy=not.this")
		if noProxy == "" {
			cmd.Env = append(cmd.Env, "no_proxy=")
		}
		out, err := cmd.Output()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if err != nil || len(lines) != len(urls) {
			t.Fatal(err, lines)
		}
		for i, text := range urls {
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := goesDirect(noProxy, u), lines[i] == "<nil> <nil>"; got != want {
				t.Errorf("NO_PROXY=%q: direct to %s: %t, Go says %t", noProxy, text, got, want)
			}
			compared++
		}
	}
	t.Logf("compared %d pairs of NO_PROXY and URL", compared)
}
