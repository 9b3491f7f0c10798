package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// run runs the command, without signal handling, and returns the exit status.
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
		fmt.Fprintf(stderr, "producer: %v; %s\n", err, p.summary())
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
	// put counts the records that Kinesis accepted, uncertain those of a call that
	// got no answer, retried those that were put again.
	put, uncertain, retried int
}

// summary says for an error message how many records were put.
func (p *producer) summary() string {
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
	input, err := p.openInput()
	if err != nil {
		return err
	}
	defer input.close()

	client, err := p.connect(ctx)
	if err != nil {
		return err
	}
	location := connect.Location("kinesis", client.Options().BaseEndpoint, client.Options().Region)
	first, cancel := context.WithTimeout(ctx, firstCallTimeout)
	state, err := stream.Describe(first, client, p.stream, func(o *kinesis.Options) { o.RetryMaxAttempts = 2 })
	cancel()
	if err != nil {
		return fmt.Errorf("describe stream %s: %w", p.stream, connect.Explain(err, location))
	}
	// If the input can be read twice, lines that are too long are found before
	// anything is created or sent.
	if err := input.checkLines(state.MaxRecordSize); err != nil {
		return err
	}
	if p.size > 0 && p.size+len("sensor-99999") > state.MaxRecordSize {
		return fmt.Errorf("records of --size %d are larger than the %d bytes that stream %s allows, including the partition key", p.size, state.MaxRecordSize, p.stream)
	}
	if err := p.ensureStream(ctx, client, location, state); err != nil {
		return err
	}
	return p.putAll(ctx, client, location, input.source(state.MaxRecordSize))
}

// firstCallTimeout bounds the first call to Kinesis. Tests set it.
var firstCallTimeout = 5 * time.Second

func (p *producer) connect(ctx context.Context) (*kinesis.Client, error) {
	cfg, err := connect.LoadConfig(ctx, &connect.Options{Region: p.region})
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

// ensureStream creates the stream if it does not exist, and waits until it accepts
// records.
func (p *producer) ensureStream(ctx context.Context, client *kinesis.Client, location string, state stream.State) error {
	if !state.Exists {
		p.log.Infof("creating stream %s with %d shards, %s", p.stream, p.shards, location)
		if err := stream.Create(ctx, client, p.stream, p.shards); err != nil {
			return fmt.Errorf("create stream %s: %w", p.stream, connect.Explain(err, location))
		}
	} else if p.shardsGiven && state.Shards != p.shards {
		p.log.Warnf("stream %s exists with %d shards, not %d: not changed", p.stream, state.Shards, p.shards)
	}
	if !state.Ready() {
		began := time.Now()
		var err error
		state, err = stream.WaitActive(ctx, client, p.stream, func(s stream.State) {
			status := string(s.Status)
			if !s.Exists {
				status = "not created yet"
			}
			p.log.Infof("stream %s is %s after %.1f s, waiting for ACTIVE", p.stream, status, time.Since(began).Seconds())
		})
		if err != nil {
			return fmt.Errorf("wait for stream %s: %w", p.stream, connect.Explain(err, location))
		}
	}
	p.log.Infof("stream %s is %s with %d shards", p.stream, state.Status, state.Shards)
	return nil
}

func (p *producer) putAll(ctx context.Context, client put.API, location string, source record.Source) error {
	batcher := put.NewBatcher(ctx, source, &put.BatcherOptions{RecordsPerSecond: p.rate})
	defer batcher.Stop()
	putter := put.NewPutter(client, p.stream, &put.PutterOptions{OnRetry: func(n int, code string) {
		p.retried += n
		p.log.Warnf("%d records refused with %s, putting them again", n, code)
	}})
	began := time.Now()
	reported := began
	for {
		batch, err := batcher.Next(ctx)
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
			return fmt.Errorf("put records into stream %s: %w", p.stream, connect.Explain(err, location))
		}
		if time.Since(reported) >= 2*time.Second {
			reported = time.Now()
			p.log.Infof("%d records put, %.0f a second", p.put, float64(p.put)/time.Since(began).Seconds())
		}
	}
	p.log.Infof("put %d records into stream %s in %.1f s, %d of them retried", p.put, p.stream, time.Since(began).Seconds(), p.retried)
	return nil
}

// write prints a line for each record that was put, and counts them.
func (p *producer) write(results []put.Result) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, r := range results {
		if !r.WasPut() {
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
		if !r.WasPut() {
			p.uncertain++
		}
	}
}

// input is where the records come from.
type input struct {
	producer *producer
	file     *os.File // nil for standard input and sensors
	regular  bool     // file can be read twice
}

func (p *producer) openInput() (*input, error) {
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

// checkLines returns an error if a regular file has lines over the limit. It reads the
// file once and goes back to its beginning.
func (in *input) checkLines(limit int) error {
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
		return record.NewSensors(in.producer.records, &record.SensorOptions{Size: in.producer.size})
	}
}
