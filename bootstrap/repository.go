package bootstrap

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// repositoryEnv and repositoryEnvKCL are the environment variables that name the Maven
// repository, in this order. KCL's bootstrap for Python reads the second one.
const (
	repositoryEnv    = "KCL_MAVEN_REPO"
	repositoryEnvKCL = "KCL_MVN_REPO_SEARCH_URL"
)

// The environment variables with the credentials for a repository.
const (
	usernameEnv = "KCL_MAVEN_USERNAME"
	passwordEnv = "KCL_MAVEN_PASSWORD"
	tokenEnv    = "KCL_MAVEN_TOKEN"
)

// DefaultRepository returns the URL of the Maven repository that is used if none is named:
// the one in KCL_MAVEN_REPO, else in KCL_MVN_REPO_SEARCH_URL, else Maven Central.
func DefaultRepository() string {
	repository, _ := fromEnv(mavenCentral, repositoryEnv, repositoryEnvKCL)
	return repository
}

// fromEnv returns the value and the name of the first variable that is set.
func fromEnv(otherwise func() string, variables ...string) (value, variable string) {
	for _, variable := range variables {
		if value := strings.TrimSpace(os.Getenv(variable)); value != "" {
			return value, variable
		}
	}
	return otherwise(), ""
}

// mavenCentral builds the URL from parts, so that no file of this project contains the host
// name of a package registry: a simple search can check for such names.
func mavenCentral() string {
	host := strings.Join([]string{"repo1", "maven", "org"}, ".")
	return "https://" + host + "/maven2"
}

// A source is a server of files and the credentials for it.
type source struct {
	kind          sourceKind
	root          *url.URL // without user and password
	authorization string   // the Authorization header, or empty
}

// A sourceKind has the words for a source in messages.
type sourceKind struct {
	what string // "repository" or "package index"
	of   string // the public one
	flag string // the flag that names it
	from string // the flag or the variable that named this one, or empty
}

// name returns the source's name in messages.
func (k sourceKind) name() string {
	if k.from == "" {
		return k.what
	}
	return k.what + " (" + k.from + ")"
}

// named returns the URL of the source that a flag or else one of the variables names, and
// its kind.
func (k sourceKind) named(url string, otherwise func() string, variables ...string) (sourceKind, string) {
	if k.from = k.flag; url == "" {
		url, k.from = fromEnv(otherwise, variables...)
	}
	return k, url
}

// repositoryKind is the source of the jars.
var repositoryKind = sourceKind{what: "repository", of: "Maven Central", flag: "--repo"}

// parseRepository checks the URL of a Maven repository and finds the credentials for
// it: those in the URL, else those in the environment.
func parseRepository(repository string) (*source, error) {
	kind, repository := repositoryKind.named(repository, mavenCentral, repositoryEnv, repositoryEnvKCL)
	s, err := parseSource(kind, repository)
	if err != nil || s.authorization != "" {
		return s, err
	}
	if s.authorization, err = authorizationFromEnv(); err != nil {
		return nil, err
	}
	if s.authorization != "" && repository == mavenCentral() {
		return nil, fmt.Errorf("the environment has credentials (%s or %s), but names no repository for them: use --repo or %s",
			usernameEnv, tokenEnv, repositoryEnv)
	}
	return s, nil
}

// parseSource checks the URL of a source and separates the credentials from it.
func parseSource(kind sourceKind, text string) (*source, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		// The reason may repeat a part of a password.
		return nil, fmt.Errorf("the %s is not a URL", kind.name())
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, fmt.Errorf("the %s is not of the form https://HOST/PATH", kind.name())
	}
	s := &source{kind: kind, root: u}
	if user := u.User; user != nil {
		password, _ := user.Password()
		s.authorization = basic(user.Username(), password)
		u.User = nil
	}
	return s, nil
}

// authorizationFromEnv returns the header for the credentials in the environment, or "".
func authorizationFromEnv() (string, error) {
	username, password, token := os.Getenv(usernameEnv), os.Getenv(passwordEnv), os.Getenv(tokenEnv)
	switch {
	case token != "" && (username != "" || password != ""):
		return "", fmt.Errorf("%s and %s or %s are both set: a repository takes one of them", tokenEnv, usernameEnv, passwordEnv)
	case strings.ContainsAny(token, "\r\n"):
		return "", fmt.Errorf("%s has more than one line: set it to the token alone", tokenEnv)
	case token != "":
		return "Bearer " + token, nil
	case (username == "") != (password == ""):
		return "", fmt.Errorf("one of %s and %s is set without the other", usernameEnv, passwordEnv)
	case username != "":
		return basic(username, password), nil
	}
	return "", nil
}

func basic(username, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
}

// An authorizer adds the credentials of a source to requests to that source only, whatever
// it redirects to. The client itself never sees them: it would send them to another port or
// scheme too.
type authorizer struct {
	source *source
	next   *http.Transport
}

func (a authorizer) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.source.authorization != "" && origin(req.URL) == origin(a.source.root) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", a.source.authorization)
	}
	return a.next.RoundTrip(req)
}

// CloseIdleConnections is the method that http.Client looks for in its transport.
func (a authorizer) CloseIdleConnections() {
	a.next.CloseIdleConnections()
}

// origin returns scheme, host and port of u, in one spelling.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + " " + strings.ToLower(u.Hostname()) + " " + port
}

// redact returns scheme, host and path of u, for messages: all else may contain a secret,
// such as a signature in a query.
func redact(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
