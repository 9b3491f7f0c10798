package handover

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	var wire []byte
	w := &frameWriter{w: writerFunc(func(p []byte) (int, error) { wire = append(wire, p...); return len(p), nil })}
	data := bytes.Repeat([]byte("0123456789"), 20_000) // several frames
	if n, err := w.Write(data); n != len(data) || err != nil {
		t.Fatal(n, err)
	}
	wire = appendFrame(wire, kindStatus, []byte{7})
	var got []byte
	buf := new([maxFrame]byte)
	for r := bytes.NewReader(wire); ; {
		k, body, err := readFrame(r, buf)
		if err != nil {
			t.Fatal(err)
		}
		if k == kindStatus {
			if body[0] != 7 || r.Len() != 0 {
				t.Errorf("status %d, %d bytes left", body[0], r.Len())
			}
			break
		}
		got = append(got, body...)
	}
	if !bytes.Equal(got, data) {
		t.Error("the data is another")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func FuzzReadFrame(f *testing.F) {
	f.Add(appendFrame(nil, kindData, []byte("x")))
	f.Add(appendFrame(nil, kindStatus, []byte{1}))
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, wire []byte) {
		r, buf := bytes.NewReader(wire), new([maxFrame]byte)
		for {
			at := len(wire) - r.Len()
			k, body, err := readFrame(r, buf)
			if err != nil {
				if err == io.EOF && at != len(wire) && len(wire)-at > 4 {
					t.Errorf("a clean end in the middle of a frame")
				}
				return
			}
			if again := appendFrame(nil, k, body); !bytes.Equal(again, wire[at:at+len(again)]) {
				t.Errorf("%x was read as %x", wire[at:at+len(again)], again)
			}
		}
	})
}

func TestParseHello(t *testing.T) {
	token := strings.Repeat("t", tokenLength)
	good := string(hello(relay, token))
	if m, got, err := parseHello([]byte(good)); m != relay || got != token || err != nil {
		t.Error(m, got, err)
	}
	for _, bad := range []string{
		"", good[1:], good + "x", "GET " + good[4:],
		good[:5] + "\x02" + good[6:], // mode
	} {
		if _, _, err := parseHello([]byte(bad)); !errors.Is(err, errHello) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, _, err := parseHello([]byte(good[:4] + "\x09" + good[5:])); err == nil || !strings.Contains(err.Error(), "a shim of version 9") {
		t.Error(err)
	}
}

func TestUsable(t *testing.T) {
	for dir, want := range map[string]bool{
		"/tmp": true, "": false, "/tmp/with space": false, "/" + strings.Repeat("x", 90): false,
	} {
		if usable(dir) != want {
			t.Errorf("usable(%q) = %v", dir, !want)
		}
	}
}

// A Listener knows its place when the usual one cannot be used.
func TestListenElsewhere(t *testing.T) {
	spaces := t.TempDir() + "/a folder"
	if err := os.Mkdir(spaces, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{spaces, "/" + strings.Repeat("long/", 30)} {
		t.Setenv("TMPDIR", dir)
		l, err := Listen("/bin/true", false)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(l.dir, dir) || strings.Count(l.Command(), " ") != 1 {
			t.Errorf("in %q it listens at %q, command %q", dir, l.dir, l.Command())
		}
		l.Close()
		if _, err := os.Stat(l.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder is still there: %v", err)
		}
	}
}

func ExampleListener_Command() {
	l := &Listener{executable: "/tmp/kcl-worker-123/shim"}
	fmt.Println(l.Command())
	// Output: /tmp/kcl-worker-123/shim kcl-worker-shim
}
