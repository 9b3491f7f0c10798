package protocolbench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/measure"
)

// A startResult is how a contender begins.
type startResult struct {
	name   string
	millis measure.Sample // from exec to the first answer
	idle   measure.Sample // MB, after it
}

// starts measures without the daemon: from the start of a process to its answer
// to initialize.
func (b *bench) starts(ctx context.Context) ([]*startResult, error) {
	results := make([]*startResult, len(b.all))
	for i, c := range b.all {
		results[i] = &startResult{name: c.name}
	}
	err := measure.Rounds(ctx, warmUps+b.Rounds, len(b.all), func(round, i int) error {
		millis, idle, err := b.start(ctx, b.all[i])
		if err != nil {
			return fmt.Errorf("%s: %w", b.all[i].name, err)
		}
		if round >= warmUps {
			results[i].millis = append(results[i].millis, millis)
			results[i].idle = append(results[i].idle, idle)
		}
		return nil
	})
	return results, err
}

const initializeLine = `{"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}` + "\n"

func (b *bench) start(ctx context.Context, c contender) (millis, idle float64, err error) {
	// Not package child, which starts a shell first: the end of its input ends
	// a contender, however this program ends.
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), b.environ...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, 0, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	from := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		stdin.Close()
		if wait := cmd.Wait(); err == nil {
			err = wait
		}
	}()
	if _, err := io.WriteString(stdin, initializeLine); err != nil {
		return 0, 0, err
	}
	for in := bufio.NewReader(stdout); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, 0, fmt.Errorf("no answer to initialize: %w", err)
		}
		if strings.Contains(line, "initialize") { // Node and Python begin with an empty line
			break
		}
	}
	millis = float64(time.Since(from).Microseconds()) / 1000
	return millis, measure.Memory(cmd.Process.Pid, "VmRSS"), nil
}
