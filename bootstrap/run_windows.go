package bootstrap

import (
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A group is the job object that a command and all its children are in. It is
// closed with this process, and ends them then.
//
// The daemon is not put into a console process group of its own: there it would
// not hear Ctrl-C, the one thing that makes Java run its shutdown hooks. A
// command that is deaf, not to be stopped by signals, is put into one.
type group struct {
	pid int
	job windows.Handle
}

func newGroup(cmd *exec.Cmd, deaf bool) (*group, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if deaf {
		cmd.SysProcAttr.CreationFlags = windows.CREATE_NEW_PROCESS_GROUP
	}
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, err
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		},
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		windows.CloseHandle(job)
		return nil, err
	}
	return &group{job: job}, nil
}

// inherit has the command keep a file open as long as it lives.
func inherit(cmd *exec.Cmd, file *os.File) {
	handle := file.Fd()
	windows.SetHandleInformation(windows.Handle(handle), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT)
	cmd.SysProcAttr.AdditionalInheritedHandles = []syscall.Handle{syscall.Handle(handle)}
}

// started puts the command into the job. Java takes far longer than this to
// start its first child, so none escapes.
func (g *group) started(p *os.Process) error {
	g.pid = p.Pid
	handle, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(p.Pid))
	if err != nil {
		p.Kill()
		return err
	}
	defer windows.CloseHandle(handle)
	if err := windows.AssignProcessToJobObject(g.job, handle); err != nil {
		p.Kill()
		return err
	}
	return nil
}

// terminate sends nothing: the console has told Java already.
func (g *group) terminate() {}

func (g *group) kill() { windows.TerminateJobObject(g.job, 128+9) }

func (g *group) empty() bool {
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

func (g *group) close() { windows.CloseHandle(g.job) }

func exitCode(s *os.ProcessState) int { return s.ExitCode() }
