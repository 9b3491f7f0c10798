//go:build unix

package subprocess

import (
	"os"
	"os/exec"
	"syscall"
)

// A tie is a shell that leads the child's process group and reads from a pipe
// whose other end only this program holds. The kernel closes that end however
// the program ends; then the shell kills the group. It is there before the
// child, so there is no moment without it, and it keeps the group's ID from
// being given to another group while there may be someone to signal.
//
// Linux's Pdeathsig would follow the thread that started the child rather
// than the program, and no other system has it.
type tie struct {
	shell *exec.Cmd
	end   *os.File
}

func startTied(cmd *exec.Cmd) (tie, error) {
	r, w, err := os.Pipe() // close-on-exec: no other child keeps it open
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

// terminate asks every process of the group to end; the shell does not heed it.
func (t tie) terminate(*exec.Cmd) bool { return t.signal(syscall.SIGTERM) }

func (t tie) kill(*exec.Cmd) bool { return t.signal(syscall.SIGKILL) }

func (t tie) signal(s syscall.Signal) bool { return syscall.Kill(-t.shell.Process.Pid, s) == nil }

// release kills what is left of the group, the shell too.
func (t tie) release() {
	t.signal(syscall.SIGKILL)
	_ = t.shell.Wait()
	t.end.Close()
}
