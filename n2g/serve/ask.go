package serve

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// visible is a token with a glyph for what has none.
func visible(token string) string { return glyph.Visible(token) }

// operations are all that programs can ask.
func (s *Server) operations() []operation {
	return []operation{
		op("GET", "/", "what is served", s.info),
		op("GET", "/neurons", "the table of neurons, filtered, sorted, a page of it", s.neurons),
		op("GET", "/histograms", "how the filtered neurons' values are distributed", s.histograms),
		op("GET", "/neurons/{layer}/{neuron}", "a neuron's explanation", s.explanation),
		op("GET", "/neurons/{layer}/{neuron}/similar", "the neurons whose tokens are most alike", s.similar),
		op("GET", "/neurons/{layer}/{neuron}/promoted", "the tokens that a neuron promotes and suppresses by its weights",
			s.promoted).asksModel(),
		op("GET", "/neurons/{layer}/{neuron}/connected", "the neurons that one is connected with by the weights, and those "+
			"that fire with it", s.connected).asksModel(),
		op("GET", "/search", "neurons by their tokens", s.search),
		op("POST", "/tokenize", "a text as tokens", s.tokenize),
		op("POST", "/activations", "one neuron's activations on prompts", s.activations).asksModel(),
		op("POST", "/layer_activations", "all neurons' activations of a layer on prompts", s.layerActivations).asksModel(),
		op("POST", "/predict", "what a neuron's graph predicts on a text, without the model", s.predict),
		op("POST", "/live", "what a neuron does on a text beside what its graph predicts", s.live).asksModel(),
		op("POST", "/importance", "how much each token of a text matters for the activation on one of them",
			s.importance).asksModel(),
		op("POST", "/fires", "the neurons that a text excites most, each beside its own maximum", s.fires).asksModel(),
		op("POST", "/explain", "explains a neuron, from examples given or known", s.explain).takesLong(),
		op("POST", "/effects", "what a neuron does to the next tokens", s.effects).asksModel(),
		op("GET", "/run", "how the run into the store gets on", s.runStatus),
		op("POST", "/run", "begins a run, with -write", s.runStart),
		op("POST", "/mine", "begins to mine the corpus, or goes on, with -write", s.mineStart),
		op("POST", "/mine/stop", "stops the mining that this server began, with -write", s.mineStop),
		op("POST", "/run/stop", "stops the run that this server began, with -write", s.runStop),
	}
}

// Nothing has no fields.
type Nothing struct{}

// Info says what is served.
type Info struct {
	Version     string `json:"version"`
	Model       string `json:"model"`
	Masked      string `json:"masked_model,omitempty"`
	Hook        string `json:"hook"`
	Warm        bool   `json:"warm"` // whether the model can be asked
	Layers      int    `json:"layers"`
	Neurons     int    `json:"neurons"` // of each layer
	Context     int    `json:"context_length"`
	BOS         int    `json:"bos"`
	MaskID      int    `json:"mask_id"`
	Explained   int    `json:"explained"`
	Effects     bool   `json:"effects"` // whether activations can be set
	Write       bool   `json:"write"`
	TextLimit   int    `json:"text_limit"`   // bytes
	PromptLimit int    `json:"prompt_limit"` // prompts of a request
}

func (s *Server) info(ctx context.Context, _ *Nothing) (*Info, error) {
	i := &Info{
		Version: s.o.Version, Hook: s.o.Hook, Layers: s.o.Layers, Neurons: s.o.Neurons, Write: s.o.Write,
		Warm: s.o.Model != nil, TextLimit: s.o.Limits.Text, PromptLimit: s.o.Limits.Prompts, BOS: -1,
	}
	if identity, ok := s.o.Store.Identity(); ok {
		i.Model, i.Masked = identity.Model, identity.MaskedModel
	}
	if m := s.o.Model; m != nil {
		i.Model, i.Context, i.BOS, i.MaskID = m.Name(), m.ContextLength(), m.BOS(), m.MaskID()
		_, steers := m.(Steerer)
		i.Effects = steers && s.servesNeurons()
	}
	table, err := s.catalog.table(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range table.rows {
		if r.State == "explained" {
			i.Explained++
		}
	}
	return i, nil
}

// Listing asks for a page of the table.
type Listing struct {
	Filter
	Sort   string `query:"sort" doc:"neuron or a column, such as context_f1; a minus in front: largest first"`
	Offset int    `query:"offset"`
	Limit  int    `query:"limit" doc:"100 if none is given, 1000 at most"`
}

// Page is a page of the table.
type Page struct {
	Total   int   `json:"total"`   // neurons
	Matched int   `json:"matched"` // by the filter
	Rows    []Row `json:"rows"`
}

const mostRows = 1000

func (s *Server) neurons(ctx context.Context, in *Listing) (*Page, error) {
	table, found, err := s.choose(ctx, &in.Filter)
	if err != nil {
		return nil, err
	}
	if in.Limit == 0 {
		in.Limit = 100
	}
	if in.Limit < 0 || in.Limit > mostRows || in.Offset < 0 {
		return nil, refuse(http.StatusBadRequest, "a page has 1 to %d rows, from row 0", mostRows)
	}
	name, descending := strings.CutPrefix(in.Sort, "-")
	p := &Page{Total: len(table.rows), Rows: []Row{}}
	at, ok := table.sequence(name, descending)
	if !ok {
		return nil, refuse(http.StatusBadRequest, "neurons are not sorted by %q", cutText(name))
	}
	if in.Filter == (Filter{}) {
		p.Matched = p.Total
		for place := in.Offset; place < min(in.Offset+in.Limit, p.Total); place++ {
			p.Rows = append(p.Rows, table.rows[at(place)])
		}
	} else {
		table.walk(&in.Filter, found, at, func(r *Row) {
			if p.Matched >= in.Offset && len(p.Rows) < in.Limit {
				p.Rows = append(p.Rows, *r)
			}
			p.Matched++
		})
	}
	return p, nil
}

// choose returns the table, and the neurons with the filter's tokens; nil if it names none.
func (s *Server) choose(ctx context.Context, f *Filter) (*snapshot, map[n2g.Site]bool, error) {
	table, err := s.catalog.table(ctx)
	if err != nil {
		return nil, nil, err
	}
	promoting, err := s.promoting(ctx, f)
	if err != nil || f.Token == "" {
		return table, promoting, err
	}
	hits, err := s.find(ctx, f.Token)
	if err != nil {
		return nil, nil, err
	}
	found := make(map[n2g.Site]bool, len(hits))
	for _, h := range hits {
		if id := h.WithoutHook(); promoting == nil || promoting[id] {
			found[id] = true
		}
	}
	return table, found, nil
}

// promoting are the neurons that promote and suppress the filter's tokens; nil if it names none.
func (s *Server) promoting(ctx context.Context, f *Filter) (map[n2g.Site]bool, error) {
	var terms []store.EffectTerm
	for i, text := range []string{f.Promotes, f.Suppresses} {
		if text == "" {
			continue
		}
		term, err := store.ParseEffectTerm(text, i == 1)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "%v", err)
		}
		terms = append(terms, term)
	}
	if len(terms) == 0 {
		return nil, nil
	}
	if there, err := s.o.Store.WithEffects(ctx); err != nil || len(there) == 0 {
		const why = "the store knows nothing of what neurons promote: n2g effects -store fills that in"
		return nil, cmp.Or(err, refuse(http.StatusNotFound, why))
	}
	hits, err := s.o.Store.SearchEffects(ctx, terms...)
	if err != nil {
		return nil, err
	}
	found := make(map[n2g.Site]bool, len(hits))
	for _, h := range hits {
		found[h.WithoutHook()] = true
	}
	return found, nil
}

// find searches the store for the words of a question.
func (s *Server) find(ctx context.Context, question string) ([]store.Hit, error) {
	var terms []store.Term
	for _, word := range strings.Fields(question) {
		term, err := store.ParseTerm(word)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "%v", err)
		}
		terms = append(terms, term)
	}
	if len(terms) == 0 || len(terms) > 16 {
		return nil, refuse(http.StatusBadRequest, "name 1 to 16 tokens, between spaces")
	}
	return s.o.Store.Search(ctx, terms...)
}

// Histograms are the distributions of the table's values.
type Histograms struct {
	Maximum Distribution `json:"maximum"`
	Density Distribution `json:"density"`
	F1      Distribution `json:"f1"`
	Lead    Distribution `json:"lead"`
	// Of context graphs, those that are read by now.
	ContextF1   Distribution `json:"context_f1"`
	ContextLead Distribution `json:"context_lead"`
}

// Distribution counts values in bins of equal width, of the values or of their logarithms.
type Distribution struct {
	Edges  []float64 `json:"edges"` // one more than Counts
	Counts []int     `json:"counts"`
	Log    bool      `json:"log"`
}

// bins of a distribution.
const bins = 40

func (s *Server) histograms(ctx context.Context, in *Filter) (*Histograms, error) {
	table, found, err := s.choose(ctx, in)
	if err != nil {
		return nil, err
	}
	h := &Histograms{}
	each := []struct {
		*Distribution
		name  string
		value func(*Row) float64
	}{
		{&h.Maximum, "maximum", nil}, {&h.Density, "density", nil}, {&h.F1, "f1", nil}, {&h.Lead, "lead", nil},
		{&h.ContextF1, "context_f1", nil}, {&h.ContextLead, "context_lead", nil},
	}
	for i := range each {
		d := &each[i]
		*d.Distribution = table.distribution(d.name, d.name == "maximum" || d.name == "density")
		d.value, _ = column(d.name)
	}
	table.walk(in, found, func(place int) int { return place }, func(r *Row) {
		for _, d := range each {
			d.add(d.value(r))
		}
	})
	return h, nil
}

// distribution is an empty one over the range of all values of a column.
func (s *snapshot) distribution(name string, log bool) Distribution {
	low, high := s.span(name, log)
	d := Distribution{Counts: []int{}, Edges: []float64{}, Log: log}
	if !(low <= high) {
		return d
	}
	if strings.HasSuffix(name, "f1") {
		low, high = 0, 1
	}
	if low == high {
		high = low + 1
		if log {
			high = low * 2
		}
	}
	d.Counts = make([]int, bins)
	for i := range bins + 1 {
		share := float64(i) / bins
		if log {
			d.Edges = append(d.Edges, low*math.Pow(high/low, share))
		} else {
			d.Edges = append(d.Edges, low+(high-low)*share)
		}
	}
	d.Edges[bins] = high
	return d
}

func (d *Distribution) add(v float64) {
	if len(d.Counts) == 0 || math.IsNaN(v) || d.Log && v <= 0 {
		return
	}
	low, high := d.Edges[0], d.Edges[len(d.Edges)-1]
	share := (v - low) / (high - low)
	if d.Log {
		share = math.Log(v/low) / math.Log(high/low)
	}
	at := int(share * float64(len(d.Counts)))
	d.Counts[max(0, min(at, len(d.Counts)-1))]++
}

// span is the range of all values of a column, of those above 0 where log is set; the low end above the high one where
// there is none.
func (s *snapshot) span(name string, log bool) (low, high float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.spans[name]; ok {
		return known[0], known[1]
	}
	value, _ := column(name)
	low, high = math.Inf(1), math.Inf(-1)
	for i := range s.rows {
		if v := value(&s.rows[i]); !math.IsNaN(v) && !(log && v <= 0) {
			low, high = min(low, v), max(high, v)
		}
	}
	s.spans[name] = [2]float64{low, high}
	return low, high
}

// At names a neuron in a path.
type At struct {
	Layer  int `path:"layer"`
	Neuron int `path:"neuron"`
}

func (a At) id() n2g.Site { return n2g.Site{Layer: a.Layer, Index: a.Neuron} }

// name is how a heading calls what a row of the table shows: a neuron, a feature, a coordinate.
func (s *Server) name(n n2g.Site) string {
	n.Hook = s.o.Hook
	return n.Name()
}

// servesNeurons tells whether the rows of the table are neurons of an MLP.
func (s *Server) servesNeurons() bool { return n2g.Site{Hook: s.o.Hook}.IsNeuron() }

// onlyNeurons refuses a question that can be asked of neurons alone.
func (s *Server) onlyNeurons(n n2g.Site, what string) error {
	if s.servesNeurons() {
		return nil
	}
	return refuse(http.StatusBadRequest, "%s is no neuron of an MLP: %s", s.name(n), what)
}

// row finds a neuron in the table.
func (s *Server) row(ctx context.Context, n n2g.Site) (*snapshot, *Row, error) {
	table, err := s.catalog.table(ctx)
	if err != nil {
		return nil, nil, err
	}
	i, ok := table.byID[n]
	if !ok {
		return nil, nil, refuse(http.StatusNotFound, "there is no %s", s.name(n))
	}
	return table, &table.rows[i], nil
}

// stored reads a neuron's explanation.
func (s *Server) stored(ctx context.Context, n n2g.Site) (*explained, error) {
	_, row, err := s.row(ctx, n)
	switch {
	case err != nil:
		return nil, err
	case row.State == "failed":
		return nil, refuse(http.StatusNotFound, "%s could not be explained: %s", s.name(n), row.Reason)
	case row.State != "explained":
		return nil, refuse(http.StatusNotFound, "%s is not explained yet", s.name(n))
	}
	return s.known.get(ctx, n)
}

func (s *Server) explanation(ctx context.Context, in *At) (*n2g.Explanation, error) {
	e, err := s.stored(ctx, in.id())
	if err != nil {
		return nil, err
	}
	return e.Explanation, nil
}

// Alike lists neurons with how much they are like the one asked about.
type Alike struct {
	Neurons []Like `json:"neurons"`
}

// Like is one of them.
type Like struct {
	Layer      int     `json:"layer"`
	Neuron     int     `json:"neuron"`
	Label      string  `json:"label,omitempty"`
	Similarity float64 `json:"similarity"` // weighted Jaccard, above 0 to 1
	Shared     int     `json:"shared"`     // tokens in common
}

func (s *Server) similar(ctx context.Context, in *At) (*Alike, error) {
	if _, err := s.stored(ctx, in.id()); err != nil {
		return nil, err
	}
	table, err := s.catalog.table(ctx)
	if err != nil {
		return nil, err
	}
	tokens, err := table.tokens.read(ctx, s.o.Store)
	if err != nil {
		return nil, err
	}
	matches, err := tokens.Nearest(in.id(), n2g.AnyKind, 12)
	if err != nil {
		return nil, err
	}
	a := &Alike{Neurons: []Like{}}
	for _, m := range matches {
		a.Neurons = append(a.Neurons, Like{Layer: m.Layer, Neuron: m.Index, Similarity: m.Similarity, Shared: m.Shared,
			Label: table.label(m.WithoutHook())})
	}
	return a, nil
}

// tokenSets are the tokens of all neurons' graphs, read when they are first asked for.
type tokenSets struct {
	mu     sync.Mutex
	tokens *store.Tokens
}

func (t *tokenSets) read(ctx context.Context, from *store.Store) (*store.Tokens, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tokens == nil {
		tokens, err := from.Tokens(ctx)
		if err != nil {
			return nil, err
		}
		t.tokens = tokens
	}
	return t.tokens, nil
}

// Question asks for tokens.
type Question struct {
	Token string `query:"token" doc:"as n2g search reads them, between spaces: return, if:activating, err*"`
}

// Found are the neurons that have all tokens.
type Found struct {
	Hits []Hit `json:"hits"`
}

// Hit is a neuron that was found.
type Hit struct {
	Layer  int `json:"layer"`
	Neuron int `json:"neuron"`
	store.Hit
}

func (s *Server) search(ctx context.Context, in *Question) (*Found, error) {
	hits, err := s.find(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	found := &Found{Hits: make([]Hit, len(hits))}
	for i, h := range hits {
		found.Hits[i] = Hit{h.Layer, h.Index, h}
	}
	return found, nil
}

// warm returns the model, if there is one.
func (s *Server) warm() (Model, error) {
	if s.o.Model == nil {
		return nil, refuse(http.StatusNotImplemented, "no model is open here, only a store: start the server with -model")
	}
	return s.o.Model, nil
}

// prompt reads a text as the method does.
func (s *Server) prompt(text string) ([]int, []string, error) {
	m, err := s.warm()
	if err != nil {
		return nil, nil, err
	}
	if len(text) > s.o.Limits.Text {
		return nil, nil, refuse(http.StatusRequestEntityTooLarge, "the text has %d bytes; up to %d are read",
			len(text), s.o.Limits.Text)
	}
	ids, err := n2g.CutPrompt(m, text, m.ContextLength())
	if err != nil {
		return nil, nil, refuse(http.StatusBadRequest, "%v", err)
	}
	tokens := make([]string, len(ids))
	for i, id := range ids {
		tokens[i] = m.TokenString(id)
	}
	return ids, tokens, nil
}

// first is the position of the first token that is the text's own: BOS stands before it, where a model has one.
func (s *Server) first(ids []int) int {
	if len(ids) > 1 && ids[0] == s.o.Model.BOS() {
		return 1
	}
	return 0
}

// asked makes an error of the model one of the request, unless time ran out.
func asked(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return errors.Join(ctx.Err(), err)
	}
	return refuse(http.StatusBadRequest, "%v", err)
}

// Text is a text.
type Text struct {
	Text string `json:"text"`
}

// Tokens are a text's tokens, BOS first.
type Tokens struct {
	IDs    []int    `json:"ids"`
	Tokens []string `json:"tokens"`
}

func (s *Server) tokenize(_ context.Context, in *Text) (*Tokens, error) {
	ids, tokens, err := s.prompt(in.Text)
	if err != nil {
		return nil, err
	}
	return &Tokens{ids, tokens}, nil
}

// ActivationsRequest asks for a neuron's activations.
type ActivationsRequest struct {
	Layer     int     `json:"layer"`
	Hook      string  `json:"hook"` // empty: the model's own
	Neuron    int     `json:"neuron"`
	Prompts   [][]int `json:"prompts"`   // token ids, BOS included
	Positions [][]int `json:"positions"` // of each prompt; null: all
}

// Activations are a neuron's, a list for each prompt.
type Activations struct {
	Activations [][]Number `json:"activations"`
}

// checkPrompts bounds a request.
func (s *Server) checkPrompts(prompts [][]int) error {
	if len(prompts) > s.o.Limits.Prompts {
		return refuse(http.StatusRequestEntityTooLarge, "%d prompts are asked; up to %d are answered at a time",
			len(prompts), s.o.Limits.Prompts)
	}
	return nil
}

func (s *Server) activations(ctx context.Context, in *ActivationsRequest) (*Activations, error) {
	m, err := s.warm()
	if err != nil {
		return nil, err
	}
	if err := s.checkPrompts(in.Prompts); err != nil {
		return nil, err
	}
	values, err := m.Activations(ctx, in.Layer, in.Hook, in.Neuron, in.Prompts, in.Positions)
	if err != nil {
		return nil, asked(ctx, err)
	}
	out := &Activations{Activations: make([][]Number, len(values))}
	for i, row := range values {
		out.Activations[i] = numbers(row)
	}
	return out, nil
}

// LayerRequest asks for all neurons of a layer.
type LayerRequest struct {
	Layer   int     `json:"layer"`
	Hook    string  `json:"hook"`
	Prompts [][]int `json:"prompts"`
}

// LayerAnswer is [prompt][position][neuron].
type LayerAnswer struct {
	Activations [][][]Number `json:"activations"`
}

// mostLayerValues bounds an answer of a layer's activations.
const mostLayerValues = 4 << 20

func (s *Server) layerActivations(ctx context.Context, in *LayerRequest) (*LayerAnswer, error) {
	m, err := s.warm()
	if err != nil {
		return nil, err
	}
	if err := s.checkPrompts(in.Prompts); err != nil {
		return nil, err
	}
	rows := 0
	for _, p := range in.Prompts {
		rows += len(p)
	}
	if rows*s.o.Neurons > mostLayerValues {
		return nil, refuse(http.StatusRequestEntityTooLarge,
			"the answer would hold %d numbers, more than %d: ask fewer prompts at a time",
			rows*s.o.Neurons, mostLayerValues)
	}
	values, err := m.LayerActivations(ctx, in.Layer, in.Hook, in.Prompts)
	if err != nil {
		return nil, asked(ctx, err)
	}
	out := &LayerAnswer{Activations: make([][][]Number, len(values))}
	for i, prompt := range values {
		out.Activations[i] = make([][]Number, len(prompt))
		for k, row := range prompt {
			out.Activations[i][k] = numbers(row)
		}
	}
	return out, nil
}

// NeuronText is a text for a neuron.
type NeuronText struct {
	Layer  int    `json:"layer"`
	Neuron int    `json:"neuron"`
	Text   string `json:"text"`
}

// Prediction is what a graph predicts.
type Prediction struct {
	Tokens      []string  `json:"tokens"` // BOS first
	Predictions []float64 `json:"predictions"`
	Context     []float64 `json:"context"` // the context graph's; null: there is none
	Maximum     float64   `json:"maximum"` // what predictions are shares of
}

func (s *Server) predict(ctx context.Context, in *NeuronText) (*Prediction, error) {
	e, err := s.stored(ctx, n2g.Site{Layer: in.Layer, Index: in.Neuron})
	if err != nil {
		return nil, err
	}
	ids, tokens, err := s.prompt(in.Text)
	if err != nil {
		return nil, err
	}
	out := &Prediction{Tokens: tokens, Predictions: e.predictor.Predict(tokens), Maximum: e.MaxActivation}
	if e.context != nil {
		out.Context = contextPredictions(e.context, tokens, s.first(ids))
	}
	return out, nil
}

// Live is what a neuron does on a text.
type Live struct {
	Tokens      []string  `json:"tokens"` // BOS first
	IDs         []int     `json:"ids"`
	Activations []Number  `json:"activations"` // as the model gives them
	Predictions []float64 `json:"predictions"` // of the neuron graph, as shares of Maximum; null: not explained
	Context     []float64 `json:"context"`     // of the context graph; null: there is none
	ContextFire float64   `json:"context_fire"`
	Maximum     float64   `json:"maximum"` // the neuron's highest; of the text, where it is unknown
	Known       bool      `json:"known"`   // whether Maximum is known from a corpus
	Fire        float64   `json:"fire"`    // share of Maximum from which a token fires
	First       int       `json:"first"`   // position of the first token behind BOS
}

func (s *Server) live(ctx context.Context, in *NeuronText) (*Live, error) {
	m, err := s.warm()
	if err != nil {
		return nil, err
	}
	ids, tokens, err := s.prompt(in.Text)
	if err != nil {
		return nil, err
	}
	values, err := m.Activations(ctx, in.Layer, s.o.Hook, in.Neuron, [][]int{ids}, nil)
	if err != nil {
		return nil, asked(ctx, err)
	}
	out := &Live{Tokens: tokens, IDs: ids, Activations: numbers(values[0]), Fire: *n2g.Options{}.Resolved().FireThreshold,
		First: s.first(ids)}
	n := n2g.Site{Layer: in.Layer, Index: in.Neuron}
	if _, row, err := s.row(ctx, n); err == nil && row.Maximum > 0 {
		out.Maximum, out.Known = row.Maximum, true
	}
	if e, err := s.stored(ctx, n); err == nil {
		out.Predictions, out.Fire = e.predictor.Predict(tokens), *e.Options.Resolved().FireThreshold
		if e.context != nil {
			out.Context, out.ContextFire = contextPredictions(e.context, tokens, out.First), e.Explanation.Context.FireThreshold
		}
		if e.MaxActivation > 0 {
			out.Maximum, out.Known = e.MaxActivation, true
		}
	}
	if !out.Known {
		for _, v := range values[0][s.first(ids):] {
			out.Maximum = max(out.Maximum, float64(v))
		}
	}
	return out, nil
}

// contextPredictions are a context graph's; nothing is predicted on what stands before the text.
func contextPredictions(p *n2g.ContextPredictor, tokens []string, first int) []float64 {
	return append(make([]float64, first), p.Predict(tokens[first:])...)
}

// ImportanceRequest asks about one token of a text.
type ImportanceRequest struct {
	Layer    int    `json:"layer"`
	Neuron   int    `json:"neuron"`
	Text     string `json:"text"`
	Position int    `json:"position"` // of a token, BOS being 0
}

// Importance is how much masking each token up to Position takes of the activation there, by the method's section 3.
type Importance struct {
	Tokens      []string  `json:"tokens"`
	Activation  Number    `json:"activation"`  // at the position
	Importances []float64 `json:"importances"` // 1 - masked/activation; 0 where there is no activation
}

func (s *Server) importance(ctx context.Context, in *ImportanceRequest) (*Importance, error) {
	m, err := s.warm()
	if err != nil {
		return nil, err
	}
	ids, tokens, err := s.prompt(in.Text)
	if err != nil {
		return nil, err
	}
	if in.Position < 0 || in.Position >= len(ids) {
		return nil, refuse(http.StatusBadRequest, "position %d is asked, but the tokens stand at 0 to %d", in.Position,
			len(ids)-1)
	}
	ids = ids[:in.Position+1]
	prompts, positions := [][]int{ids}, [][]int{{in.Position}}
	first := s.first(ids)
	for i := first; i <= in.Position; i++ {
		masked := slices.Clone(ids)
		masked[i] = m.MaskID()
		prompts, positions = append(prompts, masked), append(positions, []int{in.Position})
	}
	values, err := m.Activations(ctx, in.Layer, s.o.Hook, in.Neuron, prompts, positions)
	if err != nil {
		return nil, asked(ctx, err)
	}
	out := &Importance{Tokens: tokens[:in.Position+1], Activation: Number(values[0][0]),
		Importances: make([]float64, len(ids))}
	whole := float64(values[0][0])
	for i := first; i < len(ids); i++ {
		if share := 1 - float64(values[1+i-first][0])/whole; whole != 0 && !math.IsNaN(share) && !math.IsInf(share, 0) {
			out.Importances[i] = share
		}
	}
	return out, nil
}

// FiresRequest asks what a text excites.
type FiresRequest struct {
	Text     string `json:"text"`
	Position *int   `json:"position,omitempty"` // on one token only, BOS being 0
	Limit    int    `json:"limit,omitempty"`    // 0: 50
}

// Fires are neurons by how near they come to their maximum.
type Fires struct {
	Tokens []string `json:"tokens"`
	Hits   []Fired  `json:"hits"`
}

// Fired is a neuron on a text.
type Fired struct {
	Layer      int     `json:"layer"`
	Neuron     int     `json:"neuron"`
	Label      string  `json:"label,omitempty"`
	Position   int     `json:"position"` // of its highest activation
	Activation Number  `json:"activation"`
	Share      float64 `json:"share"` // of its maximum
	Known      bool    `json:"known"` // whether that maximum is known; else Share is of the layer's highest here
}

func (s *Server) fires(ctx context.Context, in *FiresRequest) (*Fires, error) {
	m, err := s.warm()
	if err != nil {
		return nil, err
	}
	ids, tokens, err := s.prompt(in.Text)
	if err != nil {
		return nil, err
	}
	from, to := s.first(ids), len(ids)
	if in.Position != nil {
		if from, to = *in.Position, *in.Position+1; from < 0 || to > len(ids) {
			return nil, refuse(http.StatusBadRequest, "position %d is asked, but the tokens stand at 0 to %d", from, len(ids)-1)
		}
		ids = ids[:to]
	}
	table, err := s.catalog.table(ctx)
	if err != nil {
		return nil, err
	}
	out := &Fires{Tokens: tokens, Hits: []Fired{}}
	for _, layer := range s.o.Shown {
		values, err := m.LayerActivations(ctx, layer, s.o.Hook, [][]int{ids})
		if err != nil {
			return nil, asked(ctx, err)
		}
		out.Hits = append(out.Hits, strongest(table, layer, values[0], from, to)...)
	}
	unknown := map[bool]int{false: 1} // of those nobody knows how high they get, after all others
	slices.SortStableFunc(out.Hits, func(a, b Fired) int {
		return cmp.Or(cmp.Compare(unknown[a.Known], unknown[b.Known]), cmp.Compare(b.Share, a.Share))
	})
	limit := in.Limit
	if limit <= 0 || limit > mostRows {
		limit = 50
	}
	out.Hits = out.Hits[:min(limit, len(out.Hits))]
	for i := range out.Hits {
		h := &out.Hits[i]
		h.Label = table.label(n2g.Site{Layer: h.Layer, Index: h.Neuron})
	}
	return out, nil
}

// strongest are a layer's neurons that are above 0 somewhere in [from, to).
func strongest(table *snapshot, layer int, values [][]float32, from, to int) []Fired {
	if from >= to {
		return nil
	}
	highest := float32(0)
	for _, row := range values[from:to] {
		highest = max(highest, slices.Max(row))
	}
	var list []Fired
	for i := range values[from] {
		f := Fired{Layer: layer, Neuron: i}
		for p := from; p < to; p++ {
			if v := values[p][i]; v > float32(f.Activation) {
				f.Activation, f.Position = Number(v), p
			}
		}
		if !(f.Activation > 0) {
			continue
		}
		f.Share = float64(f.Activation) / float64(highest)
		if k, ok := table.byID[n2g.Site{Layer: layer, Index: i}]; ok {
			if highest := table.rows[k].Maximum; highest > 0 {
				f.Share, f.Known = float64(f.Activation)/highest, true
			}
		}
		list = append(list, f)
	}
	return list
}

// ExplainRequest asks for an explanation.
type ExplainRequest struct {
	Layer    int           `json:"layer"`
	Neuron   int           `json:"neuron"`
	Examples *n2g.Examples `json:"examples,omitempty"` // none: those that the server knows
	Options  n2g.Options   `json:"options"`
}

func (s *Server) explain(ctx context.Context, in *ExplainRequest) (*n2g.Explanation, error) {
	m, err := s.warm()
	if err != nil {
		return nil, err
	}
	examples := in.Examples
	switch {
	case examples != nil:
		examples.Site.Layer, examples.Site.Index = in.Layer, in.Neuron
		if len(examples.Prompts) > s.o.Limits.Prompts {
			return nil, refuse(http.StatusRequestEntityTooLarge, "%d examples are given; up to %d are read",
				len(examples.Prompts), s.o.Limits.Prompts)
		}
	case s.source.Load().Examples == nil:
		return nil, refuse(http.StatusBadRequest, "this server has no examples: give some")
	default:
		n := n2g.Site{Layer: in.Layer, Index: in.Neuron, Hook: s.o.Hook}
		if examples, err = s.source.Load().Examples(n); err != nil {
			return nil, refuse(http.StatusNotFound, "there are no examples of %s", n.Name())
		}
	}
	e, err := n2g.Explain(ctx, m, s.o.Masked, *examples, in.Options)
	if err == nil && s.source.Load().Complete != nil {
		err = s.source.Load().Complete(ctx, e)
	}
	if err != nil {
		return nil, asked(ctx, err)
	}
	return e, nil
}

// EffectsRequest asks what a neuron does to what comes next.
type EffectsRequest struct {
	Layer  int      `json:"layer"`
	Neuron int      `json:"neuron"`
	Text   string   `json:"text"`
	Value  *float64 `json:"value,omitempty"` // what its activation is set to; none: 0
}

// Effects are the next tokens with and without the change.
type Effects struct {
	Before []Likely `json:"before"`
	After  []Likely `json:"after"`
}

// Likely is a next token.
type Likely struct {
	Token       string  `json:"token"`
	Probability float64 `json:"probability"`
}

// Steerer is a model whose neurons can be set: it gives the most probable next tokens as it is, and with one neuron's
// activation set to a value on every token.
type Steerer interface {
	Steer(ctx context.Context, ids []int, layer int, hook string, neuron int, value float64, k int) (before,
		after []Likely, err error)
}

// Promoter is a model that tells which tokens a neuron promotes and suppresses by its weights.
type Promoter interface {
	Promoted(ctx context.Context, layer, neuron, k int) (up, down []Weighted, err error)
}

// Weighted is a token with what one unit of activation adds to its logit.
type Weighted struct {
	Token  string  `json:"token"`
	Weight float64 `json:"weight"`
}

// Promoted are the tokens that a neuron makes most likely, and least.
type Promoted struct {
	Up   []Weighted `json:"up"`
	Down []Weighted `json:"down"`
}

func (s *Server) promoted(ctx context.Context, in *At) (*Promoted, error) {
	m, err := s.warm()
	if err != nil {
		return nil, err
	}
	if err := s.onlyNeurons(in.id(), "what it promotes is not read from the weights here"); err != nil {
		return nil, err
	}
	if _, _, err := s.row(ctx, in.id()); err != nil {
		return nil, err
	}
	promoter, ok := m.(Promoter)
	if !ok {
		return nil, refuse(http.StatusNotImplemented, "this model's weights cannot be read")
	}
	up, down, err := promoter.Promoted(ctx, in.Layer, in.Neuron, 12)
	if err != nil {
		return nil, asked(ctx, err)
	}
	return &Promoted{up, down}, nil
}

func (s *Server) effects(ctx context.Context, in *EffectsRequest) (*Effects, error) {
	m, err := s.warm()
	if err != nil {
		return nil, err
	}
	if err := s.onlyNeurons(n2g.Site{Layer: in.Layer, Index: in.Neuron}, "it is not set here"); err != nil {
		return nil, err
	}
	steerer, ok := m.(Steerer)
	if !ok {
		return nil, refuse(http.StatusNotImplemented, "this model's neurons cannot be set")
	}
	ids, _, err := s.prompt(in.Text)
	if err != nil {
		return nil, err
	}
	value := 0.0
	if in.Value != nil {
		value = *in.Value
	}
	before, after, err := steerer.Steer(ctx, ids, in.Layer, s.o.Hook, in.Neuron, value, 12)
	if err != nil {
		return nil, asked(ctx, err)
	}
	return &Effects{before, after}, nil
}
