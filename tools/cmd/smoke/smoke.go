package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/roundtrip"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// services is where the job runs: AWS, or for a test of this command the local
// stack. Nothing else differs.
type services struct {
	environ    []string
	properties []stack.Setting
}

// aws is AWS itself: the daemon and the commands have no endpoint set, and find
// credentials as everything does.
func aws(region string, environ []string) services {
	return services{
		environ: append(environ, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region),
		properties: []stack.Setting{
			{Name: "regionName", Value: region},
			{Name: "metricsLevel", Value: "NONE"},
		},
	}
}

// result is what the last line says.
type result struct {
	roundtrip.Result
	total time.Duration
}

func (r *result) String() string {
	return fmt.Sprintf("smoke: sent=%d received=%d missing=%d duplicates=%d shards=%d first_record_s=%.1f total_s=%.1f",
		r.Sent, r.Received, r.Missing, r.Duplicates, r.Shards, r.FirstRecord.Seconds(), r.total.Seconds())
}

// smoke runs the job. It returns a result as soon as there is one, also beside
// an error of what came later.
func smoke(ctx context.Context, o options, at services, stderr io.Writer) (r *result, err error) {
	begin := time.Now()
	step := func(format string, args ...any) {
		fmt.Fprintf(stderr, "smoke: %5.1f s  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return nil, err
	}
	if _, err := bootstrap.FindJava(""); err != nil {
		return nil, err
	}
	out, err := roundtrip.MakeFolder(o.dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		_, rmErr := out.Remove()
		err = errors.Join(err, rmErr)
	}()
	step("building the commands")
	if err := sample.Build(ctx, root, out.Bin); err != nil {
		return nil, err
	}
	step("if this is killed: %s", deleteCommand(o))
	done, err := roundtrip.Run(ctx, roundtrip.Config{
		Name: o.name, Shards: shards, Records: o.records, Root: root, Folder: out,
		Environ: sample.Environ(at.environ, out.Bin), Properties: at.properties, Delete: true, Step: step,
	})
	if done == nil {
		return nil, err
	}
	return &result{*done, time.Since(begin)}, err
}
