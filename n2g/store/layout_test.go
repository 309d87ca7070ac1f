package store

import (
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

var update = flag.Bool("update", false, "write the file of this layout in testdata anew")

// kept are the explanations of the files in testdata.
func kept() []*n2g.Explanation {
	random := rand.New(rand.NewPCG(71, 0))
	return []*n2g.Explanation{madeUp(random, at(0, 3), vocabulary(20), 2),
		madeUp(random, at(2, 117), vocabulary(20), 2)}
}

// TestOldLayout: a store of each layout that was ever released is read, and written to. A change that fails here needs
// another entry of migrations, and a file of the layout before it in testdata.
func TestOldLayout(t *testing.T) {
	if *update {
		writeKept(t, fmt.Sprintf("testdata/v%d.db", len(migrations())))
	}
	names, err := filepath.Glob("testdata/v*.db")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) { testOldLayout(t, name) })
	}
}

func testOldLayout(t *testing.T, name string) {
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "run.db")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if identity, ok := s.Identity(); !ok || identity.Model != "toy" || *identity.Options.Cutoff != 30 {
		t.Errorf("identity %+v", identity)
	}
	for _, want := range kept() {
		got, err := s.Explanation(ctx, at(want.Site.Layer, want.Site.Index))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("layer %d: %+v, %v", want.Site.Layer, got, err)
		}
	}
	if missing, err := s.Missing(ctx); err != nil || len(missing) != 1 || missing[0] != (at(5, 5)) {
		t.Errorf("missing %v, %v", missing, err)
	}
	fresh := testStore(t)
	if got, want := layout(t, s), layout(t, fresh); got != want {
		t.Errorf("an old store's tables are\n%s\nwant those of a new one\n%s", got, want)
	}
	fill(t, s, 1, 2)
}

// layout is how a store's tables are declared.
func layout(t *testing.T, s *Store) string {
	t.Helper()
	var text sql.NullString
	if err := s.db.QueryRow("SELECT group_concat(sql, '; ') FROM (SELECT sql FROM sqlite_schema ORDER BY name)").Scan(
		&text); err != nil {
		t.Fatal(err)
	}
	return text.String
}

func writeKept(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	s, err := Open(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(ctx, testIdentity()); err != nil {
		t.Fatal(err)
	}
	for _, e := range kept() {
		if err := s.Put(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutFailure(ctx, at(1, 1), "never fires"); err != nil {
		t.Fatal(err)
	}
	if err := s.Plan(ctx, Shard{1, 2}, []n2g.Site{at(0, 3), at(1, 1), at(5, 5)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
