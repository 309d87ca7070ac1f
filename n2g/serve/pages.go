package serve

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/graphviz"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/internal/label"
	"github.com/neuron2graph/neuron2graph/n2g/store/chart"
)

//go:embed web
var web embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"visible": visible, "label": labelHTML, "short": shortLabel, "row": rowLabel,
	"weight": func(v float64) string { return leadText(&v) },
	"number": number, "percent": percent, "score": score, "lead": leadText,
}).ParseFS(web, "web/*.html"))

// styleSheet is that of all pages: the maps', the graphs' and their own.
func styleSheet() ([]byte, error) {
	own, err := web.ReadFile("web/style.css")
	if err != nil {
		return nil, fmt.Errorf("reading the style sheet: %w", err)
	}
	return append([]byte(heatmap.Style()+graphviz.Style()), own...), nil
}

// routes are the paths of the server.
func (s *Server) routes() {
	for _, o := range s.api {
		path := o.path
		if path == "/" {
			path = ""
		}
		s.mux.HandleFunc(o.method+" "+apiPrefix+path, s.serveOperation(o))
	}
	s.mux.HandleFunc("GET "+apiPrefix+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		send(w, "application/json", s.openAPI)
	})
	s.mux.HandleFunc("GET "+apiPrefix+"/run/events", s.events)
	s.mux.HandleFunc("GET "+apiPrefix+"/model/{file}", s.modelFile)
	s.mux.HandleFunc(apiPrefix+"/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "there is no such question: "+apiPrefix+"/openapi.json lists them")
	})
	s.mux.HandleFunc("GET /{$}", s.page(s.explorerPage))
	s.mux.HandleFunc("GET /neurons/{layer}/{neuron}", s.page(s.neuronPage))
	s.mux.HandleFunc("GET /live", s.page(s.livePage))
	s.mux.HandleFunc("GET /run", s.page(s.runPage))
	s.mux.HandleFunc("GET /api", s.page(s.apiPage))
	for name, kind := range map[string]string{"style.css": "text/css", "app.js": "text/javascript",
		"icon.svg": "image/svg+xml"} {
		s.mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) {
			text, err := asset(name)
			if err != nil {
				http.NotFound(w, nil)
				return
			}
			send(w, kind, text)
		})
	}
	s.mux.HandleFunc("/", s.page(func(context.Context, *http.Request) (*view, error) {
		return nil, refuse(http.StatusNotFound, "there is no such page")
	}))
}

func asset(name string) ([]byte, error) {
	if name == "style.css" {
		return styleSheet()
	}
	return web.ReadFile("web/" + name)
}

func send(w http.ResponseWriter, kind string, text []byte) {
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Write(text) // the client is gone, then
}

// modelFile gives a client what it needs to tokenize by itself.
func (s *Server) modelFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if name == "shape" && s.o.Shape != nil {
		s.write(w, r, s.o.Shape)
		return
	}
	if s.o.Files == nil || !slices.Contains([]string{"tokenizer.json", "tokenizer_config.json"}, name) {
		fail(w, http.StatusNotFound, "there is no such file of the model")
		return
	}
	text, err := fs.ReadFile(s.o.Files, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fail(w, http.StatusNotFound, "the model has no such file")
	case err != nil:
		s.answer(w, r, err)
	default:
		send(w, "application/json", text)
	}
}

// behaviours are the things that make a neuron fire.
type behaviours struct {
	Summary string
	List    []behaviour
}

type behaviour struct {
	Label, Facts string
	Maps         []template.HTML // of its examples
}

// view is what a page's template shows.
type view struct {
	Page, Title string
	Root        string // relative address of the pages' folder
	Home        string // that of the explorer
	Static      bool
	Info        *Info

	// Of the explorer.
	Listing        Listing
	Table          *Page
	Layers         []int
	Kinds, States  []string
	Columns        []columnHead
	Brushes        []brush
	Previous, Next string

	// Of a neuron.
	Row           Row
	Site          string
	Before, After *At
	Facts         []fact
	Graphs        []drawing
	Scores        comparison // on test examples
	Fire          string
	Comparisons   []comparison
	Examples      []exampleMap
	Bands         []band
	Corpus        []band // of the index
	Histogram     template.HTML
	Alike         []Like
	Promoted      *Promoted
	Behaviours    *behaviours
	Connects      bool // whether neurons connected with it can be asked about
	Sample, Cell  string

	// Of the run, the API and errors.
	Status     RunStatus
	Most       int
	Operations []operationLine
	Address    string
	Message    string
}

// IsLayer tells whether the table is filtered by a layer.
func (v *view) IsLayer(layer int) bool { return v.Listing.Layer != nil && *v.Listing.Layer == layer }

// Link is the address of a neuron's page.
func (v *view) Link(layer, neuron int) string {
	address := fmt.Sprintf("%sneurons/%d/%d", v.Root, layer, neuron)
	if v.Static {
		address += ".html"
	}
	return address
}

type (
	columnHead struct {
		Name, Sort, Sorted, Href, Help, Class string
		Number                                bool
	}
	brush   struct{ Name, Column, Min, Max string }
	fact    struct{ Name, Value, Help string }
	drawing struct {
		Name, Note string
		SVG        template.HTML
	}
	scoreLine struct {
		Name  string
		Cells []scoreCell
	}
	scoreCell struct {
		Value string
		Best  bool
	}
	exampleMap struct {
		Heading string
		Map     template.HTML
	}
	band struct {
		Name, Note string
		Examples   []exampleMap
	}
	comparison struct { // of predictors on a text
		Text    string
		Support int // tokens that fire
		Lines   []scoreLine
	}
	operationLine struct{ Method, Path, Summary string }
)

// page serves a view.
func (s *Server) page(make func(context.Context, *http.Request) (*view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), s.o.Limits.Time)
		defer cancel()
		status := http.StatusOK
		v, err := make(ctx, r)
		if err != nil {
			var reason string
			status, reason = s.explainError(r, err)
			v = &view{Page: "error", Title: http.StatusText(status), Message: reason, Info: &Info{}}
		}
		v.Root, v.Home = "/", "/"
		if v.Info == nil {
			if v.Info, err = s.info(ctx, nil); err != nil {
				v.Info = &Info{}
			}
		}
		text, err := render(v)
		if err != nil {
			s.answer(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		http.NewResponseController(w).SetWriteDeadline(
			time.Now().Add(s.o.Limits.Time)) // a test's recorder has none
		w.WriteHeader(status)
		w.Write(text) // the client is gone, then
	}
}

func render(v *view) ([]byte, error) {
	var b bytes.Buffer
	name := v.Page + ".html"
	if v.Page == "live" {
		name = "livepage.html"
	}
	if err := templates.ExecuteTemplate(&b, name, v); err != nil {
		return nil, fmt.Errorf("writing the page: %w", err)
	}
	return b.Bytes(), nil
}

// columns of the explorer's table.
var columns = []columnHead{
	{Name: "neuron", Sort: "neuron", Help: "layer and number"},
	{Name: "fires on", Help: "its strongest activating tokens"},
	{Name: "kind"},
	{Name: "maximum", Sort: "maximum", Number: true, Help: "highest activation"},
	{Name: "density", Sort: "density", Number: true, Help: "share of tokens on which it fires"},
	{Name: "context F1", Sort: "context_f1", Number: true, Class: "context",
		Help: "of the context graph's predictions on test documents, for tokens that fire"},
	{Name: "its lead", Sort: "context_lead", Number: true, Class: "context",
		Help: "context graph's F1 less that of the table of tokens"},
	{Name: "F1", Sort: "f1", Number: true,
		Help: "of the neuron graph's predictions on test examples, for tokens that fire"},
	{Name: "lead", Sort: "lead", Number: true, Help: "neuron graph's F1 less that of the table of tokens"},
	{Name: "nodes", Sort: "nodes", Number: true, Help: "of the graph"},
	{Name: "behaviours", Sort: "behaviours", Number: true, Help: "unrelated things that make it fire"},
}

func (s *Server) explorerPage(ctx context.Context, r *http.Request) (*view, error) {
	v := &view{Page: "explorer", Title: "Neurons", Kinds: []string{"lively", "dense", "dead"},
		States: []string{"explained", "failed", "open"}}
	if err := readParameters(r, &v.Listing); err != nil {
		return nil, err
	}
	var err error
	if v.Table, err = s.neurons(ctx, &v.Listing); err != nil {
		return nil, err
	}
	address := func(change func(url.Values)) string {
		q := r.URL.Query()
		change(q)
		return "/?" + q.Encode()
	}
	v.furnish(address)
	if v.Listing.Offset > 0 {
		v.Previous = address(func(q url.Values) { q.Set("offset", strconv.Itoa(max(0, v.Listing.Offset-v.Listing.Limit))) })
	}
	if v.Listing.Offset+len(v.Table.Rows) < v.Table.Matched {
		v.Next = address(func(q url.Values) { q.Set("offset", strconv.Itoa(v.Listing.Offset+v.Listing.Limit)) })
	}
	return v, s.layers(ctx, v)
}

// layers lists the layers that the table has.
func (s *Server) layers(ctx context.Context, v *view) error {
	table, err := s.catalog.table(ctx)
	if err != nil {
		return err
	}
	for _, r := range table.rows {
		if len(v.Layers) == 0 || v.Layers[len(v.Layers)-1] != r.Layer {
			v.Layers = append(v.Layers, r.Layer)
		}
	}
	return nil
}

// furnish makes the explorer's column heads and brushes.
func (v *view) furnish(address func(func(url.Values)) string) {
	sorted, descending := strings.CutPrefix(v.Listing.Sort, "-")
	for _, c := range columns {
		next := c.Sort
		switch {
		case c.Sort != "" && c.Sort == cmp.Or(sorted, "neuron"):
			c.Sorted = "ascending"
			if descending {
				c.Sorted = "descending"
			} else {
				next = "-" + c.Sort
			}
		case c.Number:
			next = "-" + c.Sort
		}
		if c.Sort != "" {
			c.Href = address(func(q url.Values) { q.Set("sort", next); q.Del("offset") })
		}
		v.Columns = append(v.Columns, c)
	}
	text := func(f *float64) string {
		if f == nil {
			return ""
		}
		return strconv.FormatFloat(*f, 'g', -1, 64)
	}
	f := &v.Listing.Filter
	v.Brushes = []brush{
		{"maximum", "maximum", text(f.MinMaximum), text(f.MaxMaximum)},
		{"density", "density", text(f.MinDensity), text(f.MaxDensity)},
		{"context graph’s F1", "context_f1", text(f.MinContextF1), text(f.MaxContextF1)},
		{"its lead over the token table", "context_lead", text(f.MinContextLead), text(f.MaxContextLead)},
		{"neuron graph’s F1", "f1", text(f.MinF1), text(f.MaxF1)},
		{"its lead over the token table", "lead", text(f.MinLead), text(f.MaxLead)},
	}
}

func (s *Server) neuronPage(ctx context.Context, r *http.Request) (*view, error) {
	var at At
	if err := readParameters(r, &at); err != nil {
		return nil, refuse(http.StatusNotFound, "there is no such neuron")
	}
	v := &view{Page: "neuron"}
	v.Root, v.Home = "/", "/"
	if err := s.fill(ctx, v, at.id(), false); err != nil {
		return nil, err
	}
	return v, nil
}

// ScoreColumns are the columns of the table of scores.
func (*view) ScoreColumns() []scoreColumn { return scoreColumns() }

// fill puts all that is known of a neuron into a view.
func (s *Server) fill(ctx context.Context, v *view, n n2g.Site, lean bool) error {
	table, row, err := s.row(ctx, n)
	if err != nil {
		return err
	}
	site := n2g.Site{Layer: n.Layer, Index: n.Index, Hook: s.o.Hook}
	v.Row, v.Title, v.Site = *row, site.Title(), site.String()
	if site.IsNeuron() {
		v.Cell = fmt.Sprintf("l := lab.Open()\nlab.Show(l.Explain(%d, %d))", n.Layer, n.Index)
	}
	i := table.byID[n]
	if i > 0 {
		v.Before = &At{table.rows[i-1].Layer, table.rows[i-1].Neuron}
	}
	if i+1 < len(table.rows) {
		v.After = &At{table.rows[i+1].Layer, table.rows[i+1].Neuron}
	}
	v.Facts = facts(row)
	_, weights := s.o.Model.(Connector)
	v.Connects = !v.Static && (weights && site.IsNeuron() || s.source.Load().Index != nil)
	v.Sample = "return nil, err"
	if row.State == "explained" {
		e, err := s.stored(ctx, n)
		if err != nil {
			return err
		}
		if err := v.explained(ctx, e.Explanation, lean); err != nil {
			return err
		}
		alike, err := s.similar(ctx, &At{n.Layer, n.Index})
		if err != nil {
			return err
		}
		if v.Alike = alike.Neurons; lean {
			v.Alike = v.Alike[:min(len(v.Alike), leanTexts)]
		}
	}
	if m, ok := s.o.Model.(Promoter); ok && v.Promoted == nil && site.IsNeuron() {
		up, down, err := m.Promoted(ctx, n.Layer, n.Index, 10)
		if err == nil {
			v.Promoted = &Promoted{up, down}
		}
	}
	if known := s.catalog.stats(n.Layer, n.Index); known != nil && !known.Dead() {
		if !lean {
			fires := index.FireShare * known.Maximum()
			if c, err := chart.Histogram("Activations above 0 on the corpus", &known.Histogram, fires); err == nil {
				v.Histogram = template.HTML(c.Inline())
			}
		}
		if v.Corpus, err = s.corpusBands(n, known, lean); err != nil {
			return err
		}
	}
	return nil
}

func facts(r *Row) []fact {
	list := []fact{{"maximum", cmp.Or(number(r.Maximum), "0"), "highest activation"}}
	add := func(name, value, help string) { list = append(list, fact{name, value, help}) }
	if r.Density != nil {
		add("density", percent(r.Density), "share of tokens on which it fires")
	}
	if r.ContextF1 != nil {
		add("context graph’s F1", score(*r.ContextF1), "of its predictions on test documents, for tokens that fire")
	}
	if r.ContextLead != nil {
		add("its lead", leadText(r.ContextLead), "F1 less that of the table of tokens")
	}
	if r.F1 != nil {
		add("neuron graph’s F1", score(*r.F1), "of its predictions on test examples, for tokens that fire")
	}
	if r.Lead != nil {
		add("its lead", leadText(r.Lead), "F1 less that of the table of tokens")
	}
	if r.State == "explained" {
		add("nodes", strconv.Itoa(r.Nodes), "of the neuron graph")
		if r.Behaviours != nil {
			add("behaviours", strconv.Itoa(*r.Behaviours), "unrelated things that make it fire")
		}
	}
	return list
}

// mostNodes of a graph on a page; its JSON has all.
const mostNodes = 120

func (v *view) explained(ctx context.Context, e *n2g.Explanation, lean bool) error {
	o := e.Options.Resolved()
	if e.Graph != nil {
		options := graphviz.OptionsFor(e.Options)
		options.Theme, options.Inline, options.MaxNodes = graphviz.Auto, true, mostNodes
		if lean {
			options.NoLegend, options.MaxNodes = true, mostNodes/2
		}
		svg, err := graphviz.SVG(ctx, e.Graph, options)
		if err != nil {
			return err
		}
		v.Graphs = append(v.Graphs, drawing{"Neuron graph",
			"Activating tokens at the right, red by activation; the context they need to their left, blue by importance; a " +
				"bold border ends a line.",
			template.HTML(svg)})
	}
	if e.Context != nil {
		options := graphviz.Options{Theme: graphviz.Auto, Inline: true, NoLegend: lean}
		if lean {
			options.MaxNodes = leanNodes
		}
		svg, err := graphviz.OfContext(e.Context, options).SVG(ctx, options)
		if err != nil {
			return err
		}
		v.Graphs = append([]drawing{{"Context graph",
			"Learned from the whole corpus: the tokens on which it fires, what must stand before them, and crossed out what " +
				"must not.",
			template.HTML(svg)}}, v.Graphs...)
	}
	v.behaviours(e.Behaviours, lean)
	v.Fire = strconv.FormatFloat(*o.FireThreshold, 'g', -1, 64)
	v.scores(e)
	seen := map[string]bool{}
	prunes := slices.Clone(e.Prunes)
	slices.SortStableFunc(prunes, func(a, b n2g.Prune) int { return cmp.Compare(b.InitialMax, a.InitialMax) })
	for _, p := range prunes {
		if p.Measured == nil || seen[p.Text] || lean && len(v.Examples) == leanTexts {
			continue
		}
		seen[p.Text] = true
		if v.Sample == "return nil, err" && strings.TrimSpace(p.Text) != "" {
			v.Sample = strings.TrimLeft(p.Text, "\n")
		}
		v.Examples = append(v.Examples, exampleMap{
			fmt.Sprintf("activation %s, pruned %s", number(p.InitialMax), number(p.TruncatedMax)),
			measuredMap(*p.Measured, lean),
		})
	}
	v.bands(e, *o.FireThreshold, lean)
	if e.Effects != nil {
		most := len(e.Effects.Promoted)
		if lean {
			most = leanTokens
		}
		weighted := func(list []n2g.TokenEffect) (out []Weighted) {
			for _, t := range list[:min(most, len(list))] {
				out = append(out, Weighted{t.Token, t.Value})
			}
			return out
		}
		v.Promoted = &Promoted{weighted(e.Effects.Promoted), weighted(e.Effects.Suppressed)}
	}
	return nil
}

// behaviours shows what there is of them, with examples where there are several, one each on a lean page.
func (v *view) behaviours(b *n2g.Behaviours, lean bool) {
	if b == nil {
		return
	}
	v.Behaviours = &behaviours{Summary: b.Summary()}
	for _, one := range b.List {
		shown := behaviour{Label: one.Label, Facts: one.Facts()}
		for k, e := range one.Shown {
			if len(b.List) < 2 || lean && k > 0 {
				break
			}
			h := heatmap.FromBehaviour(e)
			h.Lean = true
			shown.Maps = append(shown.Maps, template.HTML(h.Body()))
		}
		v.Behaviours.List = append(v.Behaviours.List, shown)
	}
}

// measuredMap is a pruned text's activations over its importances.
func measuredMap(m n2g.Measured, lean bool) template.HTML {
	h := heatmap.FromMeasured(m)
	if len(h.Tokens) == 0 {
		return ""
	}
	h.Form, h.NoLegend, h.Lean = heatmap.Strips, true, lean
	h.Tokens = h.Tokens[1:] // BOS is context, on which nothing activates
	for k := range h.Rows {
		h.Rows[k].Values = h.Rows[k].Values[min(1, len(h.Rows[k].Values)):]
	}
	h.Marks = h.Marks[min(1, len(h.Marks)):]
	if lean {
		h = around(h, m.Peak-1)
	}
	return template.HTML(h.Body())
}

// Of a lean map, what stays around the peak.
const leanBefore, leanAfter = 28, 10

// leanNodes of a lean page's context graph.
const leanNodes = 6

// leanTokens that a lean page's neuron promotes, and suppresses.
const leanTokens = 4

// leanTexts of a lean page are those that excite the neuron most.
const leanTexts = 2

// around cuts a map to some tokens about one.
func around(h heatmap.HeatMap, peak int) heatmap.HeatMap {
	from, to := max(0, peak-leanBefore), min(len(h.Tokens), max(peak, 0)+leanAfter)
	from = min(from, to)
	h.Tokens = h.Tokens[from:to]
	for k := range h.Rows {
		h.Rows[k].Values = h.Rows[k].Values[min(from, len(h.Rows[k].Values)):min(to, len(h.Rows[k].Values))]
	}
	h.Marks = h.Marks[min(from, len(h.Marks)):min(to, len(h.Marks))]
	return h
}

// bands sorts test texts by their peak.
func (v *view) bands(e *n2g.Explanation, fire float64, lean bool) {
	list := []band{
		{Name: "Test texts near its maximum", Note: "Upper strip: the neuron. Lower strip: the graph. Solid outline: " +
			"missed; dashed: false alarm."},
		{Name: "Test texts on which it fires"}, {Name: "Below firing"}, {Name: "Where it is quiet"},
	}
	tests := slices.Clone(e.Tests)
	peak := func(t n2g.Test) (at int, value float64) {
		for i, a := range t.Activations {
			if i > 0 && a > value {
				at, value = i, a
			}
		}
		return at, value
	}
	slices.SortStableFunc(tests, func(a, b n2g.Test) int {
		_, pa := peak(a)
		_, pb := peak(b)
		return cmp.Compare(pb, pa)
	})
	for _, t := range tests {
		if len(t.Tokens) == 0 {
			continue
		}
		at, value := peak(t)
		behind := n2g.Test{Tokens: t.Tokens[1:], Activations: t.Activations[1:], Predictions: t.Predictions[1:]} // BOS
		h := heatmap.FromTest(behind, fire)
		h.NoLegend, h.Lean = true, lean
		if lean {
			h = around(h, at-1)
		}
		which := 3 // of the bands
		switch {
		case value >= 0.9:
			which = 0
		case value >= fire:
			which = 1
		case value > 0:
			which = 2
		}
		if lean && len(list[which].Examples) == 2*leanExamples {
			continue
		}
		list[which].Examples = append(list[which].Examples, exampleMap{"peak " + score(value), template.HTML(h.Body())})
	}
	for _, b := range list {
		if len(b.Examples) > 0 {
			v.Bands = append(v.Bands, b)
		}
	}
}

// Of each band of the corpus, and of a lean one.
const (
	corpusBands  = 5
	bandExamples = 4
	leanBands    = 3
	leanExamples = 1
)

// corpusBands are examples of an index by their maximum, and places where a token on which the neuron fires leaves it
// quiet.
func (s *Server) corpusBands(n n2g.Site, known *index.Stats, lean bool) ([]band, error) {
	if s.o.TokenString == nil {
		return nil, nil
	}
	x, count, most := s.source.Load().Index, corpusBands, bandExamples
	if lean {
		count, most = leanBands, leanExamples
	}
	number, err := x.Meta().Number(n.Layer, s.o.Hook, n.Index)
	if err != nil {
		return nil, nil // the index has other neurons
	}
	found, err := x.Bands(number, count, most, 1)
	if err != nil {
		return nil, err
	}
	negatives, err := x.HardNegatives(number, most, 1)
	if err != nil {
		return nil, err
	}
	postings, err := x.Postings(number)
	if err != nil {
		return nil, err
	}
	var list []band
	add := func(name, note string, examples []index.Example) error {
		b := band{Name: name, Note: note}
		for _, e := range examples {
			m, err := s.corpusMap(e, postings, known.Maximum())
			if err != nil {
				return err
			}
			b.Examples = append(b.Examples, exampleMap{"activation " + cmp.Or(number3(e.Value), "0"), m})
		}
		if len(b.Examples) > 0 {
			list = append(list, b)
		}
		return nil
	}
	for i, f := range found {
		low, high := cmp.Or(number3(float32(f.Low)), "0"), number3(float32(f.High))
		name, note := fmt.Sprintf("Corpus: maxima of %s to %s", low, high), ""
		if i == 0 {
			name = "Corpus: its highest"
			note = "Windows of the corpus by the neuron’s maximum in them; activations below the level that the index keeps " +
				"are not shown."
		}
		if f.Windows >= 0 {
			note = strings.TrimSpace(note + fmt.Sprintf(" %d windows.", f.Windows))
		}
		if err := add(name, note, f.Examples); err != nil {
			return nil, err
		}
	}
	return list, add("Corpus: the same tokens, quiet",
		"Places where a token stands on which the neuron fires elsewhere.", negatives)
}

func number3(v float32) string { return number(float64(v)) }

// corpusMap is a window of the corpus about an example's place, with the activations that the index keeps.
func (s *Server) corpusMap(e index.Example, postings []index.Posting, maximum float64) (template.HTML, error) {
	first, end := e.Window.First, e.Window.End
	from, to := max(first, e.Position-leanBefore), min(end, e.Position+leanAfter)
	ids, err := s.source.Load().Index.IDs(from, to)
	if err != nil {
		return "", err
	}
	h := heatmap.HeatMap{
		Form: heatmap.Compact, NoLegend: true, Lean: true,
		Rows:  []heatmap.Row{{Name: "activation", Values: make([]float64, len(ids)), Max: maximum}},
		Marks: make([]heatmap.Mark, len(ids)),
	}
	for _, id := range ids {
		h.Tokens = append(h.Tokens, s.o.TokenString(id))
	}
	at, _ := slices.BinarySearchFunc(postings, uint32(from),
		func(p index.Posting, position uint32) int { return cmp.Compare(p.Position, position) })
	for ; at < len(postings) && int(postings[at].Position) < to; at++ {
		h.Rows[0].Values[int(postings[at].Position)-from] = float64(postings[at].Value)
	}
	if place := e.Position - from; place >= 0 && place < len(h.Marks) {
		h.Marks[place] = heatmap.Peak
	}
	return template.HTML(h.Body()), nil
}

// scores sets the graphs' beside the baselines'.
func (v *view) scores(e *n2g.Explanation) {
	if e.Scores == nil {
		return
	}
	lines := []predicted{{name: "neuron graph", scores: e.Scores}}
	if e.Baselines != nil {
		lines = append(lines, predicted{name: "table of tokens", scores: &e.Baselines.TokenLookup.Scores},
			predicted{name: "n-grams", scores: &e.Baselines.NGram.Scores})
	}
	v.Scores = comparison{"test examples", e.Scores.Firing.Support, scoreLines(lines)}
	texts := []string{contexttree.TestDocuments, contexttree.HardNegatives, contexttree.TopExamples}
	for _, c := range e.Comparisons {
		if !slices.Contains(texts, c.Text) {
			texts = append(texts, c.Text)
		}
	}
	if v.Static {
		texts = texts[:1]
	}
	for _, text := range texts {
		var lines []predicted
		for i := range e.Comparisons {
			if c := &e.Comparisons[i]; c.Text == text {
				lines = append(lines, predicted{c.Predictor, &c.Scores, c.LogLoss, c.ValueError})
			}
		}
		if len(lines) > 0 {
			v.Comparisons = append(v.Comparisons, comparison{text, lines[0].scores.Firing.Support, scoreLines(lines)})
		}
	}
}

// predicted is how well a predictor of some name does.
type predicted struct {
	name             string
	scores           *n2g.Scores
	loss, valueError *float64 // nil: not measured
}

// scoreColumn is a column of the table of scores.
type scoreColumn struct {
	Name   string
	of     func(*predicted) *float64
	firing bool // it says nothing where no token fires
	lower  bool // the lower the better
}

func scoreColumns() []scoreColumn {
	return []scoreColumn{
		{Name: "F1", firing: true, of: func(p *predicted) *float64 { return &p.scores.Firing.F1 }},
		{Name: "avg. precision", firing: true, of: func(p *predicted) *float64 { return &p.scores.AveragePrecision }},
		{Name: "Pearson", of: func(p *predicted) *float64 { return &p.scores.Pearson }},
		{Name: "log-loss", firing: true, lower: true, of: func(p *predicted) *float64 { return p.loss }},
		{Name: "value error", lower: true, of: func(p *predicted) *float64 { return p.valueError }},
		{Name: "precision", firing: true, of: func(p *predicted) *float64 { return &p.scores.Firing.Precision }},
		{Name: "recall", firing: true, of: func(p *predicted) *float64 { return &p.scores.Firing.Recall }},
		{Name: "R²", of: func(p *predicted) *float64 { return &p.scores.R2 }},
	}
}

// value is nil where there is none.
func (c *scoreColumn) value(p *predicted) *float64 {
	if c.firing && p.scores.Firing.Support == 0 {
		return nil
	}
	return c.of(p)
}

// cell is a score as it is written.
func (c *scoreColumn) cell(p *predicted) string {
	switch value := c.value(p); {
	case value == nil:
		return "–"
	case c.Name == "value error": // of shares of the maximum, which are small
		return strconv.FormatFloat(*value, 'f', 3, 64)
	default:
		return score(*value)
	}
}

// scoreLines marks the best of each column; what is no better than nothing at all is not.
func scoreLines(lines []predicted) []scoreLine {
	out := make([]scoreLine, len(lines))
	for i := range lines {
		out[i].Name = lines[i].name
	}
	for _, c := range scoreColumns() {
		best := -1
		for i := range lines {
			value := c.value(&lines[i])
			if value == nil || !c.lower && !(*value > 0) {
				continue
			}
			if best < 0 || c.lower == (*value < *c.value(&lines[best])) {
				best = i
			}
		}
		for i := range lines {
			text := c.cell(&lines[i])
			out[i].Cells = append(out[i].Cells, scoreCell{text, best >= 0 && text == c.cell(&lines[best])})
		}
	}
	return out
}

func (s *Server) livePage(ctx context.Context, r *http.Request) (*view, error) {
	if _, err := s.warm(); err != nil {
		return nil, err
	}
	var in struct {
		Layer  int    `query:"layer"`
		Neuron int    `query:"neuron"`
		Text   string `query:"text"`
	}
	in.Layer, in.Neuron = s.lively(ctx)
	if err := readParameters(r, &in); err != nil {
		return nil, err
	}
	_, row, err := s.row(ctx, n2g.Site{Layer: in.Layer, Index: in.Neuron})
	if err != nil {
		return nil, err
	}
	return &view{Page: "live", Title: "Live text", Row: *row,
		Sample: cmp.Or(in.Text, "// The caller must hold the lock.\nif err != nil {\n\treturn nil, err\n}")}, nil
}

// lively is the neuron whose graph predicts best.
func (s *Server) lively(ctx context.Context) (layer, neuron int) {
	page, err := s.neurons(ctx, &Listing{Filter: Filter{Kind: "lively"}, Sort: "-f1", Limit: 1})
	if err != nil || len(page.Rows) == 0 {
		return 0, 0
	}
	return page.Rows[0].Layer, page.Rows[0].Neuron
}

func (s *Server) runPage(ctx context.Context, _ *http.Request) (*view, error) {
	status, err := s.runStatus(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &view{Page: "run", Title: "Run", Status: *status, Most: max(1, status.Planned)}, nil
}

func (s *Server) apiPage(_ context.Context, r *http.Request) (*view, error) {
	v := &view{Page: "api", Title: "API", Address: "http://" + r.Host}
	for _, o := range s.api {
		v.Operations = append(v.Operations, operationLine{o.method, apiPrefix + strings.TrimSuffix(o.path, "/"), o.summary})
	}
	return v, nil
}

// labelHTML shows the tokens of a label, which stand between backticks, as tokens, and behind it how few firings it
// rests on.
func labelHTML(label string) template.HTML {
	label, few := contexttree.CutFew(label)
	return tokensHTML(label) + fewHTML(few)
}

// rowLabel is a label for a line that may be cut, so that few firings are told first.
func rowLabel(label string) template.HTML {
	label, few := contexttree.CutFew(label)
	return fewHTML(few) + tokensHTML(label)
}

func fewHTML(firings string) template.HTML {
	if firings == "" {
		return ""
	}
	firings = template.HTMLEscapeString(firings)
	return template.HTML(` <span class="kind few" title="the graph rests on few firing tokens: ` + firings + `">few: ` +
		firings + "</span> ")
}

func tokensHTML(text string) template.HTML {
	return template.HTML(label.HTML(contexttree.LabelParts(text)))
}

// shortLabel is a label for a line of a list: its first tests.
func shortLabel(label string) template.HTML {
	const most = 90
	label, few := contexttree.CutFew(label)
	if len(label) <= most {
		return fewHTML(few) + tokensHTML(label)
	}
	end, inside := 0, false
	for i, r := range label {
		if r == '`' {
			inside = !inside
		}
		if i > most && end > 0 {
			break
		}
		if !inside && (r == ',' || r == ';' || r == '/') {
			end = i
		}
	}
	if end == 0 {
		return fewHTML(few) + tokensHTML(label)
	}
	return fewHTML(few) + tokensHTML(label[:end]) + "…"
}

// number formats an activation.
func number(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// percent formats a share, never as 0 where it is not.
func percent(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(100**v, 'g', 2, 64) + " %"
}

func score(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strings.Replace(strconv.FormatFloat(v, 'f', 2, 64), "-0.00", "0.00", 1)
}

func leadText(v *float64) string {
	if v == nil {
		return ""
	}
	return strings.Replace(fmt.Sprintf("%+.2f", *v), "-", "−", 1)
}

func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing an event: %w", err)
	}
	return text, nil
}
