package export

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// NeuronpediaOptions say under which names Neuronpedia shows what is imported. The zero value is the default.
type NeuronpediaOptions struct {
	Model       string // its name there; "" is the index's
	Set         string // of sources: of layer 3 the source is 3-SET; "" is mlp-HOOK
	Release     string // "" is n2g
	CreatorName string // "" is n2g
	CreatorID   string // an account's; "" is that which Neuronpedia's own tools fall back on
	// PerBand is the number of examples in each of ten bands beside the top examples; 0 is 5.
	PerBand int
	Created time.Time // zero is now
}

const (
	fallbackCreator = "clkht01d40000jv08hvalcvly"
	batchFeatures   = 256 // of a batch file
	noBin           = -1  // bounds of the bin of a top example
)

// Neuronpedia writes the neurons of an index into folder/MODEL/LAYER-SET as Neuronpedia's bulk import reads them:
// release.jsonl, model.jsonl, sourceset.jsonl, source.jsonl, features/batch-N.jsonl.gz and
// activations/batch-N.jsonl.gz. A neuron has its top examples, whose bin is -1, and examples by ten bands of
// activation. Neurons that are never above 0, or not finite, are features without examples.
func Neuronpedia(ctx context.Context, x *index.Index, d Decoder, neurons []int, folder string,
	o NeuronpediaOptions) error {
	o.Model, o.Release, o.CreatorName = cmp.Or(o.Model, filepath.Base(x.Meta().Model)), cmp.Or(o.Release, "n2g"),
		cmp.Or(o.CreatorName, "n2g")
	o.CreatorID, o.PerBand = cmp.Or(o.CreatorID, fallbackCreator), cmp.Or(o.PerBand, 5)
	if o.Created.IsZero() {
		o.Created = time.Now().UTC()
	}
	first := 0
	for _, site := range x.Meta().Sites {
		var chosen []int
		for _, n := range neurons {
			if n >= first && n < first+site.Neurons {
				chosen = append(chosen, n)
			}
		}
		first += site.Neurons
		if len(chosen) == 0 {
			continue
		}
		e := &pedia{x: x, decoder: d, options: o, set: cmp.Or(o.Set, "mlp-"+site.Hook), site: site,
			created: o.Created.Format("2006-01-02T15:04:05")}
		e.source = fmt.Sprintf("%d-%s", site.Layer, e.set)
		e.folder = filepath.Join(folder, o.Model, e.source)
		if err := e.write(ctx, chosen); err != nil {
			return fmt.Errorf("export of layer %d to %s: %w", site.Layer, e.folder, err)
		}
	}
	return nil
}

// pedia writes one source.
type pedia struct {
	x       *index.Index
	decoder Decoder
	options NeuronpediaOptions
	site    index.Site
	set     string
	source  string
	folder  string
	created string
}

func (e *pedia) write(ctx context.Context, neurons []int) error {
	for _, name := range []string{"features", "activations"} {
		if err := os.MkdirAll(filepath.Join(e.folder, name), 0o755); err != nil {
			return err
		}
	}
	m, o := e.x.Meta(), e.options
	creator := map[string]any{"creatorId": o.CreatorID, "createdAt": e.created}
	for name, row := range map[string]map[string]any{
		"release": {
			"name": o.Release, "description": o.Release, "descriptionShort": o.Release, "creatorName": o.CreatorName,
			"creatorNameShort": o.CreatorName, "urls": []string{}, "visibility": "PUBLIC", "isNewUi": false, "featured": false,
		},
		"model": {
			"id": o.Model, "instruct": false, "displayName": o.Model, "displayNameShort": o.Model, "visibility": "PUBLIC",
			"inferenceEnabled": false, "layers": e.layers(), "neuronsPerLayer": e.site.First + e.site.Neurons, "owner": "",
			"updatedAt": e.created,
		},
		"sourceset": {
			"modelId": o.Model, "name": e.set, "description": "MLP neurons at " + e.site.Hook, "type": "neuron",
			"creatorName": o.CreatorName,
			"releaseName": o.Release, "visibility": "PUBLIC", "hasDashboards": true, "urls": []string{},
		},
		"source": {
			"id": e.source, "modelId": o.Model, "setName": e.set, "visibility": "PUBLIC", "hasDashboards": true,
			"inferenceEnabled": false,
			"dataset":          m.Name, "num_prompts": m.Windows, "num_tokens_in_prompt": m.Window,
		},
	} {
		for key, value := range creator {
			row[key] = value
		}
		content, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(e.folder, name+".jsonl"), append(content, '\n'), 0o644); err != nil {
			return err
		}
	}
	batch := 0
	for part := range slices.Chunk(neurons, batchFeatures) {
		if err := e.batch(ctx, fmt.Sprintf("batch-%d.jsonl.gz", batch), part); err != nil {
			return err
		}
		batch++
	}
	return nil
}

// layers is the number of layers as far as the index knows.
func (e *pedia) layers() int {
	most := 0
	for _, site := range e.x.Meta().Sites {
		most = max(most, site.Layer+1)
	}
	return most
}

// pediaFeature is a line of a batch of features, with the fields of Neuronpedia's table that an index can fill.
type pediaFeature struct {
	ModelID      string    `json:"modelId"`
	Layer        string    `json:"layer"` // the source
	Index        string    `json:"index"`
	CreatorID    string    `json:"creatorId"`
	CreatedAt    string    `json:"createdAt"`
	MaxActApprox float64   `json:"maxActApprox"`
	HasVector    bool      `json:"hasVector"`
	Vector       []float64 `json:"vector"`
	HookName     string    `json:"hookName"`
	FracNonzero  float64   `json:"frac_nonzero"`
	// The histogram of activations above 0: bars of an eighth of a doubling.
	Heights []float64 `json:"freq_hist_data_bar_heights"`
	Values  []float64 `json:"freq_hist_data_bar_values"`
}

// pediaActivation is a line of a batch of activations.
type pediaActivation struct {
	ID              string    `json:"id"`
	Tokens          []string  `json:"tokens"`
	ModelID         string    `json:"modelId"`
	Layer           string    `json:"layer"`
	Index           string    `json:"index"`
	MaxValue        float64   `json:"maxValue"`
	MaxValueToken   int       `json:"maxValueTokenIndex"`
	MinValue        float64   `json:"minValue"`
	Values          []float64 `json:"values"`
	CreatorID       string    `json:"creatorId"`
	CreatedAt       string    `json:"createdAt"`
	BinMin          float64   `json:"binMin"`
	BinMax          float64   `json:"binMax"`
	BinContains     float64   `json:"binContains"`
	QualifyingToken int       `json:"qualifyingTokenIndex"`
}

// batch writes some neurons and their examples.
func (e *pedia) batch(ctx context.Context, name string, neurons []int) error {
	return zipped(filepath.Join(e.folder, "features", name), func(features *json.Encoder) error {
		return zipped(filepath.Join(e.folder, "activations", name), func(activations *json.Encoder) error {
			for _, n := range neurons {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := e.neuron(n, features, activations); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// zipped writes lines of JSON to a file, which appears whole or not at all.
func zipped(path string, content func(*json.Encoder) error) error {
	file, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(file)
	encoder := json.NewEncoder(io.Writer(packed))
	encoder.SetEscapeHTML(false)
	if err = errors.Join(content(encoder), packed.Close(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name()) // the other error is told
	}
	return err
}

func (e *pedia) neuron(n int, features, activations *json.Encoder) error {
	stats, err := e.x.Stats(n)
	if err != nil {
		return err
	}
	f := pediaFeature{
		ModelID: e.options.Model, Layer: e.source, Index: strconv.Itoa(e.x.Meta().Neuron(n).Index),
		CreatorID: e.options.CreatorID, CreatedAt: e.created,
		MaxActApprox: stats.Maximum(), Vector: []float64{},
		HookName: fmt.Sprintf("blocks.%d.mlp.%s", e.site.Layer, e.site.Hook),
		Heights:  []float64{}, Values: []float64{},
	}
	above := 0
	for i, count := range stats.Histogram.Counts {
		above += int(count)
		if bin := stats.Histogram.First + i; i == 0 || bin%2 == 0 {
			f.Heights, f.Values = append(f.Heights, 0), append(f.Values, index.HistogramEdge(bin))
		}
		f.Heights[len(f.Heights)-1] += float64(count)
	}
	if stats.Counted > 0 {
		f.FracNonzero = float64(above) / float64(stats.Counted)
	}
	if err := features.Encode(f); err != nil {
		return err
	}
	if stats.Dead() || stats.NotFinite > 0 {
		return nil
	}
	written := 0
	put := func(example index.Example, low, high, contains float64) error {
		a, err := e.activation(n, example)
		if err != nil {
			return err
		}
		digest := e.x.Digest()
		a.ID = fmt.Sprintf("c%.8s%08x%08x", digest, n, written)
		a.Index, a.BinMin, a.BinMax, a.BinContains = f.Index, low, high, contains
		written++
		return activations.Encode(a)
	}
	top, err := e.x.Top(n, e.x.Meta().Examples)
	if err != nil {
		return err
	}
	for _, example := range top {
		if err := put(example, noBin, noBin, noBin); err != nil {
			return err
		}
	}
	bands, err := e.x.Bands(n, 10, e.options.PerBand, 0)
	if err != nil {
		return err
	}
	for _, band := range bands {
		share := 0.0
		if stats.Counted > 0 {
			share = (stats.Histogram.Above(band.Low) - stats.Histogram.Above(band.High)) / float64(stats.Counted)
		}
		for _, example := range band.Examples {
			if err := put(example, band.Low, band.High, share); err != nil {
				return err
			}
		}
	}
	return nil
}

// activation is an example's window with the neuron's values: those that are kept, or all where the window is in the
// sample.
func (e *pedia) activation(n int, example index.Example) (*pediaActivation, error) {
	window := example.Window
	ids, err := e.x.IDs(window.First, window.End)
	if err != nil {
		return nil, err
	}
	a := &pediaActivation{
		ModelID: e.options.Model, Layer: e.source, CreatorID: e.options.CreatorID, CreatedAt: e.created,
		Values: make([]float64, len(ids)), QualifyingToken: example.Position - window.First,
	}
	for _, id := range ids {
		a.Tokens = append(a.Tokens, e.decoder.TokenString(id))
	}
	values, err := e.x.WindowValues(n, window)
	if err != nil {
		return nil, err
	}
	for j, v := range values {
		a.Values[j] = float64(v)
		if a.Values[j] > a.Values[a.MaxValueToken] {
			a.MaxValueToken = j
		}
	}
	a.MaxValue, a.MinValue = slices.Max(a.Values), slices.Min(a.Values)
	return a, nil
}
