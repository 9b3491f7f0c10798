// Package group starts a command with all the processes that it starts, so that
// they can be ended together, and end with this process as far as the system can
// see to that.
package group

import (
	"log/slog"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// New has a command lead a group when [Group.Start] starts it. One that is deaf is
// not stopped by signals: neither Ctrl-C at the terminal nor the end of this
// process asks it to stop.
func New(cmd *exec.Cmd, deaf bool) (*Group, error) {
	g := &Group{cmd: cmd}
	if err := g.prepare(deaf); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// starts has what is to be started. Linux tells a child when its parent's thread
// ends, not when its parent does: this goroutine never leaves its thread.
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

// Start starts the command. The caller waits for it.
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

// End waits until none of the group's processes is left, and kills them when
// grace is over or kill says so. It returns false if even that did not end them.
// It may be called once the command has been waited for.
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
				return false // they sleep in the kernel
			}
		}
		killed = true
		deadline = time.After(10 * time.Second)
		log.Warn("killing processes that outlived the one that started them", "group", g.pid())
		g.Kill()
	}
	return true
}

func (g *Group) pid() int { return g.cmd.Process.Pid }
