//go:build unix

package bootstrap

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// A group is the process group that a command leads.
type group struct{ pid int }

// newGroup has the command lead a group. One that is deaf is not stopped by
// signals.
func newGroup(cmd *exec.Cmd, deaf bool) (*group, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr, deaf)
	return &group{}, nil
}

// inherit has the command keep a file open as long as it lives.
func inherit(cmd *exec.Cmd, file *os.File) { cmd.ExtraFiles = []*os.File{file} }

func (g *group) started(p *os.Process) error {
	g.pid = p.Pid
	return nil
}

// terminate asks all of the group to stop.
func (g *group) terminate() { syscall.Kill(-g.pid, syscall.SIGTERM) }

func (g *group) kill() { syscall.Kill(-g.pid, syscall.SIGKILL) }

// empty tells whether no process of the group is left. It may be called once
// the group's leader has been waited for.
func (g *group) empty() bool {
	// Orphans that became this process's children, because it is a
	// container's first process, stay until they are waited for.
	for {
		pid, err := syscall.Wait4(-g.pid, nil, syscall.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	return errors.Is(syscall.Kill(-g.pid, 0), syscall.ESRCH) || onlyZombies(g.pid)
}

func (g *group) close() {}

func exitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}
