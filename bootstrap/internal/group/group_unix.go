//go:build unix

package group

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// A Group is the process group of a command.
type Group struct{ cmd *exec.Cmd }

func (g *Group) prepare(ignoreSignals bool) error {
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(g.cmd.SysProcAttr, ignoreSignals)
	return nil
}

func (g *Group) started() error { return nil }

// Inherit makes the command inherit file, and keep it open for as long as it runs.
func Inherit(cmd *exec.Cmd, file *os.File) { cmd.ExtraFiles = []*os.File{file} }

// Terminate sends SIGTERM to all processes of the group.
func (g *Group) Terminate() { syscall.Kill(-g.pid(), syscall.SIGTERM) }

// Kill kills all processes of the group.
func (g *Group) Kill() { syscall.Kill(-g.pid(), syscall.SIGKILL) }

// empty reports whether no process of the group is left. It may be called after
// cmd.Wait has returned.
func (g *Group) empty() bool {
	// In a container whose first process is this one, orphans become its children,
	// and stay until it waits for them.
	for {
		pid, err := syscall.Wait4(-g.pid(), nil, syscall.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	return errors.Is(syscall.Kill(-g.pid(), 0), syscall.ESRCH) || onlyZombies(g.pid())
}

// Lower gives all processes of the group the lowest priority.
func (g *Group) Lower() { syscall.Setpriority(syscall.PRIO_PGRP, g.pid(), 19) }

// Close releases the group. On Windows it also kills what is left of it.
func (g *Group) Close() {}

// ExitCode returns the exit status of a process, and 128 plus the signal's number if a
// signal has ended it.
func ExitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}
