package bootstrap

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestDefaultJavaOptions(t *testing.T) {
	const (
		mib, gib = 1 << 20, 1 << 30
		oneGiB   = "-XX:+UseSerialGC -Xms16m -XX:TieredStopAtLevel=1 -Xmx512m"
	)
	for _, tt := range []struct {
		name       string
		memory     uint64
		processors int
		env, named string
		want       string
	}{
		{"what Java makes of it", 400 * mib, 1, "", "", "-XX:+UseSerialGC -Xms16m -XX:TieredStopAtLevel=1"},
		{"a small container", 512 * mib, 2, "", "", "-XX:+UseSerialGC -Xms16m -XX:TieredStopAtLevel=1 -Xmx192m"},
		{"on many processors", 1 * gib, 64, "", "", oneGiB},
		{"a machine of 2 GiB, less the kernel's", 1950 * mib, 2, "", "", "-XX:+UseSerialGC -Xms16m -XX:TieredStopAtLevel=1 -Xmx975m"},
		{"2 GiB", 2 * gib, 2, "", "", "-XX:+UseSerialGC -Xms16m -Xmx1024m"},
		{"with many processors", 2 * gib, 4, "", "", "-Xmx1024m"},
		{"the quarter is as much", 4 * gib, 2, "", "", "-XX:+UseSerialGC -Xms16m"},
		{"large", 16 * gib, 4, "", "", ""},
		{"not known", math.MaxInt64, 2, "", "", "-XX:+UseSerialGC -Xms16m"},

		{
			"other matters", gib, 2, "JAVA_TOOL_OPTIONS=-Dx=-Xmx1g -XX:+HeapDumpOnOutOfMemoryError",
			"-XX:+ExitOnOutOfMemoryError -Xss1m -XX:MaxDirectMemorySize=1g -XX:CompileCommand=quiet", oneGiB,
		},
		{"a collector", gib, 2, "JDK_JAVA_OPTIONS=-XX:+UseG1GC", "", "-Xms16m -XX:TieredStopAtLevel=1 -Xmx512m"},
		{"a collector's setting", gib, 2, "", "-XX:G1HeapRegionSize=1m", "-Xms16m -XX:TieredStopAtLevel=1 -Xmx512m"},
		{"a collector's threads", gib, 2, "", "-XX:ParallelGCThreads=2", "-Xms16m -XX:TieredStopAtLevel=1 -Xmx512m"},
		{"any collector's matters", gib, 2, "", "-XX:+DisableExplicitGC -XX:+PrintGCDetails -XX:-UseGCOverheadLimit", oneGiB},
		{"a heap", gib, 2, "", "-Xmx256m", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"},
		{"a share of the memory", gib, 2, "_JAVA_OPTIONS=-Dx=y -XX:MaxRAMPercentage=50", "", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"},
		{"in quotes", gib, 2, `JAVA_TOOL_OPTIONS="-Xmx256m" '-XX:TieredStopAtLevel=4'`, "", "-XX:+UseSerialGC"},
		{"compilers", gib, 2, "", "-Dx=y -XX:-TieredCompilation", "-XX:+UseSerialGC -Xms16m -Xmx512m"},
		{"a file", gib, 2, "", "@options", ""},
		{"a file of the virtual machine's", gib, 2, "", "-XX:VMOptionsFile=options", ""},
	} {
		got := defaultJavaOptions(tt.memory, tt.processors, namedOptions([]string{"A=b", tt.env}, strings.Fields(tt.named)))
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// No limit of the heap is below Java's own, nor more than half.
func TestHeapLimit(t *testing.T) {
	limits := 0
	for memory := uint64(1 << 20); memory < 5<<30; memory += 1_234_567 {
		for _, option := range defaultJavaOptions(memory, 2, nil) {
			var heap uint64
			if _, err := fmt.Sscanf(option, "-Xmx%dm", &heap); err != nil {
				continue
			}
			if limits++; heap<<20 < memory/4 || heap<<20 > memory/2 {
				t.Errorf("of %d bytes: %s", memory, option)
			}
		}
	}
	if limits == 0 {
		t.Error("no limits")
	}
}

func TestAvailableMemory(t *testing.T) {
	if n := availableMemory(); n < 32<<20 || n > 1<<50 && n != math.MaxInt64 {
		t.Errorf("%d bytes", n)
	}
}
