package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/sirupsen/logrus"

	"github.com/seed96110120/kinesis-client-go/infra/connect"
	"github.com/seed96110120/kinesis-client-go/producer/internal/put"
	"github.com/seed96110120/kinesis-client-go/producer/internal/record"
	"github.com/seed96110120/kinesis-client-go/producer/internal/stream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is the whole command but for the signals; it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, help, err := parse(args)
	switch {
	case help != "":
		fmt.Fprint(stdout, help)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "producer: %v; see producer --help\n", err)
		return 2
	}
	log := logrus.New()
	log.SetOutput(stderr)
	p := producer{options: o, stdin: stdin, stdout: stdout, log: log}
	if err := p.produce(ctx); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintf(stderr, "producer: %v; %s\n", err, p.sent())
		return 1
	}
	return 0
}

type producer struct {
	options
	stdin  io.Reader
	stdout io.Writer
	log    *logrus.Logger

	// started is set when the first record may have been sent.
	started bool
	// put counts the records that Kinesis took, uncertain those of a call that
	// got no answer, retried those that were put again.
	put, uncertain, retried int
}

// sent says for an error message what became of the records.
func (p *producer) sent() string {
	if !p.started {
		return "no record was sent"
	}
	line := fmt.Sprintf("%d records were put", p.put)
	if p.put == 1 {
		line = "1 record was put"
	}
	if p.uncertain > 0 {
		line += fmt.Sprintf(", %d more may have been", p.uncertain)
	}
	return line
}

func (p *producer) produce(ctx context.Context) error {
	input, err := p.open()
	if err != nil {
		return err
	}
	defer input.close()

	client, err := p.connect(ctx)
	if err != nil {
		return err
	}
	where := connect.Where("kinesis", client.Options().BaseEndpoint, client.Options().Region)
	first, cancel := context.WithTimeout(ctx, firstAnswer)
	state, err := stream.Describe(first, client, p.stream, func(o *kinesis.Options) { o.RetryMaxAttempts = 2 })
	cancel()
	if err != nil {
		return fmt.Errorf("describe stream %s: %w", p.stream, connect.Explain(err, where))
	}
	// Lines that are too long are found before anything is made or sent, where
	// the input can be read twice.
	if err := input.check(state.MaxRecordSize); err != nil {
		return err
	}
	if p.size > 0 && p.size+len("sensor-99999") > state.MaxRecordSize {
		return fmt.Errorf("records of --size %d are over the %d bytes that stream %s takes, partition key included", p.size, state.MaxRecordSize, p.stream)
	}
	if err := p.ready(ctx, client, where, state); err != nil {
		return err
	}
	return p.putAll(ctx, client, where, input.source(state.MaxRecordSize))
}

// firstAnswer is what Kinesis has for its first answer; tests give it less.
var firstAnswer = 5 * time.Second

func (p *producer) connect(ctx context.Context) (*kinesis.Client, error) {
	cfg, err := connect.Config(ctx, p.region)
	if err != nil {
		return nil, err
	}
	return kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
		o.HTTPClient = plainBodies{o.HTTPClient}
		if p.endpoint != "" {
			o.BaseEndpoint = &p.endpoint
		}
	}), nil
}

// ready creates the stream when it is not there and waits until it takes records.
func (p *producer) ready(ctx context.Context, client *kinesis.Client, where string, state stream.State) error {
	if !state.Exists {
		p.log.Infof("creating stream %s with %d shards, %s", p.stream, p.shards, where)
		if err := stream.Create(ctx, client, p.stream, p.shards); err != nil {
			return fmt.Errorf("create stream %s: %w", p.stream, connect.Explain(err, where))
		}
	} else if p.shardsGiven && state.Shards != p.shards {
		p.log.Warnf("stream %s exists with %d shards, not %d: left as it is", p.stream, state.Shards, p.shards)
	}
	if !state.Ready() {
		began := time.Now()
		var err error
		state, err = stream.Await(ctx, client, p.stream, func(s stream.State) {
			status := string(s.Status)
			if !s.Exists {
				status = "not there yet"
			}
			p.log.Infof("stream %s is %s after %.1f s, waiting for ACTIVE", p.stream, status, time.Since(began).Seconds())
		})
		if err != nil {
			return fmt.Errorf("wait for stream %s: %w", p.stream, connect.Explain(err, where))
		}
	}
	p.log.Infof("stream %s is %s with %d shards", p.stream, state.Status, state.Shards)
	return nil
}

func (p *producer) putAll(ctx context.Context, client put.API, where string, source record.Source) error {
	batches := put.NewBatches(ctx, source, p.rate)
	defer batches.Stop()
	putter := put.NewPutter(client, p.stream)
	putter.Retried = func(n int, code string) {
		p.retried += n
		p.log.Warnf("%d records refused with %s, putting them again", n, code)
	}
	began := time.Now()
	reported := began
	for {
		batch, err := batches.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		p.started = true
		results, err := putter.Put(ctx, batch)
		if writeErr := p.write(results); err == nil {
			err = writeErr
		}
		if err != nil {
			var refused *put.RefusedError
			if !errors.As(err, &refused) {
				p.countUncertain(results)
			}
			return fmt.Errorf("put records into stream %s: %w", p.stream, connect.Explain(err, where))
		}
		if time.Since(reported) >= 2*time.Second {
			reported = time.Now()
			p.log.Infof("%d records put, %.0f a second", p.put, float64(p.put)/time.Since(began).Seconds())
		}
	}
	p.log.Infof("put %d records into stream %s in %.1f s, %d of them retried", p.put, p.stream, time.Since(began).Seconds(), p.retried)
	return nil
}

// write prints a line for each record that was put.
func (p *producer) write(results []put.Result) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, r := range results {
		if !r.Done() {
			continue
		}
		p.put++
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	if _, err := p.stdout.Write(lines.Bytes()); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}

func (p *producer) countUncertain(results []put.Result) {
	for _, r := range results {
		if !r.Done() {
			p.uncertain++
		}
	}
}

// input is where the records come from.
type input struct {
	producer *producer
	file     *os.File // nil without a file to read
	regular  bool
}

func (p *producer) open() (*input, error) {
	in := &input{producer: p}
	if p.file == "" || p.file == "-" {
		return in, nil
	}
	file, err := os.Open(p.file)
	if err != nil {
		return nil, fmt.Errorf("open the records: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", p.file)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open the records: %w", err)
	}
	in.file, in.regular = file, info.Mode().IsRegular()
	return in, nil
}

func (in *input) close() {
	if in.file != nil {
		in.file.Close()
	}
}

// check reads a regular file once for lines over the limit and goes back to its
// beginning.
func (in *input) check(limit int) error {
	if !in.regular {
		return nil
	}
	lines := record.NewLines(in.file, limit)
	for {
		_, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", in.producer.file, err)
		}
	}
	if _, err := in.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("%s: %w", in.producer.file, err)
	}
	return nil
}

func (in *input) source(limit int) record.Source {
	switch {
	case in.file != nil:
		return record.NewLines(in.file, limit)
	case in.producer.file == "-":
		return record.NewLines(in.producer.stdin, limit)
	default:
		return record.NewSensors(in.producer.records, in.producer.size, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	}
}
