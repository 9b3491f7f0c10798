package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// seed is a stream that is to be there from the start.
type seed struct {
	name   string
	shards int
}

// seeds is the value of --seed: NAME=SHARDS, repeated or separated by commas.
type seeds []seed

const maxShards = 10_000

var streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)

func (s *seeds) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		name, count, ok := strings.Cut(one, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=SHARDS, as orders=4", one)
		}
		if !streamName.MatchString(name) {
			return fmt.Errorf("%q is not the name of a stream: 1 to 128 of a-z, A-Z, 0-9, _ . -", name)
		}
		shards, err := strconv.Atoi(count)
		if err != nil || shards < 1 || shards > maxShards {
			return fmt.Errorf("stream %s cannot have %q shards, but 1 to %d", name, count, maxShards)
		}
		for _, other := range *s {
			if other.name == name {
				return fmt.Errorf("stream %s is there twice", name)
			}
		}
		*s = append(*s, seed{name, shards})
	}
	return nil
}

func (s *seeds) Type() string { return "NAME=SHARDS" }

func (s *seeds) String() string {
	var list []string
	for _, one := range *s {
		list = append(list, fmt.Sprintf("%s=%d", one.name, one.shards))
	}
	return strings.Join(list, ",")
}

// sow makes the streams that are not there yet. Those that are stay as they
// are: with --data they may have been resharded.
func (s seeds) sow(ctx context.Context, client *kinesis.Client) (made map[string]bool, err error) {
	made = make(map[string]bool)
	for _, one := range s {
		_, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &one.name, ShardCount: aws.Int32(int32(one.shards))})
		var exists *types.ResourceInUseException
		if err != nil && !errors.As(err, &exists) {
			return nil, fmt.Errorf("seed stream %s: %w", one.name, err)
		}
		made[one.name] = err == nil
	}
	return made, nil
}

// shown is how many streams showStreams names.
const shown = 20

// showStreams tells what streams there are.
func showStreams(ctx context.Context, w io.Writer, client *kinesis.Client, sown seeds, made map[string]bool) error {
	title, n := "Streams", 0
	pages := kinesis.NewListStreamsPaginator(client, &kinesis.ListStreamsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the streams: %w", err)
		}
		for _, name := range page.StreamNames {
			if n++; n > shown {
				continue
			}
			out, err := client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
			if err != nil {
				return fmt.Errorf("describe stream %s: %w", name, err)
			}
			fmt.Fprintf(w, "  %-8s  %s (%s)\n", title, name, about(name, int(*out.StreamDescriptionSummary.OpenShardCount), sown, made))
			title = ""
		}
	}
	if n > shown {
		fmt.Fprintf(w, "  %-8s  and %d more\n", "", n-shown)
	}
	return nil
}

func about(name string, shards int, sown seeds, made map[string]bool) string {
	text := fmt.Sprintf("%d shards", shards)
	if shards == 1 {
		text = "1 shard"
	}
	for _, one := range sown {
		switch {
		case one.name != name:
		case made[name]:
			text += ", new"
		case one.shards != shards:
			text += fmt.Sprintf("; --seed says %d: it was there, and stays as it is", one.shards)
		}
	}
	return text
}
