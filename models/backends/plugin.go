package backends

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// PluginPathVar names the environment variable that lists PJRT plugins, files or folders, separated by colons. It is
// go-xla's own. Where it is set, no other folder is searched.
const PluginPathVar = "PJRT_PLUGIN_LIBRARY_PATH"

// pluginNames are the names under which PJRT plugins are handed round: go-xla's, XLA's own, and those of the Python
// packages that hold one. The group is what the plugin computes on.
var pluginNames = []*regexp.Regexp{
	regexp.MustCompile(`^pjrt_c_api_(cpu|cuda)(?:_v[^/]*)?_plugin\.(?:so|dylib)$`),
	regexp.MustCompile(`^pjrt[-_]plugin[-_](cpu|cuda)(?:_v[^/]*)?\.(?:so|dylib)$`),
	regexp.MustCompile(`^libpjrt_(cpu|cuda)\.(?:so|dylib)$`),
	regexp.MustCompile(`^xla_(cpu|cuda)_(?:pjrt|plugin)\.(?:so|dylib)$`),
}

// kindByName is what the plugin in a file computes on, cpu or cuda, as far as its name says.
func kindByName(path string) string {
	for _, name := range pluginNames {
		if m := name.FindStringSubmatch(filepath.Base(path)); m != nil {
			return m[1]
		}
	}
	return ""
}

// libraryFile says whether a file's name is that of a shared library.
func libraryFile(path string) bool {
	return strings.HasSuffix(path, ".so") || strings.HasSuffix(path, ".dylib")
}

// installFolder is where [Install] puts plugins, and go-xla too.
func installFolder() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("where plugins are kept: %w", err)
	}
	return filepath.Join(home, ".local", "lib", "go-xla"), nil
}

// searched lists the files and folders in which plugins are looked for, in order.
func searched() []string {
	if listed, set := os.LookupEnv(PluginPathVar); set {
		return slices.DeleteFunc(filepath.SplitList(listed), func(p string) bool { return p == "" })
	}
	var folders []string
	if own, err := installFolder(); err == nil {
		folders = append(folders, own, filepath.Join(own, "nvidia"))
	}
	folders = append(folders, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia")
	for _, folder := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		if filepath.IsAbs(folder) {
			folders = append(folders, folder)
		}
	}
	return folders
}

// candidates lists the files in one searched place that may be plugins: those with a plugin's name first and, where the
// place was named in PJRT_PLUGIN_LIBRARY_PATH, every other library.
func candidates(place string) []string {
	info, err := os.Stat(place)
	if err != nil {
		return nil
	}
	if !info.IsDir() {
		return []string{place}
	}
	entries, err := os.ReadDir(place)
	if err != nil {
		return nil
	}
	_, named := os.LookupEnv(PluginPathVar)
	var files []string
	for _, entry := range entries {
		if kindByName(entry.Name()) != "" || named && libraryFile(entry.Name()) {
			files = append(files, filepath.Join(place, entry.Name()))
		}
	}
	byName := func(path string) int {
		if kindByName(path) != "" {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(files, func(a, b string) int { return cmp.Compare(byName(a), byName(b)) })
	return files
}

// find returns the first plugin for cpu or cuda in the searched places. Only files that hold a whole library for this
// machine with a plugin's entry point count; the error names the others, or where was looked for what.
func find(kind string) (string, error) {
	places := searched()
	var broken error
	for _, place := range places {
		for _, path := range candidates(place) {
			if k := kindByName(path); k != "" && k != kind {
				continue
			}
			named := kindByName(path) == kind
			if err := checkLibrary(path); err != nil {
				if broken == nil && (named || path == place) {
					broken = err
				}
				continue
			}
			if named || kindByContent(path) == kind {
				return path, nil
			}
		}
	}
	if broken != nil {
		return "", fmt.Errorf("%w: install another with `n2g backend install`, or use the backend go", broken)
	}
	if len(places) == 0 {
		return "",
			fmt.Errorf("no PJRT plugin for %s is installed: %s is set but empty, so nothing is searched: name a plugin or its "+
				"folder there, or use the backend go", kind, PluginPathVar)
	}
	return "",
		fmt.Errorf("no PJRT plugin for %s is installed: none of %s lies in %s: install one with `n2g backend install`, "+
			"name its file or folder in %s, or use the backend go",
			kind, strings.Join(expectedNames(kind), ", "), strings.Join(places, ", "), PluginPathVar)
}

// expectedNames are the file names under which a plugin is found in the folders that are always searched.
func expectedNames(kind string) []string {
	ending := ".so"
	if runtime.GOOS == "darwin" {
		ending = ".dylib"
	}
	names := []string{"pjrt_c_api_" + kind + "_plugin" + ending}
	if kind == "cuda" {
		return append(names, "xla_cuda_plugin"+ending)
	}
	return append(names, "libpjrt_cpu"+ending, "xla_cpu_pjrt"+ending)
}

// hasGPU says whether this machine shows an NVIDIA GPU to its programs.
func hasGPU() bool {
	devices, _ := filepath.Glob("/dev/nvidia[0-9]*")
	_, err := os.Stat("/dev/dxg") // the Windows Subsystem for Linux
	return len(devices) > 0 || err == nil
}
