package worker

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

	// The page's style and script are in it, and nothing else runs or is
	// loaded; the script asks for the page again.
	contentSecurityPolicy = "default-src 'none'; style-src " + sourceHash(pageStyle) +
		"; script-src " + sourceHash(pageScript) + "; connect-src 'self'; img-src data:" +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func asset(name string) string {
	data, err := assets.ReadFile(name)
	if err != nil {
		panic(err) // the build has it
	}
	return string(data)
}

func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func servePage(w http.ResponseWriter, s Status) {
	var page bytes.Buffer
	if err := pageTemplate.Execute(&page, newPage(s)); err != nil {
		http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(page.Bytes()) // fails only if nobody reads
}

// A page is what the template shows: a Status in the reader's words.
type page struct {
	Status
	// Title names the stream, or the application where there are several.
	Title   string
	Several bool          // streams
	Uptime  time.Duration // 0 before Run
	// Daemon in words, and the kind of its state: good, busy or bad.
	DaemonKind string
	DaemonAge  time.Duration
	// Held are the shards that the worker has, Left those that it had. Groups are
	// Held by stream.
	Held, Left []row
	Groups     [][]row
	// Waiting says what is being waited for; empty while there are shards.
	Waiting string
	Trend   string
	Rate    float64 // of all of Held
	Flight  int
	Records int64
	// The course of the greatest lag and of the sum of the rates.
	LagSpark, RateSpark spark
	Failing, Hung       []row
	Problems            []row // that KCL has with a shard
	Errors              []failure
}

// A row is a shard in the table.
type row struct {
	Shard
	Name                string // which nothing else has
	Prefix, Number      string // of its ID
	Kind                string // of its state
	Age                 string // of the state, where it says something; or when it ends
	Checkpoint          string // "" for none
	CheckpointAge       time.Duration
	LagSpark, RateSpark spark
}

type failure struct {
	Error
	Name string // of the shard; empty for the daemon
	Ago  time.Duration
}

func newPage(s Status) page {
	p := page{
		Status:     s,
		Several:    s.several(),
		DaemonKind: daemonKind(s.Daemon.State),
	}
	switch {
	case p.Several:
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
		r.Name = s.name(shard.Stream, shard.ShardID)
		switch {
		case shard.State == ShardHung:
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
		p.Flight += shard.InFlight
	}
	for _, shard := range s.Shards {
		p.Records += shard.Records
	}
	// The lag of a shard that left is no longer this worker's.
	held := total(s.Shards[:len(p.Held)])
	p.LagSpark, p.RateSpark = lagSpark(held, s.Now), rateSpark(total(s.Shards), s.Now)
	p.Trend = trend(held, p.MaxMillisBehindLatest)
	for _, e := range s.Errors {
		p.Errors = append(p.Errors, failure{e, s.name(e.Stream, e.ShardID), s.Now.Sub(e.Time)})
	}
	if len(p.Held) == 0 {
		p.Waiting = waiting(s)
	}
	return p
}

// A batch in work for slowBatch is worth a word.
const slowBatch = 10 * time.Second

func newRow(s Shard, now time.Time) row {
	r := row{
		Shard:     s,
		Kind:      shardKind(s.State),
		LagSpark:  lagSpark(s.History, now),
		RateSpark: rateSpark(s.History, now),
	}
	age := now.Sub(s.Since)
	if s.State != ShardIdle && (s.State != ShardProcessing || age >= slowBatch) {
		r.Age = ago(age)
	}
	if s.State == ShardRestarting {
		r.Age = "now"
		if wait := s.NextTry.Sub(now); wait > 0 {
			r.Age = "in " + ago(wait)
		}
	}
	// What tells shards apart is the number behind the zeros.
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

// daemonKind and shardKind sort states into good, busy, bad and gone, for their
// colour; the state itself is beside it in words.
func daemonKind(s DaemonState) string {
	switch s {
	case DaemonReady:
		return "good"
	case DaemonRestarting, DaemonStopped:
		return "bad"
	default:
		return "busy"
	}
}

func shardKind(s ShardState) string {
	switch s {
	case ShardIdle, ShardProcessing:
		return "good"
	case ShardFailed, ShardRestarting, ShardHung:
		return "bad"
	case ShardLost, ShardEnded:
		return "gone"
	default:
		return "busy"
	}
}

// waiting says what a worker without shards waits for.
func waiting(s Status) string {
	switch s.Daemon.State {
	case DaemonNew:
		return "The worker has not begun: nothing is read before Run is called."
	case DaemonPreparing:
		return "The daemon’s jars are being fetched and verified. They are kept: the next start does without."
	case DaemonStarting:
		return "Java is starting; the first shard takes up to a minute."
	case DaemonInitializing:
		return "KCL looks for its tables and the stream’s shards, and takes leases. The first start of an application takes a minute."
	case DaemonReady:
		return "The daemon is ready and waits for a lease. Leases are dealt out every few seconds; where other workers of the application have them all, one is passed on when the load is balanced or a worker leaves."
	case DaemonStopping:
		return "The daemon is stopping: the shards are checkpointed and given back."
	case DaemonRestarting:
		return "The daemon has ended and will be started again; the shards come back with it. The last errors say why."
	default:
		return "The daemon has stopped, and nothing is read. The last errors, if any, say why."
	}
}

// duration is short: two units at most.
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

// ago is an age, which needs no second unit.
func ago(d time.Duration) string {
	first, rest, _ := strings.Cut(duration(d), " ")
	unit, _, _ := strings.Cut(rest, " ")
	return first + " " + unit
}

// millisText is a lag; "unknown" when it is.
func millisText(millis int64) string {
	if millis < 0 {
		return "unknown"
	}
	return duration(time.Duration(min(millis, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond)
}

// grouped writes 1234567 as 1,234,567.
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
