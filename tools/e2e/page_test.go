//go:build unix

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/processor/worker/monitor"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

func init() { children["page"] = runPageWorker }

// errToldTo is the error of a processor that the test makes fail.
const errToldTo = "the store is closed"

// runPageWorker is a worker with a status page. It begins when the file "begin" exists,
// because the browser starts slowly. Its processors wait while the file "hold" exists, and
// fail while the file "fail" has their lease's key.
func runPageWorker() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	w := worker.New(worker.Config{
		PropertiesFile: os.Getenv(workerPropertiesEnv),
		Java:           worker.JavaOptions{Restart: bootstrap.RestartPolicy{Limit: 20, MinDelay: 100 * time.Millisecond, MaxDelay: time.Second}},
		Logger:         log,
	}, func(worker.ShardInfo) (processor.RecordProcessor, error) {
		n := &noter{}
		n.records = func(ctx context.Context, in processor.ProcessRecordsInput) error {
			if len(in.Records) == 0 {
				return n.save(ctx, in)
			}
			if shard, _ := os.ReadFile("fail"); string(shard) == in.Lease.Key() {
				return errors.New(errToldTo)
			}
			err := sample.Await(ctx, nil, func() (bool, error) {
				_, err := os.Stat("hold")
				return err != nil, nil
			})
			if err != nil {
				return err
			}
			return n.save(ctx, in)
		}
		return n, nil
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		go http.Serve(listener, monitor.Handler(w))
		log.Info("status page", "url", "http://"+listener.Addr().String()+"/")
		err = sample.Await(ctx, nil, func() (bool, error) {
			_, err := os.Stat("begin")
			return err == nil, nil
		})
	}
	if err == nil {
		err = w.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A browserPage is a worker's status page in a real browser.
type browserPage struct {
	t   *testing.T
	ctx context.Context
	w   *workerProcess
	url string

	mu       sync.Mutex
	requests []string // to others than the worker
	problems []string // that the browser reports
}

// openPage starts a worker, opens its page and stays on it until the test ends.
func openPage(a *application) *browserPage {
	t := a.t
	t.Helper()
	p := &browserPage{t: t, w: a.startWorker("page-worker", childEnv+"=page")}
	p.w.await("the page's address", func() bool {
		m := statusPage.FindStringSubmatch(a.read("page-worker.log"))
		if m != nil {
			p.url = m[1]
		}
		return m != nil
	})
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(testenv.Browser(t)), chromedp.UserDataDir(t.TempDir()), chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p.ctx = ctx
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	err := chromedp.Do(ctx,
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			if _, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{}); err != nil {
				return err
			}
			_, err := cdp.Call(ctx, target, cdplog.Enable, cdp.Empty{})
			return err
		}),
		chromedp.EmulateViewport(1280, 900),
		chromedp.Navigate(p.url))
	if err != nil {
		t.Fatal(err)
	}
	// The page refreshes itself; the document stays the same.
	p.evaluate(`document.body.dataset.opened = "once"`)
	return p
}

// hear records the requests and messages of the browser.
func (p *browserPage) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add := func(list *[]string, text string) {
		if !slices.Contains(*list, text) { // the page asks every 2 s
			*list = append(*list, text)
		}
	}
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, p.url) && !strings.HasPrefix(u, "data:") {
			add(&p.requests, u)
		}
	case *cdplog.EventEntryAdded:
		add(&p.problems, fmt.Sprint(e.Entry.Text, " ", e.Entry.URL))
	case *runtime.EventExceptionThrown:
		add(&p.problems, e.ExceptionDetails.Text)
	}
}

// quiet fails the test if the page has sent requests elsewhere, or the browser has reported
// problems with the policy, the script or an answer.
func (p *browserPage) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.requests {
		p.t.Errorf("the page asks for %s", u)
	}
	for _, text := range p.problems {
		p.t.Errorf("the browser says: %s", text)
	}
}

// evaluate returns the value of a JavaScript expression as text.
func (p *browserPage) evaluate(expression string) string {
	p.t.Helper()
	s, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return s
}

// await waits until a JavaScript expression is true in the page.
func (p *browserPage) await(what, expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeoutCause(p.t.Context(), patience, fmt.Errorf("not so after %v", patience))
	defer cancel()
	err := sample.Await(ctx, nil, func() (bool, error) {
		select {
		case <-p.w.ended:
			if p.w.cmd.ProcessState.ExitCode() != 0 {
				return false, fmt.Errorf("the worker has ended: %v", p.w.cmd.ProcessState)
			}
		default:
		}
		return p.evaluate(expression) == "true", nil
	})
	if err != nil {
		p.t.Fatalf("%s: %v; the page says:\n%s", what, err, p.evaluate(`document.body.innerText`))
	}
}

// column returns a cell of each row of the shards' table; cell is a selector.
func column(cell string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("tbody tr")].map(row => row.querySelector(%q).textContent.trim()).join()`, cell)
}

// fits fails the test if the page is wider than a screen.
func (p *browserPage) fits() {
	p.t.Helper()
	for _, width := range []int64{375, 320, 800, 1280} {
		p.fitsInto(width)
	}
}

func (p *browserPage) fitsInto(width int64) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.EmulateViewport(width, 800)); err != nil {
		p.t.Fatal(err)
	}
	// Check the elements too, because what is cut off does not scroll.
	wide := p.evaluate(`[...document.querySelectorAll("main *")].filter(e =>
		e.getClientRects().length > 0 && getComputedStyle(e.closest("thead") ?? e).position != "absolute" && !e.closest("svg") &&
		e.getBoundingClientRect().right > innerWidth + .5).map(e => e.outerHTML.slice(0, 80)).join("\n")`)
	if wide != "" || p.evaluate(`document.documentElement.scrollWidth > innerWidth`) != "false" {
		p.t.Errorf("the page is wider than %d pixels: %s", width, wide)
	}
}

var statusPage = regexp.MustCompile(`msg="status page" url=(\S+)`)

// The page stays open in a browser and shows, without being reloaded, what the worker waits
// for, the shards, their falling lag, a reshard, a shard that fails repeatedly, and the
// worker's end.
func TestStatusPage(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	testenv.Browser(t)
	const secret = "what-a-record-has"
	a := newApplication(t, 2, stack.Setting{Name: "maxRecords", Value: "20"}, stack.Setting{Name: "callProcessRecordsEvenForEmptyRecordList", Value: "true"})
	file := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(name string) {
		t.Helper()
		if err := os.Remove(filepath.Join(a.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	file("hold", "")
	a.putLines(200, func(line int) string { return fmt.Sprint(secret, line) })
	p := openPage(a)
	w := p.w

	p.await("what is waited for", `document.querySelector(".waiting p").innerText.startsWith("The worker has not been started")`)
	file("begin", "")
	p.await("both shards", column("th")+` == "shardId-000000000000,shardId-000000000001"`)
	p.await("batches in work", column("td.s .state")+` == "processing,processing"`)
	p.await("a lag of seconds", `/^[0-9.]+ (s|min)/.test(document.querySelector(".tile.lag .big").innerText)`)
	p.await("the curve of the lag", `document.querySelectorAll("td.lag path.line").length == 2`)
	for part, want := range map[string]string{`"h1"`: a.name, `".facts"`: "page-worker"} {
		if text := p.evaluate(`document.querySelector(` + part + `).innerText`); !strings.Contains(text, want) {
			t.Errorf("%s: %q is not in %q", part, want, text)
		}
	}
	remove("hold")
	w.awaitAll()
	p.await("a lag that has fallen", column("td.lag .value")+` == "0 ms,0 ms"`)
	p.await("a curve that falls", `[...document.querySelectorAll("td.lag path.line")].every(path => {
		const heights = path.getAttribute("d").match(/[0-9.]+ [0-9.]+/g).map(point => Number(point.split(" ")[1]));
		return Math.min(...heights) < 20 && heights.at(-1) > 25;
	})`)
	p.await("checkpoints", column("td.check")+`.split(",").every(cell => / ago /.test(cell))`)

	if _, err := a.kinesis().SplitShard(t.Context(), &kinesis.SplitShardInput{
		StreamName: &a.name, ShardToSplit: aws.String(firstShard), NewStartingHashKey: aws.String("1000000000000000000000000000000000000"),
	}); err != nil {
		t.Fatal(err)
	}
	p.await("the children of the shard that was split", column("th")+` == "shardId-000000000001,shardId-000000000002,shardId-000000000003"`)
	p.await("the end of the parent", `/shardId-000000000000\s+ended/.test(document.querySelector("ul.left").innerText)`)
	p.quiet()

	const bad = "shardId-000000000001"
	file("fail", bad)
	a.putLines(200, func(line int) string { return fmt.Sprint(secret, line) })
	p.await("the error", fmt.Sprintf(`(document.querySelector("ol.errors")?.innerText ?? "").includes(%q)`, errToldTo))
	p.await("the shard that fails repeatedly", fmt.Sprintf(`(document.querySelector(".alarm")?.innerText ?? "").startsWith("%s fails repeatedly:")`, bad))
	remove("fail")
	w.awaitAll()
	p.await("the shards again, with what they had", column("th")+` == "shardId-000000000001,shardId-000000000002,shardId-000000000003" && `+
		`document.querySelector("#daemon").innerText.startsWith("daemon ready")`)
	p.await("no restart of Java", `/Restarts of the daemon\s+0/.test(document.querySelector(".facts").innerText)`)

	p.fits()
	dark := func(scheme string) string {
		err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return err
		}))
		if err != nil {
			t.Fatal(err)
		}
		return p.evaluate(`getComputedStyle(document.body).backgroundColor`)
	}
	if light, dark := dark("light"), dark("dark"); light == dark {
		t.Errorf("the ground is %s in light and dark", dark)
	}
	if text := p.evaluate(`document.documentElement.outerHTML`); strings.Contains(text, secret) {
		t.Errorf("a record's data is on the page:\n%s", text)
	}
	for _, page := range []string{"status.json", "metrics"} {
		text := get(t, p.url+page)
		if !strings.Contains(text, bad) || strings.Contains(text, secret) {
			t.Errorf("%s has no %s, or a record's data:\n%s", page, bad, text)
		}
	}
	if metrics := get(t, p.url+"metrics"); !strings.Contains(metrics, `kcl_shard_fails_repeatedly{shard="`+bad+`",stream="`+a.name+`"} 1`) {
		t.Errorf("%s does not fail repeatedly by the metrics:\n%s", bad, metrics)
	}
	if text := p.evaluate(`document.body.dataset.opened`); text != "once" {
		t.Error("the page was loaded again")
	}
	p.quiet()

	w.stop()
	p.await("that the worker has gone", `!document.querySelector("#notice").hidden && document.querySelector("#notice").innerText.startsWith("The worker does not answer.")`)
	if n := p.evaluate(`document.querySelectorAll("tbody tr, ul.left li").length > 0`); n != "true" {
		t.Error("what was last known is no longer there")
	}
}

// The page of two streams whose shards have the same IDs has a part of the table for each
// stream, and messages about a shard name the stream.
func TestStatusPageOfStreams(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	testenv.Browser(t)
	a := newApplication(t, 2, stack.Setting{Name: "callProcessRecordsEvenForEmptyRecordList", Value: "true"})
	long := a.name + "-" + strings.Repeat("x", 128-len(a.name)-1)
	properties, err := os.ReadFile(a.properties)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^streamName *=.*$`).ReplaceAllString(string(properties), "streams = "+a.name+", "+long)
	text = regexp.MustCompile(`(?m)^applicationName *=.*$`).ReplaceAllString(text, "applicationName = "+a.name+"-streams")
	if err := os.WriteFile(a.properties, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	a.run("kcl-infra", "create", "--properties", a.properties, "--shards", "2", "--seed-leases", "TRIM_HORIZON")
	var streams []string // as KCL names them
	for _, name := range []string{a.name, long} {
		s, err := a.kinesis().DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &name})
		if err != nil {
			t.Fatal(err)
		}
		account := strings.Split(*s.StreamDescriptionSummary.StreamARN, ":")[4]
		streams = append(streams, fmt.Sprintf("%s:%s:%d", account, name, s.StreamDescriptionSummary.StreamCreationTimestamp.Unix()))
	}
	bad := streams[1] + ":" + firstShard
	slices.Sort(streams)
	for name, text := range map[string]string{"begin": "", "fail": bad} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{a.name, long} {
		for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} { // of both shards
			if _, err := a.kinesis().PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &name, PartitionKey: &key, Data: []byte(key)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := openPage(a)
	const second = "shardId-000000000001"
	p.await("the shards of both streams", column("th")+fmt.Sprintf(` == %q`, strings.Join([]string{streams[0], firstShard, second, streams[1], firstShard, second}, ",")))
	p.await("the shard that fails repeatedly", fmt.Sprintf(`(document.querySelector(".alarm")?.innerText ?? "").startsWith("%s fails repeatedly:")`, bad))
	p.await("that the others are read", `[...document.querySelectorAll("tr:not(.failing, .stream) td.check")].filter(cell => / ago /.test(cell.textContent)).length == 3`)
	if n := p.evaluate(`document.querySelectorAll("tr.failing").length`); n != "1" {
		t.Errorf("%s shards are shown to fail", n)
	}
	if title := p.evaluate(`document.title`); !strings.HasSuffix(title, " · "+a.name+"-streams") {
		t.Errorf("the title is %q", title)
	}
	p.fits()
	if repeated := p.evaluate(`[...document.querySelectorAll("[id]")].map(e => e.id).filter((id, i, all) => all.indexOf(id) != i).join()`); repeated != "" {
		t.Errorf("several elements are %s", repeated)
	}
	p.quiet()
	p.w.stop()
}

// get returns a page of the worker.
func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return string(body)
}
