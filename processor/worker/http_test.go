package worker

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// request returns the status, the headers and the body of an answer.
func request(t *testing.T, h http.Handler, method, target string) (int, http.Header, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, w.Result().Header, string(body)
}

func TestHandlerAnswers(t *testing.T) {
	b, _ := busyBoard()
	h := newHandler(b)
	for _, test := range []struct {
		method, path string
		status       int
		kind, part   string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "<h1>stream</h1>"},
		{"HEAD", "/", 200, "text/html; charset=utf-8", ""},
		{"GET", "/?refresh", 200, "text/html; charset=utf-8", "<h1>stream</h1>"},
		{"GET", "/status.json", 200, "application/json", `"workerId": "worker-1"`},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "kcl_daemon_ready 1"},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "go_goroutines "},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "process_start_time_seconds "},
		{"GET", "/healthz", 200, "text/plain; charset=utf-8", "ok\n"},
		{"GET", "/readyz", 200, "text/plain; charset=utf-8", "ready; shardId-000000000002 cannot be read: GetRecords failed\n"},
		{"GET", "/favicon.ico", 404, "text/plain; charset=utf-8", "not found: there are /, "},
		{"GET", "/page/style.css", 404, "text/plain; charset=utf-8", "not found: "},
		{"GET", "/metrics/", 404, "text/plain; charset=utf-8", "not found: "},
		{"POST", "/nothing", 404, "text/plain; charset=utf-8", "not found: "},
		{"POST", "/", 405, "text/plain; charset=utf-8", "only GET and HEAD are allowed\n"},
		{"DELETE", "/metrics", 405, "text/plain; charset=utf-8", "only GET and HEAD are allowed\n"},
		{"OPTIONS", "/healthz", 405, "text/plain; charset=utf-8", "only GET and HEAD are allowed\n"},
	} {
		status, headers, body := request(t, h, test.method, test.path)
		what := test.method + " " + test.path
		check(t, what, status, test.status)
		check(t, what+": Content-Type", headers.Get("Content-Type"), test.kind)
		if !strings.Contains(body, test.part) {
			t.Errorf("%s: %q is not in %q", what, test.part, body)
		}
		check(t, what+": X-Content-Type-Options", headers.Get("X-Content-Type-Options"), "nosniff")
		check(t, what+": Cache-Control", headers.Get("Cache-Control"), "no-store")
		check(t, what+": Referrer-Policy", headers.Get("Referrer-Policy"), "no-referrer")
		if policy := headers.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") ||
			strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: the policy is %q", what, policy)
		}
		if status == http.StatusMethodNotAllowed {
			check(t, what+": Allow", headers.Get("Allow"), "GET, HEAD")
		}
	}
}

func TestHandlerServesTheStatus(t *testing.T) {
	b, _ := busyBoard()
	_, _, body := request(t, newHandler(b), "GET", "/status.json")
	var got Status
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	check(t, "stream, shards, errors", words(got.Streams, len(got.Shards), len(got.Errors)), "[stream] 3 5")
}

func TestReadiness(t *testing.T) {
	b, c := testBoard()
	h := newHandler(b)
	for _, step := range []struct {
		do     func()
		status int
		line   string
	}{
		{func() {}, 503, "not ready: the worker has not begun"},
		{b.daemonPreparing, 503, "not ready: the daemon's jars have been fetched and verified for 12 s"},
		{func() { b.daemonStarted(1) }, 503, "not ready: the daemon has been starting for 12 s"},
		{b.daemonInitializing, 503, "not ready: KCL has been initialising for 12 s"},
		{b.daemonReady, 200, "ready"},
		{func() { b.daemonEnded(errors.New("killed"), true) }, 503, "not ready: the daemon has ended, and has been waiting to be started again for 12 s"},
		{func() { b.daemonStarted(2) }, 503, "not ready: the daemon has been starting for 12 s"},
		{b.daemonReady, 200, "ready"},
		{b.daemonStopping, 503, "not ready: the daemon has been stopping for 12 s"},
		{func() { b.daemonEnded(nil, false) }, 503, "not ready: the daemon has stopped"},
	} {
		step.do()
		c.seconds(12)
		status, _, body := request(t, h, "GET", "/readyz")
		check(t, "readyz", words(status, strings.TrimSuffix(body, "\n")), words(step.status, step.line))
		status, _, body = request(t, h, "GET", "/healthz")
		check(t, "healthz", words(status, body), words(200, "ok"))
	}
}

// Below a path, however it is mounted, the page has its own.
func TestHandlerBelowAPath(t *testing.T) {
	b, _ := busyBoard()
	mux := http.NewServeMux()
	mux.Handle("/kcl/", http.StripPrefix("/kcl", newHandler(b)))
	mux.Handle("/other/", http.StripPrefix("/other/", newHandler(b)))
	mux.Handle("/exact", http.StripPrefix("/exact", newHandler(b)))
	for _, target := range []string{"/kcl/", "/other/"} {
		for page, part := range map[string]string{"": "<h1>stream</h1>", "metrics": "kcl_daemon_up 1", "status.json": `"streams": [`, "readyz": "ready"} {
			status, _, body := request(t, mux, "GET", target+page)
			if status != 200 || !strings.Contains(body, part) {
				t.Errorf("%s%s: status %d, %q is not in %q", target, page, status, part, body)
			}
		}
	}
	status, headers, _ := request(t, mux, "GET", "/exact?x")
	check(t, "without a slash", words(status, headers.Get("Location")), "307 ./exact/")
	_, _, body := request(t, mux, "GET", "/kcl/")
	for _, absolute := range []string{`="/`, `="http`, `='/`, "//", "url(", "@import"} {
		// The icon's name space is a name, no address.
		if strings.Contains(strings.ReplaceAll(withoutScript(body), "http://www.w3.org/2000/svg", ""), absolute) {
			t.Errorf("%s is on the page", absolute)
		}
	}
}

// withoutScript has comments in it.
func withoutScript(page string) string {
	page, _, _ = strings.Cut(page, "<script>")
	return page
}

// What the policy allows is what the page has.
func TestPolicyAllowsThePage(t *testing.T) {
	b, _ := busyBoard()
	_, headers, body := request(t, newHandler(b), "GET", "/")
	for _, element := range []string{"style", "script"} {
		if n := strings.Count(body, "<"+element); n != 1 {
			t.Errorf("%d of <%s>, want 1", n, element)
		}
		_, after, _ := strings.Cut(body, "<"+element+">")
		text, _, _ := strings.Cut(after, "</"+element+">")
		if want := element + "-src " + sourceHash(text); !strings.Contains(headers.Get("Content-Security-Policy"), want) {
			t.Errorf("%s is not in the policy", want)
		}
	}
	for _, inline := range []string{" style=", " onclick=", " onload="} {
		if strings.Contains(body, inline) {
			t.Errorf("%s is on the page, which the policy forbids", inline)
		}
	}
}

// What is not the worker's own is text.
func TestPageEscapes(t *testing.T) {
	b, _ := testBoard()
	evil := `"><script>alert(1)</script>`
	b.identify(evil, []string{evil, evil}, evil, evil)
	s := b.shard(evil)
	s.checkpoint(processor.Position{SequenceNumber: evil}, nil)
	s.failed(errors.New(evil))
	b.shard("other" + evil).left()
	_, _, body := request(t, newHandler(b), "GET", "/")
	if n := strings.Count(body, "<script"); n != 1 {
		t.Errorf("%d scripts, want 1", n)
	}
	if n := strings.Count(body, "alert(1)"); n < 8 {
		t.Errorf("only %d of the texts are there", n)
	}
	if strings.Contains(body, `""><`) || strings.Contains(body, "ZgotmplZ") {
		t.Error("a text is out of its attribute, or replaced")
	}
}
