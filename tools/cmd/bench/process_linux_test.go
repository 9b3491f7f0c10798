package main

import (
	"math"
	"os"
	"os/exec"
	"testing"
)

func TestProcess(t *testing.T) {
	before := cpuMillis(os.Getpid())
	for x := 1; cpuMillis(os.Getpid()) < before+20; { // until it is seen
		for range 1_000_000 {
			x = x*31 + 1
		}
		sum = x
	}
	// The kernel's counts are not exact to the page: no comparison of the two.
	most, now := peak(os.Getpid()), pss(os.Getpid())
	if !(now > 0.5 && now < 10_000 && most > 0.5 && most < 10_000) || math.IsNaN(before) {
		t.Errorf("%v ms of CPU, %v MB now, %v MB at most", before, now, most)
	}
	if gone := 1 << 30; !math.IsNaN(cpuMillis(gone)) || !math.IsNaN(peak(gone)) || !math.IsNaN(pss(gone)) || family(gone) != nil {
		t.Error("figures of a process that is not there")
	}
}

func TestFamily(t *testing.T) {
	before := uptime()
	cmd := exec.Command("sh", "-c", "cat; :") // a shell with a child
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // the child runs
		t.Fatal(err)
	}
	all := family(cmd.Process.Pid)
	if len(all) != 2 || all[0].pid != cmd.Process.Pid || all[0].name != "sh" || all[1].parent != all[0].pid || all[1].name != "cat" {
		t.Errorf("%+v, want a shell and cat", all)
	}
	for _, p := range all {
		if p.start < before-0.02 || p.start > uptime() {
			t.Errorf("%+v began at another time than %v to %v", p, before, uptime())
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

var sum int // keeps the loop
