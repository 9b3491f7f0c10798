// Command sink is the upper bound for all children: it finds the end of each line,
// reads only the action, and answers, with the largest pipe that it can get.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
)

func main() {
	enlarge()
	in := bufio.NewReaderSize(os.Stdin, 256<<10)
	waiting := "" // the action whose checkpoint is not answered yet
	for {
		line, err := in.ReadSlice('\n')
		action, known := action(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err != nil {
			return
		}
		if !known {
			fmt.Fprintln(os.Stderr, "sink: a line does not begin with its action")
			os.Exit(1)
		}
		answer := `{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}`
		switch action {
		case "processRecords", "shardEnded", "shutdownRequested": // where ours checkpoints too
			waiting = action
		case "checkpoint":
			answer = `{"action":"status","responseFor":"` + waiting + `"}`
		default:
			answer = `{"action":"status","responseFor":"` + action + `"}`
		}
		if _, err := os.Stdout.WriteString(answer + "\n"); err != nil {
			os.Exit(1)
		}
	}
}

// action returns the action of a line, which the daemon writes first.
func action(line []byte) (string, bool) {
	rest, begins := bytes.CutPrefix(line, []byte(`{"action":"`))
	value, _, ends := bytes.Cut(rest[:min(len(rest), 40)], []byte(`"`))
	return string(value), begins && ends
}
