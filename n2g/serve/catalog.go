package serve

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Row is a neuron in the table.
type Row struct {
	Layer   int      `json:"layer"`
	Neuron  int      `json:"neuron"`
	Label   string   `json:"label,omitempty"` // what it fires on, in short
	Kind    string   `json:"kind"`            // lively, dense or dead; empty: unknown
	State   string   `json:"state"`           // explained, failed or open
	Maximum float64  `json:"maximum"`         // highest activation; 0: unknown
	Density *float64 `json:"density,omitempty"`
	F1      *float64 `json:"f1,omitempty"`   // of firing tokens of test examples, the neuron graph's
	Lead    *float64 `json:"lead,omitempty"` // F1 less the token table's
	// The context graph's, on test documents, and its lead there.
	ContextF1   *float64 `json:"context_f1,omitempty"`
	ContextLead *float64 `json:"context_lead,omitempty"`
	Nodes       int      `json:"nodes"`
	Behaviours  *int     `json:"behaviours,omitempty"` // nil: not looked for
	Reason      string   `json:"reason,omitempty"`
}

// denseShare of tokens is where a neuron counts as dense if nothing better is known.
const denseShare = 0.02

// snapshot is the table at a moment, with what its orders need.
type snapshot struct {
	rows   []Row // by layer and index
	byID   map[n2g.Site]int
	made   time.Time
	tokens *tokenSets

	mu     sync.Mutex
	orders map[string][]int32    // row numbers, ascending by a column
	spans  map[string][2]float64 // lowest and highest value of a column
}

// catalog keeps the table of all neurons in memory.
type catalog struct {
	o      Options
	source *atomic.Pointer[Source]

	loading sync.Mutex // held while a table is made

	mu      sync.Mutex // never held while the store is read
	current *snapshot
	stale   bool
}

func newCatalog(o Options, source *atomic.Pointer[Source]) *catalog {
	return &catalog{o: o, source: source, stale: true}
}

// freshness is how old a table may be while a run goes on.
const freshness = 2 * time.Second

// table returns the table. Where the store has changed one question makes it anew, and others meanwhile get the one
// before.
func (c *catalog) table(ctx context.Context) (*snapshot, error) {
	current, fresh := c.now()
	if fresh {
		return current, nil
	}
	if current == nil {
		c.loading.Lock()
	} else if !c.loading.TryLock() {
		return current, nil
	}
	defer c.loading.Unlock()
	if current, fresh = c.now(); fresh { // another made it
		return current, nil
	}
	c.mu.Lock()
	c.stale = false // what changes from here on may not be in it
	c.mu.Unlock()
	s, err := c.load(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.stale = true
		return nil, err
	}
	c.current = s
	return s, nil
}

// now is the table that is there, and whether it needs no other.
func (c *catalog) now() (current *snapshot, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current, c.current != nil && (!c.stale || time.Since(c.current.made) < freshness)
}

// label of a neuron of a table; empty where there is none.
func (s *snapshot) label(n n2g.Site) string {
	if i, ok := s.byID[n]; ok {
		return s.rows[i].Label
	}
	return ""
}

func (r *Row) id() n2g.Site { return n2g.Site{Layer: r.Layer, Index: r.Neuron} }

// load reads the store, and adds the neurons that are not in it.
func (c *catalog) load(ctx context.Context) (*snapshot, error) {
	stored, err := c.o.Store.Rows(ctx)
	if err != nil {
		return nil, err
	}
	labels, err := c.o.Store.Labels(ctx)
	if err != nil {
		return nil, err
	}
	compared, err := c.o.Store.Comparisons(ctx)
	if err != nil {
		return nil, err
	}
	of := make(map[n2g.Site][]n2g.Comparison, len(compared))
	for _, neuron := range compared {
		of[neuron.WithoutHook()] = neuron.Comparisons
	}
	failures, err := c.o.Store.Failures(ctx)
	if err != nil {
		return nil, err
	}
	s := &snapshot{byID: map[n2g.Site]int{}, made: time.Now(), tokens: &tokenSets{}, orders: map[string][]int32{},
		spans: map[string][2]float64{}}
	for _, r := range stored {
		row := c.row(r)
		row.Label = labels[r.WithoutHook()]
		row.compare(of[r.WithoutHook()])
		s.rows = append(s.rows, row)
	}
	for _, f := range failures {
		s.rows = append(s.rows, Row{Layer: f.Layer, Neuron: f.Index, State: "failed", Reason: f.Reason})
	}
	there := make(map[n2g.Site]bool, len(s.rows))
	for _, r := range s.rows {
		there[n2g.Site{Layer: r.Layer, Index: r.Neuron}] = true
	}
	for _, layer := range c.o.Shown {
		for i := range c.o.Neurons {
			if !there[n2g.Site{Layer: layer, Index: i}] {
				s.rows = append(s.rows, Row{Layer: layer, Neuron: i, State: "open"})
			}
		}
	}
	for i := range s.rows {
		c.know(&s.rows[i])
	}
	slices.SortFunc(s.rows,
		func(a, b Row) int { return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Neuron, b.Neuron)) })
	for i, r := range s.rows {
		s.byID[n2g.Site{Layer: r.Layer, Index: r.Neuron}] = i
	}
	return s, nil
}

// row is what the store knows of a neuron.
func (c *catalog) row(r store.Row) Row {
	row := Row{Layer: r.Layer, Neuron: r.Index, State: "explained", Maximum: r.MaxActivation, Density: r.Density,
		Nodes: r.Nodes, Behaviours: r.Behaviours}
	if r.Scores != nil && r.Scores.Firing.Support > 0 {
		row.F1 = &r.Scores.Firing.F1
		if r.TokenLookup != nil {
			lead := r.Scores.Firing.F1 - r.TokenLookup.Firing.F1
			row.Lead = &lead
		}
	}
	return row
}

// stats are what the index knows of a neuron; nil if there is none.
func (c *catalog) stats(layer, neuron int) *index.Stats {
	x := c.source.Load().Index
	if x == nil {
		return nil
	}
	number, err := x.Meta().Number(layer, c.o.Hook, neuron)
	if err != nil {
		return nil
	}
	stats, err := x.Stats(number)
	if err != nil {
		c.o.Log.Printf("index: %v", err)
		return nil
	}
	return stats
}

// know adds what the index tells.
func (c *catalog) know(r *Row) {
	dense := false
	if known := c.stats(r.Layer, r.Neuron); known != nil {
		density := known.Density()
		r.Maximum, r.Density = known.Maximum(), &density
		dense = known.Dense && c.source.Load().Index.Meta().Dense >= denseShare // a thin index calls most neurons dense
		if known.Dead() {
			r.Kind, r.Density = "dead", nil
			return
		}
	}
	switch {
	case dense || r.Density != nil && *r.Density > denseShare:
		r.Kind = "dense"
	case r.Maximum > 0:
		r.Kind = "lively"
	}
}

// compare fills in the context graph's scores.
func (r *Row) compare(comparisons []n2g.Comparison) {
	var table *float64
	for i := range comparisons {
		if c := &comparisons[i]; c.Text == contexttree.TestDocuments && c.Scores.Firing.Support > 0 {
			switch c.Predictor {
			case contexttree.ContextGraph:
				r.ContextF1 = &c.Scores.Firing.F1
			case contexttree.TokenTable:
				table = &c.Scores.Firing.F1
			}
		}
	}
	if r.ContextF1 != nil && table != nil {
		lead := *r.ContextF1 - *table
		r.ContextLead = &lead
	}
}

// Filter chooses rows of the table.
type Filter struct {
	Layer *int   `query:"layer" doc:"one layer only"`
	Kind  string `query:"kind" doc:"lively, dense or dead"`
	State string `query:"state" doc:"explained, failed or open"`
	Label string `query:"label" doc:"text in the label"`
	Token string `query:"token" doc:"activating or important tokens as n2g search reads them, between spaces"`
	// By the output weights.
	Promotes   string `query:"promotes" doc:"a token that the neuron promotes most, or BEGINNING*"`
	Suppresses string `query:"suppresses" doc:"likewise, suppresses"`

	MinMaximum *float64 `query:"min_maximum"`
	MaxMaximum *float64 `query:"max_maximum"`
	MinDensity *float64 `query:"min_density"`
	MaxDensity *float64 `query:"max_density"`
	MinF1      *float64 `query:"min_f1"`
	MaxF1      *float64 `query:"max_f1"`
	MinLead    *float64 `query:"min_lead"`
	MaxLead    *float64 `query:"max_lead"`

	MinContextF1   *float64 `query:"min_context_f1"`
	MaxContextF1   *float64 `query:"max_context_f1"`
	MinContextLead *float64 `query:"min_context_lead"`
	MaxContextLead *float64 `query:"max_context_lead"`
}

// column reads a row's value of a name; NaN where there is none.
func column(name string) (func(*Row) float64, bool) {
	pointer := func(p *float64) float64 {
		if p == nil {
			return math.NaN()
		}
		return *p
	}
	switch name {
	case "maximum":
		return func(r *Row) float64 { return r.Maximum }, true
	case "density":
		return func(r *Row) float64 { return pointer(r.Density) }, true
	case "f1":
		return func(r *Row) float64 { return pointer(r.F1) }, true
	case "lead":
		return func(r *Row) float64 { return pointer(r.Lead) }, true
	case "context_f1":
		return func(r *Row) float64 { return pointer(r.ContextF1) }, true
	case "context_lead":
		return func(r *Row) float64 { return pointer(r.ContextLead) }, true
	case "nodes":
		return func(r *Row) float64 { return float64(r.Nodes) }, true
	case "behaviours":
		return func(r *Row) float64 {
			if r.Behaviours == nil {
				return pointer(nil)
			}
			return float64(*r.Behaviours)
		}, true
	}
	return nil, false
}

// order returns the rows ascending by a column; rows without a value stand last, whichever way it is walked.
func (s *snapshot) order(name string) (rows []int32, valued int, ok bool) {
	value, ok := column(name)
	if !ok {
		return nil, 0, name == "" || name == "neuron"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, there := s.orders[name]
	if !there {
		rows = make([]int32, len(s.rows))
		for i := range rows {
			rows[i] = int32(i)
		}
		slices.SortStableFunc(rows, func(a, b int32) int {
			va, vb := value(&s.rows[a]), value(&s.rows[b])
			switch {
			case math.IsNaN(va) || math.IsNaN(vb):
				return cmp.Compare(boolean(math.IsNaN(va)), boolean(math.IsNaN(vb)))
			}
			return cmp.Compare(va, vb)
		})
		s.orders[name] = rows
	}
	valued = sort.Search(len(rows), func(i int) bool { return math.IsNaN(value(&s.rows[rows[i]])) })
	return rows, valued, true
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// passes tells whether a row is chosen by everything but tokens.
func (f *Filter) passes(r *Row, label string) bool {
	within := func(v *float64, low, high *float64) bool {
		return low == nil && high == nil || v != nil && (low == nil || *v >= *low) && (high == nil || *v <= *high)
	}
	return (f.Layer == nil || r.Layer == *f.Layer) && (f.Kind == "" || r.Kind == f.Kind) &&
		(f.State == "" || r.State == f.State) &&
		within(&r.Maximum, f.MinMaximum, f.MaxMaximum) && within(r.Density, f.MinDensity, f.MaxDensity) &&
		within(r.F1, f.MinF1, f.MaxF1) && within(r.Lead, f.MinLead, f.MaxLead) &&
		within(r.ContextF1, f.MinContextF1, f.MaxContextF1) &&
		within(r.ContextLead, f.MinContextLead, f.MaxContextLead) &&
		(label == "" || strings.Contains(strings.ToLower(r.Label), label))
}

// sequence gives the number of the row at each place of an order.
func (s *snapshot) sequence(name string, descending bool) (at func(place int) int, ok bool) {
	rows, valued, ok := s.order(name)
	last := len(s.rows) - 1
	switch {
	case !ok:
		return nil, false
	case rows == nil && descending:
		return func(place int) int { return last - place }, true
	case rows == nil:
		return func(place int) int { return place }, true
	}
	return func(place int) int {
		if descending && place < valued {
			place = valued - 1 - place
		}
		return int(rows[place])
	}, true
}

// walk visits the chosen rows in an order. found, if not nil, are the only ones.
func (s *snapshot) walk(f *Filter, found map[n2g.Site]bool, at func(place int) int, visit func(*Row)) {
	label := strings.ToLower(f.Label)
	for place := range s.rows {
		r := &s.rows[at(place)]
		if f.passes(r, label) && (found == nil || found[r.id()]) {
			visit(r)
		}
	}
}

// explanations keeps those that were read last, and predictors made of them.
type explanations struct {
	store *store.Store
	mu    sync.Mutex
	kept  map[n2g.Site]*explained
	order []n2g.Site
}

// explained is an explanation with what is made of it.
type explained struct {
	*n2g.Explanation
	predictor *n2g.Predictor
	context   *n2g.ContextPredictor // nil: there is no context graph
}

const mostKept = 64

func (x *explanations) get(ctx context.Context, n n2g.Site) (*explained, error) {
	x.mu.Lock()
	e, ok := x.kept[n]
	x.mu.Unlock()
	if ok {
		return e, nil
	}
	read, err := x.store.Explanation(ctx, n)
	if err != nil {
		return nil, err
	}
	e = &explained{Explanation: read, predictor: n2g.NewPredictor(read.Trie)}
	if read.Context != nil {
		e.context = n2g.NewContextPredictor(read.Context)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.kept == nil {
		x.kept = map[n2g.Site]*explained{}
	}
	if _, ok := x.kept[n]; !ok {
		x.order = append(x.order, n)
		if len(x.order) > mostKept {
			delete(x.kept, x.order[0])
			x.order = x.order[1:]
		}
	}
	x.kept[n] = e
	return e, nil
}
