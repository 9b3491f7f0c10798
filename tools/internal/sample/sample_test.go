package sample

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func appendTo(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestShardFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := NewShardFiles(dir)
	read := func() {
		t.Helper()
		if err := s.Read(); err != nil {
			t.Fatal(err)
		}
	}
	read() // the folder does not exist yet
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	a, b := filepath.Join(dir, "shardId-000000000000.jsonl"), filepath.Join(dir, "shardId-000000000001.jsonl")
	appendTo(t, a, `{"shardId":"0","sequenceNumber":"1","subSequenceNumber":0,"data":"one"}`+"\n"+`{"shardId":"0","sequenceNumber":"1","subSequ`)
	read()
	sent := []Key{{"0", "1", 0}, {"0", "1", 1}, {"1", "1", 0}}
	if s.Missing(sent) != 2 || len(s.Records) != 1 {
		t.Errorf("with half a line: %d missing, %v", s.Missing(sent), s.Records)
	}
	appendTo(t, a, `enceNumber":1,"data":"/w==","encoding":"base64"}`+"\n")
	again := `{"shardId":"1","sequenceNumber":"1","subSequenceNumber":0,"data":""}` + "\n"
	appendTo(t, b, again+again)
	read()
	read() // nothing is counted twice
	want := map[Key]string{sent[0]: "one", sent[1]: "\xff", sent[2]: ""}
	if !reflect.DeepEqual(s.Records, want) || s.Duplicates != 1 || s.Disordered != 1 || s.Shards != 2 || s.Missing(sent) != 0 {
		t.Errorf("%v, %d duplicates, %d out of order, %d shards, %d missing", s.Records, s.Duplicates, s.Disordered, s.Shards, s.Missing(sent))
	}
	ten := `{"shardId":"0","sequenceNumber":"10","subSequenceNumber":0,"data":""}` + "\n"
	appendTo(t, a, strings.Replace(ten, "10", "9", 1))
	read()
	appendTo(t, a, ten)
	read()
	if s.Disordered != 1 {
		t.Errorf("9 and 10: %d out of order", s.Disordered-1)
	}
	appendTo(t, a, strings.Replace(ten, "10", "8", 1))
	read()
	if s.Disordered != 2 || s.Duplicates != 1 {
		t.Errorf("8 after 10: %d out of order, %d duplicates", s.Disordered, s.Duplicates)
	}
	appendTo(t, b, "no JSON\n")
	if err := s.Read(); err == nil || !strings.Contains(err.Error(), "after byte") {
		t.Errorf("a line that is no JSON: %v", err)
	}
}

func TestReceipts(t *testing.T) {
	got, err := Receipts(strings.NewReader(`{"shardId":"0","sequenceNumber":"7","partitionKey":"k"}` + "\n"))
	if err != nil || !reflect.DeepEqual(got, []Key{{"0", "7", 0}}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Receipts(strings.NewReader("7 records\n")); err == nil {
		t.Error("no error for text instead of receipts")
	}
}

func TestStartedLine(t *testing.T) {
	for _, parts := range [][]string{
		{"kcl-bootstrap: fetching\nkcl-bootstrap: started K", "CL 3.1.3, pid 4711\n", "kcl-bootstrap: started KCL 3.1.3, pid 4712\n"},
		{"consumer-sample: fetching\nconsumer-sample: daemon st", "arted, version 3.1.3, pid 4711\n", "consumer-sample: daemon started, version 3.1.3, pid 4712\n"},
		{"time=1 level=INFO msg=fetching\ntime=1 level=INFO msg=\"daemon sta", "rted\" version=3.1.3 pid=4711\n", "time=1 level=INFO msg=\"daemon started\" version=3.1.3 pid=4712\n"},
	} {
		log, err := os.Create(filepath.Join(t.TempDir(), "log"))
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		o := &output{file: log, started: make(chan struct{})}
		for _, part := range parts {
			if _, err := o.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-o.started:
		default:
			t.Error("the line that logs Java's start was not recognised")
		}
		if o.pid != 4712 || len(o.last) != 3 { // of the Java that was started last
			t.Errorf("pid %d, last lines %q", o.pid, o.last)
		}
	}
}

func TestEnviron(t *testing.T) {
	got := Environ([]string{"A=1", "PATH=/usr/bin", "B=2"}, "/my bin")
	want := []string{"A=1", "B=2", "PATH=/my bin" + string(os.PathListSeparator) + "/usr/bin"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
