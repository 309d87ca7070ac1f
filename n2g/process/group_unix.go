//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

const (
	shell     = "/bin/sh"
	shellFlag = "-c"
)

// inGroup has a command start a process group of its own, so that a terminal's Ctrl-C does not reach it by itself, and
// that what it starts ends with it.
func inGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}

// kill ends a started command and all of its group. One that has ended is no error.
func kill(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
