package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module is a module whose package a has names with users of every kind, and one without.
var module = map[string]string{
	"go.mod":      "module example.com/m\n\ngo 1.26\n",
	"docs/api.md": "| package | for |\n|---|---|\n| `a` | all |\n",
	"a/a.go": `package a

type Thing struct{ Part Part }
type Part struct{}
type Kind int

const (
	One Kind = iota
	Two
)

func New() Thing           { return Thing{} }
func (Thing) String() string { return "" }
func (Thing) Show()        {}
func (Thing) Lonely()      {}
func OfKind(Kind)          {}
func InExample()           {}
func OnlyTested()          {}
`,
	"a/a_test.go": `package a_test

import "example.com/m/a"

func Example() { a.InExample() }
func use()     { a.OnlyTested() }
`,
	"b/b.go": `package b

import (
	"fmt"

	"example.com/m/a"
)

var _ = a.New()

func f() { a.OfKind(a.One); fmt.Println() }
`,
	"notebooks/N.ipynb": `{"cells": [{"cell_type": "code", "source": ["thing.Show()\n"]},
{"cell_type": "markdown", "source": ["thing.Lonely()"]}]}`,
}

func TestExports(t *testing.T) {
	folder := t.TempDir()
	for name, text := range module {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(folder, false, nil); err == nil || !strings.Contains(err.Error(), "2 names") {
		t.Errorf("two names without users: %v", err)
	}
	lonely := map[string]string{"a.Thing.Lonely": "why not", "a.OnlyTested": "a reason"}
	if err := run(folder, true, lonely); err != nil {
		t.Errorf("all have users or reasons: %v", err)
	}
	if err := run(folder, false, lonely); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "docs", "exports.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| `New` | b |", "| `Thing` | `a.New` |", "| `Part` | `a.Thing` |", "| `Kind` | `a.OfKind` |", "| `One` | b |",
		"| `Two` | `a.Kind` |", "| `InExample` | examples of a |", "| `Thing.Show` | notebook N |",
		"| `Thing.Lonely` | callers: why not |", "| `OnlyTested` | callers: a reason |",
		"| `Thing.String` | the interface fmt.Stringer |",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	lonely["a.New"], lonely["a.None"] = "has users", "does not exist"
	delete(lonely, "a.OnlyTested")
	if err := run(folder, true, lonely); err == nil || !strings.Contains(err.Error(), "1 names") {
		t.Errorf("reasons for what has users, and for nothing, and one missing: %v", err)
	}
}
