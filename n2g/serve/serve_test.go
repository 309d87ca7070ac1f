package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/effects"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/run"
	"github.com/neuron2graph/neuron2graph/n2g/serve"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

//go:generate go test -run ^TestOpenAPI$ -update

var update = flag.Bool("update", false, "write the golden file")

// neurons that the stored run has explained.
const explainedNeurons = "14,19,222,254"

// bench is a store with some of tiny's neurons, made once.
var bench = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "n2g-serve-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "run.db")
	s, err := store.Open(path, store.Options{})
	if err != nil {
		return "", err
	}
	defer s.Close()
	o, done, err := warmOptions(s)
	if err != nil {
		return "", err
	}
	defer done()
	ranges, err := run.ParseRanges(explainedNeurons)
	if err != nil {
		return "", err
	}
	sites, err := run.Selection{Neurons: ranges}.Sites(o.Layers, o.Neurons, o.Model.DefaultHook())
	if err != nil {
		return "", err
	}
	_, err = run.Run(context.Background(), o.Model, nil, o.Examples, sites, s,
		run.Options{Examples: o.ExamplesName, Complete: o.Complete})
	return path, err
})

func TestMain(m *testing.M) {
	status := m.Run()
	if path, err := bench(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(status)
}

// warmOptions are those of a server of tiny.
func warmOptions(s *store.Store) (o serve.Options, done func() error, err error) {
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		return o, nil, err
	}
	x, err := index.Read(tiny.Index())
	if err != nil {
		return o, nil, err
	}
	explainer := contexttree.NewExplainer(x, model.TokenString, contexttree.Options{})
	return serve.Options{
		Complete: func(ctx context.Context, e *n2g.Explanation) error {
			return explainer.Complete(ctx, e, contexttree.Asker{})
		},
		Model: model, Layers: model.Config().Layers, Neurons: model.Config().DMLP, Files: model.Files(),
		Shape: model.Config(),
		Store: s, Version: "v0.0.0-test", ExamplesName: "tiny's",
		Examples: func(site n2g.Site) (*n2g.Examples, error) {
			return corpus.Examples(x, model, site)
		},
		Index: x,
	}, model.Close, nil
}

// word is a token of letters in some neuron's graph.
func word(t testing.TB, s *store.Store) string {
	t.Helper()
	for e, err := range s.Explanations(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range e.Graph.Nodes {
			if len(n.Token) > 1 && strings.Trim(n.Token, "abcdefghijklmnopqrstuvwxyz") == "" {
				return n.Token
			}
		}
	}
	t.Fatal("no graph has a word")
	return ""
}

// open returns a server over a copy of the store, and what changes to options made of it.
func open(t testing.TB, change func(*serve.Options)) (*serve.Server, serve.Options) {
	t.Helper()
	path, err := bench()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "run.db")
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(copied, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	o, done, err := warmOptions(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { done() })
	if change != nil {
		change(&o)
	}
	server, err := serve.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, o
}

// listen serves on a port of loopback.
func listen(t testing.TB, change func(*serve.Options)) (address string, o serve.Options) {
	t.Helper()
	server, o := open(t, change)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := server.HTTP()
	go h.Serve(l) // it ends with the test
	t.Cleanup(func() { h.Close() })
	return "http://" + l.Addr().String(), o
}

// do asks a handler.
func do(h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// get asks an operation and decodes the answer.
func get[T any](t testing.TB, h http.Handler, method, path, body string) T {
	t.Helper()
	w := do(h, method, "/api/v1"+path, body)
	var out T
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	return out
}

// TestLive compares with the model asked directly, and with the method's own predictor.
func TestLive(t *testing.T) {
	server, o := open(t, nil)
	const text = "// The caller must hold the lock.\nif err != nil {\n\treturn nil, fmt.Errorf(\"</script>\")\n}"
	ids, err := n2g.Prompt(o.Model, text)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(map[string]any{"layer": 1, "neuron": 254, "text": text})
	live := get[serve.Live](t, server, "POST", "/live", string(body))
	want, err := o.Model.Activations(t.Context(), 1, o.Model.DefaultHook(), 254, [][]int{ids}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want[0] {
		if float32(live.Activations[i]) != v {
			t.Errorf("position %d: %v, the model says %v", i, live.Activations[i], v)
		}
	}
	e, err := o.Store.Explanation(t.Context(), n2g.Site{Layer: 1, Index: 254})
	if err != nil {
		t.Fatal(err)
	}
	if predicted := n2g.NewPredictor(e.Trie).Predict(live.Tokens); !slices.Equal(predicted, live.Predictions) {
		t.Errorf("predictions %v, want %v", live.Predictions, predicted)
	}
	if live.Maximum != e.MaxActivation || !live.Known {
		t.Errorf("maximum %g, want %g", live.Maximum, e.MaxActivation)
	}
	matters := get[serve.Importance](t, server, "POST", "/importance",
		`{"layer":1,"neuron":254,"text":"if err != nil {","position":3}`)
	ids, err = n2g.Prompt(o.Model, "if err != nil {")
	if err != nil {
		t.Fatal(err)
	}
	masked := slices.Clone(ids[:4])
	masked[1] = o.Model.MaskID()
	two, err := o.Model.Activations(t.Context(), 1, "", 254, [][]int{ids[:4], masked}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 - float64(two[1][3])/float64(two[0][3]); math.Abs(matters.Importances[1]-want) > 1e-9 {
		t.Errorf("importance %g, want %g", matters.Importances[1], want)
	}
	fires := get[serve.Fires](t, server, "POST", "/fires", `{"text":"if err != nil {","limit":5}`)
	if len(fires.Hits) != 5 || !slices.IsSortedFunc(fires.Hits,
		func(a, b serve.Fired) int { return -cmpFloat(a.Share, b.Share) }) {
		t.Errorf("hits %+v", fires.Hits)
	}
	best := fires.Hits[0]
	all, err := o.Model.Activations(t.Context(), best.Layer, "", best.Neuron, [][]int{ids}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if highest := slices.Max(all[0][1:]); math.Abs(float64(highest)-float64(best.Activation)) > 1e-5*float64(highest) {
		t.Errorf("the first hit %+v has %g", best, highest)
	}
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// TestTable compares filters and orders with a plain walk over all rows.
func TestTable(t *testing.T) {
	server, o := open(t, nil)
	all := get[serve.Page](t, server, "GET", "/neurons?limit=1000", "")
	all.Rows = append(all.Rows, get[serve.Page](t, server, "GET", "/neurons?limit=1000&offset=1000", "").Rows...)
	if all.Total != o.Layers*o.Neurons || len(all.Rows) != all.Total {
		t.Fatalf("%d rows of %d", len(all.Rows), all.Total)
	}
	explained := 0
	for _, r := range all.Rows {
		if r.State == "explained" {
			explained++
			if r.Label == "" {
				t.Errorf("%d/%d has no label", r.Layer, r.Neuron)
			}
		}
	}
	if want := o.Layers * len(strings.Split(explainedNeurons, ",")); explained < want-2 || explained > want {
		t.Errorf("%d explained, want about %d", explained, want)
	}
	count := func(keep func(serve.Row) bool) (n int) {
		for _, r := range all.Rows {
			if keep(r) {
				n++
			}
		}
		return n
	}
	for query, keep := range map[string]func(serve.Row) bool{
		"layer=1":                     func(r serve.Row) bool { return r.Layer == 1 },
		"kind=dead":                   func(r serve.Row) bool { return r.Kind == "dead" },
		"min_maximum=1&max_maximum=5": func(r serve.Row) bool { return r.Maximum >= 1 && r.Maximum <= 5 },
		"min_f1=0.5":                  func(r serve.Row) bool { return r.F1 != nil && *r.F1 >= 0.5 },
		"max_lead=0&state=explained":  func(r serve.Row) bool { return r.Lead != nil && *r.Lead <= 0 },
		"min_density=0.001&layer=0&label=": func(r serve.Row) bool {
			return r.Density != nil && *r.Density >= 0.001 &&
				r.Layer == 0
		},
	} {
		if got, want := get[serve.Page](t, server, "GET", "/neurons?"+query, "").Matched, count(keep); got != want {
			t.Errorf("%s matches %d rows, want %d", query, got, want)
		}
	}
	for _, sort := range []string{"maximum", "-maximum", "f1", "-f1", "-density", "lead", "-nodes", "-neuron"} {
		rows := get[serve.Page](t, server, "GET", "/neurons?limit=1000&sort="+sort, "").Rows
		value := map[string]func(serve.Row) float64{
			"maximum": func(r serve.Row) float64 { return r.Maximum }, "f1": func(r serve.Row) float64 { return value(r.F1) },
			"density": func(r serve.Row) float64 { return value(r.Density) },
			"lead":    func(r serve.Row) float64 { return value(r.Lead) },
			"nodes":   func(r serve.Row) float64 { return float64(r.Nodes) },
			"neuron":  func(r serve.Row) float64 { return float64(r.Layer*1e6 + r.Neuron) },
		}[strings.TrimPrefix(sort, "-")]
		for i := 1; i < len(rows); i++ {
			a, b := value(rows[i-1]), value(rows[i])
			if strings.HasPrefix(sort, "-") && !math.IsNaN(a) && !math.IsNaN(b) {
				a, b = b, a
			}
			if math.IsNaN(a) && !math.IsNaN(b) || a > b {
				t.Fatalf("sorted by %s, row %d is out of order: %+v %+v", sort, i, rows[i-1], rows[i])
			}
		}
	}
	histograms := get[serve.Histograms](t, server, "GET", "/histograms?layer=1", "")
	sum := 0
	for _, n := range histograms.Maximum.Counts {
		sum += n
	}
	if want := count(func(r serve.Row) bool { return r.Layer == 1 && r.Maximum > 0 }); sum != want {
		t.Errorf("the histogram counts %d maxima, want %d", sum, want)
	}
	token := word(t, o.Store)
	found := get[serve.Found](t, server, "GET", "/search?token="+token, "")
	hits, err := o.Store.Search(t.Context(), store.Term{Token: token, Kind: n2g.AnyKind})
	if err != nil || len(found.Hits) != len(hits) || len(hits) == 0 {
		t.Errorf("%d hits, want %d (%v)", len(found.Hits), len(hits), err)
	}
	if w := do(server, "GET", "/api/v1/neurons?promotes=if", ""); w.Code != http.StatusNotFound {
		t.Errorf("promoted tokens of a store without effects: %d", w.Code)
	}
	effect := func(id int, token string) *n2g.Effects {
		return &n2g.Effects{Attribution: n2g.Attribution{Promoted: []n2g.TokenEffect{{ID: id, Token: token, Value: 1}}}}
	}
	err = o.Store.PutEffects(t.Context(), store.EffectsOf{Model: tiny.Name}, []store.NeuronEffects{
		{Site: n2g.Site{Layer: 0, Index: 3}, Effects: effect(7, " if")},
		{Site: n2g.Site{Layer: 2, Index: 5}, Effects: effect(8, "if")},
		{Site: n2g.Site{Layer: 2, Index: 6}, Effects: effect(9, "x")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		"promotes=if": 2, "promotes=if&layer=2": 1, "suppresses=if": 0, "promotes=x*": 1,
	} {
		if got := get[serve.Page](t, server, "GET", "/neurons?"+query, "").Matched; got != want {
			t.Errorf("%s matches %d neurons, want %d", query, got, want)
		}
	}
	if matched := get[serve.Page](t, server, "GET", "/neurons?token="+token, "").Matched; matched != len(hits) {
		t.Errorf("%d rows with the token, want %d", matched, len(hits))
	}
}

func value(p *float64) float64 {
	if p == nil {
		return math.NaN()
	}
	return *p
}

// questions is an example of each operation, by its method and path.
var questions = map[string][2]string{
	"GET /":                                   {"", ""},
	"GET /neurons":                            {"/neurons?sort=-f1&limit=3&min_f1=0", ""},
	"GET /histograms":                         {"/histograms?kind=lively", ""},
	"GET /neurons/{layer}/{neuron}":           {"/neurons/1/254", ""},
	"GET /neurons/{layer}/{neuron}/similar":   {"/neurons/1/254/similar", ""},
	"GET /neurons/{layer}/{neuron}/promoted":  {"/neurons/1/254/promoted", ""},
	"GET /neurons/{layer}/{neuron}/connected": {"/neurons/1/254/connected", ""},
	"GET /search":                             {"/search?token=err*", ""},
	"POST /tokenize":                          {"/tokenize", `{"text": "if err != nil"}`},
	"POST /activations": {"/activations",
		`{"layer": 0, "neuron": 1, "prompts": [[0, 5, 6]], "positions": [[1, 2]]}`},
	"POST /layer_activations": {"/layer_activations", `{"layer": 0, "prompts": [[0, 5]]}`},
	"POST /predict":           {"/predict", `{"layer": 1, "neuron": 254, "text": "if err"}`},
	"POST /live":              {"/live", `{"layer": 1, "neuron": 254, "text": "if err"}`},
	"POST /importance": {"/importance",
		`{"layer": 1, "neuron": 254, "text": "if err", "position": 1}`},
	"POST /fires":     {"/fires", `{"text": "if err"}`},
	"POST /explain":   {"/explain", `{"layer": 1, "neuron": 254, "options": {}}`},
	"POST /effects":   {"/effects", `{"layer": 1, "neuron": 254, "text": "if err", "value": 1}`},
	"GET /run":        {"/run", ""},
	"POST /run":       {"/run", `{"layers": "0", "neurons": "3", "sample": 0}`},
	"POST /run/stop":  {"/run/stop", `{}`},
	"POST /mine":      {"/mine", `{"layers": "0"}`},
	"POST /mine/stop": {"/mine/stop", `{}`},
}

// TestOpenAPI holds docs/api.json to what is served: its operations, and the shape of what they answer.
func TestOpenAPI(t *testing.T) {
	server, _ := open(t, func(o *serve.Options) {
		o.Write, o.Model = true, steerable{o.Model}
		o.Mining = &serve.Mining{
			Run:   func(context.Context, string, func(done, windows int)) error { return nil },
			Watch: func() (done, windows int, running bool) { return 0, 0, false },
			Open:  func() (*serve.Source, error) { return nil, fs.ErrNotExist },
		}
	})
	served := do(server, "GET", "/api/v1/openapi.json", "").Body.Bytes()
	golden := filepath.Join("..", "..", "docs", "api.json")
	if *update {
		if err := os.WriteFile(golden, served, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(served, want) {
		t.Errorf("docs/api.json is not what is served: run go generate")
	}
	var document map[string]any
	if err := json.Unmarshal(served, &document); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for path, entry := range document["paths"].(map[string]any) {
		for method, about := range entry.(map[string]any) {
			name := strings.ToUpper(method) + " " + path
			question, ok := questions[name]
			if !ok {
				t.Errorf("%s has no example here", name)
				continue
			}
			tried++
			w := do(server, strings.ToUpper(method), "/api/v1"+question[0], question[1])
			if w.Code != http.StatusOK {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
				continue
			}
			var answer any
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			schema := about.(map[string]any)
			for _, key := range []string{"responses", "200", "content", "application/json", "schema"} {
				schema = schema[key].(map[string]any)
			}
			check(t, name, document, schema, answer)
		}
	}
	if tried != len(questions) {
		t.Errorf("%d of %d operations are served", tried, len(questions))
	}
}

// check holds a value to a schema.
func check(t *testing.T, where string, document, schema map[string]any, value any) {
	t.Helper()
	if reference, ok := schema["$ref"].(string); ok {
		name := reference[strings.LastIndex(reference, "/")+1:]
		schema = document["components"].(map[string]any)["schemas"].(map[string]any)[name].(map[string]any)
	}
	kind := ""
	switch value.(type) {
	case nil:
		kind = "null"
	case bool:
		kind = "boolean"
	case float64:
		kind = "number"
	case string:
		kind = "string"
	case []any:
		kind = "array"
	case map[string]any:
		kind = "object"
	}
	allowed := fmt.Sprint(schema["type"])
	if schema["type"] != nil && !strings.Contains(allowed, kind) && !(kind == "number" && allowed == "integer") &&
		kind != "null" {
		t.Errorf("%s is %s %v, the document says %s", where, kind, value, allowed)
		return
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v[:min(len(v), 3)] {
			check(t, where+"[]", document, schema["items"].(map[string]any), item)
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, item := range v {
			inner, ok := properties[name].(map[string]any)
			if !ok {
				if _, free := schema["additionalProperties"]; !free {
					t.Errorf("%s has %q, of which the document does not know", where, name)
				}
				continue
			}
			check(t, where+"."+name, document, inner, item)
		}
	}
}

// steerable gives answers that only shape matters of.
type steerable struct{ serve.Model }

func (steerable) Steer(context.Context, []int, int, string, int, float64, int) (before, after []serve.Likely,
	err error) {
	return []serve.Likely{{Token: "a", Probability: 1}}, []serve.Likely{{Token: "b", Probability: 1}}, nil
}

func (steerable) Promoted(context.Context, int, int, int) (up, down []serve.Weighted, err error) {
	return []serve.Weighted{{Token: "a", Weight: 1}}, nil, nil
}

func (steerable) Connected(context.Context, int, int, int) (*effects.Neighbours, error) {
	return &effects.Neighbours{Down: []effects.Neighbour{{Layer: 2, Neuron: 14, Cosine: 0.5, Through: "in"}}}, nil
}

// TestRefusals: each bad question gets a sentence and its status, and no path of the machine.
func TestRefusals(t *testing.T) {
	server, o := open(t, func(o *serve.Options) { o.Limits = serve.Limits{Body: 5000, Text: 100, Prompts: 3} })
	long := strings.Repeat("a ", 60)
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/neurons?layer=x", "", 400, "whole number"},
		{"GET", "/neurons?limit=100000", "", 400, "1000"},
		{"GET", "/neurons?sort=color", "", 400, "color"},
		{"GET", "/neurons?min_f1=high", "", 400, "number"},
		{"GET", "/neurons?token=" + strings.Repeat("a+", 17), "", 400, "16"},
		{"GET", "/neurons/9/9", "", 404, "no layer 9"},
		{"GET", "/neurons/0/0", "", 404, "not explained"},
		{"GET", "/neurons/a/b", "", 400, "whole number"},
		{"GET", "/nothing", "", 404, "openapi"},
		{"GET", "/model/model.safetensors", "", 404, ""},
		{"GET", "/model/..%2f..%2fetc%2fpasswd", "", 404, ""},
		{"POST", "/live", "", 400, "no JSON"},
		{"POST", "/live", "{", 400, ""},
		{"POST", "/live", `{"layer":1,"neuron":2,"text":"a"} {}`, 400, "more than one"},
		{"POST", "/live", `{"layr":1}`, 400, "layr"},
		{"POST", "/live", `{"layer":1,"neuron":2,"text":""}`, 400, ""},
		{"POST", "/live", `{"layer":1,"neuron":2,"text":"` + long + `"}`, 413, "100"},
		{"POST", "/live", `{"layer":77,"neuron":2,"text":"a"}`, 400, "layer 77"},
		{"POST", "/live", `{"layer":1,"neuron":2,"text":"` + strings.Repeat("b", 6000) + `"}`, 413, "5000"},
		{"POST", "/activations", `{"layer":0,"neuron":0,"prompts":[[0],[0],[0],[0]]}`, 413, "3"},
		{"POST", "/activations", `{"layer":0,"neuron":0,"prompts":[[0,99999999]]}`, 400, "vocabulary"},
		{"POST", "/activations", `{"layer":0,"neuron":0,"prompts":[[0]],"positions":[[7]]}`, 400, "position"},
		{"POST", "/importance", `{"layer":1,"neuron":2,"text":"a","position":55}`, 400, "55"},
		{"POST", "/run", `{}`, 403, "-write"},
		{"POST", "/run/stop", `{}`, 403, "-write"},
		{"POST", "/effects", `{"layer":1,"neuron":2,"text":"a"}`, 501, ""},
		{"DELETE", "/neurons", "", 404, ""},
	} {
		w := do(server, test.method, "/api/v1"+test.path, test.body)
		var problem serve.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Error == "" {
			t.Errorf("%s %s %.40s: %d without a sentence: %s", test.method, test.path, test.body, w.Code, w.Body)
		}
		if w.Code != test.status || !strings.Contains(problem.Error, test.says) {
			t.Errorf("%s %s %.40s: %d %q, want %d about %q", test.method, test.path, test.body, w.Code, problem.Error,
				test.status, test.says)
		}
		if strings.Contains(problem.Error, filepath.Dir(o.Store.Path())) || strings.Contains(problem.Error, "\n") {
			t.Errorf("%s: %q tells of the machine, or has several lines", test.path, problem.Error)
		}
	}
}

// TestGuard: who may ask, and what every answer forbids.
func TestGuard(t *testing.T) {
	server, _ := open(t, func(o *serve.Options) { o.Hosts = []string{"workbench.example"} })
	for _, test := range []struct {
		headers []string
		status  int
	}{
		{nil, 200},
		{[]string{"Host", "127.0.0.1:7711"}, 200},
		{[]string{"Host", "[::1]:7711"}, 200},
		{[]string{"Host", "workbench.example:80"}, 200},
		{[]string{"Host", "evil.example"}, 421},
		{[]string{"Host", "localhost.evil.example"}, 421},
		{[]string{"Host", "192.168.0.1"}, 421},
		{[]string{"Origin", "http://localhost"}, 200},
		{[]string{"Origin", "http://evil.example"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Sec-Fetch-Site", "same-origin"}, 200},
	} {
		w := do(server, "POST", "/api/v1/tokenize", `{"text":"a"}`, test.headers...)
		if w.Code != test.status {
			t.Errorf("%v: status %d, want %d", test.headers, w.Code, test.status)
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
			!strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%v: policy %q", test.headers, policy)
		}
	}
	guarded, _ := open(t, func(o *serve.Options) { o.Token = "secret" })
	if w := do(guarded, "GET", "/", ""); w.Code != 401 {
		t.Errorf("without the token: %d", w.Code)
	}
	if w := do(guarded, "GET", "/?token=wrong", ""); w.Code != 401 {
		t.Errorf("with a wrong token: %d", w.Code)
	}
	w := do(guarded, "GET", "/?layer=1&token=secret", "")
	if w.Code != 303 || w.Header().Get("Location") != "/?layer=1" ||
		!strings.Contains(w.Header().Get("Set-Cookie"), "HttpOnly") {
		t.Errorf("with the token: %d %v", w.Code, w.Header())
	}
	for _, headers := range [][]string{{"Cookie", "n2g_token=secret"}, {"Authorization", "Bearer secret"}} {
		if w := do(guarded, "GET", "/api/v1", "", headers...); w.Code != 200 {
			t.Errorf("%v: %d", headers, w.Code)
		}
	}
}

// TestPages: every page is there without a script, and shows no markup of tokens.
func TestPages(t *testing.T) {
	server, o := open(t, nil)
	if err := o.Store.PutFailure(t.Context(), n2g.Site{Layer: 0, Index: 7}, "it never <b>fires</b>"); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		"/": "1/254", "/?sort=-f1&layer=1": "aria-sort=\"descending\"", "/neurons/1/254": "Neuron graph",
		"/neurons/0/0": "not explained yet", "/neurons/0/7": "could not be explained",
		"/live?layer=1&neuron=254&text=%3C/script%3E": "&lt;/script&gt;",
		"/run": "it never &lt;b&gt;fires", "/api": "openapi.json",
	} {
		w := do(server, "GET", path, "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), says) && path != "/" {
			t.Errorf("%s: %d without %q", path, w.Code, says)
		}
		for _, not := range []string{"style=\"", "<style", "onclick", "javascript:"} {
			if strings.Contains(w.Body.String(), not) {
				t.Errorf("%s holds %q, which its own policy forbids", path, not)
			}
		}
	}
	for _, path := range []string{"/neurons/9/9", "/neurons/x/y", "/nothing", "/?layer=x"} {
		if w := do(server, "GET", path, ""); w.Code < 400 || !strings.Contains(w.Body.String(), "<h1>") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestRun: a run begun over HTTP goes on without anyone watching, is seen by whoever looks, and ends in the store.
func TestRun(t *testing.T) {
	address, o := listen(t, func(o *serve.Options) { o.Write = true })
	post := func(path, body string) (int, serve.RunStatus) {
		t.Helper()
		answer, err := http.Post(address+"/api/v1"+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var status serve.RunStatus
		json.NewDecoder(answer.Body).Decode(&status) // a refusal is none
		return answer.StatusCode, status
	}
	if code, status := post("/run", `{"layers":"0","neurons":"20-23"}`); code != 200 || status.State != "running" {
		t.Fatalf("%d %+v", code, status)
	}
	if code, _ := post("/run", `{"layers":"1"}`); code != 409 {
		t.Errorf("a second run: status %d", code)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen := 0
	for watching := true; watching; { // each time one event is read, and the connection dropped, as by a reload
		r, err := http.NewRequestWithContext(ctx, "GET", address+"/api/v1/run/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(answer.Body).ReadString('\n')
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var status serve.RunStatus
		if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &status); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		seen++
		watching = status.State == "running"
		if status.State == "failed" {
			t.Fatalf("%+v", status)
		}
		time.Sleep(20 * time.Millisecond)
	}
	done, err := o.Store.Done(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	failed, err := o.Store.Failures(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := 20; i <= 23; i++ {
		n := n2g.Site{Layer: 0, Index: i, Hook: o.Model.DefaultHook()}
		if !slices.Contains(done, n) && !slices.ContainsFunc(failed, func(f store.Failure) bool { return f.Site == n }) {
			t.Errorf("%v was neither explained nor failed, after %d looks", n, seen)
		}
	}
	post("/run", `{"layers":"2"}`)
	if code, status := post("/run/stop", `{}`); code != 200 || status.State != "stopped" {
		t.Errorf("stopping: %d %+v", code, status)
	}
}

// TestSlowClients: clients that do not read, and that go away, leave no goroutine behind.
func TestSlowClients(t *testing.T) {
	server, _ := open(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := server.HTTP()
	go h.Serve(l) // it is closed below
	time.Sleep(50 * time.Millisecond)
	before := runtime.NumGoroutine()
	var connections []net.Conn
	for i := range 40 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		connections = append(connections, c)
		switch i % 4 {
		case 0: // half a header
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n")
		case 1: // a body that never comes
			io.WriteString(c, "POST /api/v1/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
		case 2: // events that nobody reads
			io.WriteString(c, "GET /api/v1/run/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		case 3: // an answer that nobody reads
			io.WriteString(c, "GET /api/v1/neurons?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}
	}
	time.Sleep(200 * time.Millisecond)
	if w := do(server, "GET", "/api/v1", ""); w.Code != 200 {
		t.Errorf("beside slow clients: %d", w.Code)
	}
	for _, c := range connections {
		c.Close()
	}
	h.Close()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			var b bytes.Buffer
			fmt.Fprintf(&b, "%d goroutines, %d before\n", runtime.NumGoroutine(), before)
			stacks := make([]byte, 1<<20)
			t.Fatalf("%s%s", &b, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// TestCancelled: a client that goes away ends what it asked.
func TestCancelled(t *testing.T) {
	asked, ended := make(chan struct{}, 1), make(chan error, 1)
	address, _ := listen(t, func(o *serve.Options) { o.Model = stuck{o.Model, asked, ended} })
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", address+"/api/v1/live",
		strings.NewReader(`{"layer":1,"neuron":2,"text":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	go http.DefaultClient.Do(r) // it is cancelled
	<-asked
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the model was not told")
		}
	case <-time.After(10 * time.Second):
		t.Error("the model still works for nobody")
	}
}

// stuck answers when its caller goes.
type stuck struct {
	serve.Model
	asked chan struct{}
	ended chan error
}

func (s stuck) Activations(ctx context.Context, _ int, _ string, _ int, _, _ [][]int) ([][]float32, error) {
	s.asked <- struct{}{}
	<-ctx.Done()
	s.ended <- ctx.Err()
	return nil, ctx.Err()
}

// TestBusy: more requests than may wait are told so, and those that wait are answered.
func TestBusy(t *testing.T) {
	asked, ended := make(chan struct{}, 8), make(chan error, 8)
	server, _ := open(t, func(o *serve.Options) {
		o.Model, o.Limits = stuck{o.Model, asked, ended}, serve.Limits{AtWork: 1, Waiting: 1, Time: 2 * time.Second}
	})
	codes := make(chan int, 3)
	for range 3 {
		go func() {
			codes <- do(server, "POST", "/api/v1/live", `{"layer":1,"neuron":2,"text":"a"}`).Code
		}()
		time.Sleep(100 * time.Millisecond)
	}
	got := []int{<-codes, <-codes, <-codes}
	slices.Sort(got)
	if !slices.Equal(got, []int{503, 504, 504}) {
		t.Errorf("statuses %v: one is refused, two run out of time", got)
	}
}

// BenchmarkTable is a page of 300,000 neurons, sorted and filtered, and their histograms.
func BenchmarkTable(b *testing.B) {
	server, _ := open(b, func(o *serve.Options) { o.Layers, o.Neurons, o.Index = 60, 5000, nil })
	for _, bench := range []struct{ name, path string }{
		{"page", "/api/v1/neurons?offset=150000"},
		{"sorted", "/api/v1/neurons?sort=-maximum&offset=299000"},
		{"filtered", "/api/v1/neurons?sort=-maximum&layer=7&min_maximum=0"},
		{"label", "/api/v1/neurons?sort=-f1&label=err"},
		{"histograms", "/api/v1/histograms?layer=7"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			do(server, "GET", bench.path, "")
			for b.Loop() {
				if w := do(server, "GET", bench.path, ""); w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

// BenchmarkLabel is what a row costs of a page whose labels nobody has asked for: its explanation is read.
func BenchmarkLabel(b *testing.B) {
	path, err := bench()
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	done, err := s.Done(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := s.Explanation(b.Context(), done[i%len(done)]); err != nil {
			b.Fatal(err)
		}
	}
}

// TestOtherSites: what is no neuron is called by its site, and what can be asked of neurons alone is refused or left
// out.
func TestOtherSites(t *testing.T) {
	server, _ := open(t, func(o *serve.Options) {
		o.Model, o.Hook, o.Neurons = steerable{o.Model}, "hook_resid_post", 64
	})
	const site = "blocks.1.hook_resid_post[5]"
	for _, path := range []string{"/neurons/1/5", "/neurons/1/254"} {
		page := do(server, "GET", path, "").Body.String()
		for _, not := range []string{"neuron 5", "neuron 254", "promotes</h", "id=\"cell\"", "data-effects"} {
			if strings.Contains(page, not) {
				t.Errorf("%s holds %q", path, not)
			}
		}
	}
	if page := do(server, "GET", "/neurons/1/5", "").Body.String(); !strings.Contains(page, "<title>"+site) ||
		!strings.Contains(page, "<h1>"+site) {
		t.Errorf("%s is not called so: %.600s", site, page)
	}
	for _, question := range [][3]string{
		{"POST", "/effects", `{"layer":1,"neuron":5,"text":"a"}`}, {"GET", "/neurons/1/5/promoted", ""},
	} {
		w := do(server, question[0], "/api/v1"+question[1], question[2])
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), site+" is no neuron") {
			t.Errorf("%s: %d %s", question[1], w.Code, w.Body)
		}
	}
	if w := do(server, "GET", "/api/v1/neurons/1/5", ""); !strings.Contains(w.Body.String(), site+" is not explained") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	found := get[serve.Connected](t, server, "GET", "/neurons/1/5/connected", "")
	if len(found.Down)+len(found.Up)+len(found.LikeIn)+len(found.LikeOut) > 0 {
		t.Errorf("weights of a neuron pass for those of %s: %+v", site, found)
	}
	if get[serve.Info](t, server, "GET", "", "").Effects {
		t.Error("pages offer to set what is no neuron")
	}
	live := get[serve.Live](t, server, "POST", "/live", `{"layer":1,"neuron":5,"text":"return nil, err"}`)
	if len(live.Activations) != len(live.Tokens) || live.Activations[1] == 0 {
		t.Errorf("%+v", live)
	}
}

// TestClosed: a server that is closed leaves no goroutine behind, neither that which reads labels nor one that mines or
// explains.
func TestClosed(t *testing.T) {
	_, o := open(t, nil)
	o.Write = true
	waits := func(closing bool) {
		server, err := serve.New(o)
		if err != nil {
			t.Fatal(err)
		}
		get[serve.Page](t, server, "GET", "/neurons?label=a", "") // the reader of labels is at work
		if closing {
			other := o
			other.Index, other.Examples = nil, nil
			other.Mining = mining(t, o, filepath.Join(t.TempDir(), "x.n2g"), make(chan struct{}))
			miner, err := serve.New(other)
			if err != nil {
				t.Fatal(err)
			}
			get[serve.RunStatus](t, miner, "POST", "/mine", `{}`) // and waits for a turn that never comes
			get[serve.RunStatus](t, server, "POST", "/run", `{"layers":"0","neurons":"0-200"}`)
			if err := miner.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
	waits(false) // what the model and the store keep is there from now on
	before := runtime.NumGoroutine()
	for range 3 {
		waits(true)
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
