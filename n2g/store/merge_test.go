package store

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// TestMergeConflicts: what both have stays as it is in the store merged into, and differences are told.
func TestMergeConflicts(t *testing.T) {
	a, b := testStore(t), testStore(t)
	words := vocabulary(30)
	same := madeUp(newRandom(1), at(0, 1), words, 3)
	mine, theirs := madeUp(newRandom(2), at(0, 2), words, 3), madeUp(newRandom(3), at(0, 2), words, 3)
	added := madeUp(newRandom(4), at(0, 10), words, 3)
	for _, err := range []error{
		a.Put(ctx, same), a.Put(ctx, mine), a.PutFailure(ctx, at(0, 10), "mine"),
		a.PutFailure(ctx, at(0, 11), "mine"),
		b.Put(ctx, same), b.Put(ctx, added), b.Put(ctx, theirs), b.PutFailure(ctx, at(0, 1), "theirs"),
		b.PutFailure(ctx, at(0, 11), "theirs"), b.PutFailure(ctx, at(0, 12), "theirs"),
		a.Plan(ctx, Shard{1, 2}, []n2g.Site{at(0, 1)}), b.Plan(ctx, Shard{2, 2}, []n2g.Site{at(0, 2), at(0, 13)}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	m, err := a.Merge(ctx, b.Path())
	if err != nil || m.Added != 1 || m.Same != 1 || !slices.Equal(m.Different, []n2g.Site{at(0, 2)}) {
		t.Fatalf("%+v, %v", m, err)
	}
	for n, want := range map[n2g.Site]any{at(0, 1): same, at(0, 2): mine, at(0, 10): added} {
		if got, err := a.Explanation(ctx, n); err != nil || !reflect.DeepEqual(any(got), want) {
			t.Errorf("%v: %v", n, err)
		}
	}
	failures, err := a.Failures(ctx)
	if err != nil || !slices.Equal(failures, []Failure{{at(0, 11), "mine"}, {at(0, 12), "theirs"}}) {
		t.Errorf("failures %v, %v", failures, err)
	}
	if missing, err := a.Missing(ctx); err != nil || !slices.Equal(missing, []n2g.Site{at(0, 13)}) {
		t.Errorf("missing %v, %v", missing, err)
	}
	if missing, err := a.MissingShards(ctx); err != nil || len(missing) > 0 {
		t.Errorf("missing shards %v, %v", missing, err)
	}
	rows, err := a.Search(ctx, Term{Token: words[9]})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if !slices.Contains([]int{1, 2, 10}, r.Index) {
			t.Errorf("found %v", r.Site)
		}
	}
	var tokens int
	if err := a.db.QueryRow("SELECT count(*) FROM tokens").Scan(&tokens); err != nil ||
		tokens != len(weightedTokens(same.Trie))+len(weightedTokens(mine.Trie))+len(weightedTokens(added.Trie)) {
		t.Errorf("%d tokens, %v", tokens, err)
	}
}

// TestMergeConverts: a merge keeps explanations as the store does that they are merged into, and no others are changed.
func TestMergeConverts(t *testing.T) {
	for _, plain := range []bool{false, true} {
		from, into := testStore(t), testStore(t)
		from.plain, into.plain = !plain, plain
		all := fill(t, from, 5, 6)
		if m, err := into.Merge(ctx, from.Path()); err != nil || m.Added != 6 {
			t.Fatalf("%+v, %v", m, err)
		}
		var kinds string
		if err := into.db.QueryRow("SELECT group_concat(DISTINCT typeof(json)) FROM explanations").Scan(
			&kinds); err != nil || (kinds == "text") != plain {
			t.Errorf("plain %v: %s, %v", plain, kinds, err)
		}
		for _, want := range all {
			if e, err := into.Explanation(ctx, want.Site); err != nil || !reflect.DeepEqual(e, want) {
				t.Errorf("plain %v: %v: %v", plain, want.Site, err)
			}
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	a, b := testStore(t), testStore(t)
	fill(t, a, 1, 3)
	other := filepath.Join(t.TempDir(), "other.db")
	s, err := Open(other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	identity := testIdentity()
	identity.Model = "another"
	if err := s.Begin(ctx, identity); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(a.Path(), link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		other:                               "another",
		link:                                "same file",
		a.Path():                            "same file",
		filepath.Join(t.TempDir(), "no.db"): "there is no store",
	} {
		if _, err := a.Merge(ctx, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if _, err := b.Merge(stopped, a.Path()); err == nil {
		t.Error("a merge goes on after its end")
	}
	if m, err := b.Merge(ctx, a.Path()); err != nil || m.Added != 3 {
		t.Errorf("merging what another writes: %+v, %v", m, err)
	}
}
