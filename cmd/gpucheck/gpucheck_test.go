package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/models"
)

const golden = "../../testdata/golden/models"

// childVar makes the test binary be the program: the check starts itself anew for each part.
const childVar = "GPUCHECK_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		os.Exit(run(context.Background(), os.Args[1:], withCrash(), os.Stdout, os.Stderr))
	}
	os.Setenv(childVar, "1")
	os.Exit(m.Run())
}

// withCrash lists the parts, with one in front that finds something and then takes its process down, and one that
// hangs.
func withCrash() []part {
	crash := part{"crash", time.Minute, func(_ context.Context, _ settings, found func(finding) error) error {
		err := found(finding{Check: &check{What: "before the crash", Values: 1, Within: tolerance}})
		panic(errors.Join(err, errors.New("the plugin is gone")))
	}}
	hang := part{"hang", time.Second / 2, func(ctx context.Context, _ settings, _ func(finding) error) error {
		time.Sleep(time.Minute)
		return ctx.Err()
	}}
	list := parts()
	return append([]part{list[0], crash, hang}, list[1:]...)
}

// runCheck runs the whole program as main does, and returns its status, its report and what it wrote.
func runCheck(t *testing.T, parts []part, args ...string) (status int, report, said string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.md")
	var out bytes.Buffer
	status = run(t.Context(), append([]string{"-backend", "go", "-golden", golden, "-quick", "-o", file}, args...), parts,
		&out, &out)
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return status, string(text), out.String()
}

// On the pure Go backend everything agrees, and every part is in the report.
func TestEverythingOnGo(t *testing.T) {
	status, report, said := runCheck(t, parts())
	if status != 0 {
		t.Errorf("status %d: %s", status, said)
	}
	for _, want := range []string{"golden solu | PyTorch", "golden bert | PyTorch", "random olmo | backend go", "training",
		"| solu-6l-768 | 8 × 32 |", "| gpt2-small | 1 × 32 |", "MiB", "| whole explanations |", "TF32 is off",
		"Measured on 20"} {
		if !strings.Contains(report, want) {
			t.Errorf("%q is not in the report:\n%s", want, report)
		}
	}
	if strings.Contains(report, "DIFFERS") || strings.Contains(report, "failed") || strings.Contains(report, "not run") {
		t.Errorf("the report:\n%s", report)
	}
}

// Each family that can be opened is checked, with golden values or random weights.
func TestEveryFamilyIsChecked(t *testing.T) {
	checked := map[string]bool{"transformer_lens": true, "gpt2": true, "gpt_neo": true, "gpt_neox": true} // golden
	for _, f := range smallFamilies {
		checked[f.name] = true
	}
	for _, name := range models.Families() {
		if !checked[name] {
			t.Errorf("no part checks the family %s", name)
		}
	}
}

// A part that fails costs no other, and the report says what became of it.
func TestPartsThatFail(t *testing.T) {
	status, report, said := runCheck(t, withCrash(), "-only", "crash,hang,golden gpt2,family opt")
	if status != 1 {
		t.Errorf("status %d: %s", status, said)
	}
	for _, want := range []string{"| crash | | | | failed: exit status 2: panic: the plugin is gone", "before the crash",
		"| hang | | | | failed: it took longer than 500ms",
		"golden gpt2 | PyTorch", "random opt | backend go"} {
		if !strings.Contains(report, want) {
			t.Errorf("%q is not in the report:\n%s", want, report)
		}
	}
}

// What begins after the time is over is left out, and said to be.
func TestTimeIsOver(t *testing.T) {
	status, report, _ := runCheck(t, withCrash(), "-only", "hang,golden bert", "-limit", "300ms")
	if status != 1 || !strings.Contains(report, "| golden bert | | | | not run: no time was left") ||
		!strings.Contains(report, "the time was over") {
		t.Errorf("status %d, report:\n%s", status, report)
	}
}

// One wrong value among all is found and named.
func TestWrongValues(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"solu", "gpt2"} {
		if err := os.CopyFS(filepath.Join(folder, name), os.DirFS(filepath.Join(golden, name))); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(folder, "gpt2", "ref.safetensors")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	name := "in1.blocks.1.mlp.hook_post"
	header := data[8 : 8+int(data[0])+int(data[1])<<8]
	var tensors map[string]struct {
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(header, &tensors); err != nil {
		t.Fatal(err)
	}
	at := 8 + len(header) + tensors[name].Offsets[0]
	data[at+2], data[at+3] = 0xc0, 0x3f // 1.5 and a little, of which the activation is far away
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	status, report, said := runCheck(t, parts(), "-golden", folder, "-only", "golden gpt2")
	if status != 1 || !strings.Contains(report, "DIFFERS: "+name+": value 0 is") {
		t.Errorf("status %d: %s\n%s", status, said, report)
	}
}

func TestTally(t *testing.T) {
	for _, c := range []struct {
		got, want []float32
		wrong     string
	}{
		{[]float32{1, 1000}, []float32{1.00005, 1000.05}, ""},
		{[]float32{1}, []float32{1.001}, "value 0 is 1, want 1.001"},
		{[]float32{float32(math.NaN())}, []float32{0}, "NaN"},
		{[]float32{float32(math.Inf(1))}, []float32{0}, "Inf"},
		{[]float32{0}, []float32{0, 0}, "1 values, want 2"},
		{nil, nil, "nothing was compared"},
	} {
		tally := newTally("x", "y", tolerance)
		tally.compare("here", c.got, c.want)
		found := tally.finding()
		if _, err := json.Marshal(found); err != nil {
			t.Errorf("%v: %v", c.got, err)
		}
		if wrong := found.Check.Wrong; (wrong == "") != (c.wrong == "") || !strings.Contains(wrong, c.wrong) {
			t.Errorf("%v against %v: %q, want %q", c.got, c.want, wrong, c.wrong)
		}
	}
}

// script runs one of the scripts with an nvidia-smi that sees a GPU, so that CUDA plugins count.
func script(t *testing.T, name string, args ...string) (status int, output string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("CUDA plugins are for Linux")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	bin := t.TempDir()
	smi := []byte("#!/bin/sh\necho NVIDIA-SMI, 1 MiB\n")
	if err := os.WriteFile(filepath.Join(bin, "nvidia-smi"), smi, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := exec.Command(bash, append([]string{name}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		status = exit.ExitCode()
	}
	return status, string(out)
}

// pluginFolder is laid out as Python's packages are.
func pluginFolder(t *testing.T) string {
	t.Helper()
	site := t.TempDir()
	folder := filepath.Join(site, "jax_plugins", "xla_cuda13")
	for _, dir := range []string{folder, filepath.Join(site, "nvidia", "cu13", "lib"),
		filepath.Join(site, "nvidia", "cu13", "nvvm", "libdevice"), filepath.Join(site, "nvidia", "cudnn", "lib")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"xla_cuda_plugin.so", "libother.so"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("no library"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// The plugin gets the name that go-xla looks for, and its libraries are found.
func TestWithPlugin(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", "/before")
	folder := pluginFolder(t)
	site := filepath.Dir(filepath.Dir(folder))
	if err := os.Symlink(".", filepath.Join(site, "loop")); err != nil { // as lib64 of a virtual environment nearly is
		t.Fatal(err)
	}
	for _, given := range []string{folder, site} {
		status, output := script(t, "./with-plugin.sh", given, "sh", "-c",
			`readlink "$PJRT_PLUGIN_LIBRARY_PATH/pjrt_c_api_cuda_plugin.so"; readlink "$PJRT_PLUGIN_LIBRARY_PATH/../nvidia"; readlink "$PJRT_PLUGIN_LIBRARY_PATH/../../nvidia"
			ls "$PJRT_PLUGIN_LIBRARY_PATH/libother.so"; echo "$LD_LIBRARY_PATH"; echo "$XLA_FLAGS $GOMLX_NO_AUTO_INSTALL"; echo "$PJRT_PLUGIN_LIBRARY_PATH"; exit 7`)
		if status != 7 {
			t.Errorf("status %d, want that of the command", status)
		}
		lines := strings.Split(strings.TrimSpace(output), "\n")
		if len(lines) != 7 {
			t.Fatalf("it says %q", output)
		}
		links := lines[6]
		nvidia := filepath.Join(site, "nvidia")
		libraries, others, _ := strings.Cut(lines[4], filepath.Join(nvidia, "cudnn", "lib"))
		if lines[0] != filepath.Join(folder, "xla_cuda_plugin.so") || lines[1] != nvidia || lines[2] != nvidia ||
			lines[3] != filepath.Join(links, "libother.so") ||
			libraries != folder+":"+filepath.Join(nvidia, "cu13", "lib")+":" || !strings.HasSuffix(others, ":/before") ||
			lines[5] != "--xla_gpu_cuda_data_dir="+filepath.Join(nvidia, "cu13")+" 1" {
			t.Errorf("it says %q", output)
		}
		if _, err := os.Stat(links); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", links, err)
		}
	}
}

// Plugins for the processor are taken under each of their names.
func TestWithPluginNames(t *testing.T) {
	for _, name := range []string{"libpjrt_cpu.so", "xla_cpu_pjrt.so", "pjrt_c_api_cpu_plugin.so"} {
		folder, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte("no library"), 0o600); err != nil {
			t.Fatal(err)
		}
		status, output := script(t, "./with-plugin.sh", folder, "sh", "-c",
			`readlink "$PJRT_PLUGIN_LIBRARY_PATH/pjrt_c_api_cpu_plugin.so"`)
		if status != 0 || strings.TrimSpace(output) != filepath.Join(folder, name) {
			t.Errorf("%s: status %d: %s", name, status, output)
		}
	}
}

// Where there is no plugin, one sentence says what is missing.
func TestWithoutPlugin(t *testing.T) {
	for _, folder := range []string{t.TempDir(), filepath.Join(t.TempDir(), "absent")} {
		status, output := script(t, "./with-plugin.sh", folder, "true")
		if status != 1 || strings.Count(output, "\n") != 1 || !strings.Contains(output, folder) ||
			!strings.Contains(output, "xla_cuda13") {
			t.Errorf("status %d: %s", status, output)
		}
	}
}

// A plugin that cannot be loaded ends the check with one sentence; who asks for no backend in particular gets the pure
// Go one.
func TestBrokenPlugin(t *testing.T) {
	folder := pluginFolder(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report.md")
	status, output := script(t, "./with-plugin.sh", folder, self, "-golden", golden, "-o", report)
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if last := lines[len(lines)-1]; status != 1 || !strings.Contains(last, "open backend xla:cuda") ||
		strings.Contains(output, "goroutine") || strings.Contains(output, "nil pointer") {
		t.Errorf("status %d: %s", status, output)
	}
	status, output = script(t, "./with-plugin.sh", folder, self, "-golden", golden, "-o", report, "-backend", "auto",
		"-part", backendPart)
	if status != 0 || !strings.Contains(output, "Go Portable") {
		t.Errorf("auto: status %d: %s", status, output)
	}
}
