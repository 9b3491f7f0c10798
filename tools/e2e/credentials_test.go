//go:build unix

package e2e

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// The daemon's own classes get credentials from each source that a profile or provider may
// name by Amazon's documentation, with only the region of the properties; or check refuses
// the source. The test plays the services.
func TestCredentials(t *testing.T) {
	testenv.Long(t)
	java := testenv.JDK(t)
	program, err := filepath.Abs("testdata/Credentials.java")
	if err != nil {
		t.Fatal(err)
	}
	fetched, err := bootstrap.Fetch(t.Context(), bootstrap.DaemonLock(), nil)
	if err != nil {
		t.Fatal(err)
	}
	services := httptest.NewServer(http.HandlerFunc(playCredentials))
	defer services.Close()
	home := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(home, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	token := write("token", "a token")
	process := write("process", "#!/bin/sh\necho '{\"Version\":1,\"AccessKeyId\":\"AKPROCESS\",\"SecretAccessKey\":\"s\"}'\n")
	if err := os.Chmod(process, 0o700); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	earlier := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	cache := func(name, text string) {
		write(fmt.Sprintf(".aws/sso/cache/%x.json", sha1.Sum([]byte(name))), text)
	}
	cache("session", `{"accessToken":"t","expiresAt":"`+later+`","region":"eu-west-1","startUrl":"https://start"}`)
	cache("expired", `{"accessToken":"t","expiresAt":"`+earlier+`","refreshToken":"r","clientId":"c","clientSecret":"s","registrationExpiresAt":"`+later+`","region":"eu-west-1","startUrl":"https://start"}`)
	cache("https://legacy", `{"accessToken":"t","expiresAt":"`+later+`","region":"eu-west-1","startUrl":"https://legacy"}`)
	const role = "arn:aws:iam::123456789012:role/"
	config := write(".aws/config", `
[profile keys]
aws_access_key_id = AKKEYS
aws_secret_access_key = s
[profile assumed]
role_arn = `+role+`PROFILE
source_profile = keys
[profile from-container]
role_arn = `+role+`CONTAINER
credential_source = EcsContainer
[profile from-environment]
role_arn = `+role+`ENVIRONMENT
credential_source = Environment
[profile web]
role_arn = `+role+`WEB
web_identity_token_file = `+token+`
[profile process]
credential_process = `+process+`
[sso-session session]
sso_region = eu-west-1
sso_start_url = https://start
sso_registration_scopes = sso:account:access
[sso-session expired]
sso_region = eu-west-1
sso_start_url = https://start
[profile sso]
sso_session = session
sso_account_id = 123456789012
sso_role_name = Reader
[profile sso-refreshed]
sso_session = expired
sso_account_id = 123456789012
sso_role_name = Refreshed
[profile sso-legacy]
sso_start_url = https://legacy
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = Legacy
[profile sso-assumed]
role_arn = `+role+`SSOASSUMED
source_profile = sso
[profile login]
login_session = arn:aws:iam::123456789012:user/me
[profile login-assumed]
role_arn = `+role+`LOGIN
source_profile = login
`)

	const refused = "refused by check"
	keys := "#system aws.accessKeyId = AKSYSTEM\n#system aws.secretAccessKey = s\n"
	cases := []struct{ name, properties, want string }{
		{"assume-role", keys + "AwsCredentialsProvider = StsAssumeRoleCredentialsProvider|" + role + "PLAIN|session", "AKPLAIN"},
		{"assume-role-fully-named", keys + "AwsCredentialsProvider = software.amazon.awssdk.services.sts.auth.StsAssumeRoleCredentialsProvider|" + role + "FULL|session", "AKFULL"},
		{"assume-role-kcl", keys + "AwsCredentialsProvider = KclStsAssumeRoleCredentialsProvider|" + role + "KCL|session", "AKKCL"},
		{"assume-role-region", keys + "AwsCredentialsProvider = StsAssumeRoleCredentialsProvider|" + role + "REGION|session|endpointRegion=eu-west-1", "AKREGION"},
		{"assume-role-endpoint", keys + "AwsCredentialsProvider = StsAssumeRoleCredentialsProvider|" + role + "ENDPOINT|session|endpoint=" + services.URL + "^eu-west-1", "AKENDPOINT"},
		{"assume-role-external", keys + "AwsCredentialsProvider = StsAssumeRoleCredentialsProvider|" + role + "EXTERNAL|session|externalId=id", "AKEXTERNALid"},
		{"assume-role-dynamodb", keys + "AwsCredentialsProvider = StsAssumeRoleCredentialsProvider|" + role + "ONE|s\nAwsCredentialsProviderDynamoDB = StsAssumeRoleCredentialsProvider|" + role + "TWO|s", "AKONE"},
		{"default", "AwsCredentialsProvider = DefaultCredentialsProvider", "AKENVIRON"},
		{"system", keys + "AwsCredentialsProvider = SystemPropertyCredentialsProvider", "AKSYSTEM"},
		{"environment", "AwsCredentialsProvider = EnvironmentVariableCredentialsProvider", "AKENVIRON"},
		{"container", "AwsCredentialsProvider = ContainerCredentialsProvider", "AKHOST"},
		{"instance", "AwsCredentialsProvider = InstanceProfileCredentialsProvider", "AKINSTANCE"},
		{"web-identity", "#system aws.roleArn = " + role + "TOKEN\n#system aws.webIdentityTokenFile = " + token + "\nAwsCredentialsProvider = WebIdentityTokenFileCredentialsProvider", "AKTOKEN"},
		{"list", "AwsCredentialsProvider = SystemPropertyCredentialsProvider, ProfileCredentialsProvider|keys", "AKKEYS"},
		{"bean", "kinesisCredentialsProvider.class = EnvironmentVariableCredentialsProvider", "AKENVIRON"},
	}
	for profile, want := range map[string]string{
		"keys": "AKKEYS", "assumed": "AKPROFILE", "from-container": "AKCONTAINER", "from-environment": "AKENVIRONMENT", "web": "AKWEB", "process": "AKPROCESS",
		"sso": "AKReader", "sso-refreshed": "AKRefreshed", "sso-legacy": "AKLegacy", "sso-assumed": "AKSSOASSUMED",
		"login": refused, "login-assumed": refused, "none": refused,
	} {
		cases = append(cases,
			struct{ name, properties, want string }{"profile-" + profile, "AwsCredentialsProvider = ProfileCredentialsProvider|" + profile, want})
	}
	var files []string
	for _, c := range cases {
		files = append(files, write(c.name, "executableName = true\napplicationName = a-1\nstreamName = s\nregionName = us-east-1\nworkerId = w\n"+
			"retrievalMode = POLLING\ninitialPositionInStream = LATEST\nshutdownGraceMillis = 20000\n"+c.properties+"\n"))
	}
	for name, value := range map[string]string{
		"HOME": home, "AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, "none"), "AWS_PROFILE": "", "AWS_REGION": "",
		"AWS_ENDPOINT_URL_STS": services.URL, "AWS_ENDPOINT_URL_SSO": services.URL, "AWS_ENDPOINT_URL_SSO_OIDC": services.URL,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": services.URL + "/container", "AWS_EC2_METADATA_SERVICE_ENDPOINT": services.URL, "AWS_EC2_METADATA_DISABLED": "",
		"AWS_ACCESS_KEY_ID": "AKENVIRON", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "",
	} {
		if t.Setenv(name, value); value == "" {
			os.Unsetenv(name) // for Java an empty variable is set
		}
	}
	properties, err := bootstrap.ReadProperties(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = bootstrap.Command{
		Java: java, Jars: fetched.Files, Properties: properties,
		Entry: &bootstrap.Entry{Class: program, Jar: home, Dir: t.TempDir(), Args: func(string) []string { return files }},
	}.Run(t.Context(), &bootstrap.RunOptions{Output: &out})
	if !errors.Is(err, bootstrap.ErrUnexpectedExit) {
		t.Errorf("%v\n%s", err, &out)
	}
	results := make(map[string]string)
	for line := range strings.Lines(out.String()) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "result "); ok {
			name, result, _ := strings.Cut(rest, " ")
			results[name] = result
		}
	}
	for i, c := range cases {
		got := results[c.name]
		p, err := bootstrap.ReadProperties(files[i])
		if err != nil {
			t.Fatal(err)
		}
		warnings, err := p.Check(nil)
		if c.want == refused {
			if !strings.HasPrefix(got, "failed: ") {
				t.Errorf("%s: the daemon's classes come to %s", c.name, got)
			}
			if err == nil && len(warnings) == 0 {
				t.Errorf("%s: check says nothing", c.name)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%s: the daemon's classes come to %s, want %s", c.name, got, c.want)
		}
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: check says %v, %v", c.name, err, warnings)
		}
	}
	t.Logf("%d providers and profiles", len(cases))
}

// playCredentials plays STS, SSO, its OIDC, and the endpoints of a container and an
// instance. The access key tells which service was asked for what.
func playCredentials(w http.ResponseWriter, r *http.Request) {
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	host := func(key string) {
		fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":%q,"SecretAccessKey":"s","Token":"t","Expiration":%q}`, key, later)
	}
	switch r.URL.Path {
	case "/container":
		host("AKHOST")
	case "/latest/api/token":
		fmt.Fprint(w, "token")
	case "/latest/meta-data/iam/security-credentials/", "/latest/meta-data/iam/security-credentials-extended/":
		fmt.Fprint(w, "role")
	case "/latest/meta-data/iam/security-credentials/role", "/latest/meta-data/iam/security-credentials-extended/role":
		host("AKINSTANCE")
	case "/token":
		fmt.Fprint(w, `{"accessToken":"t","expiresIn":3600,"tokenType":"Bearer","refreshToken":"r"}`)
	case "/federation/credentials":
		fmt.Fprintf(w, `{"roleCredentials":{"accessKeyId":"AK%s","secretAccessKey":"s","sessionToken":"t","expiration":%d}}`,
			r.URL.Query().Get("role_name"), time.Now().Add(time.Hour).UnixMilli())
	case "/":
		action := r.FormValue("Action")
		_, role, _ := strings.Cut(r.FormValue("RoleArn"), "role/")
		fmt.Fprintf(w, `<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>AK%s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
			action, role+r.FormValue("ExternalId"), later)
	default:
		http.NotFound(w, r)
	}
}
