package worker

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// serveHTTP serves Handler at Config.HTTP, if there is one.
func (w *Worker) serveHTTP() (stop func(), err error) {
	if w.config.HTTP == "" {
		return func() {}, nil
	}
	host, port, err := net.SplitHostPort(w.config.HTTP)
	if err != nil {
		return nil, fmt.Errorf("Config.HTTP: %w", err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("cannot serve the status page: %w", err)
	}
	server := newServer(w.Handler(), listener.Addr(), w.log)
	go server.Serve(listener)
	w.log.Info("status page", "url", "http://"+listener.Addr().String()+"/")
	return func() { server.Close() }, nil
}

// newServer returns what serves at an address. What is served to this machine alone is
// not for a web page whose name was made to lead here: a browser would show it that.
func newServer(handler http.Handler, at net.Addr, log *slog.Logger) *http.Server {
	served := handler
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		served = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !ofThisMachine(r.Host) {
				http.Error(w, "this is served to its own machine: ask for localhost or an IP address, or have a proxy send one of them as Host", http.StatusForbidden)
				return
			}
			handler.ServeHTTP(w, r)
		})
	}
	return &http.Server{
		Handler: served, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// ofThisMachine tells whether a Host header is none that a foreign web page has.
func ofThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Handler serves, with GET and HEAD, what the worker tells of itself:
//
//   - / is the status page, for people;
//   - /status.json is [Worker.Status];
//   - /metrics is for Prometheus: what [Worker.Collector] has, and what Go and
//     the process use;
//   - /healthz answers 200 as long as the process answers at all;
//   - /readyz answers 200 while KCL is initialised, takes leases, and none of its
//     shards fails again and again or has a processor that does not return, with a
//     line that names the shards that KCL cannot read; and 503 with one line that
//     says why not.
//
// It may be called before Run, and be mounted below a path with
// [http.StripPrefix]. None of it has a record's data, but for what a handler's
// errors say; there is no authentication. Config.HTTP serves it on its own.
func (w *Worker) Handler() http.Handler { return newHandler(w.board) }

func newHandler(b *board) http.Handler {
	text := func(w http.ResponseWriter, status int, line string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintln(w, strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) { // of a lease's key, or an error
				return '\uFFFD'
			}
			return r
		}, line))
	}
	metrics := promhttp.HandlerFor(b.registry(), promhttp.HandlerOpts{})
	pages := map[string]http.HandlerFunc{
		"": func(w http.ResponseWriter, r *http.Request) {
			// The page's URLs are relative: it must be below its path.
			if asked, err := url.ParseRequestURI(r.RequestURI); err == nil && !strings.HasSuffix(asked.Path, "/") {
				w.Header().Set("Location", (&url.URL{Path: "./" + path.Base(asked.Path) + "/"}).String())
				w.WriteHeader(http.StatusTemporaryRedirect)
				return
			}
			servePage(w, b.status())
		},
		"status.json": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			e.Encode(b.status()) // fails only if nobody reads
		},
		"metrics": metrics.ServeHTTP,
		"healthz": func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") },
		"readyz": func(w http.ResponseWriter, _ *http.Request) {
			if why := b.status().unready(); why != "" {
				text(w, http.StatusServiceUnavailable, "not ready: "+why)
				return
			}
			text(w, http.StatusOK, "ready"+b.status().unread())
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		page, ok := pages[strings.TrimPrefix(r.URL.Path, "/")]
		switch {
		case !ok:
			text(w, http.StatusNotFound, "not found: there are /, /status.json, /metrics, /healthz and /readyz")
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			text(w, http.StatusMethodNotAllowed, "only GET and HEAD are allowed")
		default:
			page(w, r)
		}
	})
}

// unread says which shards KCL cannot read. KCL goes on trying, and another worker
// could not read them either: it is ready all the same.
func (s Status) unread() string {
	text := ""
	for _, shard := range s.Shards {
		if shard.Left.IsZero() && shard.Problem != nil {
			text += "; " + s.name(shard.Stream, shard.ShardID) + " cannot be read: " + shard.Problem.Text
		}
	}
	return text
}

// unready says what is wrong with the worker; nothing if it does its work.
func (s Status) unready() string {
	since := func(what string) string { return what + " for " + duration(s.Now.Sub(s.Daemon.Since)) }
	switch s.Daemon.State {
	case DaemonReady:
		var all []string
		for _, shard := range s.Shards {
			switch {
			case !shard.Left.IsZero():
			case shard.State == ShardHung:
				all = append(all, s.name(shard.Stream, shard.ShardID)+" is not read: its processor does not return")
			case shard.FailsRepeatedly:
				all = append(all, s.name(shard.Stream, shard.ShardID)+" fails again and again")
			}
		}
		return strings.Join(all, "; ")
	case DaemonNew:
		return "the worker has not begun"
	case DaemonPreparing:
		return since("the daemon's jars have been fetched and verified")
	case DaemonStarting:
		return since("the daemon has been starting")
	case DaemonInitializing:
		return since("KCL has been initialising")
	case DaemonStopping:
		return since("the daemon has been stopping")
	case DaemonRestarting:
		return since("the daemon has ended, and has been waiting to be started again")
	default:
		return "the daemon has stopped"
	}
}
