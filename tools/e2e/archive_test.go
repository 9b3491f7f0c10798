//go:build unix

package e2e

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// KCL is loaded from a valid archive. An invalid one has no effect.
func TestArchive(t *testing.T) {
	testenv.Nightly(t)
	java := testenv.Java(t)
	fetched, err := bootstrap.Fetch(t.Context(), bootstrap.DaemonLock(), nil)
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir() // XDG_CACHE_HOME
	command := bootstrap.Command{Java: java, CacheDir: filepath.Join(cache, "kcl-bootstrap", "maven")}
	for _, file := range fetched.Files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(command.CacheDir, strings.TrimPrefix(file, fetched.CacheDir))
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied, content, 0o644); err != nil {
			t.Fatal(err)
		}
		command.Jars = append(command.Jars, copied)
	}
	if err := engine.MakeArchive(t.Context(), command); err != nil {
		t.Fatal(err)
	}
	archives, err := filepath.Glob(filepath.Join(command.CacheDir, "class-data", "*.jsa"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("the archives are %q, %v", archives, err)
	}
	whole, err := os.ReadFile(archives[0])
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	altered := func(change func(b []byte) []byte) []byte { return change(bytes.Clone(whole)) }
	flipped := func(b []byte) []byte { b[random.IntN(len(b))] ^= 1 << random.IntN(8); return b }
	for _, tt := range []struct {
		name    string
		content []byte
		shared  bool
	}{
		{"whole", whole, true},
		{"cut short", whole[:len(whole)/2], false},
		{"the header alone", whole[:4096], false},
		{"empty", nil, false},
		{"longer", altered(func(b []byte) []byte { return append(b, 0) }), false},
		{"garbage", altered(func(b []byte) []byte { clear(b[:1<<16]); return b }), false},
		{"a bit", altered(flipped), false},
		{"another bit", altered(flipped), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(archives[0], tt.content, 0o644); err != nil {
				t.Fatal(err)
			}
			a := newApplication(t, 1)
			loaded := filepath.Join(a.dir, "loaded")
			a.produce(5)
			w := a.startWorker("worker", "XDG_CACHE_HOME="+cache, "JAVA_HOME="+filepath.Dir(filepath.Dir(java)),
				"JAVA_TOOL_OPTIONS=-Xlog:class+load:file="+loaded)
			w.awaitAll()
			w.stop()
			log, err := os.ReadFile(loaded)
			if err != nil {
				t.Fatal(err)
			}
			source := regexp.MustCompile(`coordinator\.Scheduler source: (.*)`).FindSubmatch(log)
			if source == nil || strings.HasPrefix(string(source[1]), "shared objects file") != tt.shared {
				t.Errorf("KCL was loaded from %q", source)
			}
		})
	}
}
