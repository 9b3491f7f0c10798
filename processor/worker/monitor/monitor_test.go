package monitor

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/processor/worker/metrics"
)

// snapshot reads a snapshot that a test of package worker has written.
func snapshot(t testing.TB, name string) (s worker.Status) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../testdata", name+".json"))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// handlerOf serves a snapshot, but the metrics of another worker.
func handlerOf(s worker.Status) http.Handler {
	return newHandler(func() worker.Status { return s }, metrics.New(worker.New(worker.Config{}, nil)))
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// words puts spaces between.
func words(all ...any) string { return strings.TrimSpace(fmt.Sprintln(all...)) }

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
	h := handlerOf(snapshot(t, "busy"))
	for _, test := range []struct {
		method, path string
		status       int
		kind, part   string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "<h1>stream</h1>"},
		{"HEAD", "/", 200, "text/html; charset=utf-8", ""},
		{"GET", "/?refresh", 200, "text/html; charset=utf-8", "<h1>stream</h1>"},
		{"GET", "/status.json", 200, "application/json", `"workerId": "worker-1"`},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "kcl_daemon_ready 0"},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "go_goroutines "},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "process_start_time_seconds "},
		{"GET", "/healthz", 200, "text/plain; charset=utf-8", "ok\n"},
		{"GET", "/readyz", 200, "text/plain; charset=utf-8", "ready; shardId-000000000002 cannot be read: GetRecords failed\n"},
		{"GET", "/favicon.ico", 404, "text/plain; charset=utf-8", "not found: the paths are /, "},
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
	_, _, body := request(t, handlerOf(snapshot(t, "busy")), "GET", "/status.json")
	var got worker.Status
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	check(t, "stream, shards, errors", words(got.Streams, len(got.Shards), len(got.Errors)), "[stream] 3 5")
}

func TestReadiness(t *testing.T) {
	s := snapshot(t, "busy")
	s.Shards = nil
	s.Now = s.Daemon.Since.Add(12 * time.Second)
	h := newHandler(func() worker.Status { return s }, metrics.New(worker.New(worker.Config{}, nil)))
	for _, c := range []struct {
		state  worker.DaemonState
		status int
		line   string
	}{
		{worker.DaemonNew, 503, "not ready: the worker has not been started"},
		{worker.DaemonPreparing, 503, "not ready: the worker has been fetching and verifying KCL's jars for 12 s"},
		{worker.DaemonStarting, 503, "not ready: the daemon has been starting for 12 s"},
		{worker.DaemonInitializing, 503, "not ready: KCL has been initializing for 12 s"},
		{worker.DaemonReady, 200, "ready"},
		{worker.DaemonRestarting, 503, "not ready: the daemon has ended and has been waiting to be restarted for 12 s"},
		{worker.DaemonStopping, 503, "not ready: the daemon has been stopping for 12 s"},
		{worker.DaemonStopped, 503, "not ready: the daemon has stopped"},
	} {
		s.Daemon.State = c.state
		status, _, body := request(t, h, "GET", "/readyz")
		check(t, "readyz", words(status, strings.TrimSuffix(body, "\n")), words(c.status, c.line))
		status, _, body = request(t, h, "GET", "/healthz")
		check(t, "healthz", words(status, body), words(200, "ok"))
	}
}

func TestReadinessOfSeveralStreams(t *testing.T) {
	const first, other = "111122223333:orders:1700", "444455556666:orders:1700"
	s := snapshot(t, "streams")
	_, _, body := request(t, handlerOf(s), "GET", "/readyz")
	check(t, "readyz", body, "not ready: "+first+":shard-0 fails repeatedly; "+other+":shard-1 is not read: its processor does not return\n")
	check(t, "what is wrong", unreadable(s), "; "+other+":shard-0 cannot be read: GetRecords: AccessDeniedException")
	for _, shards := range []int{1, 2} { // the streams that a worker has: one or several
		s := worker.Status{Streams: make([]string, shards)}
		check(t, "name", shardName(s, first, "shard-0"), map[int]string{1: "shard-0", 2: first + ":shard-0"}[shards])
	}
}

// Below a path, however it is mounted, the page has its own.
func TestHandlerBelowAPath(t *testing.T) {
	h := handlerOf(snapshot(t, "busy"))
	mux := http.NewServeMux()
	mux.Handle("/kcl/", http.StripPrefix("/kcl", h))
	mux.Handle("/other/", http.StripPrefix("/other/", h))
	mux.Handle("/exact", http.StripPrefix("/exact", h))
	for _, target := range []string{"/kcl/", "/other/"} {
		for page, part := range map[string]string{"": "<h1>stream</h1>", "metrics": "kcl_daemon_up 0", "status.json": `"streams": [`, "readyz": "ready"} {
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
	_, headers, body := request(t, handlerOf(snapshot(t, "busy")), "GET", "/")
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
	_, _, body := request(t, handlerOf(snapshot(t, "evil")), "GET", "/")
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

// Guarantee: At a loopback address, Run answers no request that a web page of another
// host makes.
func TestForeignHosts(t *testing.T) {
	h := handlerOf(snapshot(t, "busy"))
	for addr, served := range map[string]map[string]bool{
		"127.0.0.1:8080": {
			"127.0.0.1:8080": true, "127.0.0.1": true, "[::1]:8080": true, "localhost:8080": true, "LocalHost": true, "localhost.": true,
			"a.localhost:80": true, "10.0.0.1:8080": true, "": true,
			"evil.example:8080": false, "127.0.0.1.evil.example": false, "localhost.evil.example:8080": false, "evillocalhost": false,
			"evil.example:localhost": false, "127.0.0.1@evil.example": false, "localhost:1:2": false, "a b": false, "\x00": false,
		},
		"[::1]:8080":   {"[::1]:8080": true, "evil.example": false},
		"10.0.0.1:80":  {"worker.example": true, "": true},
		"0.0.0.0:8080": {"worker.example:8080": true},
	} {
		at, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		server := newServer(h, at, slog.New(slog.DiscardHandler))
		for host, want := range served {
			r := httptest.NewRequest("GET", "/status.json", nil)
			r.Host = host
			w := httptest.NewRecorder()
			server.Handler.ServeHTTP(w, r)
			if got := w.Code == http.StatusOK; got != want || !want && (w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "worker-1")) {
				t.Errorf("at %s as %q: status %d", addr, host, w.Code)
			}
		}
	}
}

// Who is slow, or says too much, is not listened to for ever.
func TestServerLimits(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(handlerOf(snapshot(t, "busy")), listener.Addr(), slog.New(slog.DiscardHandler))
	for what, limit := range map[string]time.Duration{
		"header": server.ReadHeaderTimeout, "request": server.ReadTimeout, "answer": server.WriteTimeout, "pause": server.IdleTimeout,
	} {
		if limit < time.Second || limit > 2*time.Minute {
			t.Errorf("the time for a %s is %v", what, limit)
		}
	}
	server.ReadHeaderTimeout = 50 * time.Millisecond
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	const begin = "GET /status.json HTTP/1.1\r\nHost: localhost\r\n"
	for request, status := range map[string]string{
		begin + "\r\n": "200",
		begin + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n":                                          "431",
		begin + strings.Repeat("X: x\r\n", 20_000) + "\r\n":                                               "431",
		"GET /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n":                    "431",
		"POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nContent-Length: 1\r\n\r\nx": "405",
		begin: "", // and no more: slow
	} {
		c, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		io.WriteString(c, request) // the server may close before all is there
		answer := make([]byte, len("HTTP/1.1 200"))
		_, err = io.ReadFull(c, answer)
		c.Close()
		if got := strings.TrimPrefix(string(answer), "HTTP/1.1 "); status != "" && got != status || status == "" && err != io.EOF {
			t.Errorf("%.40q and so on: %q, %v, want %s", request, answer, err, status)
		}
	}
}

// Whatever is requested, there is an answer, and it leads to no other host.
func FuzzHandler(f *testing.F) {
	f.Add("GET", "/", "localhost")
	f.Add("POST", "/status.json?x", "[::1]:80")
	f.Add("GET", "//evil.example/..", "evil.example")
	f.Add("get", "/metrics\x00", ":")
	h := newServer(handlerOf(snapshot(f, "busy")), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, slog.New(slog.DiscardHandler)).Handler
	f.Fuzz(func(t *testing.T, method, target, host string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Method, r.Host, r.RequestURI, r.URL = method, host, target, &url.URL{Path: target}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch to := w.Header().Get("Location"); {
		case !slices.Contains([]int{200, 307, 403, 404, 405, 503}, w.Code):
			t.Errorf("%s %s: status %d", method, target, w.Code)
		case w.Code == 307 && (!strings.HasPrefix(to, "./") || strings.ContainsAny(to, "\r\n")):
			t.Errorf("%s leads to %s", target, to)
		}
	})
}
