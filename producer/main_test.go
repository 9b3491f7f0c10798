package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// If this variable is set, the test binary is the command itself. Its value is the time
// that a service has to answer the first call.
const asCommand = "PRODUCER_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if answer := os.Getenv(asCommand); answer != "" {
		firstCallTimeout, _ = time.ParseDuration(answer)
		main()
		return
	}
	os.Exit(m.Run())
}

// command returns the producer as a process, with credentials that nobody checks and
// nothing else of AWS in its environment.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(cleanEnv(), asCommand+"=5s", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	return c
}

func cleanEnv() []string {
	none := filepath.Join(os.TempDir(), "no-such-aws-file")
	env := []string{"AWS_CONFIG_FILE=" + none, "AWS_SHARED_CREDENTIALS_FILE=" + none, "AWS_EC2_METADATA_DISABLED=true"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "AWS_") && !strings.Contains(strings.ToLower(e), "_proxy=") {
			env = append(env, e)
		}
	}
	return env
}

func finish(t *testing.T, c *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	began := time.Now()
	err := c.Run()
	if err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("%v took %v", c.Args[1:], took)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

func TestBadInput(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + closed.Addr().String()
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, answers nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)

	tests := []struct {
		name   string
		args   []string
		env    []string
		status int
		want   string
	}{
		{"no shards", []string{"--shards", "0"}, nil, 2, "--shards 0"},
		{"stream name", []string{"--stream", "no/slash"}, nil, 2, `"no/slash"`},
		{"stream name too long", []string{"--stream", strings.Repeat("x", 129)}, nil, 2, "1 to 128"},
		{"negative records", []string{"-n", "-1"}, nil, 2, "--records -1"},
		{"negative rate", []string{"--rate", "-0.5"}, nil, 2, "--rate -0.5"},
		{"rate not a number", []string{"--rate", "NaN"}, nil, 2, "--rate NaN"},
		{"size too small", []string{"--size", "10"}, nil, 2, "--size 10"},
		{"size too big", []string{"--size", "10485761"}, nil, 2, "--size 10485761"},
		{"file and records", []string{"--file", "x", "--records", "3"}, nil, 2, "exclude each other"},
		{"file and size", []string{"--file", "x", "--size", "300"}, nil, 2, "exclude each other"},
		{"empty file name", []string{"--file", ""}, nil, 2, "--file"},
		{"unknown flag", []string{"--shard", "1"}, nil, 2, "--shard"},
		{"argument", []string{"kclgosample"}, nil, 2, `"kclgosample"`},
		{"endpoint", []string{"--endpoint", "127.0.0.1:4567"}, nil, 2, `"127.0.0.1:4567"`},
		{"region", []string{"--region", "us east"}, nil, 2, `"us east"`},
		{"missing file", []string{"--file", "no-such-file"}, nil, 1, "no-such-file"},
		{"folder", []string{"--file", "."}, nil, 1, "folder"},
		{"no credentials", nil, []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="}, 1, "no AWS credentials"},
		{"dead endpoint", []string{"--endpoint", dead}, nil, 1, dead},
		{"dead endpoint in the environment", nil, []string{"AWS_ENDPOINT_URL=" + dead}, 1, dead},
		{"endpoint that says nothing", []string{"--endpoint", "http://" + silent.Addr().String()}, []string{asCommand + "=1s"}, 1, silent.Addr().String()},
		{"host that does not exist", []string{"--endpoint", "http://no-such-host.invalid"}, nil, 1, "no-such-host.invalid does not answer"},
		{"region that does not exist", []string{"--region", "us-nowhere-1"}, nil, 1, "kinesis in us-nowhere-1 does not answer"},
		{"endpoint that is no Kinesis", []string{"--endpoint", web.URL}, nil, 1, "is it the right endpoint?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := command(t, tt.args...)
			c.Env = append(c.Env, tt.env...)
			stdout, stderr, status := finish(t, c)
			if status != tt.status || stdout != "" {
				t.Errorf("status %d, want %d; stdout %q", status, tt.status, stdout)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "producer: ") || !strings.Contains(stderr, tt.want) {
				t.Errorf("stderr is not one line with %q: %s", tt.want, stderr)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	stdout, stderr, status := finish(t, command(t, "--help"))
	if status != 0 || stderr != "" || !strings.Contains(stdout, "Examples:") {
		t.Errorf("status %d, stderr %q, stdout %s", status, stderr, stdout)
	}
}

// fakeKinesis speaks JSON 1.1 and has at most one stream.
type fakeKinesis struct {
	*httptest.Server
	mu      sync.Mutex
	shards  int // 0: there is no stream
	polls   int // until the stream is ACTIVE
	data    []string
	keys    []string
	calls   []string
	refuse  func(call, record int) bool
	hang    chan struct{} // PutRecords waits for it when set
	hanging chan struct{}
}

func serve(t *testing.T, p *fakeKinesis) *fakeKinesis {
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *fakeKinesis) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action := r.Header.Get("X-Amz-Target")
	action = action[strings.LastIndex(action, ".")+1:]
	var in struct {
		ShardCount int
		Records    []struct {
			Data         []byte
			PartitionKey string
		}
	}
	json.NewDecoder(r.Body).Decode(&in)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, action)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	reply := func(v any) { json.NewEncoder(w).Encode(v) }
	switch action {
	case "CreateStream":
		p.shards = in.ShardCount
		reply(struct{}{})
	case "DescribeStreamSummary":
		if p.shards == 0 {
			w.WriteHeader(400)
			reply(map[string]string{"__type": "ResourceNotFoundException", "message": "no stream"})
			return
		}
		status := "ACTIVE"
		if p.polls > 0 {
			p.polls--
			status = "CREATING"
		}
		reply(map[string]any{"StreamDescriptionSummary": map[string]any{"StreamStatus": status, "OpenShardCount": p.shards}})
	case "PutRecords":
		if p.hang != nil {
			close(p.hanging)
			<-p.hang
		}
		var results []map[string]string
		failed := 0
		for i, record := range in.Records {
			if p.refuse != nil && p.refuse(len(p.calls), i) {
				failed++
				results = append(results, map[string]string{"ErrorCode": "InternalFailure", "ErrorMessage": "busy"})
				continue
			}
			p.data = append(p.data, string(record.Data))
			p.keys = append(p.keys, record.PartitionKey)
			results = append(results, map[string]string{"ShardId": "shardId-000000000000", "SequenceNumber": fmt.Sprint(len(p.data))})
		}
		reply(map[string]any{"FailedRecordCount": failed, "Records": results})
	}
}

func TestProduceCreatesTheStream(t *testing.T) {
	k := serve(t, &fakeKinesis{polls: 2})
	stdout, stderr, status := finish(t, command(t, "--endpoint", k.URL))
	if status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	if k.shards != 2 || len(k.data) != 10 || strings.Count(stdout, "\n") != 10 {
		t.Errorf("%d shards, %d records, stdout %s", k.shards, len(k.data), stdout)
	}
	for i, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
		want := fmt.Sprintf(`{"shardId":"shardId-000000000000","sequenceNumber":"%d","partitionKey":"%s"}`, i+1, k.keys[i])
		if line != want {
			t.Errorf("line %d is %s, want %s", i+1, line, want)
		}
	}
	for _, want := range []string{"creating stream kclgosample with 2 shards", "CREATING", "put 10 records"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q: %s", want, stderr)
		}
	}
}

func TestProduceLeavesAnotherShardCount(t *testing.T) {
	k := serve(t, &fakeKinesis{shards: 5})
	_, stderr, status := finish(t, command(t, "--endpoint", k.URL, "--shards", "3", "-n", "0"))
	if status != 0 || k.shards != 5 || !strings.Contains(stderr, "exists with 5 shards, not 3") {
		t.Errorf("status %d, %d shards: %s", status, k.shards, stderr)
	}
}

func TestProduceFileInOrderWithRefusals(t *testing.T) {
	const content = "first\n\nthird\r\n\xff last"
	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, stdin := range []bool{false, true} {
		k := serve(t, &fakeKinesis{shards: 1, refuse: func(call, record int) bool {
			return call == 2 && record == 1 // describe, put
		}})
		c := command(t, "--file", file, "--endpoint", k.URL)
		if stdin {
			c = command(t, "--file", "-", "--endpoint", k.URL)
			c.Stdin = strings.NewReader(content)
		}
		stdout, stderr, status := finish(t, c)
		if status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		if got, want := fmt.Sprintf("%q", k.data), `["first" "third\r" "\xff last" ""]`; got != want {
			t.Errorf("records %s, want %s", got, want)
		}
		var keys []string
		for _, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
			var r struct{ PartitionKey string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			keys = append(keys, r.PartitionKey)
		}
		if fmt.Sprint(keys) != "[1 2 3 4]" {
			t.Errorf("results in the order %v, want 1 2 3 4", keys)
		}
	}
}

func TestLineOverTheLimit(t *testing.T) {
	content := "short\n" + strings.Repeat("x", 1<<20) + "\nnever\n"
	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	// A file can be read twice: nothing is created or sent.
	k := serve(t, &fakeKinesis{})
	_, stderr, status := finish(t, command(t, "--file", file, "--endpoint", k.URL))
	if status != 1 || !strings.Contains(stderr, "line 2 is over the 1048576 bytes") || !strings.Contains(stderr, "no record was sent") || len(k.data) != 0 || k.shards != 0 {
		t.Errorf("file: status %d, %d records: %s", status, len(k.data), stderr)
	}
	// Standard input cannot: the lines before are sent, and the error says how many.
	k = serve(t, &fakeKinesis{shards: 1})
	c := command(t, "--file", "-", "--endpoint", k.URL)
	c.Stdin = strings.NewReader(content)
	stdout, stderr, status := finish(t, c)
	if status != 1 || !strings.Contains(stderr, "line 2 is over") || !strings.Contains(stderr, "1 record was put") || len(k.data) != 1 || strings.Count(stdout, "\n") != 1 {
		t.Errorf("stdin: status %d, %d records: %s", status, len(k.data), stderr)
	}
}

func TestInterruptEndsAtOnce(t *testing.T) {
	k := serve(t, &fakeKinesis{shards: 1, hang: make(chan struct{}), hanging: make(chan struct{})})
	defer close(k.hang)
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} {
		t.Setenv(name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-k.hanging; cancel() }()
	var stderr bytes.Buffer
	began := time.Now()
	status := run(ctx, []string{"--endpoint", k.URL}, nil, io.Discard, &stderr)
	if status != 1 || !strings.Contains(stderr.String(), "interrupted; 0 records were put, 10 more may have been") || time.Since(began) > 5*time.Second {
		t.Errorf("status %d after %v: %s", status, time.Since(began), stderr.String())
	}
}
