package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

var ctx = context.Background()

// identity that the explanations of these tests have.
func testIdentity() Identity {
	return Identity{Model: "toy", MaskedModel: "toy-masked", Hook: "hook_mid", Examples: "made up", ModelFingerprint: "aa",
		MaskedFingerprint: "bb"}
}

func testStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "run.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Begin(ctx, testIdentity()); err != nil {
		t.Fatal(err)
	}
	return s
}

// vocabulary of made-up neurons, common words first.
func vocabulary(n int) []string {
	words := []string{"\n", " ", "a\x00b", "*", `\n`, "::", "İ", "return", "ret", "retur", "%", "_"}
	for i := len(words); i < n; i++ {
		words = append(words, fmt.Sprintf("w%d", i))
	}
	return words[:n]
}

// randomLine is a line of up to four tokens.
func randomLine(random *rand.Rand, words []string) n2g.Line {
	pick := func() string { return words[int(float64(len(words))*random.Float64()*random.Float64())] }
	end := random.Float64()
	line := n2g.Line{End: end,
		Elements: []n2g.Element{{Token: pick(), Activation: 0.5 + end/2, Importance: random.Float64(), Important: true,
			Activator: true}}}
	for range random.IntN(4) {
		e := n2g.Element{Token: pick(), Activation: 0.3 * random.Float64(), Importance: 0.75 + random.Float64(),
			Important: true}
		if random.IntN(3) == 0 {
			e = n2g.Element{Token: n2g.IgnoreToken, Ignore: true}
		}
		line.Elements = append(line.Elements, e)
	}
	return line
}

// madeUp is an explanation of a neuron with a random graph.
func madeUp(random *rand.Rand, n n2g.Site, words []string, lines int) *n2g.Explanation {
	var of []n2g.Line
	for range lines {
		of = append(of, randomLine(random, words))
	}
	scores := func() n2g.Scores {
		class := func(support int) n2g.ClassScores {
			return n2g.ClassScores{Precision: random.Float64(), Recall: random.Float64(), F1: random.Float64(), Support: support}
		}
		return n2g.Scores{Firing: class(random.IntN(9)), NonFiring: class(1000), R2: random.NormFloat64(),
			Pearson: random.Float64(), AveragePrecision: random.Float64()}
	}
	e := &n2g.Explanation{
		Format: n2g.Format, Model: "toy", MaskedModel: "toy-masked",
		Site:          n,
		MaxActivation: 1 + random.Float64(), Prunes: []n2g.Prune{}, Options: n2g.Options{}.Resolved(),
		Trie: n2g.BuildTrie(of), Graph: n2g.NewGraph(of),
	}
	e.Trie.MergeIgnores()
	e.Scores = new(scores())
	e.Baselines = &n2g.Baselines{TokenLookup: n2g.Baseline{Scores: scores()}, NGram: n2g.Baseline{Scores: scores()}}
	return e
}

// at is a site of made-up explanations.
func at(layer, index int) n2g.Site { return n2g.Site{Layer: layer, Index: index, Hook: "hook_mid"} }

// fill puts made-up neurons into a store and returns them by name.
func fill(t testing.TB, s *Store, seed uint64, neurons int) map[string]*n2g.Explanation {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	words := vocabulary(40)
	all := map[string]*n2g.Explanation{}
	for i := range neurons {
		n := at(i%13, i)
		e := madeUp(random, n, words, random.IntN(5))
		if i%3 == 1 {
			addContext(random, e)
			e.Comparisons[1].LogLoss, e.Comparisons[1].ValueError = new(random.Float64()), new(random.Float64())
		}
		if i%3 > 0 {
			addBehaviours(e, i%4)
		}
		if i%6 == 1 { // with a test of a window and one of the line as well, the first of which must fail
			e.Context.Root = &n2g.ContextNode{
				Test: &n2g.ContextTest{Kind: n2g.TestWithin, Window: 8, Tokens: []string{words[random.IntN(40)], "absent"}},
				Yes:  &n2g.ContextNode{}, No: &n2g.ContextNode{
					Test: &n2g.ContextTest{Kind: n2g.TestLine, Tokens: []string{words[random.IntN(40)], words[random.IntN(10)]}},
					Yes:  e.Context.Root, No: &n2g.ContextNode{Sequences: []n2g.SequenceValue{{Tokens: []string{words[random.IntN(40)],
						words[random.IntN(40)]}, Value: 1}}}}}
		}
		if err := s.Put(ctx, e); err != nil {
			t.Fatal(err)
		}
		all[n.PublishedName()] = e
	}
	return all
}

func TestPutAndRead(t *testing.T) {
	for _, plain := range []bool{false, true} {
		s := testStore(t)
		s.plain = plain
		all := fill(t, s, 1, 30)
		rows, err := s.Rows(ctx)
		if err != nil || len(rows) != len(all) {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if !slices.IsSortedFunc(rows, func(a, b Row) int { return a.Compare(b.Site) }) {
			t.Error("rows are not in order")
		}
		for _, r := range rows {
			want := all[r.PublishedName()]
			got, err := s.Explanation(ctx, r.Site)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%v: read %+v, want %+v", r.Site, got, want)
			}
			if !reflect.DeepEqual(r.Scores, want.Scores) || !reflect.DeepEqual(*r.NGram, want.Baselines.NGram.Scores) ||
				!reflect.DeepEqual(*r.TokenLookup, want.Baselines.TokenLookup.Scores) {
				t.Errorf("%v: scores %+v", r.Site, r)
			}
			sets := n2g.NewTokenSets(want.Trie)
			if r.Activating != len(sets.Activating) || r.Important != len(sets.Important) ||
				r.Components != len(want.Graph.Components()) {
				t.Errorf("%v: %+v", r.Site, r)
			}
		}
		count := 0
		for e, err := range s.Explanations(ctx) {
			if err != nil || !reflect.DeepEqual(e, all[e.Site.PublishedName()]) {
				t.Fatalf("explanation %d: %v", count, err)
			}
			count++
		}
		if count != len(all) {
			t.Errorf("%d explanations", count)
		}
	}
}

// TestOnce: a neuron that is put again replaces itself, and a failure gives way to a result but not the other way
// round.
func TestOnce(t *testing.T) {
	s := testStore(t)
	random := rand.New(rand.NewPCG(2, 0))
	n := at(1, 2)
	if err := s.PutFailure(ctx, n, "too dull"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Explanation(ctx, n); err == nil || !strings.Contains(err.Error(), "too dull") {
		t.Errorf("explanation of a failed neuron: %v", err)
	}
	var last *n2g.Explanation
	for range 3 {
		last = madeUp(random, n, vocabulary(20), 4)
		if err := s.Put(ctx, last); err != nil {
			t.Fatal(err)
		}
		if err := s.PutFailure(ctx, n, "later"); err != nil {
			t.Fatal(err)
		}
	}
	failures, err := s.Failures(ctx)
	if err != nil || len(failures) > 0 {
		t.Errorf("failures %v, %v", failures, err)
	}
	if got, err := s.Explanation(ctx, n); err != nil || !reflect.DeepEqual(got, last) {
		t.Errorf("explanation %v", err)
	}
	var tokens int
	if err := s.db.QueryRow("SELECT count(*) FROM tokens").Scan(&tokens); err != nil ||
		tokens != len(weightedTokens(last.Trie)) {
		t.Errorf("%d tokens, %v", tokens, err)
	}
	if _, err := s.Explanation(ctx, at(9, 9)); err == nil || !strings.Contains(err.Error(), "layer 9 neuron 9") {
		t.Errorf("unknown neuron: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?#%41.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Identity(); ok {
		t.Error("a new store has an identity")
	}
	if err := s.Begin(ctx, testIdentity()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != "a ?#%41.db" {
		t.Errorf("after closing there are %v, %v", entries, err)
	}
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Begin(ctx, testIdentity()); err != nil {
		t.Errorf("the same identity: %v", err)
	}
	for what, other := range map[string]func(*Identity){
		"model":                           func(i *Identity) { i.Model = "other" },
		"masked_model":                    func(i *Identity) { i.MaskedModel = "" },
		"hook":                            func(i *Identity) { i.Hook = "hook_pre" },
		"options":                         func(i *Identity) { i.Options.Cutoff = new(7) },
		"examples":                        func(i *Identity) { i.Examples = "others" },
		"language model of the same name": func(i *Identity) { i.ModelFingerprint = "cc" },
		"masked model of the same name":   func(i *Identity) { i.MaskedFingerprint = "cc" },
	} {
		identity := testIdentity()
		other(&identity)
		if err := s.Begin(ctx, identity); !errors.As(err, new(*OtherError)) || !strings.Contains(err.Error(), what) {
			t.Errorf("another %s: %v", what, err)
		}
	}
	unknown := testIdentity()
	unknown.ModelFingerprint, unknown.MaskedFingerprint = "", ""
	if err := s.Begin(ctx, unknown); err != nil {
		t.Errorf("fingerprints that are not known: %v", err)
	}
	e := madeUp(rand.New(rand.NewPCG(3, 0)), at(0, 1), vocabulary(20), 1)
	e.Model = "other"
	if err := s.Put(ctx, e); !errors.As(err, new(*OtherError)) || !strings.Contains(err.Error(), "other") {
		t.Errorf("an explanation of another model: %v", err)
	}
}

func TestPlan(t *testing.T) {
	s := testStore(t)
	random := rand.New(rand.NewPCG(4, 0))
	if err := s.Plan(ctx, Shard{2, 3}, []n2g.Site{at(1, 5), at(0, 9), at(0, 10)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Plan(ctx, Shard{2, 3}, []n2g.Site{at(1, 5), at(1, 4)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, madeUp(random, at(0, 10), vocabulary(20), 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.PutFailure(ctx, at(1, 4), "dull"); err != nil {
		t.Fatal(err)
	}
	check := func(what string, list func(context.Context) ([]n2g.Site, error), want ...n2g.Site) {
		t.Helper()
		got, err := list(ctx)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
	}
	for hook, found := range map[string]bool{"": true, "hook_mid": true, "hook_pre": false} {
		if _, err := s.Explanation(ctx, n2g.Site{Index: 10, Hook: hook}); (err == nil) != found {
			t.Errorf("at %q: %v", hook, err)
		}
	}
	check("planned", s.Planned, at(0, 9), at(0, 10), at(1, 4), at(1, 5))
	check("done", s.Done, at(0, 10))
	check("missing", s.Missing, at(0, 9), at(1, 5))
	if missing, err := s.MissingShards(ctx); err != nil || !slices.Equal(missing, []Shard{{1, 3}, {3, 3}}) {
		t.Errorf("missing shards %v, %v", missing, err)
	}
	if err := s.Plan(ctx, Shard{}, nil); err != nil {
		t.Fatal(err)
	}
	if missing, err := s.MissingShards(ctx); err != nil || len(missing) > 0 {
		t.Errorf("a whole run misses the shards %v, %v", missing, err)
	}
}

// TestReadBeside: others read while one process writes.
func TestReadBeside(t *testing.T) {
	s := testStore(t)
	fill(t, s, 5, 3)
	reader, err := Open(s.Path(), Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	fill(t, s, 6, 6)
	rows, err := reader.Rows(ctx)
	if err != nil || len(rows) != 6 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if err := reader.PutFailure(ctx, at(0, 0), "x"); err == nil || !strings.Contains(err.Error(), "reading only") {
		t.Errorf("writing to a reader: %v", err)
	}
	if _, err := Open(s.Path(), Options{}); err == nil || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second writer: %v", err)
	} else if locked := new(LockedError); !errors.As(err, &locked) {
		t.Errorf("a second writer: %T", err)
	}
}
