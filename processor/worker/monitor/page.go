package monitor

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

//go:embed page
var assets embed.FS

var (
	pageStyle  = asset("page/style.css")
	pageScript = asset("page/refresh.js")

	pageTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{
		"style":    func() template.CSS { return template.CSS(pageStyle) },
		"script":   func() template.JS { return template.JS(pageScript) },
		"duration": duration,
		"ago":      ago,
		"clock":    func(t time.Time) string { return t.UTC().Format(time.TimeOnly) },
		"number":   grouped,
		"rate":     rate,
		"millis":   millisText,
	}).ParseFS(assets, "page/page.html"))

	// The page contains its style and script, and nothing else runs or is loaded. The
	// script fetches the page again.
	contentSecurityPolicy = "default-src 'none'; style-src " + sourceHash(pageStyle) +
		"; script-src " + sourceHash(pageScript) + "; connect-src 'self'; img-src data:" +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func asset(name string) string {
	data, err := assets.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(data)
}

func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func servePage(w http.ResponseWriter, s worker.Status) {
	var page bytes.Buffer
	if err := pageTemplate.Execute(&page, newPage(s)); err != nil {
		http.Error(w, "cannot make the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(page.Bytes()) // fails only if the client has gone
}

// A page is what the template shows.
type page struct {
	worker.Status
	Title          string // the stream, or the application if there are several
	SeveralStreams bool
	Uptime         time.Duration // 0 before Run
	DaemonKind     string        // of the daemon's state: good, busy or bad
	DaemonAge      time.Duration // of that state
	Held, Left     []row         // the shards that the worker has, and those that it had
	Groups         [][]row       // Held by stream
	Waiting        string        // what a worker without shards waits for
	Trend          string        // of the greatest lag
	Rate           float64       // of all of Held
	InFlight       int           // of all of Held
	Records        int64         // of all shards
	Lags, Rates    sparkline     // of the greatest lag and the total rate
	Failing, Hung  []row
	Problems       []row // the shards that KCL cannot read
	Errors         []failure
}

// A row is a shard in the table.
type row struct {
	worker.ShardStatus
	Name           string // unique
	Prefix, Number string // of its ID
	Kind           string // of its state: good, busy, bad or gone
	Age            string // of the state, if that is of interest; or when it ends
	Checkpoint     string // "" means none
	CheckpointAge  time.Duration
	Lags, Rates    sparkline
}

// A failure is an error in the list.
type failure struct {
	worker.Failure
	Name string // of the shard; empty for the daemon
	Age  time.Duration
}

func newPage(s worker.Status) page {
	p := page{
		Status:         s,
		SeveralStreams: len(s.Streams) > 1,
		DaemonKind:     daemonKind(s.Daemon.State),
	}
	switch {
	case p.SeveralStreams:
		p.Title = s.Application
	case len(s.Streams) == 1:
		p.Title = s.Streams[0]
	}
	if !s.Started.IsZero() {
		p.Uptime = s.Now.Sub(s.Started)
	}
	if !s.Daemon.Since.IsZero() {
		p.DaemonAge = s.Now.Sub(s.Daemon.Since)
	}
	for _, shard := range s.Shards {
		r := newRow(shard, s.Now)
		r.Name = shardName(s, shard.Stream, shard.ShardID)
		switch {
		case shard.State == worker.ShardHung:
			p.Hung = append(p.Hung, r)
		case shard.FailsRepeatedly:
			p.Failing = append(p.Failing, r)
		}
		if shard.Problem != nil {
			p.Problems = append(p.Problems, r)
		}
		if !shard.Left.IsZero() {
			p.Left = append(p.Left, r)
			continue
		}
		if n := len(p.Held); n == 0 || p.Held[n-1].Stream != r.Stream {
			p.Groups = append(p.Groups, nil)
		}
		p.Groups[len(p.Groups)-1] = append(p.Groups[len(p.Groups)-1], r)
		p.Held = append(p.Held, r)
		p.Rate += shard.RecordsPerSecond
		p.InFlight += shard.InFlight
	}
	for _, shard := range s.Shards {
		p.Records += shard.Records
	}
	// The lag of a shard that the worker has left belongs to another worker.
	held := totalHistory(s.Shards[:len(p.Held)])
	p.Lags, p.Rates = lagSparkline(held, s.Now), rateSparkline(totalHistory(s.Shards), s.Now)
	p.Trend = trend(held, p.MaxMillisBehindLatest)
	for _, f := range s.Errors {
		p.Errors = append(p.Errors, failure{f, shardName(s, f.Stream, f.ShardID), s.Now.Sub(f.Time)})
	}
	if len(p.Held) == 0 {
		p.Waiting = waitingFor(s.Daemon.State)
	}
	return p
}

// The page shows how long a batch has taken so far, after slowBatch.
const slowBatch = 10 * time.Second

func newRow(s worker.ShardStatus, now time.Time) row {
	r := row{
		ShardStatus: s,
		Kind:        shardKind(s.State),
		Lags:        lagSparkline(s.History, now),
		Rates:       rateSparkline(s.History, now),
	}
	age := now.Sub(s.Since)
	if s.State != worker.ShardIdle && (s.State != worker.ShardProcessing || age >= slowBatch) {
		r.Age = ago(age)
	}
	if s.State == worker.ShardRestarting {
		r.Age = "now"
		if wait := s.NextTry.Sub(now); wait > 0 {
			r.Age = "in " + ago(wait)
		}
	}
	// Shards differ in the number after the zeros.
	r.Number = strings.TrimLeft(strings.TrimPrefix(s.ShardID, "shardId-"), "0")
	if r.Number == "" && s.ShardID != "" {
		r.Number = s.ShardID[len(s.ShardID)-1:]
	}
	r.Prefix = strings.TrimSuffix(s.ShardID, r.Number)
	if !s.CheckpointTime.IsZero() {
		r.CheckpointAge = now.Sub(s.CheckpointTime)
		switch p := s.Checkpoint; {
		case p.IsZero():
			r.Checkpoint = "end of shard"
		case p.SubSequenceNumber != 0:
			r.Checkpoint = p.String()
		default:
			r.Checkpoint = p.SequenceNumber
		}
	}
	return r
}

// daemonKind and shardKind sort states into good, busy, bad and gone, for their color.
func daemonKind(s worker.DaemonState) string {
	switch s {
	case worker.DaemonReady:
		return "good"
	case worker.DaemonRestarting, worker.DaemonStopped:
		return "bad"
	default:
		return "busy"
	}
}

func shardKind(s worker.ShardState) string {
	switch s {
	case worker.ShardIdle, worker.ShardProcessing:
		return "good"
	case worker.ShardFailed, worker.ShardRestarting, worker.ShardHung:
		return "bad"
	case worker.ShardLost, worker.ShardEnded:
		return "gone"
	default:
		return "busy"
	}
}

// waitingFor returns what a worker without shards waits for.
func waitingFor(s worker.DaemonState) string {
	switch s {
	case worker.DaemonNew:
		return "The worker has not been started: nothing is read before Run is called."
	case worker.DaemonPreparing:
		return "KCL’s jars are being fetched and verified. They are kept for the next start."
	case worker.DaemonStarting:
		return "Java is starting; the first shard takes up to a minute."
	case worker.DaemonInitializing:
		return "KCL is looking for its tables and the stream’s shards, and takes leases. The first start of an application takes a minute."
	case worker.DaemonReady:
		return "KCL is ready and waits for a lease. Leases are assigned every few seconds. If other workers of the application have them all, this one gets some when the load is balanced or a worker leaves."
	case worker.DaemonStopping:
		return "The daemon is stopping: the shards are checkpointed and their leases given back."
	case worker.DaemonRestarting:
		return "The daemon has ended and will be started again; then the shards come back. The last errors tell why."
	default:
		return "The daemon has stopped, and nothing is read. The last errors, if any, tell why."
	}
}

// duration returns a duration in at most two units.
func duration(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}

// ago returns a duration in one unit.
func ago(d time.Duration) string {
	first, rest, _ := strings.Cut(duration(d), " ")
	unit, _, _ := strings.Cut(rest, " ")
	return first + " " + unit
}

// millisText returns a lag, or "unknown".
func millisText(millis int64) string {
	if millis < 0 {
		return "unknown"
	}
	return duration(time.Duration(min(millis, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond)
}

// grouped returns 1234567 as 1,234,567.
func grouped(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func rate(perSecond float64) string {
	switch {
	case perSecond > 0 && perSecond < .1:
		return "<0.1"
	case perSecond > 0 && perSecond < 10:
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	}
	return grouped(int64(math.Round(perSecond)))
}
