package store

import (
	"bytes"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

var update = flag.Bool("update", false, "write the file of this layout in testdata anew")

// kept are the explanations of the file of a layout in testdata: from the second on one has a context graph.
func kept(version int) []*n2g.Explanation {
	random := rand.New(rand.NewPCG(71, 0))
	list := []*n2g.Explanation{madeUp(random, at(0, 3), vocabulary(20), 2),
		madeUp(random, at(2, 117), vocabulary(20), 2)}
	if version > 1 {
		addContext(random, list[1])
	}
	if version > 4 {
		addBehaviours(list[1], 2)
	}
	return list
}

// addBehaviours gives an explanation so many made-up behaviours.
func addBehaviours(e *n2g.Explanation, n int) {
	e.Behaviours = &n2g.Behaviours{Examples: 4*n + 1, Stray: 1, List: []n2g.Behaviour{}}
	for i := range n {
		e.Behaviours.List = append(e.Behaviours.List, n2g.Behaviour{Label: fmt.Sprintf("`%d`", i), Examples: 4,
			Share: 4 / float64(4*n+1), Within: .5, Branches: []n2g.Branch{}, Shown: []n2g.BehaviourExample{}})
	}
}

// addContext gives an explanation a made-up context graph, with scores.
func addContext(random *rand.Rand, e *n2g.Explanation) {
	words := vocabulary(40)
	random.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	e.Context = &n2g.ContextGraph{FireThreshold: .25, Label: "`" + words[0] + "`, after `" + words[3] + "`",
		Root: &n2g.ContextNode{
			Test: &n2g.ContextTest{Kind: n2g.TestToken, Tokens: slices.Clone(words[:3])},
			Yes: &n2g.ContextNode{
				Test: &n2g.ContextTest{Kind: n2g.TestToken, Distance: 1, Tokens: slices.Clone(words[3:5])},
				Yes:  &n2g.ContextNode{Value: random.Float64()/2 + .5},
				No:   &n2g.ContextNode{Value: .01},
			},
			No: &n2g.ContextNode{Table: []n2g.TokenValue{{Token: words[5], Value: .5}, {Token: words[6], Value: .1}}},
		}}
	for _, text := range []string{"test documents", "hard negatives"} {
		for _, predictor := range []string{"context graph", "token table"} {
			scores := *e.Scores
			scores.Firing.F1 = random.Float64()
			e.Comparisons = append(e.Comparisons, n2g.Comparison{Text: text, Predictor: predictor, FireThreshold: .3,
				Scores: scores})
		}
	}
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
	var version int
	if _, err := fmt.Sscanf(filepath.Base(name), "v%d.db", &version); err != nil {
		t.Fatal(err)
	}
	for _, want := range kept(version) {
		got, err := s.Explanation(ctx, at(want.Site.Layer, want.Site.Index))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("layer %d: %+v, %v", want.Site.Layer, got, err)
		}
	}
	for _, e := range kept(version) {
		if label := readLabels(t, s)[e.Site.WithoutHook()]; label != e.Label() {
			t.Errorf("layer %d: the label is %q, want %q", e.Site.Layer, label, e.Label())
		}
	}
	var compared []Compared
	for _, e := range kept(version) {
		if e.Comparisons != nil {
			compared = append(compared, Compared{e.Site, e.MaxActivation, e.Comparisons})
		}
	}
	if got, err := s.Comparisons(ctx); err != nil || !slices.EqualFunc(got, compared,
		func(a, b Compared) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("comparisons %+v, %v, want %+v", got, err, compared)
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

func readLabels(t *testing.T, s *Store) map[n2g.Site]string {
	t.Helper()
	labels, err := s.Labels(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return labels
}

// TestOldLayoutReadOnly: opened for reading only, a store of an older layout answers all that it answers once it is
// brought up to date, and what is lost of it is missed.
func TestOldLayoutReadOnly(t *testing.T) {
	for _, name := range []string{"testdata/v2.db", "testdata/v3.db", "testdata/v4.db"} {
		t.Run(filepath.Base(name), func(t *testing.T) { testOldLayoutReadOnly(t, name) })
	}
}

func testOldLayoutReadOnly(t *testing.T, name string) {
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "run.db")
	if err := os.WriteFile(path, content, 0o444); err != nil {
		t.Fatal(err)
	}
	before, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	old, failed := answers(before)
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	for _, question := range []string{"rows", "comparisons", "labels", "tokens", "context tokens", "search w*", "jsonl"} {
		if failed[question] != nil || old[question] == nil {
			t.Errorf("%s: %v", question, failed[question])
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
		t.Errorf("reading has changed the file: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	migrated, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	now, _ := answers(migrated)
	if err := migrated.Close(); err != nil {
		t.Fatal(err)
	}
	for question := range now {
		for _, answer := range []any{now[question], old[question]} { // layout 3 tells no roles, read as it is
			if hits, found := answer.([]Hit); found {
				for _, h := range hits {
					for i := range h.Found {
						h.Found[i].Roles = nil
					}
				}
			}
		}
		if !reflect.DeepEqual(old[question], now[question]) {
			t.Errorf("%s: %+v, read only %+v", question, now[question], old[question])
		}
	}

	for statement, question := range map[string]string{
		"DROP TRIGGER neurons_out; DELETE FROM neurons WHERE id = 1":                                      "rows",
		"DROP TRIGGER tokens_out; DELETE FROM tokens WHERE token = (SELECT min(token) FROM tokens)":       "tokens",
		"UPDATE explanations SET json = replace(json, 'toy', 'joy') WHERE neuron_id = 2":                  "jsonl",
		"DROP TRIGGER baselines_out; DELETE FROM baselines WHERE neuron_id = 2 AND name = 'token_lookup'": "rows",
	} {
		alter(t, name, path, statement)
		s, err := Open(path, Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, failed := answers(s); !errors.Is(failed[question], ErrDamaged) {
			t.Errorf("%s: %s: %v", statement, question, failed[question])
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMergeV3: the tokens of context graphs of a store of the third layout, which has no index of them, are found once
// they are merged.
func TestMergeV3(t *testing.T) {
	into := testStore(t)
	if m, err := into.Merge(ctx, "testdata/v3.db"); err != nil || m.Added != 2 || m.Damaged != nil {
		t.Fatalf("%+v, %v", m, err)
	}
	e := kept(3)[1]
	for _, token := range e.Context.Tokens() {
		term := Term{Token: token.Token}
		hits, err := into.Search(ctx, term)
		if err != nil || len(hits) == 0 || !slices.ContainsFunc(hits, func(h Hit) bool {
			return h.Site == e.Site && reflect.DeepEqual(h.Found, foundBy(e, []Term{term}))
		}) {
			t.Errorf("%q: %+v, %v", token.Token, hits, err)
		}
	}
	if v, err := into.verify(ctx); err != nil || v.loose || len(v.damaged) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
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
	for _, e := range kept(len(migrations())) {
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

// TestOldEffectsReadOnly: so it is with effects, which have a layout of their own.
func TestOldEffectsReadOnly(t *testing.T) {
	s := testStore(t)
	fill(t, s, 5, 4)
	put := putMadeUpEffects(t, s, 6, 4)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", s.Path())
	if err != nil {
		t.Fatal(err)
	}
	// What the third, the fourth and the fifth layout added goes.
	if _, err := db.Exec("DROP TABLE behaviours; DROP TABLE context_tokens; DROP TABLE context_vocabulary; DROP TABLE " +
		"comparisons; DROP TABLE labels; DELETE FROM totals WHERE name IN ('comparisons', 'labels', 'behaviours'); " +
		"PRAGMA user_version = 2"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		old, err := Open(s.Path(), Options{ReadOnly: readOnly})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range put {
			got, err := old.Effects(ctx, e.Site)
			if err != nil || !reflect.DeepEqual(got, e.Effects) {
				t.Errorf("read only %v, %v: %+v, %v, want %+v", readOnly, e.Site, got, err, e.Effects)
			}
		}
		if v, err := old.verify(ctx); err != nil || v.loose || len(v.damaged) > 0 || len(v.damagedEffects()) > 0 {
			t.Errorf("read only %v: %+v, %v", readOnly, v, err)
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
