package store

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/n2g"
)

// answers are what a store says to every question.
func answers(s *Store) (map[string]any, map[string]error) {
	all, failed := map[string]any{}, map[string]error{}
	keep := func(question string, answer any, err error) {
		if err != nil {
			failed[question] = err
			return
		}
		all[question] = answer
	}
	identity, _ := s.Identity()
	keep("identity", identity, nil)
	rows, err := s.Rows(ctx)
	keep("rows", rows, err)
	compared, err := s.Comparisons(ctx)
	keep("comparisons", compared, err)
	labels, err := s.Labels(ctx)
	keep("labels", labels, err)
	done, err := s.Done(ctx)
	keep("done", done, err)
	missing, err := s.Missing(ctx)
	keep("missing", missing, err)
	failures, err := s.Failures(ctx)
	keep("failures", failures, err)
	shards, err := s.MissingShards(ctx)
	keep("shards", shards, err)
	induction, err := s.Induction(ctx, 1)
	keep("induction", induction, err)
	parts, err := s.Polysemantic(ctx, 2)
	keep("polysemantic", parts, err)
	for _, word := range vocabulary(20) {
		hits, err := s.Search(ctx, Term{Token: word})
		keep("search "+word, hits, err)
		hits, err = s.Search(ctx, Term{Token: word, Kind: n2g.ImportantKind})
		keep("search important "+word, hits, err)
	}
	hits, err := s.Search(ctx, Term{Token: "w", Prefix: true})
	keep("search w*", hits, err)
	for name, export := range map[string]func(w io.Writer) error{
		"jsonl":        func(w io.Writer) error { return s.ExportJSONLines(ctx, w) },
		"csv":          func(w io.Writer) error { return s.ExportCSV(ctx, w) },
		"stats":        func(w io.Writer) error { return s.ExportStats(ctx, w) },
		"neuron store": func(w io.Writer) error { return s.ExportNeuronStore(ctx, w) },
	} {
		var b bytes.Buffer
		err := export(&b)
		keep(name, b.String(), err)
	}
	tokens, err := s.Tokens(ctx)
	keep("tokens", tokens, err)
	tokens, err = s.ContextTokens(ctx)
	keep("context tokens", tokens, err)
	for i := range 8 {
		e, err := s.Explanation(ctx, at(i%13, i))
		keep(fmt.Sprint("explanation ", i), e, err)
	}
	there, err := s.WithEffects(ctx)
	keep("neurons with effects", there, err)
	for _, n := range there {
		e, err := s.Effects(ctx, n)
		keep(fmt.Sprint("effects ", n), e, err)
	}
	if len(there) == 0 {
		return all, failed
	}
	for _, suppressed := range []bool{false, true} {
		found, err := s.SearchEffects(ctx, EffectTerm{Token: "mone", Prefix: true, Suppressed: suppressed})
		keep(fmt.Sprint("search effects ", suppressed), found, err)
	}
	return all, failed
}

// TestAnyBit: whichever bit of a store's file is wrong, an answer is right or an error.
func TestAnyBit(t *testing.T) {
	s := testStore(t)
	fill(t, s, 71, 8)
	putMadeUpEffects(t, s, 72, 12)
	for _, err := range []error{
		s.PutFailure(ctx, at(3, 99), "dull"),
		s.Plan(ctx, Shard{1, 3}, []n2g.Site{at(0, 0), at(3, 99), at(4, 4)}),
		s.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	sound, err := Open(s.Path(), Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	want, failed := answers(sound)
	sound.Close()
	if len(failed) > 0 {
		t.Fatal(failed)
	}
	random := rand.New(rand.NewPCG(72, 0))
	flips := 500
	if testing.Short() {
		flips = 100
	}
	path := filepath.Join(t.TempDir(), "damaged.db")
	noticed := 0
	for range flips {
		bit := random.IntN(8 * len(whole))
		damaged := slices.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		reader, err := Open(path, Options{ReadOnly: true})
		if err != nil {
			noticed++
			continue
		}
		got, failed := answers(reader)
		reader.Close()
		if len(failed) > 0 {
			noticed++
		}
		for question, answer := range got {
			if !reflect.DeepEqual(answer, want[question]) {
				t.Errorf("bit %d of byte %d: %q: %.300q, and not %.300q", bit%8, bit/8, question, fmt.Sprint(answer),
					fmt.Sprint(want[question]))
			}
		}
		os.Remove(path + "-wal")
		os.Remove(path + "-shm")
	}
	t.Logf("%d of %d flips are errors", noticed, flips)
	if noticed < flips/10 {
		t.Errorf("only %d of %d flips are noticed: do they reach the file?", noticed, flips)
	}
}

// damagedCopy unpacks a file of testdata/damaged.
func damagedCopy(t testing.TB, name string) string {
	t.Helper()
	content := testfile.Read(t, "testdata/damaged/"+name+".db.gz")
	path := filepath.Join(t.TempDir(), name+".db")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDamagedV1: stores of the first layout, whose scores and tokens had no digests, are held to their explanations.
func TestDamagedV1(t *testing.T) {
	rows := func(s *Store) error { _, err := s.Rows(ctx); return err }
	for _, test := range []struct {
		name string
		ask  func(s *Store) error
		want string
	}{
		{"score-damaged", rows, "layer 0 neuron 0"},
		{"json-damaged", rows, "layer 0 neuron 0"},
		{"kind-damaged", func(s *Store) error { return s.ExportNeuronStore(ctx, io.Discard) }, "layer 0 neuron 0"},
		{"depth-huge", func(s *Store) error { _, err := s.Explanation(ctx, at(0, 0)); return err }, "layer 0 neuron 0"},
		{"DELETE FROM explanations WHERE neuron_id = 1", func(s *Store) error { return s.ExportJSONLines(ctx, io.Discard) },
			"layer 0 neuron 3"},
		{"UPDATE neurons SET neuron = 4 WHERE neuron = 3",
			func(s *Store) error { _, err := s.Polysemantic(ctx, 2); return err }, "layer 0 neuron 4"},
		{"DELETE FROM tokens WHERE neuron_id = 2", func(s *Store) error { _, err := s.Tokens(ctx); return err },
			"layer 2 neuron 117"},
		{"DELETE FROM baselines", rows, "baselines"},
		{"PRAGMA foreign_keys = 0; DELETE FROM neurons WHERE id = 1", rows, "neurons"},
	} {
		path := filepath.Join(t.TempDir(), "v1.db")
		if strings.Contains(test.name, " ") {
			alter(t, "testdata/v1.db", path, test.name)
		} else {
			path = damagedCopy(t, test.name)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{ReadOnly: true})
		if err == nil {
			err = test.ask(s)
			s.Close()
		}
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: reading has changed the file: %v", test.name, err)
		}
	}
}

// alter makes a copy of a kept store of an old layout, with a change.
func alter(t *testing.T, kept, path, statement string) {
	t.Helper()
	content, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// corrupt changes rows of a store's file behind its back.
func corrupt(t *testing.T, path, statement string) {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec(statement); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRepair: what is damaged is taken away and named, and the rest stays.
func TestRepair(t *testing.T) {
	for statement, removed := range map[string][]n2g.Site{
		"UPDATE neurons SET firing_f1 = 0.5 WHERE neuron = 2":                                         {at(2, 2)},
		"UPDATE baselines SET r2 = 0.125 WHERE neuron_id = 3":                                         {at(2, 2)},
		"UPDATE explanations SET json = replace(json, 'toy', '') WHERE neuron_id IN (1, 5)":           {at(0, 0), at(4, 4)},
		"UPDATE tokens SET weight = weight / 2 WHERE neuron_id = (SELECT min(neuron_id) FROM tokens)": {at(0, 0)},
		"DELETE FROM tokens WHERE neuron_id = 2":                                                      {at(1, 1)},
		"UPDATE comparisons SET firing_f1 = 0.5 WHERE neuron_id = 2 AND number = 1":                   {at(1, 1)},
		"UPDATE labels SET important = '[]' WHERE neuron_id = 5":                                      {at(4, 4)},
		"DELETE FROM labels WHERE neuron_id = 3":                                                      {at(2, 2)},
		"UPDATE context_tokens SET important = 16 WHERE neuron_id = 2":                                {at(1, 1)},
		"DROP TRIGGER context_tokens_out; DELETE FROM context_tokens WHERE neuron_id = 5":             {at(4, 4)},
		"UPDATE context_vocabulary SET neurons = neurons + 1":                                         nil,
		"DROP TRIGGER comparisons_out; DELETE FROM comparisons WHERE number = 1":                      nil,
		"PRAGMA foreign_keys = 0; DELETE FROM neurons WHERE neuron = 6":                               nil,
		"UPDATE failures SET reason = 'bright'":                                                       nil,
		"UPDATE planned SET neuron = 77 WHERE neuron = 4":                                             nil,
		"UPDATE totals SET rows = rows + 1 WHERE name = 'neurons'":                                    nil,
		"UPDATE vocabulary SET neurons = neurons + 1":                                                 nil,
		"UPDATE neurons SET layer = 9 WHERE neuron = 2; UPDATE neurons SET hook = 'x' WHERE neuron = 3": {
			{Layer: 3, Index: 3, Hook: "x"}, at(9, 2)},
	} {
		s := testStore(t)
		s.plain = true
		all := fill(t, s, 73, 8)
		if err := errors.Join(s.PutFailure(ctx, at(3, 99), "dull"), s.Plan(ctx, Shard{}, []n2g.Site{at(4, 4), at(3, 99)}),
			s.Close()); err != nil {
			t.Fatal(err)
		}
		corrupt(t, s.Path(), statement)
		s, err := Open(s.Path(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, failed := answers(s)
		if len(failed) == 0 {
			t.Errorf("%s: unnoticed", statement)
		}
		for question, err := range failed {
			if !errors.Is(err, ErrDamaged) && !strings.Contains(err.Error(), "has no explanation") {
				t.Errorf("%s: %s: %v", statement, question, err)
			}
		}
		r, err := s.Repair(ctx)
		if err != nil || !slices.Equal(r.Removed, removed) || removed == nil && !r.Lost &&
			!strings.Contains(statement, "vocabulary") {
			t.Errorf("%s: repaired %+v, %v", statement, r, err)
		}
		for e, err := range s.Explanations(ctx) {
			if err != nil {
				t.Errorf("%s: after the repair: %v", statement, err)
				break
			}
			if want := all[e.Site.PublishedName()]; !reflect.DeepEqual(e, want) {
				t.Errorf("%s: layer %d neuron %d is another", statement, e.Site.Layer, e.Site.Index)
			}
		}
		_, failed = answers(s)
		for question, err := range failed {
			if errors.Is(err, ErrDamaged) {
				t.Errorf("%s: after the repair: %s: %v", statement, question, err)
			}
		}
		s.Close()
	}
}

// TestMergeDamaged: a merge leaves out what is damaged in the source, and takes from it what is damaged here.
func TestMergeDamaged(t *testing.T) {
	bad, good, into := testStore(t), testStore(t), testStore(t)
	bad.plain = true
	all := fill(t, bad, 74, 8)
	fill(t, good, 74, 8)
	if err := bad.Close(); err != nil {
		t.Fatal(err)
	}
	corrupt(t, bad.Path(), "UPDATE explanations SET json = replace(json, 'toy', 'boy') WHERE neuron_id = 3; UPDATE "+
		"neurons SET r2 = 0 WHERE neuron = 4")
	m, err := into.Merge(ctx, bad.Path())
	damagedOnes := []n2g.Site{at(2, 2), at(4, 4)}
	if err != nil || m.Added != 6 || !slices.Equal(m.Damaged, damagedOnes) {
		t.Fatalf("%+v, %v", m, err)
	}
	if m, err = into.Merge(ctx, good.Path()); err != nil || m.Added != 2 || m.Same != 6 || m.Damaged != nil {
		t.Fatalf("the rest: %+v, %v", m, err)
	}
	again, err := Open(bad.Path(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if m, err = again.Merge(ctx, good.Path()); err != nil || !slices.Equal(m.Repaired, damagedOnes) || m.Same != 6 {
		t.Fatalf("mending: %+v, %v", m, err)
	}
	for _, s := range []*Store{into, again} {
		for name, want := range all {
			var n n2g.Site
			fmt.Sscanf(name, "%d_%d", &n.Layer, &n.Index)
			if got, err := s.Explanation(ctx, n); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, failed := answers(s); len(failed) > 0 {
			t.Error(failed)
		}
	}
}

// TestDamagedLabel: a neuron whose label is damaged leaves no tokens of its context graph to the one that comes in its
// place, by Put or by a merge.
func TestDamagedLabel(t *testing.T) {
	good := testStore(t)
	all := fill(t, good, 74, 8)
	last := all["7_7"] // whose id is the next one's again
	plain := *last
	plain.Context = nil
	for name, replace := range map[string]func(s *Store) error{
		"put":        func(s *Store) error { return s.Put(ctx, last) },
		"put others": func(s *Store) error { return errors.Join(s.Put(ctx, &plain), s.Put(ctx, last)) },
		"merge":      func(s *Store) error { _, err := s.Merge(ctx, good.Path()); return err },
	} {
		s := testStore(t)
		fill(t, s, 74, 8)
		if _, err := s.db.Exec("UPDATE labels SET activating = 'x' WHERE neuron_id = 8"); err != nil {
			t.Fatal(err)
		}
		if err := replace(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if v, err := s.verify(ctx); err != nil || len(v.damaged) > 0 || v.loose {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
		if got, err := s.Explanation(ctx, last.Site); err != nil || !reflect.DeepEqual(got, last) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMergeV1: a store of the first layout, damaged in one neuron, merges like any other.
func TestMergeV1(t *testing.T) {
	path := damagedCopy(t, "json-damaged")
	into, err := Open(filepath.Join(t.TempDir(), "new.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer into.Close()
	m, err := into.Merge(ctx, path)
	if err != nil || m.Added != 0 || !slices.Equal(m.Damaged, []n2g.Site{at(0, 0)}) {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err = into.Merge(ctx, damagedCopy(t, "reason-escape")); err != nil || m.Added != 1 {
		t.Errorf("a sound copy: %+v, %v", m, err)
	}
}

// TestRemovedUnderfoot: a store that is deleted or replaced while it is written is missed.
func TestRemovedUnderfoot(t *testing.T) {
	random := rand.New(rand.NewPCG(75, 0))
	for what, meddle := range map[string]func(path string) error{
		"removed":  os.Remove,
		"moved":    func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o644)) },
	} {
		s := testStore(t)
		if err := meddle(s.Path()); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(ctx, madeUp(random, at(0, 1), vocabulary(20), 2)); err == nil ||
			!strings.Contains(err.Error(), "was removed, or moved") {
			t.Errorf("%s: %v", what, err)
		}
		if err := s.Close(); err == nil {
			t.Errorf("%s: closed in silence", what)
		}
	}
}

// TestOtherNames: however a store is named, one process writes it.
func TestOtherNames(t *testing.T) {
	s := testStore(t)
	folder := t.TempDir()
	symbolic, hard := filepath.Join(folder, "symbolic.db"), filepath.Join(filepath.Dir(s.Path()), "hard.db")
	if err := os.Symlink(s.Path(), symbolic); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(symbolic, Options{}); !errors.As(err, new(*LockedError)) {
		t.Errorf("by a symbolic link: %v", err)
	}
	if err := os.Link(s.Path(), hard); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(hard, Options{}); err == nil || !strings.Contains(err.Error(), "2 names") {
		t.Errorf("by a hard link: %v", err)
	}
}

// TestPackedBomb: a blob that unpacks to more than an explanation is refused.
func TestPackedBomb(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	blank := bytes.Repeat([]byte(" "), 1<<20)
	for range n2g.MaxExplanationBytes>>20 + 1 {
		if _, err := z.Write(blank); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := jsonOf(b.Bytes()); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("a bomb: %v", err)
	}
	s := testStore(t)
	fill(t, s, 77, 2)
	if _, err := s.db.Exec("UPDATE explanations SET json = ? WHERE neuron_id = 2", b.Bytes()); err != nil {
		t.Fatal(err)
	}
	if m, err := testStore(t).Merge(ctx, s.Path()); err != nil || m.Added != 1 || !slices.Equal(m.Damaged,
		[]n2g.Site{at(1, 1)}) {
		t.Errorf("merging a bomb: %+v, %v", m, err)
	}
	if r, err := s.Repair(ctx); err != nil || !slices.Equal(r.Removed, []n2g.Site{at(1, 1)}) {
		t.Errorf("removing a bomb: %+v, %v", r, err)
	}
	if _, err := jsonOf("[" + strings.Repeat("{},", 2<<20) + "{}]"); err == nil ||
		!strings.Contains(err.Error(), "objects") {
		t.Errorf("many objects: %v", err)
	}
}

// FuzzFile: whatever bytes a store's file holds, reading it ends, without a panic.
func FuzzFile(f *testing.F) {
	old, err := os.ReadFile("testdata/v1.db")
	if err != nil {
		f.Fatal(err)
	}
	s := testStore(f)
	fill(f, s, 76, 3)
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	now, err := os.ReadFile(s.Path())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(old)
	f.Add(now)
	f.Add(now[:len(now)/2])
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "run.db")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, readOnly := range []bool{true, false} {
			if s, err := Open(path, Options{ReadOnly: readOnly}); err == nil {
				answers(s)
				if !readOnly {
					s.Repair(ctx) // it may be beyond repair
				}
				s.Close()
			}
		}
	})
}

// FuzzStoredJSON: whatever stands where an explanation's JSON belongs, reading it ends with a neuron or an error.
func FuzzStoredJSON(f *testing.F) {
	text, err := madeUp(newRandom(77), at(0, 1), vocabulary(20), 2).MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	packed, err := compressed(text)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, true)
	f.Add(packed, false)
	f.Fuzz(func(t *testing.T, content []byte, plain bool) {
		var raw any = content
		if plain {
			raw = string(content)
		}
		text, err := jsonOf(raw)
		e := new(n2g.Explanation)
		if err == nil {
			err = e.UnmarshalJSON(text)
		}
		if err == nil {
			rowOf(e)
			weightedTokens(e.Trie)
		}
	})
}
