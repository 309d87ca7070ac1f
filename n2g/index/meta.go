package index

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Format is the version of the file.
const Format = "n2g-index/1"

// FireShare of the maximum is what counts as firing: section 7's fire_threshold.
const FireShare = 0.5

// What zero options of an index stand for.
const (
	DefaultKeep        = 0.005
	DefaultDense       = 0.02
	DefaultExamples    = 20 // the published number
	DefaultSampleEvery = 256
)

// Options of making an index. The zero value is the default.
type Options struct {
	// Keep is the share of tokens whose activation is kept, in each neuron: the keep level is the lowest edge of a
	// histogram bin that no more tokens reach. 0 is DefaultKeep.
	Keep float64
	// Dense is the share of tokens up to which the keep level is lowered to a quarter of the maximum. A neuron that
	// reaches that quarter on more is marked dense. 0 is DefaultDense.
	Dense float64
	// Examples is the number of top examples that postings tell of every neuron, whatever Keep and Dense. 0 is
	// DefaultExamples.
	Examples int
	// SampleEvery: one window in so many, chosen by a hash, is kept with the values of all neurons. 0 is
	// DefaultSampleEvery, -1 none.
	SampleEvery int
	// Signs is 2 where the lowest activations are kept like the highest. 0 is 1.
	Signs int
	// NoSuffixes leaves out the suffix order, which takes 4 bytes a token; counting a context then reads the corpus.
	NoSuffixes bool
}

func (o Options) resolved() Options {
	o.Keep = cmp.Or(o.Keep, DefaultKeep)
	o.Dense = max(cmp.Or(o.Dense, DefaultDense), o.Keep)
	o.Examples = cmp.Or(o.Examples, DefaultExamples)
	o.SampleEvery = cmp.Or(o.SampleEvery, DefaultSampleEvery)
	o.Signs = cmp.Or(o.Signs, 1)
	return o
}

// Site is a hook point of a layer with those of its neurons that an index holds.
type Site struct {
	Layer   int    `json:"layer"`
	Hook    string `json:"hook"`
	First   int    `json:"first"`   // number of the first neuron
	Neurons int    `json:"neurons"` // how many, consecutive
	// Beside tells the auto-encoder or the directions that the hook point was read through from others of its kind;
	// empty where none was, or it is not known.
	Beside string `json:"beside,omitempty"`
}

// Corpus says what was indexed.
type Corpus struct {
	Name       string `json:"corpus"`      // what tells it from others
	Model      string `json:"model"`       // whose token ids these are
	Identity   string `json:"fingerprint"` // of that model's weights and tokenizer; empty: unknown
	Vocabulary int    `json:"vocabulary"`  // ids are below it
	BOS        int    `json:"bos"`         // the id in front of every window, -1 if nothing is
	Window     int    `json:"window"`      // tokens a window at most, BOS not counted
}

// Meta is what an index says about itself. It marshals to the JSON of the file's footer.
type Meta struct {
	Format string `json:"format"`
	Corpus
	Documents int `json:"documents"`
	Windows   int `json:"windows"`
	Positions int `json:"positions"` // tokens in all documents
	Counted   int `json:"counted"`   // those that do not hold BOS: what shares of tokens are shares of

	Keep        float64 `json:"keep"`
	Dense       float64 `json:"dense"`
	Examples    int     `json:"examples"`
	SampleEvery int     `json:"sample_every"`
	Signs       int     `json:"signs"`
	NoSuffixes  bool    `json:"no_suffixes"`
	Sites       []Site  `json:"sites"`
	// Covered are the ranges [first, end) of windows that were run, ascending; all in a whole index.
	Covered [][2]int `json:"covered"`
	// Report says what was read and what was left out, as whoever read it tells that.
	Report json.RawMessage `json:"report,omitempty"`
	// CorpusDigest is the SHA-256 of the corpus: of its ids, windows and documents.
	CorpusDigest string `json:"corpus_digest"`
}

// Neurons is the number of neurons of all sites.
func (m *Meta) Neurons() int {
	n := 0
	for _, site := range m.Sites {
		n += site.Neurons
	}
	return n
}

// whole reports whether all windows were run.
func (m *Meta) whole() bool {
	return m.Windows == 0 || len(m.Covered) == 1 && m.Covered[0] == [2]int{0, m.Windows}
}

// Neuron is one neuron of an index.
type Neuron struct {
	Layer int
	Hook  string
	Index int
}

// Number is the place of a neuron in the index: sites in order, then neurons. An empty hook is that of the first
// site of the layer.
func (m *Meta) Number(layer int, hook string, index int) (int, error) {
	first := 0
	for _, site := range m.Sites {
		if site.Layer == layer && (hook == "" || hook == site.Hook) {
			if index < site.First || index >= site.First+site.Neurons {
				return 0, fmt.Errorf("index: it holds neurons %d to %d of layer %d of %s, not neuron %d", site.First,
					site.First+site.Neurons-1, layer, m.Model, index)
			}
			return first + index - site.First, nil
		}
		first += site.Neurons
	}
	return 0, fmt.Errorf("index: it holds %s of %s, not layer %d%s", m.sites(), m.Model, layer, at(hook))
}

func at(hook string) string {
	if hook == "" {
		return ""
	}
	return " at " + hook
}

// sites names what it holds.
func (m *Meta) sites() string {
	if len(m.Sites) == 0 {
		return "no layer"
	}
	text := ""
	for i, site := range m.Sites {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("layer %d at %s", site.Layer, site.Hook)
		if site.Beside != "" {
			text += " by " + site.Beside
		}
	}
	return text
}

// Neuron is the neuron of a number.
func (m *Meta) Neuron(number int) Neuron {
	for _, site := range m.Sites {
		if number < site.Neurons {
			return Neuron{site.Layer, site.Hook, site.First + number}
		}
		number -= site.Neurons
	}
	return Neuron{Layer: -1, Index: -1}
}

// maxPositions is what 32 bits number.
const maxPositions = 1<<32 - 1

// check refuses what would lead astray.
func (m *Meta) check() error {
	switch {
	case m.Documents < 1 || m.Windows < m.Documents || m.Positions < m.Windows || m.Positions > maxPositions:
		return fmt.Errorf("has %d documents, %d windows and %d positions", m.Documents, m.Windows, m.Positions)
	case m.Counted < 0 || m.Counted > m.Positions:
		return fmt.Errorf("counts %d of %d positions", m.Counted, m.Positions)
	case m.Vocabulary < 1 || m.Vocabulary > 1<<31-1 || m.BOS < -1:
		return fmt.Errorf("has a vocabulary of %d and BOS %d", m.Vocabulary, m.BOS)
	case m.Signs != 1 && m.Signs != 2:
		return fmt.Errorf("has %d signs", m.Signs)
	case m.Examples < 0 || !(m.Keep >= 0 && m.Keep <= 1) || !(m.Dense >= 0 && m.Dense <= 1):
		return errors.New("keeps shares that are none")
	}
	total := 0
	for i, site := range m.Sites {
		if site.Layer < 0 || site.First < 0 || site.Neurons < 1 || site.Neurons > 1<<30 || site.First > 1<<30 {
			return fmt.Errorf("names neurons %d and %d more of layer %d", site.First, site.Neurons, site.Layer)
		}
		if slices.ContainsFunc(m.Sites[:i], func(s Site) bool { return s.Layer == site.Layer && s.Hook == site.Hook }) {
			return fmt.Errorf("names layer %d at %s twice", site.Layer, site.Hook)
		}
		if total += site.Neurons; total > 1<<30 {
			return errors.New("names more than 2^30 neurons")
		}
	}
	end := 0
	for _, r := range m.Covered {
		if r[0] < end || r[1] <= r[0] || r[1] > m.Windows {
			return fmt.Errorf("covers windows %d to %d of %d", r[0], r[1], m.Windows)
		}
		end = r[1]
	}
	return nil
}
