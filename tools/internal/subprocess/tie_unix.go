//go:build unix

package subprocess

import (
	"os"
	"os/exec"
	"syscall"
)

// A tie is a shell that leads the child's process group and reads from a pipe whose other
// end only this program has. The kernel closes that end when the program ends in whatever
// way; then the shell kills the group. The shell starts before the child, and as long as
// it lives the group's ID is not used for another group.
//
// Linux's Pdeathsig depends on the thread that started the child, not on the program, and
// other systems do not have it.
type tie struct {
	shell *exec.Cmd
	end   *os.File
}

func startTied(cmd *exec.Cmd) (tie, error) {
	r, w, err := os.Pipe() // close-on-exec, so that no other child keeps it open
	if err != nil {
		return tie{}, err
	}
	defer r.Close()
	t := tie{exec.Command("/bin/sh", "-c", `trap '' HUP INT QUIT TERM; read -r _; kill -KILL 0`), w}
	t.shell.Stdin = r
	t.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := t.shell.Start(); err != nil {
		w.Close()
		return tie{}, err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pgid = true, t.shell.Process.Pid
	if err := cmd.Start(); err != nil {
		t.release()
		return tie{}, err
	}
	return t, nil
}

// terminate sends SIGTERM to the group; the shell ignores it.
func (t tie) terminate(*exec.Cmd) bool { return t.signal(syscall.SIGTERM) }

func (t tie) kill(*exec.Cmd) bool { return t.signal(syscall.SIGKILL) }

func (t tie) signal(s syscall.Signal) bool { return syscall.Kill(-t.shell.Process.Pid, s) == nil }

// release kills the rest of the group, and the shell.
func (t tie) release() {
	t.signal(syscall.SIGKILL)
	_ = t.shell.Wait()
	t.end.Close()
}
