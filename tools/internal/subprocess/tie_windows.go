package subprocess

import (
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A tie is a job object that kills its processes when its last handle is closed. The system
// closes the handle when this program ends in whatever way.
type tie struct{ job windows.Handle }

func startTied(cmd *exec.Cmd) (tie, error) {
	job, err := newJob()
	if err != nil {
		return tie{}, err
	}
	t := tie{job}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.CreationFlags |= windows.CREATE_NEW_PROCESS_GROUP
	if err := cmd.Start(); err != nil {
		t.release()
		return tie{}, err
	}
	if err := t.add(cmd.Process.Pid); err != nil {
		t.kill(cmd)
		_ = cmd.Wait()
		t.release()
		return tie{}, err
	}
	return t, nil
}

func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, err
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		windows.CloseHandle(job)
		return 0, err
	}
	return job, nil
}

func (t tie) add(pid int) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(process)
	return windows.AssignProcessToJobObject(t.job, process)
}

// terminate reports false: Windows cannot ask another process to end.
func (t tie) terminate(*exec.Cmd) bool { return false }

// kill kills the process; release kills what it started.
func (t tie) kill(cmd *exec.Cmd) bool { return cmd.Process.Kill() == nil }

func (t tie) release() { windows.CloseHandle(t.job) }
