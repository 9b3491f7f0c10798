// Command sink is the limit of all children: it finds the end of each line,
// answers, and looks at nothing but the action, from the largest pipe that it
// can get.
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

// action takes the first value of a line, which the daemon begins with.
func action(line []byte) (string, bool) {
	rest, begins := bytes.CutPrefix(line, []byte(`{"action":"`))
	value, _, ends := bytes.Cut(rest[:min(len(rest), 40)], []byte(`"`))
	return string(value), begins && ends
}
