package corpus

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// IndexFormat is the version of an Index's JSON. Version 1 lacked tokens, texts, positions, activations and histograms,
// and is still read.
const IndexFormat = "n2g-examples/2"

const indexFormat1 = "n2g-examples/1"

// Index is what mining found out about many neurons: the texts that excite each most, its highest activation, and how
// its activations are distributed. Texts are named as stretches of the corpus, so that an index stays small beside it,
// or held in the index, so that it needs no corpus. It marshals to JSON; [Index.Write] does so in little memory.
type Index struct {
	Format          string        `json:"format"` // IndexFormat
	Model           string        `json:"model"`
	Hook            string        `json:"hook"`
	Windows         int           `json:"windows"`                    // read in all
	Tokens          int           `json:"tokens,omitempty"`           // in them, BOS not counted
	HistogramTokens int           `json:"histogram_tokens,omitempty"` // those that the histograms are about
	Corpus          *Report       `json:"corpus,omitempty"`           // what was read and left out, where that is known
	Spans           []Span        `json:"spans"`                      // those that are anyone's example
	Neurons         []NeuronIndex `json:"neurons"`                    // by layer, then neuron
}

// Span is a stretch of a document.
type Span struct {
	Document string `json:"document"`
	Start    int    `json:"start"`          // bytes, -1 where the document is no plain file or the tokenizer changes it
	End      int    `json:"end"`            // as Start
	Text     string `json:"text,omitempty"` // what stands there; empty: to be read from the corpus
}

// NeuronIndex is what mining found out about one neuron.
type NeuronIndex struct {
	Layer         int     `json:"layer"`
	Neuron        int     `json:"neuron"`
	MaxActivation float64 `json:"max_activation"` // 0 if none is above 0
	Density       float64 `json:"density"`        // share of tokens at or above half of MaxActivation
	Examples      []int   `json:"examples"`       // of Index.Spans, best first
	// Activations and Positions are, for each example, the highest activation and the token it stands on, BOS being
	// token 0.
	Activations []float32  `json:"activations,omitempty"`
	Positions   []int32    `json:"positions,omitempty"`
	Histogram   *Histogram `json:"histogram,omitempty"`
}

// Write writes the index as JSON, one span or neuron a line.
func (x *Index) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	head := *x
	head.Spans, head.Neurons = nil, nil
	encoded, err := json.Marshal(head)
	if err != nil {
		return err
	}
	const tail = `,"spans":null,"neurons":null}`
	out.Write(encoded[:len(encoded)-len(tail)]) // errors stay with the writer, and Flush returns them
	out.WriteString(",\n\"spans\":[")
	if err := writeLines(out, x.Spans); err != nil {
		return err
	}
	out.WriteString("],\n\"neurons\":[")
	if err := writeLines(out, x.Neurons); err != nil {
		return err
	}
	out.WriteString("]}\n")
	return out.Flush()
}

func writeLines[T any](out *bufio.Writer, values []T) error {
	for i, value := range values {
		encoded, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		if _, err := out.Write(encoded); err != nil {
			return err
		}
	}
	return nil
}

// OpenIndex reads an Index from a file, compressed with gzip or not.
func OpenIndex(path string) (*Index, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	defer file.Close()
	var content io.Reader = bufio.NewReader(file)
	if magic, _ := content.(*bufio.Reader).Peek(2); string(magic) == "\x1f\x8b" {
		if content, err = gzip.NewReader(content); err != nil {
			return nil, fmt.Errorf("corpus: %s: %w", path, err)
		}
	}
	index, err := ReadIndex(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return index, nil
}

// ReadIndex reads an Index that was written as JSON.
func ReadIndex(r io.Reader) (*Index, error) {
	var index Index
	if err := json.NewDecoder(r).Decode(&index); err != nil {
		return nil, fmt.Errorf("corpus: reading an index of examples: %w", err)
	}
	if index.Format != IndexFormat && index.Format != indexFormat1 {
		return nil, fmt.Errorf("corpus: an index of examples of format %q, where %q was expected; mine the corpus again", index.Format, IndexFormat)
	}
	for _, neuron := range index.Neurons {
		if err := neuron.check(len(index.Spans)); err != nil {
			return nil, fmt.Errorf("corpus: index of examples: layer %d neuron %d %w", neuron.Layer, neuron.Neuron, err)
		}
	}
	if !slices.IsSortedFunc(index.Neurons, compareNeurons) {
		return nil, errors.New("corpus: index of examples: its neurons do not stand in the order of layers and numbers")
	}
	return &index, nil
}

// check refuses what would lead beyond the index.
func (n *NeuronIndex) check(spans int) error {
	for _, at := range n.Examples {
		if at < 0 || at >= spans {
			return fmt.Errorf("names span %d of %d", at, spans)
		}
	}
	if len(n.Activations) != 0 && len(n.Activations) != len(n.Examples) || len(n.Positions) != 0 && len(n.Positions) != len(n.Examples) {
		return fmt.Errorf("has %d examples, but %d activations and %d positions of them", len(n.Examples), len(n.Activations), len(n.Positions))
	}
	if h := n.Histogram; h != nil && (h.First < 0 || h.First+len(h.Counts) > HistogramBins) {
		return fmt.Errorf("has a histogram beyond the %d bins", HistogramBins)
	}
	return nil
}

func compareNeurons(a, b NeuronIndex) int {
	return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Neuron, b.Neuron))
}

// Find returns what is known about a neuron.
func (x *Index) Find(layer, neuron int) (*NeuronIndex, error) {
	at, ok := slices.BinarySearchFunc(x.Neurons, NeuronIndex{Layer: layer, Neuron: neuron}, compareNeurons)
	if !ok {
		return nil, fmt.Errorf("corpus: the index of %s has no layer %d neuron %d; it holds %d neurons", x.Model, layer, neuron, len(x.Neurons))
	}
	return &x.Neurons[at], nil
}

// Examples returns a neuron's examples. Texts that the index does not hold are read from the corpus that was mined; fsys
// may be nil if it holds all.
func (x *Index) Examples(layer, neuron int, fsys fs.FS) (*n2g.Examples, error) {
	entry, err := x.Find(layer, neuron)
	if err != nil {
		return nil, err
	}
	if len(entry.Examples) == 0 {
		return nil, fmt.Errorf("corpus: no text of the corpus excites layer %d neuron %d of %s: it is never above 0", layer, neuron, x.Model)
	}
	found := &n2g.Examples{Layer: layer, Neuron: neuron, Hook: x.Hook, MaxActivation: entry.MaxActivation, Density: new(entry.Density)}
	for _, i := range entry.Examples {
		text, err := x.Spans[i].read(fsys)
		if err != nil {
			return nil, fmt.Errorf("corpus: layer %d neuron %d: %w", layer, neuron, err)
		}
		found.Prompts = append(found.Prompts, text)
	}
	return found, nil
}

// read returns the text of a span.
func (s Span) read(fsys fs.FS) (string, error) {
	if s.Text != "" {
		return s.Text, nil
	}
	if fsys == nil {
		return "", fmt.Errorf("the index points into %s and holds no text of it: give the corpus that was mined", s.Document)
	}
	content, err := fs.ReadFile(fsys, s.Document)
	if err != nil {
		return "", fmt.Errorf("%w; the index was mined from another corpus", err)
	}
	if s.Start < 0 || s.Start > s.End || s.End > len(content) {
		return "", fmt.Errorf("the index points to bytes %d to %d of %s, which has %d; mine it again", s.Start, s.End, s.Document, len(content))
	}
	return string(content[s.Start:s.End]), nil
}
