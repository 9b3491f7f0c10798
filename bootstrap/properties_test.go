package bootstrap

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// bare takes away what this machine's user may have set up.
func bare(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_REGION", "AWS_PROFILE", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_HOME"} {
		t.Setenv(name, "")
	}
	nowhere := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// executable makes a file that can be executed and returns its path, with
// forward slashes: a backslash in a properties file is an escape.
func executable(t *testing.T, dir, name string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.ToSlash(file)
}

func readProperties(t *testing.T, text string) *Properties {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sample.properties")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := ReadProperties(file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReadPropertiesErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadProperties(filepath.Join(dir, "none.properties"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("no file: error %v, want %v", err, fs.ErrNotExist)
	}
	if _, err := ReadProperties(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: error %v, want that it is not a regular file", err)
	}
	bad := filepath.Join(dir, "bad.properties")
	if err := os.WriteFile(bad, []byte("a=1\nb=\\u12\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = ReadProperties(bad)
	var config *ConfigError
	if !errors.As(err, &config) || config.Findings[0].File != bad || config.Findings[0].Line != 2 {
		t.Errorf("malformed: error %v, want a finding in line 2", err)
	}
}

func TestCheck(t *testing.T) {
	bare(t)
	dir := t.TempDir()
	t.Chdir(dir)
	consumer := executable(t, dir, "consumer")
	onPath := t.TempDir()
	executable(t, onPath, "consumer-in-path")
	t.Setenv("PATH", onPath)
	if err := os.WriteFile("plain.txt", nil, 0o644); err != nil {
		t.Fatal(err)
	}

	good := map[string]string{
		"executableName":         consumer,
		"applicationName":        "kclgosample",
		"streamName":             "kclgosample",
		"AwsCredentialsProvider": "DefaultCredentialsProvider",
		"regionName":             "us-east-1",
	}
	tests := []struct {
		name   string
		change string   // lines after the good ones; "-key" takes one away
		want   []string // the problems' beginnings
	}{
		{"good", "", nil},
		{"no executable", "-executableName", []string{"executableName: it is missing; set it to"}},
		{"empty executable", "executableName =  ", []string{"executableName: it is missing; set it to"}},
		{"with arguments", "executableName = " + consumer + "  --flag x", nil},
		{"from the working directory", "executableName = ./" + filepath.Base(consumer), nil},
		{"in PATH", "executableName = consumer-in-path -v", nil},
		{"not in PATH", "executableName = consumer-elsewhere", []string{`executableName: "consumer-elsewhere" cannot be executed: not found in PATH`}},
		{"no such file", "executableName = ./none a b", []string{`executableName: "./none" cannot be executed: no such file`}},
		{"a folder", "executableName = " + filepath.ToSlash(dir), []string{"executableName: "}},
		{"no application", "-applicationName", []string{"applicationName: it is missing; set it to"}},
		{"blank application", `applicationName = \u0020`, []string{"applicationName: it is missing; set it to"}},
		{"application with a space at the end", "applicationName = sample ", []string{`applicationName: "sample " cannot name a DynamoDB table; use 3`}},
		{"odd application, named table", "applicationName = a/b\ntableName = table", nil},
		{"no stream", "-streamName", []string{"streamName: it is missing, and so are streamArn and streams; set one"}},
		{"stream with a space", "streamName = a b", []string{`streamName: "a b" cannot name a stream; use 1`}},
		{"ARN for a name", "streamName = arn:aws:kinesis:us-east-1:123456789012:stream/foo", []string{"streamName: it is an ARN; set streamArn to it instead"}},
		{"name for an ARN", "-streamName\nstreamArn = foo", []string{`streamArn: "foo" is a name, not an ARN; set streamName to it instead`}},
		{"ARN for a consumer's name", "fanoutConfig.consumerName = arn:aws:x", []string{"fanoutConfig.consumerName: it is an ARN; set fanoutConfig.consumerArn to it instead"}},
		{"consumer's name for an ARN", "fanoutConfig.consumerArn = x", []string{"fanoutConfig.consumerArn: it is not an ARN; set fanoutConfig.consumerName to a name"}},
		{"ARN alone", "-streamName\nstreamArn = arn:aws:kinesis:us-east-1:123456789012:stream/foo", nil},
		{"ARN of China", "-regionName\nregionName = cn-north-1\n-streamName\nstreamArn = arn:aws-cn:kinesis:cn-north-1:123456789012:stream/foo", nil},
		{"ARN gives no region", "-regionName\nstreamArn = arn:aws:kinesis:us-east-1:123456789012:stream/foo", []string{"regionName: it is missing; set it to"}},
		{"ARN of a consumer", "streamArn = arn:aws:kinesis:us-east-1:123456789012:stream/foo/consumer/bar:1", []string{`streamArn: "arn:aws:kinesis:us-east-1:123456789012:stream/foo/consumer/bar:1" is not the ARN of a stream; its form`}},
		{"ARN goes before name", "streamName = a b\nstreamArn = arn:aws:kinesis:us-east-1:123456789012:stream/foo", nil},
		{"no credentials", "-AwsCredentialsProvider", []string{"AwsCredentialsProvider: it is missing; DefaultCredentialsProvider"}},
		{"credentials of DynamoDB alone", "-AwsCredentialsProvider\nAwsCredentialsProviderDynamoDB = DefaultCredentialsProvider", []string{"AwsCredentialsProvider: it is missing; DefaultCredentialsProvider"}},
		{"credentials by a builder", "-AwsCredentialsProvider\nkinesisCredentialsProvider.class = DefaultCredentialsProvider", nil},
		{"credentials in small letters", "-AwsCredentialsProvider\nawscredentialsprovider : DefaultCredentialsProvider", nil},
		{"name in another case", "-applicationName\nApplicationName = x", []string{"applicationName: it is missing; set it to", "ApplicationName: the daemon knows no such property; did you mean applicationName?"}},
		{"no region", "-regionName", []string{"regionName: it is missing; set it to"}},
		{"region of one client", "-regionName\nkinesisClient.region = us-east-1", []string{"regionName: it is missing; set it to"}},
		{"region of each client", "-regionName\nkinesisClient.region = us-east-1\ndynamoDbClient.region = us-east-1\ncloudWatchClient.region = us-east-1", nil},
		{"good endpoints", "kinesisEndpoint = http://127.0.0.1:4567\ndynamoDBEndpoint = https://db.example", nil},
		{"bad endpoints", "kinesisEndpoint = localhost:4567\ndynamoDBEndpoint = ", []string{"kinesisEndpoint: it is not a URL", "dynamoDBEndpoint: it is not a URL"}},
		{
			"all at once", "-executableName\n-applicationName\n-streamName\n-AwsCredentialsProvider\n-regionName",
			[]string{"executableName: it is", "applicationName: it is", "streamName: it is", "AwsCredentialsProvider: it is", "regionName: it is"},
		},
	}
	if runtime.GOOS != "windows" {
		tests = append(tests, struct {
			name   string
			change string
			want   []string
		}{"not executable", "executableName = ./plain.txt", []string{`executableName: "./plain.txt" cannot be executed: not an executable file`}})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			properties := make(map[string]string)
			for k, v := range good {
				properties[k] = v
			}
			var text strings.Builder
			for line := range strings.SplitSeq(tt.change, "\n") {
				if key, ok := strings.CutPrefix(line, "-"); ok {
					delete(properties, key)
				} else {
					text.WriteString(line + "\n")
				}
			}
			lines := ""
			for k, v := range properties {
				lines += k + " = " + v + "\n"
			}
			_, err := readProperties(t, lines+text.String()).Check(nil)
			var problems []string
			var config *ConfigError
			if errors.As(err, &config) {
				for _, f := range config.Findings {
					problems = append(problems, f.Key+": "+f.Text+"; "+f.Suggestion)
				}
			}
			if (err == nil) != (tt.want == nil) || !slices.EqualFunc(problems, tt.want, strings.HasPrefix) {
				t.Errorf("%q, want %q", problems, tt.want)
			}
		})
	}
}

func TestRegionFromElsewhere(t *testing.T) {
	bare(t)
	if regionFromElsewhere() {
		t.Fatal("a region from nowhere")
	}
	for variable, value := range map[string]string{
		"AWS_REGION":        "us-east-1",
		"JAVA_TOOL_OPTIONS": "-Xmx1g -Daws.region=us-east-1",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			if !regionFromElsewhere() {
				t.Error("not seen")
			}
		})
	}
	for _, tt := range []struct {
		name, text, profile string
		want                bool
	}{
		{"default", "[default]\nregion = us-east-1\n", "", true},
		{"none", "[default]\noutput = json\n", "", false},
		{"empty", "[default]\nregion =\n", "", false},
		{"profile", "[default]\n[profile dev]\r\nregion=eu-west-1\r\n", "dev", true},
		{"profile in credentials' form", "[dev]\nregion = eu-west-1\n", "dev", true},
		{"of another profile", "[profile test]\nregion = eu-west-1\n[default]\n", "", false},
		{"of a service", "[default]\ns3 =\n  region = eu-west-1\n", "", false},
		{"commented out", "[default]\n# region = eu-west-1\n", "", false},
		{"of an SSO session", "[sso-session default]\nregion = eu-west-1\n", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, variable := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
				file := filepath.Join(t.TempDir(), "file")
				if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
					t.Fatal(err)
				}
				before := os.Getenv(variable)
				t.Setenv(variable, file)
				t.Setenv("AWS_PROFILE", tt.profile)
				if got := regionFromElsewhere(); got != tt.want {
					t.Errorf("%s: %t", variable, got)
				}
				t.Setenv(variable, before)
			}
		})
	}
}

func TestCheckEndpoints(t *testing.T) {
	t.Setenv("NO_PROXY", "*") // read once; loopback is never proxied anyway
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close() // nobody answers there now

	up, down := "http://"+listener.Addr().String(), "http://user:secret@"+free.Addr().String()+"/path"
	if err := readProperties(t, "kinesisEndpoint = "+up+"\ndynamoDBEndpoint = "+up).CheckEndpoints(t.Context()); err != nil {
		t.Error(err)
	}
	if err := readProperties(t, "a = b").CheckEndpoints(t.Context()); err != nil {
		t.Error(err)
	}
	p := readProperties(t, "kinesisEndpoint = "+up+"\ndynamoDBEndpoint = "+down+"\nkinesisClient.endpointOverride = "+down)
	err = p.CheckEndpoints(t.Context())
	var config *ConfigError
	if !errors.As(err, &config) || len(config.Findings) != 2 || config.Findings[1].Key != "dynamoDBEndpoint" ||
		!strings.HasPrefix(config.Findings[1].Text, "nobody answers at http://127.0.0.1:") ||
		strings.Contains(err.Error(), "secret") {
		t.Errorf("%v, want two problems", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	if err := p.CheckEndpoints(ctx); err != why {
		t.Errorf("%v, want the cause", err)
	}
}

// What finds no error returns nil itself, with warnings too, and never a nil or an
// empty *ConfigError.
func TestNoFindingsIsNil(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "good.properties")
	text := "streamName = s\napplicationName = app\nregionName = us-east-1\nAwsCredentialsProvider = DefaultCredentialsProvider\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, readErr := ReadProperties(file)
	if readErr != nil {
		t.Fatal(readErr)
	}
	p.Set("executableName", filepath.ToSlash(executable))
	warnings, checkErr := p.Check(nil)
	if len(warnings) == 0 {
		t.Error("no warning: this is about errors beside them")
	}
	for name, err := range map[string]error{"Check": checkErr, "CheckEndpoints": p.CheckEndpoints(t.Context())} {
		if err != nil {
			t.Errorf("%s returns %T %v", name, err, err)
		}
	}
}
