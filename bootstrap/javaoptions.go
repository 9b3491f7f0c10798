package bootstrap

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// namedOptions returns the options of Java that the user sets, in variables and for the
// command, in the order in which Java reads them.
func namedOptions(env, javaOptions []string) (all []string) {
	variables := variablesOf(env)
	from := func(variable string) {
		for _, option := range strings.Fields(variables[variable]) {
			all = append(all, strings.Trim(option, `"'`))
		}
	}
	from("JAVA_TOOL_OPTIONS")
	from("JDK_JAVA_OPTIONS")
	all = append(all, javaOptions...)
	from("_JAVA_OPTIONS")
	return all
}

// variablesOf returns an environment as a map.
func variablesOf(env []string) map[string]string {
	variables := make(map[string]string)
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		variables[name] = value
	}
	return variables
}

// The subjects of Java's options. Java refuses two collectors, and of two sizes uses the
// later one.
var (
	ofCollector = compiled(`^-(Xgcpolicy|XX:[+-]?(Use\w*GC\b|ParallelGC|ConcGC|MaxGCPause|G1|Z|Shenandoah))`)
	ofCompilers = compiled(`^-(Xint|Xcomp|Xmixed|XX:[+-]?(\w*Tiered|CICompilerCount|CompilationMode|Use\w*Compiler))`)
	ofHeap      = compiled(`^-(Xm[xsn]|XX:[+-]?(\w*HeapSize|\w*RAM|\w*NewSize|NewRatio|AggressiveHeap))`)
	ofAll       = compiled(`^(@|-XX:(Flags|VMOptionsFile)=)`) // a file of options
)

// defaultJavaOptions returns Java's options for this much memory, in bytes, and this many
// processors, except those on a subject of the named ones. Java 8 knows all of them. The
// README has the measurements on which they are based.
func defaultJavaOptions(memory uint64, processors int, named []string) (options []string) {
	add := func(option string, matter *regexp.Regexp) {
		if !slices.ContainsFunc(named, func(o string) bool { return matter.MatchString(o) || ofAll().MatchString(o) }) {
			options = append(options, option)
		}
	}
	mebibytes := memory >> 20
	small := mebibytes < 2048
	if small || processors <= 2 {
		add("-XX:+UseSerialGC", ofCollector())
		add("-Xms16m", ofHeap())
	}
	if small {
		add("-XX:TieredStopAtLevel=1", ofCompilers())
	}
	// Java's own limit is a quarter of the memory, in a small container too little for
	// batches of 10 MiB. Java without its heap and the program together need 320 MiB.
	if heap := min(mebibytes/2, max(mebibytes, 320)-320, 1024); heap > mebibytes/4 {
		add(fmt.Sprintf("-Xmx%dm", heap), ofHeap())
	}
	return options
}

// availableMemory returns the bytes of memory that this process and Java may use: the
// container's limit, or the machine's memory, or math.MaxInt64 if neither is known.
func availableMemory() uint64 {
	least := uint64(math.MaxInt64)
	for _, of := range []memlimit.Provider{memlimit.FromCgroup, memlimit.FromSystem} {
		if n, err := of(); err == nil && n > 0 {
			least = min(least, n)
		}
	}
	return least
}
