package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/commands.md anew")

// allCommands are the commands and those below them.
func allCommands() []*command {
	var all []*command
	for _, c := range (&app{}).commands() {
		all = append(append(all, c), c.commands...)
	}
	return all
}

// TestCommandsDocumented: docs/commands.md holds the help of every command, as it is.
func TestCommandsDocumented(t *testing.T) {
	const name = "../../docs/commands.md"
	var b strings.Builder
	b.WriteString("# Commands\n\nWhat `n2g help COMMAND` says of each, written by `go test ./cmd/n2g -run Documented " +
		"-update`.\n\n")
	for _, c := range allCommands() {
		fmt.Fprintf(&b, "- [n2g %s](#n2g-%s)\n", c.name, strings.ReplaceAll(c.name, " ", "-"))
	}
	for _, c := range allCommands() {
		fmt.Fprintf(&b, "\n## n2g %s\n\n```text\n%s```\n", c.name, c.help())
	}
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(name); err != nil || string(have) != b.String() {
		t.Errorf("%s is not what the commands' help says: write it anew with -update (%v)", name, err)
	}
}

// TestPackagesDocumented: docs/architecture.md names the folder of every package, and no folder that is not there.
func TestPackagesDocumented(t *testing.T) {
	const root, name = "../..", "docs/architecture.md"
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	_, parts, _ := strings.Cut(string(text), "\n## Parts\n")
	parts, _, _ = strings.Cut(parts, "```")
	// Folders that lines of the tree stand in, by indentation.
	above, named := map[int]string{}, map[string]bool{}
	for line := range strings.Lines(parts) {
		entry := strings.TrimLeft(line, " ")
		indent := len(line) - len(entry)
		if indent < 4 || strings.TrimSpace(entry) == "" {
			continue
		}
		folders, _, _ := strings.Cut(entry, "  ")
		for folder := range strings.SplitSeq(strings.TrimSpace(folders), ", ") {
			folder = filepath.Join(above[indent-2], folder)
			above[indent], named[folder] = folder, true
			if info, err := os.Stat(filepath.Join(root, folder)); err != nil || !info.IsDir() {
				t.Errorf("%s names %s: %v", name, folder, err)
			}
		}
	}
	found := 0
	err = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		folder, _ := filepath.Rel(root, path)
		if folder != "." && strings.HasPrefix(entry.Name(), ".") || folder == "tools" || folder == "build" {
			return filepath.SkipDir
		}
		files, err := filepath.Glob(filepath.Join(path, "*.go"))
		if len(files) > 0 && !named[folder] {
			t.Errorf("%s does not name %s", name, folder)
		}
		found += len(files)
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("%d files, %v", found, err)
	}
}

// TestDocumentedFlags: every flag that a document, a notebook, a package comment or an example of the help gives a
// command is one of its flags.
func TestDocumentedFlags(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../notebooks/*.ipynb", "../../notebooks/*/*.go",
		"../../Makefile"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	byName := map[string]*command{}
	for _, c := range allCommands() {
		byName[c.name] = c
	}
	call := regexp.MustCompile("(?:^|[ `/(\"])n2g ((?:[a-z]+ ?){1,2})([^`|\\n\\\\&;#]*)")
	name := regexp.MustCompile(`(?:^|\s)-([a-z][a-z-]*)`)
	calls := 0
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range call.FindAllStringSubmatch(string(content), -1) {
			words := strings.Fields(found[1])
			c := byName[strings.Join(words, " ")]
			if c == nil {
				c = byName[words[0]]
			}
			if c == nil {
				continue // words about the program
			}
			calls++
			for _, f := range name.FindAllStringSubmatch(found[2], -1) {
				if f[1] != "h" && !c.has(f[1]) && c.renamed[f[1]] == "" {
					t.Errorf("%s: n2g %s has no flag -%s", filepath.Base(path), c.name, f[1])
				} else if c.renamed[f[1]] != "" {
					t.Errorf("%s: -%s of n2g %s is called -%s", filepath.Base(path), f[1], c.name, c.renamed[f[1]])
				}
			}
		}
	}
	if calls < 20 {
		t.Errorf("only %d calls are found", calls)
	}
	for _, c := range allCommands() {
		for _, example := range c.examples {
			for _, f := range name.FindAllStringSubmatch(regexp.MustCompile(`'[^']*'`).ReplaceAllString(example, ""), -1) {
				if !c.has(f[1]) {
					t.Errorf("an example of n2g %s gives -%s", c.name, f[1])
				}
			}
		}
	}
}

// has tells whether the command, or one below it or that it is followed by, has a flag.
func (c *command) has(name string) bool {
	a := &app{}
	if c.flags.Lookup(name) != nil || c.rest && (a.mine().has(name) || a.runNeurons().has(name)) {
		return true
	}
	return slices.ContainsFunc(c.commands, func(below *command) bool { return below.has(name) })
}
