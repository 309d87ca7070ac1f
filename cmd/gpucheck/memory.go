package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
)

// memory is the most that a part used.
type memory struct {
	Model, Backend string
	Device         int // MiB of the GPU beyond what was used before; -1 is not known
	Host           int // MiB, resident; -1 is not known
}

// watcher follows the GPU's memory as nvidia-smi tells it.
type watcher struct {
	command *exec.Cmd
	done    chan struct{}

	mu          sync.Mutex
	first, most int
	stopped     *memory
}

// watchMemory begins to follow. Where there is no nvidia-smi, nothing is known of the GPU.
func watchMemory() *watcher {
	forgetPeak()
	w := &watcher{done: make(chan struct{}), first: -1, most: -1}
	w.command = exec.Command("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "-lms", "200")
	out, err := w.command.StdoutPipe()
	if err == nil {
		err = w.command.Start()
	}
	if err != nil {
		w.command = nil
		close(w.done)
		return w
	}
	begun := make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	go func() {
		defer close(w.done)
		defer begin()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if used, err := strconv.Atoi(strings.TrimSpace(lines.Text())); err == nil {
				w.mu.Lock()
				if w.first < 0 {
					w.first = used
				}
				w.most = max(w.most, used)
				w.mu.Unlock()
				begin()
			}
		}
	}()
	<-begun // so that the first figure is that before anything was done
	return w
}

// stop ends and tells what was seen, the same each time.
func (w *watcher) stop() memory {
	if w.stopped != nil {
		return *w.stopped
	}
	if w.command != nil {
		w.command.Process.Kill() // it may have ended
	}
	<-w.done
	if w.command != nil {
		w.command.Wait() // it was killed
	}
	w.stopped = &memory{Device: -1, Host: residentPeak()}
	if w.first >= 0 {
		w.stopped.Device = w.most - w.first
	}
	return *w.stopped
}

// forgetPeak gives back what this process no longer uses, the weights that it drew and wrote, and begins anew to look
// for the most memory that it has, where the system lets it.
func forgetPeak() {
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // else the figure is too high
}

// residentPeak is the most memory that this process had since, in MiB, -1 where the system does not tell.
func residentPeak() int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return -1
	}
	kilobytes, err := strconv.Atoi(fields[0])
	if err != nil {
		return -1
	}
	return kilobytes >> 10
}

// gpus describes the GPUs, one a line; empty where nvidia-smi tells nothing.
func gpus() string {
	out, err := exec.Command("nvidia-smi", "--query-gpu=name,memory.total,driver_version",
		"--format=csv,noheader").Output()
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(out))
}

// processor names the CPU, empty where the system does not tell.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	_, name, _ := strings.Cut(line, ":")
	return strings.TrimSpace(name)
}
