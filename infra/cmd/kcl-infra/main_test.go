package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/infra/internal/rewind"
)

// If this variable is set, the test binary is the command itself. Its value is the time
// that a service has to answer the first call.
const asCommand = "KCL_INFRA_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if answer := os.Getenv(asCommand); answer != "" {
		firstCallTimeout, _ = time.ParseDuration(answer)
		main()
		return
	}
	os.Exit(m.Run())
}

// command runs kcl-infra as a process, with nothing of AWS in its environment but env.
func command(t *testing.T, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	none := filepath.Join(t.TempDir(), "none")
	c.Env = []string{asCommand + "=5s", "AWS_CONFIG_FILE=" + none, "AWS_SHARED_CREDENTIALS_FILE=" + none, "AWS_EC2_METADATA_DISABLED=true"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "AWS_") && !strings.Contains(strings.ToLower(e), "_proxy=") {
			c.Env = append(c.Env, e)
		}
	}
	c.Env = append(c.Env, env...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	began := time.Now()
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("%v took %v, want at most 10 s", args, took)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

var credentials = []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}

// kinesisWithoutStreams starts a Kinesis that has no stream, and returns its URL.
func kinesisWithoutStreams(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(400)
		json.NewEncoder(w).Encode(map[string]string{"__type": "ResourceNotFoundException"})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestBadInput(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + listener.Addr().String()
	listener.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, answers nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	mute := "http://" + silent.Addr().String()
	impatient := append([]string{asCommand + "=1s"}, credentials...)
	noStreams := kinesisWithoutStreams(t)

	file := filepath.Join(t.TempDir(), "app.properties")
	text := "applicationName = app\nstreamName = s\nregionName = us-east-2\ninitialPositionInStream = TRIM_HORIZON\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	backup := filepath.Join(t.TempDir(), "backup")
	if err := (rewind.Backup{Application: "app"}).Write(backup); err != nil {
		t.Fatal(err)
	}
	several := filepath.Join(t.TempDir(), "several.properties")
	text = "applicationName = app\nstreams = a initialPosition=LATEST, b\ninitialPositionInStream = TRIM_HORIZON\n"
	if err := os.WriteFile(several, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:kinesis:us-east-1:123456789012:stream/a"

	tests := []struct {
		name   string
		env    []string
		args   string
		status int
		want   string
	}{
		{"no command", nil, "", 2, "which command?"},
		{"unknown command", nil, "destroy", 2, `"destroy"`},
		{"unknown flag", nil, "create --shard 1", 2, "--shard"},
		{"argument", nil, "status kclgosample", 2, `"kclgosample"`},
		{"no shards", nil, "create --shards 0", 2, "--shards 0"},
		{"stream name", nil, "create --stream-name a/b", 2, `"a/b"`},
		{"application", nil, "status --application ab", 2, `"ab"`},
		{"stream ARN", nil, "status -s arn:aws:kinesis:us-east-1:1:stream/a", 2, "ARN of a stream"},
		{"a stream twice", nil, "create -s a -s b -s a", 2, "stream a is named twice"},
		{"no stream", nil, "create --stream-name=", 2, "names no stream"},
		{"streams of two regions", nil, "create -s " + arn + ",arn:aws:kinesis:us-east-2:123456789012:stream/a", 2, "is not in region us-east-1"},
		{"a stream of another region", nil, "create --region us-east-2 -s " + arn, 2, "is not in region us-east-2"},
		{"properties with other streams", nil, "create -s a -p " + several, 2, "names a,b"},
		{"properties with another position for all", nil, "create --seed-leases AT_TIMESTAMP --timestamp 5 -p " + several, 2, "stream a starts at LATEST"},
		{"properties with another position for one", nil, "create --seed-leases LATEST -p " + several, 2, "stream b starts at TRIM_HORIZON"},
		{"configured without properties", nil, "create --seed-leases configured", 2, "needs --properties"},
		{"configured with a time", nil, "create --seed-leases CONFIGURED --timestamp 5 -p " + several, 2, "takes no --timestamp"},
		{"leases and streams", nil, "delete --stream --leases-of a", 2, "excludes --stream"},
		{"resource policies of the own streams", nil, "iam-policy --account 123456789012 --resource-policies -s " + arn, 2, "no stream is named by an ARN of another account"},
		{"resource policies for nobody", nil, "iam-policy --resource-policies -s " + arn, 2, "--resource-policies needs --account"},
		{"leases of nothing", nil, "delete --yes --leases-of=", 2, "--leases-of names no stream"},
		{"layout", nil, "create --layout kcl4", 2, `"kcl4" is none of kcl2, kcl3, kcl3.5`},
		{"layouts", nil, "iam-policy --account 123456789012 --layout kcl3,4", 2, `"4" is none of`},
		{"region", nil, "leases --region US", 2, `"US"`},
		{"kinesis endpoint", nil, "status --kinesis-endpoint localhost", 2, `"localhost"`},
		{"dynamodb endpoint", nil, "status --dynamodb-endpoint localhost", 2, `"localhost"`},
		{"position", nil, "create --seed-leases OLDEST", 2, `"OLDEST"`},
		{"position without its time", nil, "create --seed-leases AT_TIMESTAMP", 2, "timestamp"},
		{"time in milliseconds", nil, "create --seed-leases AT_TIMESTAMP --timestamp 1700000000000", 2, "write 1700000000"},
		{"time to come", nil, "create --seed-leases AT_TIMESTAMP --timestamp 4102444800", 2, "in the future"},
		{"time without its position", nil, "create --timestamp 5", 2, "--timestamp"},
		{"properties with another position", nil, "create --seed-leases LATEST -p " + file, 2, "the application starts at TRIM_HORIZON"},
		{"properties with another application", nil, "create --application other -p " + file, 2, "applicationName app"},
		{"properties with another stream", nil, "create -s other -p " + file, 2, "names s"},
		{"properties with another region", nil, "create --region us-east-1 -p " + file, 2, "regionName us-east-2"},
		{"missing properties", nil, "create -p no-such-file", 1, "no-such-file"},
		{"account", nil, "iam-policy --account 12", 2, `"12"`},
		{"no credentials", nil, "create", 1, "no AWS credentials"},
		{"rewind of no stream", credentials, "rewind --to LATEST --application app", 2, "which stream?"},
		{"restore asks for no stream", credentials, "restore " + backup + " --kinesis-endpoint " + dead + " --dynamodb-endpoint " + noStreams, 1, "application app has no lease table"},
		{"dead kinesis", credentials, "create --kinesis-endpoint " + dead, 1, "kinesis at " + dead},
		{"dead dynamodb", credentials, "create --kinesis-endpoint " + noStreams + " --dynamodb-endpoint " + dead, 1, "dynamodb at " + dead},
		{"mute kinesis", impatient, "status --kinesis-endpoint " + mute, 1, "kinesis at " + mute},
		{"mute dynamodb", impatient, "delete --yes --kinesis-endpoint " + noStreams + " --dynamodb-endpoint " + mute, 1, "dynamodb at " + mute},
		{"host that does not exist", credentials, "status --kinesis-endpoint http://no-such-host.invalid", 1, "no-such-host.invalid does not answer"},
		{"region that does not exist", credentials, "status --region us-nowhere-1", 1, "kinesis in us-nowhere-1 does not answer"},
		{"dead by the environment", append([]string{"AWS_ENDPOINT_URL=" + dead}, credentials...), "status", 1, "kinesis at " + dead},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, status := command(t, tt.env, strings.Fields(tt.args)...)
			if status != tt.status || stdout != "" {
				t.Errorf("status %d, want %d; stdout %q", status, tt.status, stdout)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "kcl-infra") || !strings.Contains(stderr, tt.want) {
				t.Errorf("stderr is not one line with %q: %s", tt.want, stderr)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"--help", "create --help", "status -h", "leases --help", "rewind --help", "restore --help", "unlock --help", "delete --help", "iam-policy --help"} {
		stdout, stderr, status := command(t, nil, strings.Fields(args)...)
		if status != 0 || stderr != "" || !strings.Contains(stdout, "\nExample") {
			t.Errorf("%s: status %d, stderr %q, want 0, none and examples; stdout %s", args, status, stderr, stdout)
		}
	}
}

func TestIAMPolicyNeedsNoCredentials(t *testing.T) {
	stdout, stderr, status := command(t, nil, strings.Fields("iam-policy --account 123456789012 --application app -s orders --region eu-west-1")...)
	var document struct{ Statement []struct{ Resource []string } }
	if err := json.Unmarshal([]byte(stdout), &document); err != nil || status != 0 || stderr != "" {
		t.Fatalf("status %d, error %v, stderr %q, want 0 and none", status, err, stderr)
	}
	if got := document.Statement[0].Resource[0]; got != "arn:aws:kinesis:eu-west-1:123456789012:stream/orders" {
		t.Errorf("the first resource is %s, want stream orders", got)
	}
	// Of another account.
	foreign := "iam-policy --account 123456789012 -s orders -s arn:aws:kinesis:eu-west-1:222222222222:stream/payments"
	stdout, stderr, status = command(t, nil, strings.Fields(foreign)...)
	if status != 0 || !strings.Contains(stdout, "StreamOfAnotherAccount") || !strings.Contains(stderr, "see --resource-policies") {
		t.Errorf("status %d, stderr %s, stdout %s", status, stderr, stdout)
	}
	stdout, stderr, status = command(t, nil, strings.Fields(foreign+" --resource-policies")...)
	if status != 0 || !json.Valid([]byte(stdout)) || !strings.Contains(stdout, "arn:aws:iam::123456789012:root") ||
		!strings.Contains(stderr, "register-stream-consumer") || !strings.Contains(stderr, "put-resource-policy") {
		t.Errorf("status %d, stderr %s, stdout %s", status, stderr, stdout)
	}
	// The region of the environment, and any account with a warning.
	stdout, stderr, status = command(t, []string{"AWS_REGION=us-west-2"}, "iam-policy")
	if status != 0 || !strings.Contains(stdout, "arn:aws:kinesis:us-west-2:*:stream/kclgosample") || !strings.Contains(stderr, "no --account") {
		t.Errorf("status %d, stderr %s, stdout %s", status, stderr, stdout)
	}
}
