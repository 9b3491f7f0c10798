// Command encodingjson is a record processor without this project's library: a loop of
// encoding/json on standard input. It does the same as command ours.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

type message struct {
	Action  string
	Error   *string
	Records []struct {
		Data                        []byte
		PartitionKey                string
		SequenceNumber              string
		SubSequenceNumber           int64
		ApproximateArrivalTimestamp int64
	}
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "encodingjson:", err)
		os.Exit(1)
	}
}

func serve() error {
	in := bufio.NewReader(os.Stdin)
	records, bytes := 0, 0
	for {
		m, err := read(in)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for _, r := range m.Records {
			records++
			bytes += len(r.Data)
		}
		switch m.Action {
		case "processRecords", "shardEnded", "shutdownRequested":
			if err := checkpoint(in); err != nil {
				return err
			}
		}
		if _, err := fmt.Printf("{\"action\":\"status\",\"responseFor\":%q}\n", m.Action); err != nil {
			return err
		}
	}
}

func read(in *bufio.Reader) (m message, err error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(line, &m)
}

func checkpoint(in *bufio.Reader) error {
	if _, err := fmt.Println(`{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}`); err != nil {
		return err
	}
	m, err := read(in)
	if err == nil && m.Error != nil {
		err = fmt.Errorf("checkpoint: %s", *m.Error)
	}
	return err
}
