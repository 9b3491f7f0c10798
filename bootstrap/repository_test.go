package bootstrap

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// noCredentials keeps the environment of whoever runs the tests out of them.
func noCredentials(t *testing.T) {
	for _, name := range []string{usernameEnv, passwordEnv, tokenEnv, repositoryEnv, repositoryEnvKCL} {
		t.Setenv(name, "")
	}
}

// A guard serves only who is authorized, and remembers what everyone sent.
type guard struct {
	want string

	mu   sync.Mutex
	sent []string
}

func (g *guard) refuses(w http.ResponseWriter, r *http.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent = append(g.sent, r.Header.Get("Authorization"))
	if g.want != "" && r.Header.Get("Authorization") != g.want {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	return false
}

func TestFetchCredentials(t *testing.T) {
	for _, tt := range []struct {
		name    string
		env     map[string]string
		userURL bool
		want    string
	}{
		{"user and password", map[string]string{usernameEnv: "ada", passwordEnv: "secret:1"}, false, "Basic YWRhOnNlY3JldDox"},
		{"token", map[string]string{tokenEnv: "secret"}, false, "Bearer secret"},
		{"in the URL, before those of the environment", map[string]string{tokenEnv: "secret"}, true, "Basic dXNlcjpzZWNyZXQ="},
		{"none", nil, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noCredentials(t)
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			g := &guard{want: tt.want}
			repo := newRepository(t, 3, func(w http.ResponseWriter, r *http.Request, _ int, _ []byte) bool { return g.refuses(w, r) })
			url := repo.url()
			if tt.userURL {
				url = strings.Replace(url, "://", "://user:secret@", 1)
			}
			if _, err := Fetch(t.Context(), repo.lock, &FetchOptions{Repository: url, CacheDir: t.TempDir()}); err != nil {
				t.Error(err)
			}
			if len(g.sent) != 3 {
				t.Errorf("%d requests", len(g.sent))
			}
		})
	}
}

// Another port of the same host is another server: the client of net/http
// alone would give it the credentials.
//
// Guarantee: Credentials are sent only to the scheme, host and port that they are
// for, and are in no error.
func TestFetchRedirectedCredentials(t *testing.T) {
	for _, env := range []map[string]string{{tokenEnv: "secret"}, {usernameEnv: "ada", passwordEnv: "secret"}} {
		noCredentials(t)
		for name, value := range env {
			t.Setenv(name, value)
		}
		away := &guard{}
		store := newRepository(t, 2, func(w http.ResponseWriter, r *http.Request, _ int, _ []byte) bool { return away.refuses(w, r) })
		home := &guard{}
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			home.refuses(w, r)
			if r.URL.RawQuery == "" { // to itself first, then away
				http.Redirect(w, r, r.URL.Path+"?again", http.StatusMovedPermanently)
				return
			}
			http.Redirect(w, r, store.URL+r.URL.Path, http.StatusFound)
		}))
		defer front.Close()
		if _, err := Fetch(t.Context(), store.lock, &FetchOptions{Repository: front.URL + "/maven2", CacheDir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		if len(home.sent) != 4 || len(away.sent) != 2 {
			t.Errorf("%d requests at home, %d away", len(home.sent), len(away.sent))
		}
		for _, sent := range home.sent {
			if sent == "" {
				t.Error("the repository did not get the credentials")
			}
		}
		for _, sent := range away.sent {
			if sent != "" {
				t.Errorf("the other server got %q", sent)
			}
		}
	}
}

func TestFetchBadCredentials(t *testing.T) {
	for _, tt := range []struct {
		env        map[string]string
		repository string // empty: none is named
		want       string
	}{
		{map[string]string{tokenEnv: "secret"}, "", "no repository for them: use --repo or KCL_MAVEN_REPO"},
		{map[string]string{usernameEnv: "ada", passwordEnv: "secret"}, mavenCentral(), "no repository for them"},
		{map[string]string{usernameEnv: "ada"}, "https://maven.example", "set without the other"},
		{map[string]string{passwordEnv: "secret"}, "https://maven.example", "set without the other"},
		{map[string]string{tokenEnv: "secret", passwordEnv: "secret"}, "https://maven.example", "a repository takes one of them"},
		{map[string]string{tokenEnv: "sec\nret"}, "https://maven.example", "more than one line"},
	} {
		noCredentials(t)
		for name, value := range tt.env {
			t.Setenv(name, value)
		}
		_, err := Fetch(t.Context(), DaemonLock(), &FetchOptions{Repository: tt.repository, CacheDir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v, want %q and no secret", tt.env, err, tt.want)
		}
	}
}

// What a repository answers is not a way to see the credentials.
//
// Guarantee: Credentials are sent only to the scheme, host and port that they are
// for, and are in no error.
func TestFetchErrorsHaveNoCredentials(t *testing.T) {
	noCredentials(t)
	t.Setenv(tokenEnv, "secret")
	for name, fault := range map[string]http.HandlerFunc{
		"refused":            func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"redirected in ring": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"redirected to a user": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://user:secret@127.0.0.1:1/", http.StatusFound)
		},
	} {
		repo := newRepository(t, 1, func(w http.ResponseWriter, r *http.Request, _ int, _ []byte) bool { fault(w, r); return true })
		_, err := impatient(&FetchOptions{Repository: repo.url(), CacheDir: t.TempDir()}, 10*time.Second).fetch(t.Context(), repo.lock)
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line without a secret", name, err)
		}
	}
	// Nor is what is wrong with an address, in a flag or in the page of an index.
	wheel := madeUp()
	for _, address := range []string{
		"user:secret@host/simple", "https:user:secret@host/simple", "secret@host/simple", "//user:secret@host/simple",
		"https://host/simple?token=secret", "https://host/simple#secret", "https://user:secret/x@host/simple",
		"https://user:%secret@host/simple", "ftp://user:secret@host/simple?secret#secret",
	} {
		if _, err := parseSource(indexKind, address); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want one line without a secret", address, err)
		}
	}
	for _, link := range []string{"/files/" + wheel.Name + "?signature=secret", "ftp://host/" + wheel.Name + "?secret", "//user:secret@host/" + wheel.Name} {
		x := newIndex(t, wheel, func(w http.ResponseWriter, r *http.Request, _ int, _ []byte) bool {
			if strings.HasPrefix(r.URL.Path, "/simple") {
				fmt.Fprintf(w, "<a href='%s'>", link)
			} else {
				w.WriteHeader(http.StatusForbidden)
			}
			return true
		})
		if _, err := x.fetchJava(t, &FetchOptions{CacheDir: t.TempDir()}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want one line without a secret", link, err)
		}
	}
}
