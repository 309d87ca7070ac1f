package corpus

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g/internal/lock"
)

// checkpointFormat begins a checkpoint; the gob of a checkpoint and the SHA-256 of that follow.
const checkpointFormat = "n2g-mining/1\n"

// passID is what a pass depends on. A checkpoint of one does not serve another.
type passID struct {
	Model, Fingerprint, Hook, Corpus        string
	Layers                                  []int
	Examples, Window, Batch, HistogramEvery int
}

func (o Options) passID(model Scanner, layers []int, hook string) (passID, error) {
	layers = slices.Clone(layers)
	slices.Sort(layers)
	fingerprint := ""
	if m, ok := model.(interface{ Fingerprint() (string, error) }); ok {
		var err error
		if fingerprint, err = m.Fingerprint(); err != nil {
			return passID{}, fmt.Errorf("corpus: %w", err)
		}
	}
	return passID{
		Model: model.Name(), Fingerprint: fingerprint, Hook: hook, Corpus: cmp.Or(o.Corpus, "the corpus"), Layers: slices.Compact(layers),
		Examples: o.examples(), Window: o.window(model), Batch: o.batch(), HistogramEvery: o.histogramEvery(),
	}, nil
}

// checkpoint is a pass as it is kept, its findings in flat lists.
type checkpoint struct {
	ID                               passID
	At                               place
	Windows, Tokens, HistogramTokens int

	Width     int
	Spans     []Span
	Held      []int32 // examples of each neuron, of which the next three tell
	Scores    []float32
	Of        []int32 // Spans
	Positions []int32
	Counts    []uint32
}

// save replaces the checkpoint file.
func (p *pass) save() error {
	c := checkpoint{
		ID: p.id, At: p.at, Width: p.found.width, Counts: p.found.counts,
		Windows: p.found.Windows, Tokens: p.found.Tokens, HistogramTokens: p.found.HistogramTokens,
	}
	number := map[*Span]int32{}
	for _, best := range p.found.rankings {
		c.Held = append(c.Held, int32(len(best.entries)))
		for _, entry := range best.entries {
			at, known := number[entry.value.window]
			if !known {
				at = int32(len(c.Spans))
				number[entry.value.window] = at
				c.Spans = append(c.Spans, *entry.value.window)
			}
			c.Scores = append(c.Scores, entry.score)
			c.Of = append(c.Of, at)
			c.Positions = append(c.Positions, entry.value.token)
		}
	}
	if err := c.write(p.options.Checkpoint); err != nil {
		return fmt.Errorf("corpus: the checkpoint of the pass cannot be written: %w; make room or choose another place: a checkpoint that was saved before is kept, and the pass goes on from it", err)
	}
	p.saved = time.Now()
	return nil
}

// lockCheckpoint keeps other processes from a pass with the same checkpoint.
func (o Options) lockCheckpoint() (*lock.Lock, error) {
	if o.Checkpoint == "" {
		return nil, nil
	}
	held, err := lock.Acquire(o.Checkpoint)
	if errors.As(err, new(*lock.HeldError)) {
		return nil, fmt.Errorf("corpus: the pass in %s goes on already: %w: wait for it to end, or write to another file", o.Checkpoint, err)
	}
	if err != nil {
		return nil, fmt.Errorf("corpus: the checkpoint of the pass cannot be written: %w: choose another place", err)
	}
	return held, nil
}

// unfinished is what a checkpoint is called while it is written. A pass that was killed leaves it; the next replaces it.
func unfinished(path string) string { return path + ".tmp" }

// RemoveCheckpoint removes what a pass with Options.Checkpoint leaves, once its result is safe. There may be nothing.
func RemoveCheckpoint(path string) error {
	for _, name := range []string{path, unfinished(path)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("corpus: %w", err)
		}
	}
	return nil
}

// write makes the file appear whole, or not at all.
func (c *checkpoint) write(path string) error {
	file, err := os.Create(unfinished(path))
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.WriteString(file, checkpointFormat)
	if err == nil {
		err = gob.NewEncoder(io.MultiWriter(file, sum)).Encode(c)
	}
	if err == nil {
		_, err = file.Write(sum.Sum(nil))
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		os.Remove(file.Name())
		return err
	}
	return os.Rename(file.Name(), path)
}

// readCheckpoint returns nil where there is none.
func readCheckpoint(path string) (*checkpoint, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	damaged := fmt.Errorf("corpus: %s is no checkpoint of mining, or a damaged one: remove it and begin anew", path)
	content, ok := bytes.CutPrefix(content, []byte(checkpointFormat))
	if !ok || len(content) < sha256.Size {
		return nil, damaged
	}
	content, sum := content[:len(content)-sha256.Size], content[len(content)-sha256.Size:]
	var c checkpoint
	if [sha256.Size]byte(sum) != sha256.Sum256(content) || gob.NewDecoder(bytes.NewReader(content)).Decode(&c) != nil {
		return nil, damaged
	}
	return &c, nil
}

// resume takes up what the checkpoint file holds. Where there is no such file it makes one, so that a place where none
// can be written is found out before the work, not after.
func (p *pass) resume() error {
	if p.options.Checkpoint == "" {
		return nil
	}
	if p.options.Restart {
		if err := RemoveCheckpoint(p.options.Checkpoint); err != nil {
			return err
		}
	}
	c, err := readCheckpoint(p.options.Checkpoint)
	if err != nil {
		return err
	}
	if c == nil {
		return p.save()
	}
	if !reflect.DeepEqual(c.ID, p.id) {
		return fmt.Errorf("corpus: %s holds a pass that began otherwise (%s): go on as it began, or remove it and begin anew", p.options.Checkpoint, c.ID.differences(p.id))
	}
	p.at = c.At
	p.found.Windows, p.found.Tokens, p.found.HistogramTokens = c.Windows, c.Tokens, c.HistogramTokens
	p.saved = time.Now()
	if c.Width == 0 {
		return nil
	}
	p.found.allocate(len(p.id.Layers), c.Width, p.options.examples())
	p.found.counts = c.Counts
	next := 0
	for i, held := range c.Held {
		for range held {
			span := &c.Spans[c.Of[next]]
			p.found.rankings[i].entries = append(p.found.rankings[i].entries, ranked[example]{c.Scores[next], span.Text, example{span, c.Positions[next]}})
			next++
		}
	}
	return nil
}

// differences names what distinguishes the pass that was begun from the one that is asked for.
func (id passID) differences(asked passID) string {
	was, is := reflect.ValueOf(id), reflect.ValueOf(asked)
	text := ""
	for i := range was.NumField() {
		if a, b := was.Field(i).Interface(), is.Field(i).Interface(); !reflect.DeepEqual(a, b) {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%s %v, not %v", was.Type().Field(i).Name, a, b)
		}
	}
	return text
}
