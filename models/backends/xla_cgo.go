//go:build cgo && (linux || darwin)

package backends

/*
#cgo linux LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

// The head of PJRT_Api in xla/pjrt/c/pjrt_c_api.h, which is the same in every version.
typedef struct {
	size_t struct_size;
	void *extension_start;
	struct { size_t struct_size; void *extension_start; int major, minor; } version;
} api_head;

static api_head *load(const char *path, const char *entry, char **error) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	api_head *(*get)(void) = library ? (api_head *(*)(void))dlsym(library, entry) : NULL;
	if (!get) {
		*error = dlerror();
		return NULL;
	}
	return get();
}

// one_arena keeps glibc from giving each of a plugin's many threads an arena of its own, where what is free is lost to
// the others. It has no effect elsewhere.
static void one_arena(void) {
	const int arena_max = -8; // M_ARENA_MAX
	int (*mallopt)(int, int) = (int (*)(int, int))dlsym(RTLD_DEFAULT, "mallopt");
	if (mallopt) mallopt(arena_max, 1);
}

// trim gives free memory back to the system, where the C library can: glibc keeps it, in arenas of its threads.
static void trim(void) {
	int (*malloc_trim)(size_t) = (int (*)(size_t))dlsym(RTLD_DEFAULT, "malloc_trim");
	if (malloc_trim) malloc_trim(0);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"
)

// linked says whether XLA is part of this build.
const linked = true

// errNoCgo is not reached in this build.
var errNoCgo error

// loadXLA loads a plugin's library and returns its table of functions and the version of the API.
func loadXLA(kind, path string) (api uintptr, version string, err error) {
	if kind == "cuda" {
		findLibdevice(path)
	} else {
		// Without LLVM's optimizer a program is compiled in two thirds of the time, and takes twice as long to run wherever
		// soft-maxes cost as much as products; what its higher levels add is not worth their time.
		setFlag("xla_backend_optimization_level", "1")
		C.one_arena()
	}
	file, entry := C.CString(path), C.CString(entryPoint)
	defer C.free(unsafe.Pointer(file))
	defer C.free(unsafe.Pointer(entry))
	var reason *C.char
	head := C.load(file, entry, &reason)
	if head == nil {
		if reason == nil {
			return 0, "", errors.New("it has no functions to offer")
		}
		return 0, "", fmt.Errorf("the system's loader says: %s", C.GoString(reason))
	}
	version = fmt.Sprintf("%d.%d", head.version.major, head.version.minor)
	if head.version.major != 0 {
		return 0, version, fmt.Errorf("it speaks PJRT API %s, and this program 0.x", version)
	}
	return uintptr(unsafe.Pointer(head)), version, nil
}

// register hands a loaded library to go-xla under a name that go-xla does not search for: its own search loads every
// file that is named like a plugin, which ends the process where one is damaged, and downloads what it misses.
func register(kind string, api uintptr) (*pjrt.Plugin, error) {
	xla.EnableAutoInstall(false)
	if err := pjrt.RegisterPreloadedPlugin("/"+kind, api); err != nil {
		return nil, err
	}
	return pjrt.GetPlugin("/" + kind)
}

// openXLA opens a registered plugin, with float32 products in full precision and memory taken as it is needed.
func openXLA(kind string) (compute.Backend, error) {
	config := "/" + kind + ",tf32=false"
	if kind == "cuda" {
		config += ",preallocate=false"
	}
	backend, err := xla.New(config)
	if err != nil {
		return nil, err
	}
	return backend, nil
}

// startXLA opens a plugin that was tried before.
func startXLA(kind, path string) (compute.Backend, error) {
	api, _, err := loadXLA(kind, path)
	if err != nil {
		return nil, err
	}
	if _, err := register(kind, api); err != nil {
		return nil, err
	}
	return openXLA(kind)
}

// trial loads a plugin and runs a small program on it. It tells the version as soon as it is known, since what follows
// may crash.
func trial(p *Plugin, say func(Plugin)) error {
	kind := kindByName(p.Path)
	if kind == "" {
		kind = "cpu"
	}
	api, version, err := loadXLA(kind, p.Path)
	p.API = version
	if err != nil {
		return err
	}
	say(*p)
	plugin, err := register(kind, api)
	if err != nil {
		return err
	}
	client, err := plugin.NewClient(nil)
	if err != nil && kind == "cuda" && !hasGPU() {
		p.Platform, p.Absent = kind, "no NVIDIA GPU"
		return nil
	} else if err != nil {
		return err
	}
	if p.Platform = strings.ToLower(client.Platform()); p.Platform == "gpu" {
		p.Platform = "cuda"
	}
	p.Devices = client.NumDevices()
	if err := client.Destroy(); err != nil {
		return err
	}
	backend, err := openXLA(kind)
	if err != nil {
		return err
	}
	return double(backend)
}

// double compiles and runs x+x, so that a plugin whose API does not fit fails now and not in the middle of something.
func double(backend compute.Backend) error {
	builder := backend.Builder("trial")
	shape := shapes.Make(dtypes.Float32, 2)
	x, err := builder.Main().Parameter("x", shape, nil)
	if err != nil {
		return err
	}
	sum, err := builder.Main().Add(x, x)
	if err != nil {
		return err
	}
	if err := builder.Main().Return([]compute.Value{sum}, nil); err != nil {
		return err
	}
	program, err := builder.Compile()
	if err != nil {
		return err
	}
	buffer, err := backend.BufferFromFlatData(0, []float32{1, 2}, shape)
	if err != nil {
		return err
	}
	outputs, err := program.Execute([]compute.Buffer{buffer}, nil, 0)
	if err != nil {
		return err
	}
	got := make([]float32, 2)
	if err := outputs[0].ToFlatData(got); err != nil {
		return err
	}
	if got[0] != 2 || got[1] != 4 {
		return fmt.Errorf("it says that 1+1 and 2+2 are %v", got)
	}
	return nil
}

// Trim gives the system back the memory that XLA took to compile and has freed since.
func Trim() { C.trim() }

// setFlag adds a flag to XLA_FLAGS, which plugins read when they are loaded, unless the user has set it there.
func setFlag(name, value string) {
	flags := os.Getenv("XLA_FLAGS")
	if !strings.Contains(flags, name) {
		os.Setenv("XLA_FLAGS", strings.TrimSpace(flags+" --"+name+"="+value))
	}
}

// findLibdevice tells XLA where NVIDIA's device library lies, with which it compiles: in the folders nvidia beside the
// plugin or up to two levels above it, as Python's packages install them.
func findLibdevice(path string) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	folder := filepath.Dir(path)
	for _, nvidia := range []string{folder, folder + "/nvidia", folder + "/../nvidia", folder + "/../../nvidia"} {
		for _, toolkit := range []string{"cu13", "cu12", "cuda_nvcc"} {
			toolkit = filepath.Join(nvidia, toolkit)
			if _, err := os.Stat(filepath.Join(toolkit, "nvvm", "libdevice")); err == nil {
				setFlag("xla_gpu_cuda_data_dir", toolkit)
				return
			}
		}
	}
}

// downloadXLA puts plugins into a folder by go-xla's installer.
func downloadXLA(folder string) (err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("%v", e)
		}
	}()
	return installer.AutoInstall(filepath.Dir(folder), true, installer.Quiet)
}
