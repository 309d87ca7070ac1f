package backends

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // registers "go"
)

// EnvVar names the environment variable that chooses the backend where the caller leaves it open.
const EnvVar = "N2G_BACKEND"

// The names that [Open] takes.
const (
	Auto    = "auto"
	Go      = "go"
	XLACPU  = "xla:cpu"
	XLACUDA = "xla:cuda"
)

// Names lists the names that [Open] takes.
func Names() []string { return []string{Auto, Go, XLACPU, XLACUDA} }

// Info says what was opened.
type Info struct {
	Name        string // go, xla:cpu or xla:cuda
	Description string // the backend's own words, or the plugin's file, its version and its devices
	Why         string // why auto chose it; empty where it was asked for by name
	SIMD        bool   // whether the binary was built with GOEXPERIMENT=simd; matters to go alone
}

// Line is one line for the start of a program: what runs, why, and, where it is slower than it could be, the remedy.
func (i Info) Line() string {
	line := "backend " + i.Name
	if i.Why != "" {
		line += " (" + i.Why + ")"
	}
	if i.Name == Go && !i.SIMD {
		line += ", without vector instructions: build with GOEXPERIMENT=simd in the environment to make explaining about " +
			"twice and training three times as fast"
	}
	return line
}

// opened is a backend that this process runs on.
type opened struct {
	backend compute.Backend
	info    Info
}

// A backend stands for hardware, workers and memory pools of which a process has one, so every model of the process
// shares it.
var (
	mu    sync.Mutex
	cache = map[string]opened{}
)

// Open returns the backend of that name, the same one at every call. An empty name is that in N2G_BACKEND, and auto
// where that is empty too. The backend stays open as long as the process lives: do not finalize it.
func Open(name string) (compute.Backend, Info, error) {
	if name == "" {
		name = os.Getenv(EnvVar)
	}
	if name == "" {
		name = Auto
	}
	if !slices.Contains(Names(), name) {
		return nil, Info{}, fmt.Errorf("unknown backend %q: choose one of %s", name, strings.Join(Names(), ", "))
	}
	mu.Lock()
	defer mu.Unlock()
	if o, ok := cache[name]; ok {
		return o.backend, o.info, nil
	}
	var o opened
	var err error
	if name == Auto {
		o, err = choose()
	} else {
		o, err = open(name)
	}
	if err != nil {
		return nil, Info{}, err
	}
	cache[name] = o
	return o.backend, o.info, nil
}

// open opens the backend of a name, once.
func open(name string) (opened, error) {
	if o, ok := cache[name]; ok {
		return o, nil
	}
	backend, description, err := start(name)
	if err != nil {
		return opened{}, fmt.Errorf("open backend %s: %w", name, err)
	}
	o := opened{backend, Info{Name: name, Description: description, SIMD: simd}}
	cache[name] = o
	return o, nil
}

// choose opens what auto stands for on this machine: a GPU where there is one and its plugin works, else this package's
// neighbour, the kernels. XLA on the processor is no faster than they are once its programs are compiled, and compiling
// takes longer than most of what is asked, so it runs only where it is named.
func choose() (opened, error) {
	why := "no NVIDIA GPU is here"
	switch _, err := find("cuda"); {
	case !linked:
		why = "built without cgo, which XLA needs"
	case err == nil && hasGPU():
		o, err := open(XLACUDA)
		if err == nil {
			o.info.Why = "a CUDA plugin and a GPU are here"
			return o, nil
		}
		why = "the CUDA plugin cannot be used: " + strings.TrimPrefix(err.Error(), "open backend xla:cuda: ")
	case hasGPU():
		why = "there is a GPU, but " + err.Error()
	default:
		if _, err := find("cpu"); err == nil {
			why += "; xla:cpu runs only when asked for, since it compiles first"
		}
	}
	o, err := open(Go)
	o.info.Why = why
	return o, err
}

// start opens a backend; what it panics with becomes an error.
func start(name string) (backend compute.Backend, description string, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("%v", e)
		}
	}()
	if name == Go {
		// Operations of a graph run one after the other, each on all cores: run side by side they occupy the workers
		// that their own parts then wait for, and two executions at a time come to a standstill.
		if backend, err = compute.NewWithConfig("go:ops_sequential"); err != nil {
			return nil, "", err
		}
		return backend, backend.Description(), nil
	}
	if !linked {
		return nil, "", errNoCgo
	}
	kind := strings.TrimPrefix(name, "xla:")
	path, err := find(kind)
	if err != nil {
		return nil, "", err
	}
	if kind == "cuda" && !hasGPU() {
		return nil, "", fmt.Errorf("the plugin %s is here, but no NVIDIA GPU: use the backend go", path)
	}
	is, err := verified(context.Background(), path)
	if err != nil {
		return nil, "", fmt.Errorf("%w: install another with `n2g backend install`, or use the backend go", err)
	}
	if is.Platform != kind {
		return nil, "", fmt.Errorf("the plugin %s is for %s, as its name does not say: rename it, or use the backend go",
			path, is.Platform)
	}
	if backend, err = startXLA(kind, path); err != nil {
		return nil, "", err
	}
	return backend, path + ": " + is.String(), nil
}
