//go:build !unix

package process

import "os/exec"

const (
	shell     = "cmd"
	shellFlag = "/c"
)

func inGroup(*exec.Cmd) {}

// kill ends a started command. One that has ended is no error.
func kill(cmd *exec.Cmd) { cmd.Process.Kill() }
