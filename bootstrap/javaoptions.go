package bootstrap

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// namedOptions returns the options of Java's own that the user gives, in variables
// and for the command, in the order in which Java takes them.
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

// variablesOf returns what an environment says.
func variablesOf(env []string) map[string]string {
	variables := make(map[string]string)
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		variables[name] = value
	}
	return variables
}

// What options of Java's are about. Java takes no two collectors, and of two sizes
// the later one.
var (
	ofCollector = compiled(`^-(Xgcpolicy|XX:[+-]?(Use\w*GC\b|ParallelGC|ConcGC|MaxGCPause|G1|Z|Shenandoah))`)
	ofCompilers = compiled(`^-(Xint|Xcomp|Xmixed|XX:[+-]?(\w*Tiered|CICompilerCount|CompilationMode|Use\w*Compiler))`)
	ofHeap      = compiled(`^-(Xm[xsn]|XX:[+-]?(\w*HeapSize|\w*RAM|\w*NewSize|NewRatio|AggressiveHeap))`)
	ofAll       = compiled(`^(@|-XX:(Flags|VMOptionsFile)=)`) // a file of options
)

// defaultJavaOptions returns options of Java's own for so many bytes of memory and so
// many processors, but for what the named ones are about. Java 8 knows all of them.
// The README has the measurements that they come from.
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
	// Java's own limit is a quarter: in a small container too little for batches of
	// 10 MiB. 320 MiB are what Java needs beside its heap, and the program beside Java.
	if heap := min(mebibytes/2, max(mebibytes, 320)-320, 1024); heap > mebibytes/4 {
		add(fmt.Sprintf("-Xmx%dm", heap), ofHeap())
	}
	return options
}

// availableMemory returns how many bytes of memory this process and Java may use: the
// container's limit, or the machine's memory; math.MaxInt64 where neither is known.
func availableMemory() uint64 {
	least := uint64(math.MaxInt64)
	for _, of := range []memlimit.Provider{memlimit.FromCgroup, memlimit.FromSystem} {
		if n, err := of(); err == nil && n > 0 {
			least = min(least, n)
		}
	}
	return least
}
