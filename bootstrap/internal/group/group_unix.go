//go:build unix

package group

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// A Group is the process group that a command leads.
type Group struct{ cmd *exec.Cmd }

func (g *Group) prepare(deaf bool) error {
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(g.cmd.SysProcAttr, deaf)
	return nil
}

func (g *Group) started() error { return nil }

// Inherit has a command keep a file open as long as it lives.
func Inherit(cmd *exec.Cmd, file *os.File) { cmd.ExtraFiles = []*os.File{file} }

// Terminate asks all of the group to stop.
func (g *Group) Terminate() { syscall.Kill(-g.pid(), syscall.SIGTERM) }

// Kill ends all of the group.
func (g *Group) Kill() { syscall.Kill(-g.pid(), syscall.SIGKILL) }

// empty tells whether no process of the group is left. It may be called once
// the group's leader has been waited for.
func (g *Group) empty() bool {
	// Orphans that became this process's children, because it is a
	// container's first process, stay until they are waited for.
	for {
		pid, err := syscall.Wait4(-g.pid(), nil, syscall.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	return errors.Is(syscall.Kill(-g.pid(), 0), syscall.ESRCH) || onlyZombies(g.pid())
}

// Lower has all of the group run behind everything else.
func (g *Group) Lower() { syscall.Setpriority(syscall.PRIO_PGRP, g.pid(), 19) }

// Close does nothing on this system.
func (g *Group) Close() {}

// ExitCode returns 128 and the signal's number where a signal ended the process.
func ExitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}
