package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/n2g"
)

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// shorter is how often a test is repeated: less under -short, as with the race detector, which slows SQLite down.
func shorter(n int) int {
	if testing.Short() {
		return max(n/10, 1)
	}
	return n
}

func sets(all map[string]*n2g.Explanation) map[string]n2g.TokenSets {
	of := map[string]n2g.TokenSets{}
	for name, e := range all {
		of[name] = n2g.NewTokenSets(e.Trie)
	}
	return of
}

func kinds() []n2g.TokenKind {
	return []n2g.TokenKind{n2g.AnyKind, n2g.ActivatingKind, n2g.ImportantKind}
}

// TestSearch compares with looking at every neuron.
func TestSearch(t *testing.T) {
	s := testStore(t)
	filled := fill(t, s, 11, 120)
	all := sets(filled)
	for name, e := range filled {
		of, inContext := all[name], e.Context.TokenSets()
		all[name] = n2g.TokenSets{Activating: slices.Concat(of.Activating, inContext.Activating),
			Important: slices.Concat(of.Important, inContext.Important)}
	}
	random := newRandom(12)
	words := vocabulary(42) // two of them nobody has
	found := 0
	for range shorter(600) {
		var terms []Term
		for range random.IntN(4) {
			term := Term{Token: words[random.IntN(len(words))], Kind: kinds()[random.IntN(3)], Prefix: random.IntN(3) == 0}
			if random.IntN(2) == 0 { // common ones, so that several are had together
				term.Token = words[random.IntN(10)]
			}
			if term.Prefix {
				term.Token = term.Token[:1+random.IntN(len(term.Token))]
			}
			terms = append(terms, term)
		}
		var want []string
		for name, set := range all {
			if has(set, terms) {
				want = append(want, name)
			}
		}
		rows, err := s.Search(ctx, terms...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rows {
			name := r.PublishedName()
			got = append(got, name)
			if want := foundBy(filled[name], terms); !reflect.DeepEqual(r.Found, want) {
				t.Errorf("%+v: %s is found by %+v, want %+v", terms, name, r.Found, want)
			}
		}
		if !slices.IsSortedFunc(rows, func(a, b Hit) int { return a.Compare(b.Site) }) {
			t.Errorf("%v: found out of order", terms)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%+v finds %v, want %v", terms, got, want)
		}
		found += len(got)
	}
	if found == 0 {
		t.Error("nothing was ever found")
	}
}

// foundBy says how an explanation's graphs have the tokens that terms ask for.
func foundBy(e *n2g.Explanation, terms []Term) (list []Found) {
	roles := map[[2]string]n2g.TokenRoles{}
	for _, term := range terms {
		asked := n2g.NormalizeToken(term.Token)
		for graph, sets := range map[string][2]map[string]n2g.TokenRoles{"published": rolesOf(n2g.NewTokenSets(e.Trie), nil),
			"context": rolesOf(n2g.TokenSets{}, e.Context)} {
			for k, kind := range [2]string{activating, important} {
				for token, role := range sets[k] {
					if (token == asked || term.Prefix && strings.HasPrefix(token, asked)) &&
						(term.Kind == n2g.AnyKind || term.Kind == [2]n2g.TokenKind{n2g.ActivatingKind, n2g.ImportantKind}[k]) {
						roles[[2]string{graph, kind}] |= role
					}
				}
			}
		}
	}
	for _, key := range [][2]string{{"published", activating}, {"published", important}, {"context", activating},
		{"context", important}} {
		if role, has := roles[key]; has {
			list = append(list, Found{key[0], key[1], role.Names()})
		}
	}
	return list
}

// rolesOf are the tokens of a published graph's sets, without roles, or of a context graph, by kind.
func rolesOf(sets n2g.TokenSets, g *n2g.ContextGraph) [2]map[string]n2g.TokenRoles {
	roles := [2]map[string]n2g.TokenRoles{{}, {}}
	for k, tokens := range [2][]string{sets.Activating, sets.Important} {
		for _, token := range tokens {
			roles[k][token] = 0
		}
	}
	for _, t := range g.Tokens() {
		for k, role := range [2]n2g.TokenRoles{t.Activating, t.Important} {
			if role != 0 {
				roles[k][t.Token] = role
			}
		}
	}
	return roles
}

func has(set n2g.TokenSets, terms []Term) bool {
	for _, term := range terms {
		var tokens []string
		if term.Kind != n2g.ImportantKind {
			tokens = append(tokens, set.Activating...)
		}
		if term.Kind != n2g.ActivatingKind {
			tokens = append(tokens, set.Important...)
		}
		asked := n2g.NormalizeToken(term.Token)
		if !slices.ContainsFunc(tokens, func(token string) bool {
			return token == asked || term.Prefix && strings.HasPrefix(token, asked)
		}) {
			return false
		}
	}
	return true
}

func TestParseTerm(t *testing.T) {
	for text, want := range map[string]Term{
		"cat":            {Token: "cat"},
		" Cat":           {Token: " Cat"},
		"cat:any":        {Token: "cat"},
		"cat:activating": {Token: "cat", Kind: n2g.ActivatingKind},
		"a:b:important":  {Token: "a:b", Kind: n2g.ImportantKind},
		"ca*":            {Token: "ca", Prefix: true},
		"ca*:activating": {Token: "ca", Kind: n2g.ActivatingKind, Prefix: true},
		`\*`:             {Token: "*"},
		`\\*`:            {Token: `\`, Prefix: true},
		`\n:important`:   {Token: "\n", Kind: n2g.ImportantKind},
		`\\n`:            {Token: `\n`},
		":":              {Token: ":"},
		"::":             {Token: "::"},
		":any":           {Token: ":any"},
		"cat:unheard-of": {Token: "cat:unheard-of"},
		":::activating":  {Token: "::", Kind: n2g.ActivatingKind},
	} {
		if got, err := ParseTerm(text); err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "*", "*:activating"} {
		if got, err := ParseTerm(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestSearchForNoToken(t *testing.T) {
	s, err := Open(t.TempDir()+"/run.db", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, term := range []Term{{}, {Prefix: true}} {
		if hits, err := s.Search(t.Context(), Term{Token: "a"}, term); err == nil {
			t.Errorf("%+v finds %v", term, hits)
		}
	}
}

func FuzzParseTerm(f *testing.F) {
	f.Add("cat*:activating")
	f.Add("\\*\xff")
	s, err := Open(f.TempDir()+"/run.db", Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	f.Fuzz(func(t *testing.T, text string) {
		term, err := ParseTerm(text)
		if err != nil {
			return
		}
		if rows, err := s.Search(ctx, term); err != nil || len(rows) > 0 {
			t.Errorf("%q finds %v in nothing, %v", text, rows, err)
		}
	})
}

// TestSearchAndPairsGolden puts the token sets of the published program's stores into stores of ours, which find what
// it finds in them.
func TestSearchAndPairsGolden(t *testing.T) {
	var units struct {
		Cases []struct {
			Store       map[string]map[string][]string                   // by kind and token: the neurons
			FindSimilar map[string]struct{ Similar, Subset [][2]string } `json:"find_similar"`
			Search      []struct {
				Query [][2]*string // token and kind
				Out   []string
			}
		} `json:"store_cases"`
	}
	testfile.JSON(t, "../../testdata/golden/units/units.json.gz", &units)
	kindNamed := map[string]n2g.TokenKind{"activating": n2g.ActivatingKind, "important": n2g.ImportantKind,
		"both": n2g.AnyKind}
	for number, c := range units.Cases {
		s := testStore(t)
		tries := map[string]*n2g.Node{}
		for kind, tokens := range c.Store {
			for token, names := range tokens {
				for _, name := range names {
					if tries[name] == nil {
						tries[name] = &n2g.Node{}
					}
					tries[name].Children = append(tries[name].Children,
						&n2g.Node{Token: token, Activator: kind == activating, Important: true, Activation: 1, Importance: 1})
				}
			}
		}
		for name, trie := range tries {
			e := madeUp(newRandom(0), siteNamed(name), nil, 0)
			e.Trie = trie
			if err := s.Put(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		tokens, err := s.Tokens(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for asked, want := range c.FindSimilar {
			name, share, _ := strings.Cut(asked, "@")
			threshold, err := strconv.ParseFloat(share, 64)
			if err != nil {
				t.Fatal(err)
			}
			similar, subset := split(t, tokens, kindNamed[name], threshold)
			if !slices.Equal(sorted(similar), sorted(want.Similar)) || !slices.Equal(sorted(subset), sorted(want.Subset)) {
				t.Errorf("case %d, %s: similar %v, subset %v, want %v", number, asked, similar, subset, want)
			}
		}
		for _, search := range c.Search {
			var terms []Term
			for _, q := range search.Query {
				term := Term{Token: *q[0]}
				if q[1] != nil {
					term.Kind = kindNamed[*q[1]]
				}
				terms = append(terms, term)
			}
			hits, err := s.Search(ctx, terms...)
			var found []string
			for _, h := range hits {
				found = append(found, h.PublishedName())
			}
			if err != nil || !slices.Equal(found, slices.Sorted(slices.Values(search.Out))) {
				t.Errorf("case %d: %v finds %v, want %v, error %v", number, terms, found, search.Out, err)
			}
		}
	}
}

// siteNamed is the site of a published name.
func siteNamed(name string) n2g.Site {
	var layer, index int
	fmt.Sscanf(name, "%d_%d", &layer, &index)
	return at(layer, index)
}

// pairsByDefinition compares each neuron with each; names are ascending in a pair, but the larger set of one kind
// stands first.
func pairsByDefinition(sets map[string]n2g.TokenSets, kind n2g.TokenKind, threshold float64) (similar,
	subset [][2]string) {
	ofKind := func(s n2g.TokenSets) [][]string {
		return [][][]string{{s.Activating, s.Important}, {s.Activating}, {s.Important}}[kind]
	}
	names := slices.Sorted(maps.Keys(sets))
	for i, a := range names {
		for _, b := range names[i+1:] {
			ofMax, ofMin := 1.0, 1.0 // the least share of the larger set, and of the smaller
			x, y := ofKind(sets[a]), ofKind(sets[b])
			for k := range x {
				common := 0.0
				for _, token := range x[k] {
					if slices.Contains(y[k], token) {
						common++
					}
				}
				ofMax = min(ofMax, common/float64(max(len(x[k]), len(y[k]), 1)))
				ofMin = min(ofMin, common/float64(max(min(len(x[k]), len(y[k])), 1)))
			}
			switch {
			case ofMax >= threshold:
				similar = append(similar, [2]string{a, b})
			case ofMin >= threshold && len(x) == 1 && len(y[0]) > len(x[0]):
				subset = append(subset, [2]string{b, a})
			case ofMin >= threshold:
				subset = append(subset, [2]string{a, b})
			}
		}
	}
	return similar, subset
}

// TestPairs compares with the definition.
func TestPairs(t *testing.T) {
	pairs := 0
	for seed := range uint64(shorter(6)) {
		s := testStore(t)
		random := newRandom(seed)
		words := vocabulary(3 + int(seed)*4) // few words make many pairs
		all := map[string]*n2g.Explanation{}
		for i := range 60 {
			n := at(i%13, i)
			e := madeUp(random, n, words, random.IntN(5))
			all[n.PublishedName()] = e
			if err := s.Put(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		tokens, err := s.Tokens(ctx)
		if err != nil || tokens.Len() != len(all) {
			t.Fatal(tokens.Len(), err)
		}
		tokenSets := sets(all)
		for _, kind := range kinds() {
			for _, threshold := range []float64{0.1, 1. / 3, 0.5, 2. / 3, 0.75, 0.9, 1} {
				similar, subset := split(t, tokens, kind, threshold)
				wantSimilar, wantSubset := pairsByDefinition(tokenSets, kind, threshold)
				if !slices.Equal(similar, wantSimilar) {
					t.Errorf("seed %d kind %v at %g: similar %v, want %v", seed, kind, threshold, similar, wantSimilar)
				}
				if !slices.Equal(sorted(subset), sorted(wantSubset)) {
					t.Errorf("seed %d kind %v at %g: subset %v, want %v", seed, kind, threshold, subset, wantSubset)
				}
				pairs += len(similar) + len(subset)
			}
		}
	}
	if pairs == 0 {
		t.Error("nothing was alike")
	}
}

// split returns the names of similar and of subset pairs.
func split(t *testing.T, tokens *Tokens, kind n2g.TokenKind, threshold float64) (similar, subset [][2]string) {
	t.Helper()
	for p, err := range tokens.Pairs(ctx, kind, threshold) {
		if err != nil {
			t.Fatal(err)
		}
		names := [2]string{p.A.PublishedName(), p.B.PublishedName()}
		if p.Subset {
			subset = append(subset, names)
		} else {
			similar = append(similar, names)
		}
	}
	return similar, subset
}

func sorted(pairs [][2]string) [][2]string {
	return slices.SortedFunc(slices.Values(pairs), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
}

func TestPairsStop(t *testing.T) {
	s := testStore(t)
	fill(t, s, 1, 3)
	tokens, err := s.Tokens(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	for _, err := range tokens.Pairs(stopped, n2g.AnyKind, 0.9) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %v", err)
		}
	}
	for range tokens.Pairs(ctx, n2g.ActivatingKind, 0.01) {
		break // as iterators may be
	}
}

// TestRequired: no smaller number reaches the threshold, by the very division that decides.
func TestRequired(t *testing.T) {
	for n := 1; n < 300; n++ {
		for _, threshold := range []float64{1e-9, 0.1, 0.3, 1. / 3, 0.5, 0.6, 2. / 3, 0.7, 0.9, 0.99, 1} {
			r := required(n, threshold)
			if float64(r)/float64(n) < threshold || r > 1 && float64(r-1)/float64(n) >= threshold {
				t.Errorf("required(%d, %g) = %d", n, threshold, r)
			}
		}
	}
}

// TestNearest compares with the definition, neuron by neuron.
func TestNearest(t *testing.T) {
	s := testStore(t)
	all := fill(t, s, 21, 60)
	tokens, err := s.Tokens(ctx)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Rows(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range rows[:shorter(20)] {
		for _, kind := range kinds() {
			got, err := tokens.Nearest(a.Site, kind, 0)
			if err != nil {
				t.Fatal(err)
			}
			similarity := map[n2g.Site]float64{}
			for i, m := range got {
				similarity[m.Site] = m.Similarity
				if i > 0 && (m.Similarity > got[i-1].Similarity || m.Similarity == got[i-1].Similarity &&
					m.Compare(got[i-1].Site) < 0) {
					t.Errorf("%v: %v stands after %v", a.Site, m, got[i-1])
				}
			}
			for _, b := range rows {
				if want := jaccard(all[a.PublishedName()], all[b.PublishedName()], kind); a.Site != b.Site &&
					math.Abs(similarity[b.Site]-want) > 1e-6 {
					t.Errorf("%v and %v, kind %v: %g, want %g", a.Site, b.Site, kind, similarity[b.Site], want)
				}
			}
			few, err := tokens.Nearest(a.Site, kind, 3)
			if err != nil || !slices.Equal(few, got[:min(3, len(got))]) {
				t.Errorf("%v: the first three are %v, %v", a.Site, few, err)
			}
		}
	}
	if _, err := tokens.Nearest(at(99, 99), n2g.AnyKind, 0); err == nil {
		t.Error("an unknown neuron has neighbours")
	}
}

func jaccard(a, b *n2g.Explanation, kind n2g.TokenKind) float64 {
	weights := func(e *n2g.Explanation) map[string]float64 {
		of := map[string]float64{}
		for _, w := range weightedTokens(e.Trie) {
			if kind == n2g.AnyKind || (kind == n2g.ActivatingKind) == (w.kind == activating) {
				of[w.kind+w.token] = w.weight
			}
		}
		return of
	}
	low, high := 0.0, 0.0
	x, y := weights(a), weights(b)
	for token := range x {
		low += min(x[token], y[token])
		high += max(x[token], y[token])
	}
	for token := range y {
		if _, ok := x[token]; !ok {
			high += y[token]
		}
	}
	if high == 0 {
		return 0
	}
	return low / high
}

func TestFind(t *testing.T) {
	s := testStore(t)
	chain := func(tokens ...string) n2g.Line {
		line := n2g.Line{End: 1}
		for i, token := range tokens {
			line.Elements = append(line.Elements, n2g.Element{Token: token, Activation: 1, Importance: 1, Important: true,
				Activator: i == 0})
		}
		return line
	}
	for i, lines := range [][]n2g.Line{
		{chain("a", "b", "a"), chain("c", "d")}, // one of two repeats
		{chain("a", "x", "y", "a")},             // all
		{chain("a", "b"), chain("b", "a")},      // two tokens, no repetition within a line
		{chain("a", "b"), chain("b", "c"), chain("d")},
		{},
	} {
		e := madeUp(newRandom(1), at(0, i), vocabulary(9), 0)
		e.Trie, e.Graph = n2g.BuildTrie(lines), n2g.NewGraph(lines)
		if n := []int{2, 1, 0, 3, -1}[i]; n >= 0 { // of the last they were not looked for
			addBehaviours(e, n)
		}
		if err := s.Put(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, rows []Hit, err error, want string) {
		t.Helper()
		got := ""
		for _, r := range rows {
			got += fmt.Sprint(r.Index)
		}
		if err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", what, got, err, want)
		}
	}
	rows, err := s.Induction(ctx, 1)
	check("induction", rows, err, "10")
	rows, err = s.Induction(ctx, 2)
	check("induction of two tokens", rows, err, "")
	rows, err = s.Polysemantic(ctx, 0)
	check("polysemantic", rows, err, "30")
	rows, err = s.Polysemantic(ctx, 3)
	check("polysemantic of three", rows, err, "3")
	all, err := s.Rows(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range all {
		if want := []int{2, 1, 0, 3, -1}[i]; (r.Behaviours == nil) != (want < 0) || want >= 0 && *r.Behaviours != want {
			t.Errorf("%v has %v behaviours, want %d", r.Site, r.Behaviours, want)
		}
	}
}

// TestContextTokens compares the nearest by context graphs with the Jaccard similarity of any two neurons' sets.
func TestContextTokens(t *testing.T) {
	s := testStore(t)
	filled := fill(t, s, 21, 60)
	tokens, err := s.ContextTokens(ctx)
	if err != nil || tokens.Len() != len(filled) {
		t.Fatalf("%d neurons, %v", tokens.Len(), err)
	}
	of := func(e *n2g.Explanation, kind n2g.TokenKind) map[string]bool {
		sets, all := e.Context.TokenSets(), map[string]bool{}
		if kind != n2g.ImportantKind {
			for _, token := range sets.Activating {
				all["a"+token] = true
			}
		}
		if kind != n2g.ActivatingKind {
			for _, token := range sets.Important {
				all["i"+token] = true
			}
		}
		return all
	}
	found := 0
	for _, kind := range kinds() {
		for name, e := range filled {
			got, err := tokens.Nearest(e.Site, kind, 0)
			if err != nil {
				t.Fatal(err)
			}
			like := map[string]float64{}
			for _, m := range got {
				like[m.PublishedName()] = m.Similarity
			}
			a := of(e, kind)
			for other, o := range filled {
				b, common := of(o, kind), 0
				for token := range a {
					if b[token] {
						common++
					}
				}
				want := 0.0
				if common > 0 && other != name {
					want = float64(common) / float64(len(a)+len(b)-common)
					found++
				}
				if math.Abs(like[other]-want) > 1e-6 {
					t.Fatalf("%s and %s: %g, want %g", name, other, like[other], want)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no two are alike")
	}
}
