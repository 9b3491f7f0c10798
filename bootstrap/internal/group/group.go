// Package group runs a command as the leader of a group that includes all processes
// that the command starts. The group can be stopped and killed as a whole, and ends
// with this process as far as the system supports that.
//
//	g, err := group.New(cmd, false)
//	...
//	defer g.Close()
//	err = g.Start()
//	...
//	cmd.Wait()
//	ended := g.End(time.Second, nil, logger)
package group

import (
	"log/slog"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// New prepares cmd to lead a group when [Group.Start] starts it. If ignoreSignals is
// true, the command is one that signals do not stop: it does not receive Ctrl-C of the
// terminal where the system can prevent that, and is killed when this process ends,
// rather than asked to stop.
func New(cmd *exec.Cmd, ignoreSignals bool) (*Group, error) {
	g := &Group{cmd: cmd}
	if err := g.prepare(ignoreSignals); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// starts receives functions that start processes. Linux signals a child when the thread
// that started it ends, so one goroutine starts all, and never leaves its thread.
var starts = sync.OnceValue(func() chan<- func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range c {
			start()
		}
	}()
	return c
})

// Start starts the command. The caller must call cmd.Wait.
func (g *Group) Start() error {
	done := make(chan error)
	starts() <- func() {
		err := g.cmd.Start()
		if err == nil {
			err = g.started()
		}
		done <- err
	}
	err := <-done
	if err != nil && g.cmd.Process != nil {
		g.Kill()
		g.cmd.Wait()
	}
	return err
}

// End waits until no process of the group is left. It kills them after grace, or when
// kill receives a value or is closed. It returns false if they survive that for 10 s.
// End may be called after cmd.Wait has returned.
func (g *Group) End(grace time.Duration, kill <-chan struct{}, log *slog.Logger) bool {
	deadline := time.After(grace)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	killed := false
	for !g.empty() {
		select {
		case <-tick.C:
			continue
		case <-kill:
			kill = nil
		case <-deadline:
			if killed {
				return false // they wait in the kernel
			}
		}
		killed = true
		deadline = time.After(10 * time.Second)
		log.Warn("killing processes that outlived their group's leader", "group", g.pid())
		g.Kill()
	}
	return true
}

func (g *Group) pid() int { return g.cmd.Process.Pid }
