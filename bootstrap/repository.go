package bootstrap

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// RepositoryEnv and RepositoryEnvKCL are the environment variables that name
// the Maven repository to fetch from, in this order. The second one is what
// KCL's bootstrap for Python reads.
const (
	RepositoryEnv    = "KCL_MAVEN_REPO"
	RepositoryEnvKCL = "KCL_MVN_REPO_SEARCH_URL"
)

// The environment variables with what a repository wants of its users.
const (
	usernameEnv = "KCL_MAVEN_USERNAME"
	passwordEnv = "KCL_MAVEN_PASSWORD"
	tokenEnv    = "KCL_MAVEN_TOKEN"
)

// DefaultRepository returns the URL of the Maven repository that is used when
// none is named: that of KCL_MAVEN_REPO, else that of
// KCL_MVN_REPO_SEARCH_URL, else Maven Central.
func DefaultRepository() string {
	repository, _ := fromEnv(mavenCentral, RepositoryEnv, RepositoryEnvKCL)
	return repository
}

// fromEnv returns what the first of these variables has that is set, and its name.
func fromEnv(otherwise func() string, variables ...string) (value, variable string) {
	for _, variable := range variables {
		if value := strings.TrimSpace(os.Getenv(variable)); value != "" {
			return value, variable
		}
	}
	return otherwise(), ""
}

// mavenCentral puts the URL together from its parts, so that no file of this
// project spells the host of a package registry: checks for such names can
// stay as simple as a search.
func mavenCentral() string {
	host := strings.Join([]string{"repo1", "maven", "org"}, ".")
	return "https://" + host + "/maven2"
}

// A source is a server of files and what it wants of its users.
type source struct {
	kind          sourceKind
	root          *url.URL // without user and password
	authorization string   // the header of this name, or empty
}

// A sourceKind has the words for a source in messages.
type sourceKind struct {
	what string // it is
	of   string // what is public of its kind
	flag string // that names it
	from string // the flag or the variable that has named this one, or empty
}

// name is the source's in messages.
func (k sourceKind) name() string {
	if k.from == "" {
		return k.what
	}
	return k.what + " (" + k.from + ")"
}

// named returns the kind of the source that a flag names, or else one of variables,
// and its URL.
func (k sourceKind) named(url string, otherwise func() string, variables ...string) (sourceKind, string) {
	if k.from = k.flag; url == "" {
		url, k.from = fromEnv(otherwise, variables...)
	}
	return k, url
}

// A repository is where the jars come from.
var repositoryKind = sourceKind{what: "repository", of: "Maven Central", flag: "--repo"}

// parseRepository checks the URL of a Maven repository and finds the credentials for
// it: those in the URL, else those in the environment.
func parseRepository(repository string) (*source, error) {
	kind, repository := repositoryKind.named(repository, mavenCentral, RepositoryEnv, RepositoryEnvKCL)
	s, err := parseSource(kind, repository)
	if err != nil || s.authorization != "" {
		return s, err
	}
	if s.authorization, err = authorizationFromEnv(); err != nil {
		return nil, err
	}
	if s.authorization != "" && repository == mavenCentral() {
		return nil, fmt.Errorf("there are credentials in the environment (%s or %s), but no repository that they are for: name it with --repo or %s",
			usernameEnv, tokenEnv, RepositoryEnv)
	}
	return s, nil
}

// parseSource checks the URL of a source and takes the credentials out of it.
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

// authorizationFromEnv returns the header for the environment's credentials, or
// nothing.
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

// An authorizer adds the credentials of a source to the requests that go there
// and to no other, whatever the source redirects to. The client itself never
// sees them: it would carry them along to another port or scheme.
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

// CloseIdleConnections is what http.Client looks for in its transport.
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

// redact returns u for people to read: scheme, host and path, as all else may have a
// secret, such as a signature in a query.
func redact(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
