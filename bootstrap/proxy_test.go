package bootstrap

import (
	"bufio"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The way that Java takes, by what people set. A test of tools/e2e asks the SDK's
// own classes the same.
//
// Guarantee: Behind a proxy Java takes the same way as Go, as far as it can.
func TestJavaProxy(t *testing.T) {
	const (
		kinesis = "https://kinesis.us-east-1.amazonaws.com"
		direct  = ""
	)
	for name, tt := range map[string]struct {
		env, options []string
		properties   string
		way          map[string]string // by URL: the proxy, and who names it
		added        []string          // to the environment, or to the options
	}{
		"nothing": {
			way: map[string]string{kinesis: direct, "http://10.1.2.3:4566": direct},
		},
		"one proxy for all": {
			env:   []string{"HTTP_PROXY=http://proxy:3128", "HTTPS_PROXY=http://proxy:3128"},
			way:   map[string]string{kinesis: "http://proxy:3128 of HTTPS_PROXY", "http://localhost:4566": direct, "http://127.0.0.1:4566": direct},
			added: []string{"no_proxy=localhost,127.*"},
		},
		"HTTP_PROXY alone is Java's for https too": {
			env:   []string{"http_proxy=http://proxy:3128"},
			way:   map[string]string{kinesis: "http://proxy:3128 of HTTP_PROXY"},
			added: []string{"no_proxy=localhost,127.*"},
		},
		"HTTPS_PROXY alone, which the SDK passes over": {
			env:        []string{"https_proxy=proxy:3128"},
			properties: "dynamoDBEndpoint = http://dynamodb:8000",
			way:        map[string]string{kinesis: "http://proxy:3128 of HTTPS_PROXY", "http://dynamodb:8000": direct},
			added:      []string{"no_proxy=localhost,127.*,dynamodb", "http_proxy=http://proxy:3128"},
		},
		"HTTPS_PROXY alone, where all is http": {
			env:        []string{"HTTPS_PROXY=http://proxy:3128"},
			properties: "kinesisEndpoint = http://kinesis:4566\ndynamoDBEndpoint = http://dynamodb:8000",
			way:        map[string]string{"http://kinesis:4566": direct, kinesis: direct},
		},
		"two proxies": {
			env:   []string{"HTTP_PROXY=http://one:1", "HTTPS_PROXY=http://two:2"},
			way:   map[string]string{kinesis: "http://two:2 of HTTPS_PROXY"},
			added: []string{"no_proxy=localhost,127.*", "http_proxy=http://two:2"},
		},
		"no scheme and no port, and a password": {
			env:   []string{"HTTP_PROXY=user:secret@proxy"},
			way:   map[string]string{kinesis: "http://proxy of HTTP_PROXY"},
			added: []string{"no_proxy=localhost,127.*", "http_proxy=http://user:secret@proxy:80"},
		},
		"Go's variable before Java's": {
			env:   []string{"HTTP_PROXY=http://one:1", "http_proxy=http://two:2"},
			way:   map[string]string{kinesis: "http://one:1 of HTTP_PROXY"},
			added: []string{"no_proxy=localhost,127.*", "http_proxy=http://one:1"},
		},
		"an empty variable hides the other from Java": {
			env:   []string{"HTTP_PROXY=http://proxy:3128", "http_proxy=", "NO_PROXY=.corp", "no_proxy="},
			way:   map[string]string{kinesis: "http://proxy:3128 of HTTP_PROXY"},
			added: []string{"no_proxy=.corp,localhost,127.*,*.corp", "http_proxy=http://proxy:3128"},
		},
		"no URL": {
			env: []string{"HTTP_PROXY=http://%zz"},
			way: map[string]string{kinesis: direct},
		},
		"loopback in its forms": {
			env:        []string{"HTTP_PROXY=http://proxy:3128"},
			properties: "kinesisEndpoint = http://[::1]:4566\ndynamoDBEndpoint = http://LocalHost:8000",
			way:        map[string]string{"http://[::1]:4566": direct, "http://LocalHost:8000": direct, "http://127.9.9.9": direct},
			added:      []string{`no_proxy=localhost,127.*,(?i)\[::1\],(?i)localhost`},
		},
		"names, as Go and curl read them": {
			env:   []string{"HTTP_PROXY=http://proxy:3128", "NO_PROXY=amazonaws.com, .internal,*.corp"},
			way:   map[string]string{kinesis: direct, "https://123.data-kinesis.us-east-1.amazonaws.com": direct, "http://a.internal": direct, "http://b.corp": direct, "http://internal": "http://proxy:3128 of HTTP_PROXY"},
			added: []string{"no_proxy=amazonaws.com, .internal,*.corp,localhost,127.*,*.amazonaws.com,*.internal"},
		},
		"networks and ports": {
			env:        []string{"HTTP_PROXY=http://proxy:3128", "NO_PROXY=10.0.0.0/8,dynamodb:8000,amazonaws.com:443"},
			properties: "kinesisEndpoint = http://10.1.2.3:4566\ndynamoDBEndpoint = http://dynamodb:8000",
			way:        map[string]string{"http://10.1.2.3:4566": direct, "http://dynamodb:8000": direct, "https://sts.us-east-1.amazonaws.com": direct, "http://10.9.9.9": "http://proxy:3128 of HTTP_PROXY"},
			added:      []string{"no_proxy=10.0.0.0/8,dynamodb:8000,amazonaws.com:443,localhost,127.*,amazonaws.com,*.amazonaws.com,10.1.2.3,dynamodb"},
		},
		"another port": {
			env:        []string{"HTTP_PROXY=http://proxy:3128", "NO_PROXY=kinesis:80"},
			properties: "kinesisEndpoint = http://kinesis:4566",
			way:        map[string]string{"http://kinesis:4566": "http://proxy:3128 of HTTP_PROXY"},
			added:      []string{"no_proxy=kinesis:80,localhost,127.*"},
		},
		"everything": {
			env:   []string{"HTTP_PROXY=http://proxy:3128", "NO_PROXY=*"},
			way:   map[string]string{kinesis: direct, "http://10.1.2.3:4566": direct},
			added: []string{"no_proxy=*,localhost,127.*"},
		},
		"Java's own patterns hold too": {
			env:   []string{"HTTP_PROXY=http://proxy:3128", "NO_PROXY=10.*|internal"},
			way:   map[string]string{"http://10.1.2.3:4566": direct, "http://internal": direct},
			added: []string{"no_proxy=10.*,internal,localhost,127.*,10.*|internal,*.10.*|internal"},
		},
		"AWS's own variables": {
			env:   []string{"HTTP_PROXY=http://proxy:3128", "AWS_ENDPOINT_URL_STS=http://10.1.2.3:4566", "NO_PROXY=10.0.0.0/8"},
			way:   map[string]string{"http://10.1.2.3:4566": direct, kinesis: "http://proxy:3128 of HTTP_PROXY"},
			added: []string{"no_proxy=10.0.0.0/8,localhost,127.*,10.1.2.3"},
		},
		"AWS in China": {
			env:        []string{"HTTPS_PROXY=http://proxy:3128", "NO_PROXY=.amazonaws.com.cn"},
			properties: "regionName = cn-north-1",
			way:        map[string]string{"https://kinesis.cn-north-1.amazonaws.com.cn": direct},
			added:      []string{"no_proxy=.amazonaws.com.cn,localhost,127.*,*.amazonaws.com.cn", "http_proxy=http://proxy:3128"},
		},
		"system properties": {
			options: []string{"-Dhttp.proxyHost=proxy", "-Dhttp.proxyPort=3128", "-Dhttp.nonProxyHosts=internal"},
			env:     []string{"HTTP_PROXY=http://other:1", "NO_PROXY=.corp"},
			way:     map[string]string{kinesis: "http://proxy:3128 of -Dhttp.proxyHost", "http://internal": direct, "http://a.corp": direct, "http://localhost": direct},
			added:   []string{"-Dhttp.nonProxyHosts=internal|localhost|127.*|*.corp"},
		},
		"system properties of a variable, without a proxy": {
			env: []string{"JAVA_TOOL_OPTIONS=-Xmx64m -Dhttp.nonProxyHosts=internal", "HTTP_PROXY=http://other:1"},
			way: map[string]string{kinesis: direct},
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := readProperties(t, tt.properties).usedURLs(tt.env)
			j := newJavaProxy(tt.env, tt.options, asked)
			for text, want := range tt.way {
				u, err := url.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				if got := j.name([]*url.URL{u}); got != want {
					t.Errorf("%s: through %q, want %q", text, got, want)
				}
			}
			added := append(j.environment(tt.env)[len(tt.env):], j.options()...)
			if !slices.Equal(added, tt.added) {
				t.Errorf("added %q, want %q", added, tt.added)
			}
		})
	}
}

// A playedProxy answers each CONNECT with a status, and tells what it was asked.
func playedProxy(t *testing.T, status string) (address string, asked <-chan *http.Request) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	requests := make(chan *http.Request, 9)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				requests <- r
				conn.Write([]byte(status))
			}
			conn.Close()
		}
	}()
	return listener.Addr().String(), requests
}

func TestCheckEndpointsThroughProxy(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close() // nobody answers there now
	const (
		own = "kinesisEndpoint = http://kinesis.invalid:4566\ndynamoDBEndpoint = http://dynamodb.invalid:8000"
		aws = "regionName = eu-west-3"
		ok  = "HTTP/1.1 200 Connection established\r\n\r\n"
	)
	for name, tt := range map[string]struct {
		answer, properties string
		env                map[string]string // PROXY stands for the played one's address
		asked              string            // of the proxy
		want               []string          // parts of the error; none: no error
	}{
		"taken":                {ok, own, map[string]string{"HTTP_PROXY": "PROXY"}, "kinesis.invalid:4566 dynamodb.invalid:8000", nil},
		"with credentials":     {ok, own, map[string]string{"http_proxy": "http://user:s%40cret@PROXY"}, "kinesis.invalid:4566 dynamodb.invalid:8000", nil},
		"refused":              {"HTTP/1.1 403 Forbidden\r\n\r\n", own, map[string]string{"HTTP_PROXY": "http://user:s%40cret@PROXY"}, "kinesis.invalid:4566 dynamodb.invalid:8000", []string{"kinesisEndpoint: cannot reach http://kinesis.invalid:4566 through the proxy http://PROXY of HTTP_PROXY: it answers 403 Forbidden; name its host in NO_PROXY", "dynamoDBEndpoint"}},
		"no proxy":             {"220 mail\r\n", own, map[string]string{"HTTP_PROXY": "http://PROXY"}, "kinesis.invalid:4566 dynamodb.invalid:8000", []string{"it does not answer as a proxy"}},
		"dead":                 {"", own, map[string]string{"HTTP_PROXY": "http://user:s%40cret@" + free.Addr().String()}, "", []string{"through the proxy http://127.0.0.1:", " of HTTP_PROXY", "refused"}},
		"of another protocol":  {"", own, map[string]string{"HTTP_PROXY": "socks5://PROXY"}, "", []string{"supports only http proxies, not socks5"}},
		"loopback is direct":   {"", "kinesisEndpoint = http://" + free.Addr().String(), map[string]string{"HTTP_PROXY": "PROXY"}, "", []string{"nobody answers at http://127.0.0.1:"}},
		"AWS, taken":           {ok, aws, map[string]string{"HTTPS_PROXY": "PROXY"}, "kinesis.eu-west-3.amazonaws.com:443", nil},
		"AWS, credentials":     {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", aws, map[string]string{"HTTPS_PROXY": "http://user:s%40cret@PROXY"}, "kinesis.eu-west-3.amazonaws.com:443", []string{"cannot reach https://kinesis.eu-west-3.amazonaws.com through the proxy http://PROXY of HTTPS_PROXY: it answers 407 Proxy Authentication Required; correct HTTPS_PROXY"}},
		"AWS, perhaps refused": {"HTTP/1.1 403 Forbidden\r\n\r\n", aws, map[string]string{"HTTPS_PROXY": "PROXY"}, "kinesis.eu-west-3.amazonaws.com:443", nil},
		"AWS, dead":            {"", aws, map[string]string{"HTTP_PROXY": free.Addr().String()}, "", []string{"cannot reach https://kinesis.eu-west-3.amazonaws.com through the proxy http://127.0.0.1:", "refused; correct HTTP_PROXY"}},
		"AWS, direct":          {"", aws, map[string]string{"HTTPS_PROXY": free.Addr().String(), "NO_PROXY": "amazonaws.com"}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			address, requests := playedProxy(t, tt.answer)
			for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "AWS_REGION", "AWS_ENDPOINT_URL"} {
				t.Setenv(name, strings.ReplaceAll(tt.env[name], "PROXY", address))
			}
			err := readProperties(t, tt.properties).CheckEndpoints(t.Context())
			var asked []string
			for len(requests) > 0 {
				r := <-requests
				asked = append(asked, r.Host)
				user, _, _ := strings.Cut(tt.env["HTTP_PROXY"]+tt.env["http_proxy"]+tt.env["HTTPS_PROXY"], "@")
				if user, ok := strings.CutPrefix(user, "http://user"); ok && r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("user"+user)) {
					t.Errorf("credentials %q", r.Header)
				}
			}
			slices.Sort(asked)
			slices.Reverse(asked)
			if got := strings.Join(asked, " "); got != tt.asked {
				t.Errorf("the proxy was asked for %q, want %q", got, tt.asked)
			}
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			for _, part := range tt.want {
				if part = strings.ReplaceAll(part, "//PROXY", "//"+address); !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "cret") {
					t.Errorf("%v, want %s", err, part)
				}
			}
			var config *ConfigError
			if err != nil && errors.As(err, &config) != (tt.properties != aws) {
				t.Errorf("%T", err)
			}
		})
	}
}

func TestExitErrorNamesProxy(t *testing.T) {
	for reason, named := range map[string]bool{
		"": false,
		"Unable to initialize: java.io.IOException: Could not connect to proxy":                                          true,
		"java.net.ConnectException: Connection refused":                                                                  true,
		"javax.net.ssl.SSLHandshakeException: PKIX path building failed":                                                 true,
		"software.amazon.awssdk.core.exception.SdkClientException: Unable to execute HTTP request: x":                    true,
		"software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException: (Service: Kinesis, Status Code: 400)":  false,
		"software.amazon.awssdk.core.exception.SdkClientException: Unable to load credentials from any of the providers": false,
	} {
		err := &ExitError{Reason: reason, Proxy: "http://proxy:3128 of HTTP_PROXY"}
		if got := strings.HasSuffix(err.Error(), "; Java goes through the proxy http://proxy:3128 of HTTP_PROXY"); got != named {
			t.Errorf("error %v, names the proxy: %t, want %t", err, got, named)
		}
	}
}
