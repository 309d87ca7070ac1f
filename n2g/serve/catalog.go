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
	Parts       int      `json:"parts"` // separate sub-graphs
	Reason      string   `json:"reason,omitempty"`
}

// denseShare of tokens is where a neuron counts as dense if nothing better is known.
const denseShare = 0.02

// snapshot is the table at a moment, with what its orders need.
type snapshot struct {
	rows   []Row // by layer and index
	byID   map[n2g.Site]int
	made   time.Time
	tokens *tokenSets // those of renewed tables are the same
	unread int        // rows without the gist that they should have

	mu     sync.Mutex
	orders map[string][]int32    // row numbers, ascending by a column
	spans  map[string][2]float64 // lowest and highest value of a column
}

// gist is what the table shows of an explanation beside what the store has in columns.
type gist struct {
	label                  string
	contextF1, contextLead *float64
}

// catalog keeps the table of all neurons in memory. The gists of explanations, of which a store may have hundreds of
// thousands, are read behind the table's back: at once for a page that is asked, one after the other for all.
type catalog struct {
	o      Options
	source *atomic.Pointer[Source]
	close  func()
	wake   chan struct{} // tells the reader that gists are missing

	loading sync.Mutex // held while a table is made

	mu      sync.Mutex // never held while the store is read
	current *snapshot
	gists   map[n2g.Site]gist
	wanted  []n2g.Site // gists to be read before others
	stale   bool
	read    chan struct{} // closed when no gist of current is missing
}

func newCatalog(o Options, source *atomic.Pointer[Source]) *catalog {
	c := &catalog{o: o, source: source, gists: map[n2g.Site]gist{}, stale: true, wake: make(chan struct{}, 1),
		read: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	c.close = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.wake:
			}
			if err := c.readGists(ctx); err != nil && ctx.Err() == nil {
				o.Log.Printf("labels: %v", err)
			}
		}
	}()
	return c
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
	c.settle()
	return s, nil
}

// now is the table that is there, and whether it needs no other.
func (c *catalog) now() (current *snapshot, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current, c.current != nil && (!c.stale || time.Since(c.current.made) < freshness)
}

// settle puts the gists that are known into the current table, and asks for those that are not.
func (c *catalog) settle() {
	c.current.unread = 0
	for i := range c.current.rows {
		r := &c.current.rows[i]
		if g, ok := c.gists[r.id()]; ok {
			r.take(g)
		} else if r.State == "explained" {
			c.current.unread++
		}
	}
	select {
	case <-c.read:
		c.read = make(chan struct{})
	default:
	}
	if c.current.unread == 0 {
		close(c.read)
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (r *Row) id() n2g.Site { return n2g.Site{Layer: r.Layer, Index: r.Neuron} }

func (r *Row) take(g gist) { r.Label, r.ContextF1, r.ContextLead = g.label, g.contextF1, g.contextLead }

// whole waits, but not for long, until the gists of all rows are read, and returns the table then.
func (c *catalog) whole(ctx context.Context) (*snapshot, error) {
	if _, err := c.table(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	read := c.read
	c.mu.Unlock()
	const patience = 2 * time.Second
	select {
	case <-read:
	case <-time.After(patience):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return c.table(ctx)
}

// readGists reads those of the current table that are missing. Tables with what is known so far follow one another.
func (c *catalog) readGists(ctx context.Context) error {
	c.mu.Lock()
	table := c.current
	var missing []n2g.Site
	for i := range table.rows {
		if r := &table.rows[i]; r.State == "explained" {
			if _, ok := c.gists[r.id()]; !ok {
				missing = append(missing, r.id())
			}
		}
	}
	c.mu.Unlock()
	shown := time.Now()
	keep := func(e *n2g.Explanation, err error) error {
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.gists[n2g.Site{Layer: e.Site.Layer, Index: e.Site.Index}] = gistOf(e)
		if time.Since(shown) > freshness {
			c.renew()
			shown = time.Now()
		}
		return ctx.Err()
	}
	first := func() error { // what somebody looks at
		c.mu.Lock()
		wanted := c.wanted
		c.wanted = nil
		c.mu.Unlock()
		for _, n := range wanted {
			if err := keep(c.o.Store.Explanation(ctx, n)); err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	if len(missing) <= fewGists {
		for _, n := range missing {
			if err = keep(c.o.Store.Explanation(ctx, n)); err != nil {
				break
			}
		}
	} else {
		for e, failed := range c.o.Store.Explanations(ctx) {
			if err = keep(e, failed); err == nil {
				err = first()
			}
			if err != nil {
				break
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renew()
	if err == nil {
		c.settle()
	}
	return err
}

// renew makes a table that has the gists known by now. Others may still read the one before.
func (c *catalog) renew() {
	s := &snapshot{rows: slices.Clone(c.current.rows), byID: c.current.byID, made: c.current.made,
		tokens: c.current.tokens, orders: map[string][]int32{}, spans: map[string][2]float64{}}
	for i := range s.rows {
		if g, ok := c.gists[s.rows[i].id()]; ok {
			s.rows[i].take(g)
		} else if s.rows[i].State == "explained" {
			s.unread++
		}
	}
	c.current = s
}

// label of a neuron of a table; empty where there is none.
func (c *catalog) label(ctx context.Context, table *snapshot, n n2g.Site) (string, error) {
	i, ok := table.byID[n]
	if !ok {
		return "", nil
	}
	row := []Row{table.rows[i]}
	_, err := c.complete(ctx, row, time.Minute)
	return row[0].Label, err
}

// complete reads the gists that some rows lack, which are copies. Those for which there was no time are counted, and
// are read next.
func (c *catalog) complete(ctx context.Context, rows []Row, patience time.Duration) (left int, err error) {
	end := time.Now().Add(patience)
	var later []n2g.Site
	for i := range rows {
		r := &rows[i]
		if r.State != "explained" || r.Label != "" {
			continue
		}
		c.mu.Lock()
		g, ok := c.gists[r.id()]
		c.mu.Unlock()
		if !ok && time.Now().After(end) {
			later = append(later, r.id())
			continue
		}
		if !ok {
			e, err := c.o.Store.Explanation(ctx, r.id())
			if err != nil {
				return 0, err
			}
			g = gistOf(e)
			c.mu.Lock()
			c.gists[r.id()] = g
			c.mu.Unlock()
		}
		r.take(g)
	}
	if len(later) > 0 {
		c.mu.Lock()
		c.wanted = later
		c.mu.Unlock()
	}
	return len(later), nil
}

// load reads the store, and adds the neurons that are not in it.
func (c *catalog) load(ctx context.Context) (*snapshot, error) {
	stored, err := c.o.Store.Rows(ctx)
	if err != nil {
		return nil, err
	}
	failures, err := c.o.Store.Failures(ctx)
	if err != nil {
		return nil, err
	}
	s := &snapshot{byID: map[n2g.Site]int{}, made: time.Now(), tokens: &tokenSets{}, orders: map[string][]int32{},
		spans: map[string][2]float64{}}
	for _, r := range stored {
		s.rows = append(s.rows, c.row(r))
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
		Nodes: r.Nodes, Parts: r.Components}
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

// fewGists are read one by one; where more are missing, all are, in one pass.
const fewGists = 64

func gistOf(e *n2g.Explanation) gist {
	g := gist{label: e.Label()}
	var table *float64
	for i := range e.Comparisons {
		if c := &e.Comparisons[i]; c.Text == contexttree.TestDocuments && c.Scores.Firing.Support > 0 {
			switch c.Predictor {
			case contexttree.ContextGraph:
				g.contextF1 = &c.Scores.Firing.F1
			case contexttree.TokenTable:
				table = &c.Scores.Firing.F1
			}
		}
	}
	if g.contextF1 != nil && table != nil {
		lead := *g.contextF1 - *table
		g.contextLead = &lead
	}
	return g
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

// asksGists tells whether the filter looks at what only explanations tell.
func (f *Filter) asksGists() bool {
	return f.Label != "" || f.MinContextF1 != nil || f.MaxContextF1 != nil || f.MinContextLead != nil ||
		f.MaxContextLead != nil
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
	case "parts":
		return func(r *Row) float64 { return float64(r.Parts) }, true
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
