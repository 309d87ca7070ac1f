package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

var ctx = context.Background()

// words that toy neurons listen to.
var words = []string{" cat", " dog", " bird", " fish", " cow", " horse"}

// toy is a model of so many neurons, and their examples.
func toy(neurons int) (*n2gtest.Model, []n2g.Site, Source) {
	rules := make([]n2gtest.Rule, neurons)
	sites := make([]n2g.Site, neurons)
	for i := range rules {
		rules[i] = n2gtest.Rule{Token: words[i%len(words)], Full: 1 + float32(i)/100}
		sites[i] = n2g.Site{Index: i}
	}
	return n2gtest.NewModel(rules...), sites, func(site n2g.Site) (*n2g.Examples, error) {
		examples := &n2g.Examples{Site: site}
		for i := range 4 {
			examples.Prompts = append(examples.Prompts, strings.Repeat("so", i)+"the"+words[site.Index%len(words)]+" ran")
		}
		return examples, nil
	}
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "run.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// explanations of a store by name.
func explanations(t *testing.T, s *store.Store) map[string]*n2g.Explanation {
	t.Helper()
	all := map[string]*n2g.Explanation{}
	for e, err := range s.Explanations(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		all[e.Site.PublishedName()] = e
	}
	return all
}

// TestRun: at any concurrency a run has the results of explaining each neuron by itself.
func TestRun(t *testing.T) {
	const n = 13
	for _, concurrency := range []int{0, 1, 8} {
		model, sites, source := toy(n)
		masked := n2gtest.NewMasked("dog", "lion")
		s := newStore(t)
		var heard []Progress
		p, err := Run(ctx, model, masked, source, sites, s,
			Options{Concurrency: concurrency, Progress: func(p Progress) { heard = append(heard, p) }})
		if err != nil {
			t.Fatal(err)
		}
		if p.Planned != n || p.Done != n || p.Failed != 0 || p.Rate <= 0 || p.Left != 0 || p.Scored != n || p.MeanF1 != 1 {
			t.Errorf("progress %+v", p)
		}
		if len(heard) != n+1 || heard[0].Done != 0 || heard[n].Done != n {
			t.Errorf("%d times progress: %+v", len(heard), heard)
		}
		got := explanations(t, s)
		if len(got) != n {
			t.Errorf("%d explanations", len(got))
		}
		var work n2g.Work
		for _, e := range got {
			work.Add(e.Work)
		}
		sum := p.Work
		if len(sum.Stages) != 6 || sum.Time() <= 0 {
			t.Errorf("stages are %+v", sum.Stages)
		}
		sum.Stages = nil // times are not kept
		if !reflect.DeepEqual(sum, work) || sum.Rows == 0 || heard[0].Work.Rows != 0 {
			t.Errorf("work is %v, that of the explanations %v", sum, work)
		}
		for _, site := range sites {
			examples, _ := source(site)
			want, err := n2g.Explain(ctx, model, masked, *examples, n2g.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want.Work.Stages = nil // times are not kept
			if e := got[fmt.Sprintf("0_%d", site.Index)]; !reflect.DeepEqual(e, want) {
				t.Errorf("neuron %d: %+v, want %+v", site.Index, e, want)
			}
		}
		// Nothing is left to do.
		calls := model.Calls()
		p, err = Run(ctx, model, masked, source, sites, s, Options{})
		if err != nil || p.DoneBefore != n || p.Done != 0 || model.Calls() != calls || p.MeanF1 != 1 {
			t.Errorf("again: %+v, %v", p, err)
		}
	}
}

func TestFailures(t *testing.T) {
	model, sites, good := toy(6)
	s := newStore(t)
	broken := func(site n2g.Site) (*n2g.Examples, error) {
		switch site.Index {
		case 1:
			return nil, errors.New("no examples of\nit")
		case 2:
			return &n2g.Examples{Prompts: []string{"nothing here"}}, nil
		case 3:
			panic("a defect")
		}
		return good(site)
	}
	p, err := Run(ctx, model, nil, broken, sites, s, Options{})
	if err != nil || p.Done != 3 || p.Failed != 3 {
		t.Fatalf("%+v, %v", p, err)
	}
	failures, err := s.Failures(ctx)
	if err != nil || len(failures) != 3 {
		t.Fatalf("%v, %v", failures, err)
	}
	for i, want := range []string{"no examples of it", "never", "a defect at"} {
		if f := failures[i]; f.Index != i+1 || !strings.Contains(f.Reason, want) {
			t.Errorf("failure %+v, want %q", f, want)
		}
	}
	if !strings.Contains(failures[2].Reason, "run_test.go:") {
		t.Errorf("the panic's place is %q", failures[2].Reason)
	}
	p, err = Run(ctx, model, nil, good, sites, s, Options{})
	if err != nil || p.Done != 0 || p.FailedBefore != 3 || !strings.Contains(p.String(), "3 of 6 done, 3 failed") {
		t.Errorf("again: %+v, %v", p, err)
	}
	p, err = Run(ctx, model, nil, good, sites, s, Options{RetryFailed: true})
	if err != nil || p.Done != 3 || p.FailedBefore != 0 {
		t.Errorf("retried: %+v, %v", p, err)
	}
	if failures, err = s.Failures(ctx); err != nil || len(failures) > 0 {
		t.Errorf("after success there are still %v, %v", failures, err)
	}
}

// TestStops: a run ends with its context, keeps what it has, and goes on later.
func TestStops(t *testing.T) {
	model, sites, source := toy(30)
	s := newStore(t)
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	p, err := Run(stopping, model, nil, source, sites, s, Options{Concurrency: 2, Progress: func(p Progress) {
		if p.Done == 5 {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) || p.Done < 5 || p.Done > 7 || p.Failed != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	if done, err := s.Done(ctx); err != nil || len(done) != p.Done {
		t.Errorf("the store has %d, %v", len(done), err)
	}
	p2, err := Run(ctx, model, nil, source, sites, s, Options{})
	if err != nil || p2.DoneBefore != p.Done || p2.Done != 30-p.Done {
		t.Errorf("then %+v, %v", p2, err)
	}
}

// TestStoreFails: a store that cannot be written ends the run.
func TestStoreFails(t *testing.T) {
	model, sites, source := toy(30)
	s := newStore(t)
	var begun atomic.Int32
	var once sync.Once
	_, err := Run(ctx, model, nil, func(site n2g.Site) (*n2g.Examples, error) {
		if begun.Add(1) > 3 {
			once.Do(func() { s.Close() })
		}
		return source(site)
	}, sites, s, Options{Concurrency: 2})
	if err == nil || !strings.Contains(err.Error(), "run.db") || begun.Load() == 30 {
		t.Errorf("%d begun, %v", begun.Load(), err)
	}
}

func TestShardsMerge(t *testing.T) {
	model, sites, source := toy(14)
	folder := t.TempDir()
	var paths []string
	for number := 1; number <= 3; number++ {
		path := filepath.Join(folder, fmt.Sprint(number))
		s, err := store.Open(path, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Run(ctx, model, nil, source, sites, s, Options{Shard: store.Shard{Number: number, Of: 3}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	whole := newStore(t)
	if _, err := Run(ctx, model, nil, source, sites, whole, Options{}); err != nil {
		t.Fatal(err)
	}
	merged := newStore(t)
	for i, path := range []string{paths[2], paths[0], paths[2], paths[1]} {
		m, err := merged.Merge(ctx, path)
		if err != nil || len(m.Different) > 0 || (i == 2) != (m.Added == 0) || (i == 2) != (m.Same > 0) {
			t.Fatalf("merge %d: %+v, %v", i, m, err)
		}
		missing, err := merged.MissingShards(ctx)
		if err != nil || len(missing) != []int{2, 1, 1, 0}[i] {
			t.Errorf("after merge %d the shards %v are missing, %v", i, missing, err)
		}
	}
	if !reflect.DeepEqual(explanations(t, merged), explanations(t, whole)) {
		t.Error("the merged shards are not what one run gives")
	}
	planned, err := merged.Planned(ctx)
	if err != nil || len(planned) != 14 || !slices.IsSortedFunc(planned, n2g.Site.Compare) {
		t.Errorf("planned %v, %v", planned, err)
	}
}

func TestRefuses(t *testing.T) {
	model, sites, source := toy(3)
	s := newStore(t)
	for what, test := range map[string]struct {
		sites   []n2g.Site
		options Options
	}{
		"no neuron is": {nil, Options{}},
		"hook":         {[]n2g.Site{{Hook: "hook_mid"}, {Index: 1, Hook: "hook_pre"}}, Options{}},
		"shard 4/3":    {sites, Options{Shard: store.Shard{Number: 4, Of: 3}}},
		"none of":      {sites, Options{Shard: store.Shard{Number: 9, Of: 9}}},
		"has examples": {[]n2g.Site{}, Options{}},
	} {
		if _, err := Run(ctx, model, nil, source, test.sites, s, test.options); err == nil ||
			!strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Run(ctx, model, nil, source, sites, s, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(ctx, model, nil, source, sites, s, Options{Method: n2g.Options{Cutoff: new(7)}}); err == nil ||
		!strings.Contains(err.Error(), "options") {
		t.Errorf("other options: %v", err)
	}
}

// printed is a model with a fingerprint.
type printed struct {
	n2g.LanguageModel
	print string
}

func (m printed) Fingerprint() (string, error) { return m.print, nil }

// TestOtherWeights: a run does not go on with other weights under the same name.
func TestOtherWeights(t *testing.T) {
	model, sites, source := toy(2)
	s := newStore(t)
	for _, test := range []struct{ print, complaint string }{
		{"aa", ""}, {"aa", ""}, {"bb", "with other weights"}, {"aa", ""},
	} {
		_, err := Run(ctx, printed{model, test.print}, nil, source, sites, s, Options{})
		if err == nil != (test.complaint == "") || err != nil && !strings.Contains(err.Error(), test.complaint) {
			t.Errorf("%s: %v, want %q", test.print, err, test.complaint)
		}
	}
}
