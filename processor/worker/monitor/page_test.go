package monitor

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

// text returns what is to be read on the page, or in the part of it between two
// marks.
func text(t *testing.T, s worker.Status, from, to string) string {
	t.Helper()
	_, _, body := request(t, handlerOf(s), "GET", "/")
	_, body, found := strings.Cut(body, from)
	if !found {
		t.Fatalf("%s is not on the page", from)
	}
	body, _, _ = strings.Cut(body, to)
	body = regexp.MustCompile(`(?s)<svg.*?</svg>|<style>.*?</style>|<script>.*?</script>`).ReplaceAllString(body, "")
	body = regexp.MustCompile(`</(span|strong|a)>`).ReplaceAllString(body, "")
	body = regexp.MustCompile(`<(span|strong|a)( [^>]*)?>`).ReplaceAllString(body, "")
	body = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, "|")
	body = regexp.MustCompile(`\s+`).ReplaceAllString(body, " ")
	return strings.Trim(regexp.MustCompile(`( ?\|)+ ?`).ReplaceAllString(body, " | "), " |")
}

func TestPageOfShards(t *testing.T) {
	s := snapshot(t, "shards")
	check(t, "the head", text(t, s, "<header>", "<section"), "stream | daemon ready for 1 min 16 s | Application | app | Worker | worker-1 | Region | us-east-1"+
		" | Up | 1 min 26 s | Restarts of the daemon | 0 | Java | pid 4711"+
		" | shardId-000000000001 fails repeatedly: 3 times or more within the last hour. No record after the last checkpoint is skipped. The last errors tell why.")
	check(t, "the sums", text(t, s, `<section class="tiles"`, "</section>"), `aria-label="All shards"> | Greatest lag | 2 min 46 s | `+"\u00a0"+` | Records per second | 0 | 3,001 so far | Shards | 3 | Records in flight | 1,234`)
	check(t, "the shards", text(t, s, "<tbody", "</tbody>"), `role="rowgroup"> | shardId-000000000000 | idle | 0 ms | 0 | 0 | none yet | 0`+
		` | shardId-000000000001 | failed 1 min | unknown | 0 | 0 | none yet | 3 repeatedly 1 retry`+
		` | shardId-000000000012 | processing 1 min | 1 min 30 s | 0 | 1,234 | 1 min ago 4965/3 | 0`)
	check(t, "the errors", text(t, s, `<ol class="errors"`, "</ol>"), `aria-labelledby="errors"> | 1 min ago | · shardId-000000000001 | tried again: not yet`+
		` | 1 min ago | · shardId-000000000001 · 3 times | cannot store`)
	check(t, "those that left", text(t, s, `<ul class="left"`, "</ul>"), `aria-labelledby="left"> | shardId-000000000002 ended 1 min ago · 0 records`)
	check(t, "the title", text(t, s, "<title>", "</title>"), "2 min 46 s behind · stream")
}

// The lag of a shard that another worker has now is not fallen.
func TestPageOfAShardThatLeft(t *testing.T) {
	got := text(t, snapshot(t, "left"), `<section class="tiles"`, "</section>")
	if want := "Greatest lag | 5.0 s | \u00a0 | Records per second"; !strings.Contains(got, want) {
		t.Errorf("tiles %q, want %q", got, want)
	}
}

func TestPageNamesAllThatFail(t *testing.T) {
	got := text(t, snapshot(t, "failing"), `<p class="alarm"`, "</p>")
	if want := "a, b fail repeatedly: 3 times"; !strings.Contains(got, want) {
		t.Errorf("alarm %q, want %q", got, want)
	}
}

// What keeps a shard from being read is said, with what to do.
func TestPageOfTrouble(t *testing.T) {
	s := snapshot(t, "trouble")
	head := text(t, s, "<header>", "<section")
	for _, want := range []string{
		"c: the processor does not return. The shard is not read until it does.",
		"b cannot be read: GetRecords: ExpiredIteratorException: old. For 8.0 s, 2 times. What to do: KCL gets a new iterator by itself",
	} {
		if !strings.Contains(head, want) {
			t.Errorf("%q is not in %q", want, head)
		}
	}
	check(t, "the shards", text(t, s, "<tbody", "</tbody>"), `role="rowgroup"> | a | blocked 8.0 s | unknown | 0 | 0 | none yet | 0`+
		` | b | starting 8.0 s | unknown | 0 | 0 | none yet | 0`+
		` | c | hung 8.0 s | unknown | 0 | 0 | none yet | 1`+
		` | d | restarting in 1 min | unknown | 0 | 0 | none yet | 1`)
	if got := text(t, snapshot(t, "trouble_later"), "<tbody", "</tbody>"); !strings.Contains(got, "d | restarting now") {
		t.Errorf("rows %q, want one with d | restarting now", got)
	}
}

// Without shards the page tells what the worker waits for.
func TestPageWithoutShards(t *testing.T) {
	s := worker.Status{Streams: []string{"stream"}}
	for _, c := range []struct {
		state worker.DaemonState
		part  string
	}{
		{worker.DaemonNew, "The worker has not been started"},
		{worker.DaemonPreparing, "jars are being fetched"},
		{worker.DaemonStarting, "the first shard takes up to a minute"},
		{worker.DaemonReady, "waits for a lease"},
		{worker.DaemonRestarting, "will be started again"},
		{worker.DaemonStopping, "given back"},
		{worker.DaemonStopped, "nothing is read"},
	} {
		s.Daemon.State = c.state
		check(t, "title", text(t, s, "<title>", "</title>"), string(c.state)+" · stream")
		got := text(t, s, `<section class="waiting"`, "</section>")
		if !strings.Contains(got, c.part) {
			t.Errorf("%s: %q is not in %q", c.state, c.part, got)
		}
	}
	s.Shards = []worker.ShardStatus{{ShardID: "shardId-1", State: worker.ShardStarting}}
	_, _, body := request(t, handlerOf(s), "GET", "/")
	if strings.Contains(body, `class="waiting"`) {
		t.Error("the page has a section of what is waited for though there is a shard")
	}
}

// Before Run there is a page, too.
func TestPageBeforeRun(t *testing.T) {
	status, _, body := request(t, Handler(worker.New(worker.Config{}, nil)), "GET", "/")
	check(t, "status", status, 200)
	if want := "<h1>Kinesis worker</h1>"; !strings.Contains(body, want) {
		t.Errorf("page without %s:\n%s", want, body)
	}
}

// On the page of a worker of several streams, each shard has its stream.
func TestPageOfSeveralStreams(t *testing.T) {
	const first, other, arn = "111122223333:orders:1700", "444455556666:orders:1700", "arn:aws:kinesis:us-east-1:444455556666:stream/orders"
	s := snapshot(t, "streams")
	check(t, "the head", text(t, s, "<header>", "<section"), "app | daemon ready for 1.0 s | Streams | orders, "+arn+
		" | Worker | worker-1 | Region | us-east-1 | Up | 1.0 s | Restarts of the daemon | 0"+
		" | "+first+":shard-0 fails repeatedly: 3 times or more within the last hour. No record after the last checkpoint is skipped. The last errors tell why."+
		" | "+other+":shard-1: the processor does not return. The shard is not read until it does. Find what it waits for, or end the process."+
		" | "+other+":shard-0 cannot be read: GetRecords: AccessDeniedException. For 1.0 s. What to do: allow kinesis:GetRecords to the worker&#39;s role; "+
		"kcl-infra iam-policy prints all permissions that it needs; for a stream of another account, its resource policy or the policy of its key must allow it too.")
	check(t, "the shards", text(t, s, "</thead>", "</table>"), first+" | shard-0 | failed 1.0 s | unknown | 0 | 0 | none yet | 3 repeatedly"+
		" | "+other+" | shard-0 | starting 1.0 s | unknown | 0 | 0 | none yet | 0 | shard-1 | hung 1.0 s | unknown | 0 | 0 | none yet | 1")
	check(t, "the errors", text(t, s, `<ol class="errors"`, "</ol>"), `aria-labelledby="errors"> | 1.0 s ago | · `+other+":shard-0 | GetRecords: AccessDeniedException"+
		" | 1.0 s ago | · "+other+":shard-1 | planted | 1.0 s ago | · "+first+":shard-0 · 3 times | planted")
	check(t, "those that left", text(t, s, `<ul class="left"`, "</ul>"), `aria-labelledby="left"> | `+first+":shard-1 lost 1.0 s ago · 0 records")
	check(t, "the title", text(t, s, "<title>", "</title>"), "1.0 s behind · app")
	_, _, body := request(t, handlerOf(s), "GET", "/")
	for _, key := range []string{first + ":shard-0", first + ":shard-1", other + ":shard-0", other + ":shard-1"} {
		if n := strings.Count(body, `id="`+key+`"`); n != 1 {
			t.Errorf("%d elements are %s, want 1", n, key)
		}
	}
}

func TestSparklines(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(ago int, millis int64) worker.Sample {
		return worker.Sample{Time: now.Add(-time.Duration(ago) * time.Second), MillisBehindLatest: millis}
	}
	for name, test := range map[string]struct {
		history     []worker.Sample
		line, label string
	}{
		"nothing":      {nil, "", "no history yet"},
		"one sample":   {[]worker.Sample{at(0, 5)}, "", "no history yet"},
		"unknown":      {[]worker.Sample{at(4, -1), at(2, -1), at(0, -1)}, "", "no history yet"},
		"falling":      {[]worker.Sample{at(4, 2000), at(2, 1000), at(0, 0)}, "M116.0 1.0L118.0 14.0L120.0 27.0", "last 2 minutes: from 2.0 s to 0 ms, at most 2.0 s"},
		"small is low": {[]worker.Sample{at(2, 10), at(0, 0)}, "M118.0 26.7L120.0 27.0", "last 2 minutes: from 10 ms to 0 ms, at most 10 ms"},
		"a gap": {
			[]worker.Sample{at(20, 0), at(18, 0), at(10, 0), at(6, 0), at(4, -1), at(2, 0), at(0, 0)},
			"M100.0 27.0L102.0 27.0M118.0 27.0L120.0 27.0", "last 2 minutes: from 0 ms to 0 ms, at most 0 ms",
		},
	} {
		got := lagSparkline(test.history, now)
		check(t, name, got.Line, test.line)
		check(t, name, got.Label, test.label)
		if strings.Count(got.Area, "Z") != strings.Count(got.Line, "M") {
			t.Errorf("%s: the area is %s", name, got.Area)
		}
	}
}

func TestTrend(t *testing.T) {
	for _, test := range []struct {
		from, step int64
		want       string
	}{
		{60_000, -2000, "caught up in about 32 s"},
		{60_000, -100, ""}, // it would take long, and may change
		{60_000, -150, "caught up in about 12 min 52 s"},
		{60_000, 0, ""},
		{80_000, -5600, "caught up in about 1.0 s"},
		{60_000, 2000, "growing"},
		{0, 2, ""}, // a lag of no account
	} {
		var history []worker.Sample
		millis := test.from
		for i := range 15 {
			history = append(history, worker.Sample{Time: time.Unix(int64(2*i), 0), MillisBehindLatest: millis})
			if i < 14 {
				millis += test.step
			}
		}
		check(t, fmt.Sprint(test.step, " each 2 s"), trend(history, millis), test.want)
	}
	check(t, "of one sample", trend([]worker.Sample{{}}, 5000), "")
}

func TestTexts(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 ms", 0: "0 ms", 999*time.Millisecond + 999*time.Microsecond: "999 ms",
		time.Second: "1.0 s", 9990 * time.Millisecond: "9.9 s", 59*time.Second + 999*time.Millisecond: "59 s",
		time.Minute: "1 min 0 s", 59*time.Minute + 59*time.Second: "59 min 59 s",
		time.Hour: "1 h 0 min", 23*time.Hour + 59*time.Minute: "23 h 59 min", 50 * time.Hour: "2 d 2 h",
	} {
		check(t, d.String(), duration(d), want)
	}
	check(t, "an age", ago(61*time.Minute), "1 h")
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		check(t, want, grouped(n), want)
	}
	for r, want := range map[float64]string{0: "0", .04: "<0.1", 1.25: "1.2", 9.99: "10.0", 10.4: "10", 12345.6: "12,346"} {
		check(t, want, rate(r), want)
	}
	check(t, "a lag", millisText(1500), "1.5 s")
	check(t, "a lag without end", millisText(math.MaxInt64), "106751 d 23 h")
	check(t, "a lag", millisText(processor.UnknownLag), "unknown")
}
