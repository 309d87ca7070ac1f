package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testdisk"
)

// asProgram names the variable whose lines are the arguments with which the test binary acts as the program.
const asProgram = "N2G_TEST_AS_PROGRAM"

// TestAsProgram is the program itself, in a process that TestTemporaryFolder starts.
func TestAsProgram(t *testing.T) {
	lines, ok := os.LookupEnv(asProgram)
	if !ok {
		t.Skip("TestTemporaryFolder starts it")
	}
	os.Exit(run(t.Context(), strings.Split(lines, "\n"), os.Stdin, os.Stdout, os.Stderr))
}

// startUp is every kind of command that draws, and one that does nothing.
func startUp(t *testing.T) map[string][]string {
	out := t.TempDir()
	explain := []string{"explain", "-layer", "1", "-neuron", "254"}
	return map[string][]string{
		"version": {"version"},
		"svg":     append(explain, "-svg", filepath.Join(out, "g.svg"), "-dot", filepath.Join(out, "g.dot")),
		"png":     append(explain, "-png", filepath.Join(out, "g.png"), "-html", filepath.Join(out, "g.html")),
	}
}

// TestTemporaryFolder: no command starts anything from the folder of temporary files, needs it, or leaves a file there:
// whoever else uses the machine could have planted what lies there, or keep others out.
func TestTemporaryFolder(t *testing.T) {
	fresh := t.TempDir()
	readOnly := testdisk.Mount(t, "size=64k")
	testdisk.ReadOnly(t, readOnly)
	full := testdisk.Mount(t, "size=4k,nr_inodes=1")
	foreign := testdisk.Mount(t, "uid=4242,gid=4242,mode=700")
	for folder, path := range map[string]string{
		"fresh": fresh, "read-only": readOnly, "full": full, "missing": filepath.Join(fresh, "no", "such"),
		"of another user": foreign,
	} {
		for name, arguments := range startUp(t) {
			command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAsProgram$")
			command.Env = append(os.Environ(), asProgram+"="+strings.Join(arguments, "\n"), "TMPDIR="+path)
			if folder == "of another user" {
				command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4243, Gid: 4243}}
				if name != "version" { // another user cannot write this test's files, nor read its cache
					continue
				}
				binary := readable(t, os.Args[0])
				command.Path, command.Args[0], command.Dir = binary, binary, "/"
			}
			var said bytes.Buffer
			command.Stdout, command.Stderr = &said, &said
			if err := command.Run(); err != nil {
				t.Errorf("%s with a temporary folder that is %s: %v\n%s", name, folder, err, &said)
			}
		}
		if entries, err := os.ReadDir(path); folder != "missing" && (err != nil || len(entries) > 0) {
			t.Errorf("a temporary folder that is %s holds %v afterwards (%v)", folder, entries, err)
		}
	}
}

// readable copies the test binary to where every user finds it.
func readable(t *testing.T, path string) string {
	t.Helper()
	folder := testdisk.Mount(t, "mode=755")
	for parent := filepath.Dir(folder); parent != "/"; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode()&0o001 == 0 {
			if err := os.Chmod(parent, info.Mode()|0o011); err != nil {
				t.Fatal(err)
			}
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(folder, "n2g.test")
	if err := os.WriteFile(target, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return target
}
