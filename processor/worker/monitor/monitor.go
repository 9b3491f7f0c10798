// Package monitor serves a worker's status page, its metrics and its health checks.
//
//	w := worker.New(config, newProcessor)
//	err := monitor.Run(ctx, w, "127.0.0.1:8080") // instead of w.Run(ctx)
//
// The page is then at http://127.0.0.1:8080/. A container needs "0.0.0.0:8080". [Handler]
// is for a server of your own.
//
// # Guarantees
//
//   - At a loopback address, Run answers no request that a web page of another host
//     makes.
//   - Whatever the shards and errors are called, page, status.json, metrics and readyz
//     stay well-formed.
package monitor

import (
	"context"
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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/processor/worker/metrics"
)

// Run serves [Handler] at addr, runs w, and stops serving when w has ended. It returns
// the error of w.Run, or an error before anything is started if it cannot listen at
// addr. It logs to w.Logger, first the address of the page.
//
// addr is HOST:PORT. Unlike in net.Listen, an empty HOST means 127.0.0.1; 0.0.0.0 means
// all interfaces. Port 0 means a free one. If addr is empty nothing is served.
//
// At a loopback address, a request gets status 403 unless its Host header is localhost
// or an IP address: it may come from a web page of another host. A proxy in front must
// not pass on another name.
func Run(ctx context.Context, w *worker.Worker, addr string) error {
	if addr == "" {
		return w.Run(ctx)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("monitor: %w; it must be HOST:PORT", err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("monitor: cannot serve the status page: %w", err)
	}
	server := newServer(Handler(w), listener.Addr(), w.Logger())
	go server.Serve(listener)
	defer server.Close()
	w.Logger().Info("status page", "url", "http://"+listener.Addr().String()+"/")
	return w.Run(ctx)
}

// newServer returns a server for an address. What is served at a loopback address must
// not be readable by web pages: a page of another host could have its name resolve to
// this address, and its visitor's browser would then send it the answers.
func newServer(handler http.Handler, addr net.Addr, logger *slog.Logger) *http.Server {
	served := handler
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		served = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !isLocalHost(r.Host) {
				http.Error(w, "this page is only for its own machine: use localhost or an IP address, or have a proxy send one of them as Host", http.StatusForbidden)
				return
			}
			handler.ServeHTTP(w, r)
		})
	}
	return &http.Server{
		Handler: served, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// isLocalHost reports whether a Host header is one that no web page of another host has.
func isLocalHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Handler returns a handler for GET and HEAD of
//
//   - /, the status page;
//   - /status.json, [worker.Worker.Status];
//   - /metrics, for Prometheus: the metrics of package metrics, of Go and of the process;
//   - /healthz, which answers 200 if the process answers at all;
//   - /readyz, which answers 200 while KCL is initialized and takes leases, and no shard
//     fails repeatedly (3 failures within an hour) or is hung; otherwise 503 and the
//     reason, in one line. With 200 the line names the shards that KCL cannot read.
//
// Call it before w.Run: the histograms of /metrics have only what happens afterwards. It
// may be mounted below a path with [http.StripPrefix]. Answers contain no record's data,
// except what your code puts into its errors. There is no authentication.
func Handler(w *worker.Worker) http.Handler { return newHandler(w.Status, metrics.New(w)) }

func newHandler(status func() worker.Status, collector prometheus.Collector) http.Handler {
	text := func(w http.ResponseWriter, code int, line string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		fmt.Fprintln(w, strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) { // in a lease key or an error
				return '\uFFFD'
			}
			return r
		}, line))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	pages := map[string]http.HandlerFunc{
		"": func(w http.ResponseWriter, r *http.Request) {
			// The page's URLs are relative: its path must end in a slash.
			if asked, err := url.ParseRequestURI(r.RequestURI); err == nil && !strings.HasSuffix(asked.Path, "/") {
				w.Header().Set("Location", (&url.URL{Path: "./" + path.Base(asked.Path) + "/"}).String())
				w.WriteHeader(http.StatusTemporaryRedirect)
				return
			}
			servePage(w, status())
		},
		"status.json": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			e.Encode(status()) // fails only if the client has gone
		},
		"metrics": promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP,
		"healthz": func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") },
		"readyz": func(w http.ResponseWriter, _ *http.Request) {
			s := status()
			if why := notReady(s); why != "" {
				text(w, http.StatusServiceUnavailable, "not ready: "+why)
				return
			}
			text(w, http.StatusOK, "ready"+unreadable(s))
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
			text(w, http.StatusNotFound, "not found: the paths are /, /status.json, /metrics, /healthz and /readyz")
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			text(w, http.StatusMethodNotAllowed, "only GET and HEAD are allowed")
		default:
			page(w, r)
		}
	})
}

// shardName returns the name of a shard: its ID or, in a worker of several streams, the
// key of its lease.
func shardName(s worker.Status, stream, shardID string) string {
	if len(s.Streams) > 1 && stream != "" {
		return stream + ":" + shardID
	}
	return shardID
}

// unreadable returns which shards KCL cannot read. KCL keeps trying, and another worker
// could not read them either, so that the worker is ready nevertheless.
func unreadable(s worker.Status) string {
	text := ""
	for _, shard := range s.Shards {
		if shard.Left.IsZero() && shard.Problem != nil {
			text += "; " + shardName(s, shard.Stream, shard.ShardID) + " cannot be read: " + shard.Problem.Text
		}
	}
	return text
}

// notReady returns why the worker is not ready, or "".
func notReady(s worker.Status) string {
	since := func(what string) string { return what + " for " + duration(s.Now.Sub(s.Daemon.Since)) }
	switch s.Daemon.State {
	case worker.DaemonReady:
		var all []string
		for _, shard := range s.Shards {
			switch {
			case !shard.Left.IsZero():
			case shard.State == worker.ShardHung:
				all = append(all, shardName(s, shard.Stream, shard.ShardID)+" is not read: its processor does not return")
			case shard.FailsRepeatedly:
				all = append(all, shardName(s, shard.Stream, shard.ShardID)+" fails repeatedly")
			}
		}
		return strings.Join(all, "; ")
	case worker.DaemonNew:
		return "the worker has not been started"
	case worker.DaemonPreparing:
		return since("the worker has been fetching and verifying KCL's jars")
	case worker.DaemonStarting:
		return since("the daemon has been starting")
	case worker.DaemonInitializing:
		return since("KCL has been initializing")
	case worker.DaemonStopping:
		return since("the daemon has been stopping")
	case worker.DaemonRestarting:
		return since("the daemon has ended and has been waiting to be restarted")
	default:
		return "the daemon has stopped"
	}
}
