package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/roundtrip"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// name is the sample's stream, application and lease table.
const name = "kclgosample"

// result is what the last line says.
type result struct {
	roundtrip.Result
	total time.Duration
}

func (r *result) String() string {
	return fmt.Sprintf("demo: sent=%d received=%d missing=%d duplicates=%d shards=%d first_record_s=%.1f total_s=%.1f",
		r.Sent, r.Received, r.Missing, r.Duplicates, r.Shards, r.FirstRecord.Seconds(), r.total.Seconds())
}

// demo runs the main job. It returns a result as soon as there is one, also
// beside an error of what came later.
func demo(ctx context.Context, o options, stderr io.Writer) (r *result, err error) {
	begin := time.Now()
	step := func(format string, args ...any) {
		fmt.Fprintf(stderr, "demo: %5.1f s  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	if o.file != "" {
		if _, err := roundtrip.ReadLines(o.file); err != nil {
			return nil, err
		}
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
	if !o.keep {
		defer func() {
			removed, rmErr := out.Remove()
			err = errors.Join(err, rmErr)
			if removed {
				step("removed what was made; --keep or --dir keeps the files")
			}
		}()
	}

	step("building the commands")
	if err := sample.Build(ctx, root, out.Bin); err != nil {
		return nil, err
	}

	step("starting the local Kinesis and DynamoDB Local")
	stackBegin := time.Now()
	local, err := stack.Start(ctx, stack.Config{Progress: func(p bootstrap.Progress) {
		if p.Files == p.TotalFiles {
			step("fetched DynamoDB Local: %d files, %.1f MB", p.TotalFiles, float64(p.TotalBytes)/1e6)
		}
	}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, local.Close()) }()

	done, err := roundtrip.Run(ctx, roundtrip.Config{
		Name: name, Shards: o.shards, Records: o.records, File: o.file, Worker: o.worker, Root: root, Folder: out,
		Environ: sample.Environ(local.Environ(os.Environ()), out.Bin), Properties: local.Properties(), Step: step,
	})
	err = errors.Join(err, local.Close())
	if done == nil {
		return nil, err
	}
	step("the shard files are in %s", out.Data)
	return &result{*done, time.Since(stackBegin)}, err
}
