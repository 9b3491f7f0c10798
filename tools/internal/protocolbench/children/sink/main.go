//go:build unix

// Command sink is the limit of all children: it finds the end of each line,
// answers, and looks at nothing but the action. It reads in the way that costs
// least, without Go's poller and from the largest pipe it can get.
package main

import (
	"bytes"
	"os"
	"syscall"
)

func main() {
	enlarge(0)
	buf := make([]byte, 256<<10)
	var start [40]byte // of the line, all that the action needs
	seen := 0
	for {
		n, err := syscall.Read(0, buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		for rest := buf[:n]; len(rest) > 0; {
			if seen < len(start) {
				seen += copy(start[seen:], rest)
			}
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				break
			}
			rest = rest[end+1:]
			answer(start[:seen])
			seen = 0
		}
	}
}

// waiting is the action whose checkpoint is not answered yet.
var waiting string

// answer answers a line of which only the start is known. Each action that
// ours checkpoints in has a checkpoint here too.
func answer(start []byte) {
	switch action := action(start); action {
	case "checkpoint":
		status(waiting)
	case "processRecords", "shardEnded", "shutdownRequested":
		waiting = action
		write(`{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}` + "\n")
	default:
		status(action)
	}
}

// action takes the first value of a line, which the daemon begins with.
func action(start []byte) string {
	rest, ok := bytes.CutPrefix(start, []byte(`{"action":"`))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		os.Stderr.WriteString("sink: a line does not begin with its action\n")
		os.Exit(1)
	}
	return string(rest[:end])
}

func status(action string) {
	write(`{"action":"status","responseFor":"` + action + `"}` + "\n")
}

func write(line string) {
	if _, err := syscall.Write(1, []byte(line)); err != nil {
		os.Exit(1)
	}
}
