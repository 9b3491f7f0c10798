package group

import (
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A Group is the job object of a command and all its children. It is closed with this
// process, and kills them then.
//
// Only a command that ignores signals gets its own console process group. In one, the
// daemon would not receive Ctrl-C, the only thing that makes Java run its shutdown
// hooks.
type Group struct {
	cmd *exec.Cmd
	job windows.Handle
}

func (g *Group) prepare(ignoreSignals bool) (err error) {
	g.cmd.SysProcAttr = &syscall.SysProcAttr{}
	if ignoreSignals {
		g.cmd.SysProcAttr.CreationFlags = windows.CREATE_NEW_PROCESS_GROUP
	}
	if g.job, err = windows.CreateJobObject(nil, nil); err != nil {
		return err
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		},
	}
	_, err = windows.SetInformationJobObject(g.job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	return err
}

// Inherit makes the command inherit file, and keep it open for as long as it runs.
func Inherit(cmd *exec.Cmd, file *os.File) {
	handle := file.Fd()
	windows.SetHandleInformation(windows.Handle(handle), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT)
	cmd.SysProcAttr.AdditionalInheritedHandles = []syscall.Handle{syscall.Handle(handle)}
}

// started puts the command into the job. This takes far less time than a program needs
// to start its first child.
func (g *Group) started() error {
	handle, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(g.pid()))
	if err == nil {
		defer windows.CloseHandle(handle)
		err = windows.AssignProcessToJobObject(g.job, handle)
	}
	if err != nil {
		g.cmd.Process.Kill()
	}
	return err
}

// Terminate does nothing: Java has already received Ctrl-C from the console.
func (g *Group) Terminate() {}

// Lower gives the command the lowest priority.
func (g *Group) Lower() {
	if handle, err := windows.OpenProcess(windows.PROCESS_SET_INFORMATION, false, uint32(g.pid())); err == nil {
		defer windows.CloseHandle(handle)
		windows.SetPriorityClass(handle, windows.IDLE_PRIORITY_CLASS)
	}
}

// Kill kills all processes of the job.
func (g *Group) Kill() { windows.TerminateJobObject(g.job, 128+9) }

// empty reports whether no process of the job is left.
func (g *Group) empty() bool {
	// JOBOBJECT_BASIC_ACCOUNTING_INFORMATION
	var info struct {
		TotalUserTime, TotalKernelTime                     int64
		ThisPeriodTotalUserTime, ThisPeriodTotalKernelTime int64
		TotalPageFaultCount                                uint32
		TotalProcesses, ActiveProcesses                    uint32
		TotalTerminatedProcesses                           uint32
	}
	const basicAccountingInformation = 1
	err := windows.QueryInformationJobObject(g.job, basicAccountingInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil)
	return err != nil || info.ActiveProcesses == 0
}

// Close releases the job, and kills what is left in it.
func (g *Group) Close() { windows.CloseHandle(g.job) }

// ExitCode returns the exit status of a process.
func ExitCode(s *os.ProcessState) int { return s.ExitCode() }
