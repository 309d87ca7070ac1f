//go:build cgo && (linux || darwin)

package backends

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/installer"
)

// xlaPlugins lists the installed PJRT plugins by kind: cpu, cuda. go-xla lists cuda only where it sees an NVIDIA GPU.
func xlaPlugins() (kinds []string, err error) {
	xla.EnableAutoInstall(false) // listing would download otherwise
	// Listing tries to load each plugin, and ends in a nil pointer where one cannot be loaded.
	defer func() {
		if e := recover(); e != nil {
			kinds, err = nil, errors.New("an installed PJRT plugin cannot be loaded, as the warning above says: its libraries may have to be named in LD_LIBRARY_PATH")
		}
	}()
	for _, plugin := range xla.GetAvailablePlugins() {
		kind, _, _ := strings.Cut(filepath.Base(plugin), "_v") // cpu_v0.83.1
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

// startXLA opens an installed plugin, with float32 products in full precision and memory taken as it is needed.
func startXLA(plugin string) (compute.Backend, error) {
	xla.EnableAutoInstall(false)
	config := plugin + ",tf32=false"
	if plugin == "cuda" {
		config += ",preallocate=false"
	}
	backend, err := xla.New(config)
	if err != nil {
		return nil, err
	}
	return backend, nil
}

// installXLA puts plugins where go-xla looks for them by itself.
func installXLA() (folder string, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("%v", e)
		}
	}()
	home, err := installer.DefaultHomeLibPath()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, "go-xla"), installer.AutoInstall(home, true, installer.Quiet)
}
