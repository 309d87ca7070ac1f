//go:build cgo && (linux || darwin)

package backends_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/backends"
)

// go-xla installs plugins into the home folder when it is asked which there are, unless it is told not to.
func TestNothingIsInstalledUnasked(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", home)
	t.Setenv(backends.EnvVar, "")
	for _, name := range backends.Names() {
		backends.Open(name) // whether it is there does not matter
	}
	err := filepath.WalkDir(home, func(path string, _ fs.DirEntry, err error) error {
		if path != home {
			t.Errorf("opening backends made %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A folder of plugins that are none is one sentence, and no reason for auto to fail.
func TestForeignPlugins(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"pjrt_c_api_cpu_plugin.so", "pjrt_c_api_cpu_plugin.dylib"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("no library"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", folder)
	t.Setenv(backends.EnvVar, "")
	if _, _, err := backends.Open(backends.XLACPU); err == nil {
		t.Skip("a working plugin was opened before")
	} else if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "plugin") {
		t.Errorf("the error should be one sentence about plugins: %v", err)
	}
	if _, info, err := backends.Open(backends.Auto); err != nil || info.Name != backends.Go {
		t.Errorf("auto opened %q beside a foreign plugin, error %v", info.Name, err)
	}
}
