package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// spellings of tokens by id; two ids have one spelling.
func spellings() []string {
	return []string{" money", "money", " Money", "MONEY", " monetary", "\n", "a\x00b", "�", "�", "::", " the", " İ"}
}

// madeUpEffects are a neuron's, of tokens by chance.
func madeUpEffects(random *rand.Rand, n n2g.Site) NeuronEffects {
	ids := random.Perm(len(spellings()))
	list := func(ids []int, sign float64) []n2g.TokenEffect {
		effects := []n2g.TokenEffect{}
		for rank, id := range ids {
			effects = append(effects, n2g.TokenEffect{ID: id, Token: spellings()[id], Value: sign * (4 - float64(rank) +
				random.Float64())})
		}
		return effects
	}
	return NeuronEffects{n, &n2g.Effects{Attribution: n2g.Attribution{Promoted: list(ids[:4], 1),
		Suppressed: list(ids[4:7], -1), Kurtosis: 3 + random.Float64()}}}
}

// putMadeUpEffects stores those of neurons 0 to n-1 of layer 0.
func putMadeUpEffects(t testing.TB, s *Store, seed uint64, n int) []NeuronEffects {
	t.Helper()
	random := newRandom(seed)
	var list []NeuronEffects
	for i := range n {
		list = append(list, madeUpEffects(random, at(0, i)))
	}
	if err := s.PutEffects(ctx, EffectsOf{Model: "toy", Fingerprint: "aa"}, list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEffectsPutAndRead(t *testing.T) {
	s := testStore(t)
	if e, err := s.Effects(ctx, at(0, 1)); e != nil || err != nil {
		t.Errorf("before any: %v, %v", e, err)
	}
	list := putMadeUpEffects(t, s, 1, 20)
	for _, want := range list {
		if got, err := s.Effects(ctx, want.Site); err != nil || !reflect.DeepEqual(got, want.Effects) {
			t.Errorf("%v: %+v, %v, want %+v", want.Site, got, err, want.Effects)
		}
	}
	if e, err := s.Effects(ctx, at(1, 1)); e != nil || err != nil {
		t.Errorf("of another neuron: %v, %v", e, err)
	}
	// Those of an explanation replace them, and one without leaves them, but for the faithfulness of the one before.
	random := newRandom(2)
	e := madeUp(random, at(0, 3), vocabulary(20), 2)
	context := -.25
	e.Effects = madeUpEffects(random, at(0, 3)).Effects
	e.Effects.Faithfulness = &n2g.Faithfulness{Graph: .5, Context: &context, Firing: .75, Positions: 100, Predicted: 7,
		MeanKL: .1}
	if err := s.Put(ctx, e); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Explanation(ctx, at(0, 3)); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%+v, %v", got, err)
	}
	values := &n2g.Faithfulness{Graph: .5, Context: &context, Firing: .75}
	if got, err := s.Effects(ctx, at(0, 3)); err != nil || !reflect.DeepEqual(got.Faithfulness, values) ||
		!reflect.DeepEqual(got.Attribution, e.Effects.Attribution) {
		t.Errorf("%+v, %v", got, err)
	}
	rows, err := s.Rows(ctx)
	if err != nil || len(rows) != 1 || *rows[0].Faithfulness != .5 || *rows[0].Kurtosis != e.Effects.Kurtosis {
		t.Errorf("%+v, %v", rows, err)
	}
	attribution := e.Effects.Attribution
	e.Effects = nil
	if err := s.Put(ctx, e); err != nil {
		t.Fatal(err)
	}
	e.Effects = &n2g.Effects{Attribution: attribution}
	if got, err := s.Explanation(ctx, at(0, 3)); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%+v, %v", got.Effects, err)
	}
	for all, err := range s.Explanations(ctx) {
		if err != nil || !reflect.DeepEqual(all, e) {
			t.Errorf("%+v, %v", all, err)
		}
	}
	if there, err := s.WithEffects(ctx); err != nil || len(there) != 20 || there[7] != (at(0, 7)) {
		t.Errorf("%v, %v", there, err)
	}
}

// TestSearchEffects: against plain loops over what was put.
func TestSearchEffects(t *testing.T) {
	s := testStore(t)
	list := putMadeUpEffects(t, s, 3, 60)
	// wanted says whether a spelling is meant by a term.
	wanted := map[string]func(string) bool{
		" money": func(t string) bool { return t == " money" },
		"money":  func(t string) bool { return t == " money" || t == "money" || t == " Money" },
		" Money": func(t string) bool { return t == " Money" },
		"MONEY":  func(t string) bool { return t == "MONEY" },
		"mone*": func(t string) bool {
			return strings.HasPrefix(strings.TrimSpace(strings.ToLower(t)), "mone") && t != "MONEY"
		},
		" mone*": func(t string) bool { return strings.HasPrefix(t, " mone") },
		`\n`:     func(t string) bool { return t == "\n" },
		"�":      func(t string) bool { return t == "�" },
		"a\x00b": func(t string) bool { return t == "a\x00b" },
		"absent": func(string) bool { return false },
	}
	has := func(list []n2g.TokenEffect, is func(string) bool) (ranked []RankedEffect) {
		for i, t := range list {
			if is(t.Token) {
				ranked = append(ranked, RankedEffect{t, i + 1})
			}
		}
		return ranked
	}
	check := func(name string, terms []EffectTerm, find func(NeuronEffects) (up, down []RankedEffect, ok bool)) {
		t.Helper()
		hits, err := s.SearchEffects(ctx, terms...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.IsSortedFunc(hits, func(a, b EffectHit) int {
			if a.strength() >= b.strength() {
				return -1
			}
			return 1
		}) {
			t.Errorf("%s: not in order", name)
		}
		count := 0
		for _, one := range list {
			up, down, ok := find(one)
			if !ok {
				continue
			}
			count++
			want := EffectHit{one.Site, one.Kurtosis, up, down}
			if !slices.ContainsFunc(hits, func(h EffectHit) bool { return reflect.DeepEqual(h, want) }) {
				t.Errorf("%s: %+v is not among the hits", name, want)
			}
		}
		if count != len(hits) {
			t.Errorf("%s: %d hits, want %d", name, len(hits), count)
		}
	}
	for text, is := range wanted {
		for _, suppressed := range []bool{false, true} {
			term, err := ParseEffectTerm(text, suppressed)
			if err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("%q, %v", text, suppressed), []EffectTerm{term},
				func(e NeuronEffects) (up, down []RankedEffect, ok bool) {
					if suppressed {
						down = has(e.Suppressed, is)
					} else {
						up = has(e.Promoted, is)
					}
					return up, down, len(up)+len(down) > 0
				})
		}
	}
	check("money and not the", []EffectTerm{{Token: "money"}, {Token: " the", Suppressed: true}},
		func(e NeuronEffects) (up, down []RankedEffect, ok bool) {
			up, down = has(e.Promoted, wanted["money"]), has(e.Suppressed, func(t string) bool { return t == " the" })
			return up, down, len(up) > 0 && len(down) > 0
		})
	if _, err := ParseEffectTerm("*", false); err == nil {
		t.Error("a star alone")
	}
	empty := testStore(t)
	if _, err := empty.SearchEffects(ctx, EffectTerm{Token: "money"}); err == nil ||
		!strings.Contains(err.Error(), "n2g effects -store") {
		t.Errorf("without effects: %v", err)
	}
}

// TestEffectsOfAnotherModel: a store is of one model.
func TestEffectsOfAnotherModel(t *testing.T) {
	s := testStore(t)
	list := []NeuronEffects{madeUpEffects(newRandom(4), at(0, 0))}
	for _, of := range []EffectsOf{{"other", "aa", "", ""}, {"toy", "cc", "", ""},
		{"toy", "aa", "hook_resid_post", ""}} {
		if err := s.PutEffects(ctx, of, list); err == nil || !strings.Contains(err.Error(), "write to another file") {
			t.Errorf("%v: %v", of, err)
		}
	}
	if err := s.PutEffects(ctx, EffectsOf{Model: "toy"}, list); err != nil {
		t.Error(err)
	}
	list[0].Promoted[0].Token = "another"
	err := s.PutEffects(ctx, EffectsOf{Model: "toy", Fingerprint: "aa"}, list)
	if err == nil || !strings.Contains(err.Error(), "tokenizer") {
		t.Errorf("another tokenizer: %v", err)
	}
	fresh, err := Open(filepath.Join(t.TempDir(), "run.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	putMadeUpEffects(t, fresh, 5, 2)
	other := testIdentity()
	other.ModelFingerprint = "cc"
	if err := fresh.Begin(ctx, other); err == nil || !strings.Contains(err.Error(), "fingerprint") {
		t.Errorf("explanations of another: %v", err)
	}
	if err := fresh.Begin(ctx, testIdentity()); err != nil {
		t.Error(err)
	}
}

// TestEffectsAtAnotherHook: numbers of two hook points are not mixed, with explanations, without, or by a merge.
func TestEffectsAtAnotherHook(t *testing.T) {
	open := func() *Store {
		s, err := Open(filepath.Join(t.TempDir(), "run.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	const stream = "hook_resid_post"
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "write to another file") {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := open()
	list := []NeuronEffects{madeUpEffects(newRandom(4), n2g.Site{Layer: 1, Index: 5, Hook: stream})}
	if err := s.PutEffects(ctx, EffectsOf{"toy", "aa", stream, "directions 1f"}, list); err != nil {
		t.Fatal(err)
	}
	refused("neurons beside the stream", s.PutEffects(ctx, EffectsOf{"toy", "aa", "hook_mid", ""}, nil))
	refused("other directions", s.PutEffects(ctx, EffectsOf{"toy", "aa", stream, "directions 2e"}, nil))
	refused("explanations of neurons", s.Begin(ctx, testIdentity()))
	if there, err := s.WithEffects(ctx); err != nil || len(there) != 1 || there[0] != list[0].Site {
		t.Errorf("%v, %v", there, err)
	}
	hits, err := s.SearchEffects(ctx, EffectTerm{Token: list[0].Promoted[0].Token})
	if err != nil || len(hits) != 1 || hits[0].Site != list[0].Site {
		t.Errorf("%v, %v", hits, err)
	}
	for what, into := range map[string]*Store{"explained neurons": testStore(t), "effects of neurons": open()} {
		if what == "effects of neurons" {
			putMadeUpEffects(t, into, 5, 2)
		}
		_, err := into.Merge(ctx, s.Path())
		refused(what, err)
	}
	into := open()
	if m, err := into.Merge(ctx, s.Path()); err != nil || m.Effects != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	if there, err := into.WithEffects(ctx); err != nil || len(there) != 1 || there[0] != list[0].Site {
		t.Errorf("merged: %v, %v", there, err)
	}
	into.Close()
	corrupt(t, into.Path(), "UPDATE effects_meta SET value = 'hook_mid' WHERE key = 'hook'")
	if into, err = Open(into.Path(), Options{}); err != nil {
		t.Fatal(err)
	}
	defer into.Close()
	if _, err := into.WithEffects(ctx); !errors.Is(err, ErrDamaged) {
		t.Errorf("another hook than was written: %v", err)
	}
}

// TestMergeEffects: effects come with a merge, those of neurons that are not explained too, and damaged ones stay away.
func TestMergeEffects(t *testing.T) {
	a, b := testStore(t), testStore(t)
	mine, theirs := putMadeUpEffects(t, a, 6, 4), putMadeUpEffects(t, b, 7, 9)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	corrupt(t, b.Path(), "UPDATE effect_tokens SET value = 9 WHERE neuron = 7 AND rank = 2")
	m, err := a.Merge(ctx, b.Path())
	if err != nil || m.Effects != 4 || !slices.Equal(m.DamagedEffects, []n2g.Site{at(0, 7).WithoutHook()}) {
		t.Fatalf("%+v, %v", m, err)
	}
	for i, want := range theirs {
		if i < len(mine) {
			want = mine[i]
		}
		if i == 7 {
			want.Effects = nil
		}
		if got, err := a.Effects(ctx, at(0, i)); err != nil || !reflect.DeepEqual(got, want.Effects) {
			t.Errorf("neuron %d: %+v, %v", i, got, err)
		}
	}
	if hits, err := a.SearchEffects(ctx, EffectTerm{Token: "mone", Prefix: true}); err != nil || len(hits) == 0 {
		t.Errorf("%v, %v", hits, err)
	}
}

// TestDamagedEffects: damage to tables of effects is an error, never a wrong answer, and is repaired.
func TestDamagedEffects(t *testing.T) {
	search := func(s *Store) error { _, err := s.SearchEffects(ctx, EffectTerm{Token: "money"}); return err }
	read := func(s *Store) error { _, err := s.Effects(ctx, at(0, 3)); return err }
	rows := func(s *Store) error { _, err := s.Rows(ctx); return err }
	for statement, ask := range map[string][]func(*Store) error{
		"UPDATE effects SET kurtosis = 99": {search, read, rows},
		// by triggers, as if never there
		"DELETE FROM effects WHERE neuron = 3":                                                               nil,
		"DROP TRIGGER effects_out; DELETE FROM effects WHERE neuron = 3":                                     {read, rows},
		"UPDATE effect_tokens SET value = 2 WHERE id < 3":                                                    {search},
		"UPDATE effect_tokens SET rank = rank + 50 WHERE neuron = 3":                                         {read},
		"DROP TRIGGER effect_tokens_out; DELETE FROM effect_tokens":                                          {search, read},
		"UPDATE effect_vocabulary SET token = 'x'":                                                           {search, read},
		"DROP TRIGGER effect_vocabulary_out; DELETE FROM effect_vocabulary":                                  {search, read},
		"INSERT INTO effect_tokens SELECT layer, neuron + 100, rank, id, value, checksum FROM effect_tokens": {search},
	} {
		s := testStore(t)
		putMadeUpEffects(t, s, 8, 30)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		corrupt(t, s.Path(), statement)
		s, err := Open(s.Path(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, question := range ask {
			if err := question(s); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: question %d: %v", statement, i, err)
			}
		}
		r, err := s.Repair(ctx)
		if err != nil || ask != nil && !r.Lost {
			t.Errorf("%s: repaired %+v, %v", statement, r, err)
		}
		for _, question := range []func(*Store) error{search, read, rows} {
			if err := question(s); err != nil {
				t.Errorf("%s: after the repair: %v", statement, err)
			}
		}
		s.Close()
	}
}
