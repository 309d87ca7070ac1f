package backends

import (
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
	Description string // the backend's own words
	SIMD        bool   // whether the binary was built with GOEXPERIMENT=simd; matters to go alone
}

// Line is one line for the start of a program: what runs and, where it is slower than it could be, the remedy.
func (i Info) Line() string {
	if i.Name == Go && !i.SIMD {
		return "backend go, without vector instructions: build with GOEXPERIMENT=simd in the environment to make explaining about twice and training three times as fast"
	}
	return "backend " + i.Name
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
	if name == Auto {
		name = choose()
	}
	if o, ok := cache[name]; ok {
		return o.backend, o.info, nil
	}
	backend, err := start(name)
	if err != nil {
		return nil, Info{}, fmt.Errorf("open backend %s: %w", name, err)
	}
	o := opened{backend, Info{Name: name, Description: backend.Description(), SIMD: simd}}
	cache[name] = o
	return o.backend, o.info, nil
}

// choose is what auto stands for on this machine.
func choose() string {
	plugins, err := xlaPlugins()
	if err != nil {
		return Go
	}
	for _, name := range []string{XLACUDA, XLACPU} {
		if slices.Contains(plugins, strings.TrimPrefix(name, "xla:")) {
			return name
		}
	}
	return Go
}

// start opens a backend; what it panics with becomes an error.
func start(name string) (backend compute.Backend, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("%v", e)
		}
	}()
	if name == Go {
		// Operations of a graph run one after the other, each on all cores: run side by side they occupy the workers
		// that their own parts then wait for, and two executions at a time come to a standstill.
		return compute.NewWithConfig("go:ops_sequential")
	}
	plugin := strings.TrimPrefix(name, "xla:")
	plugins, err := xlaPlugins()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(plugins, plugin) {
		gpu := ""
		if name == XLACUDA {
			gpu = ", or this machine has no NVIDIA GPU"
		}
		return nil, fmt.Errorf("no PJRT plugin %q is installed%s: install one with `n2g backend install`, name its folder in "+
			"PJRT_PLUGIN_LIBRARY_PATH, or use the backend go", plugin, gpu)
	}
	return startXLA(plugin)
}
