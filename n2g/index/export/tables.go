package export

import (
	"bufio"
	"context"
	"encoding/json"
	"io"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/internal/parquet"
)

// Decoder is what spells token ids: a model, or its tokenizer.
type Decoder interface {
	Decode(ids []int) string
	// TokenString is the text of one id alone.
	TokenString(id int) string
}

// Window is a row of the table of windows.
type Window struct {
	Window   int32    `json:"window" parquet:"window"`
	Document string   `json:"document" parquet:"document,dict"`
	Split    string   `json:"split" parquet:"split,dict"`
	Position int64    `json:"position" parquet:"position"` // of its first token, in the corpus
	IDs      []int32  `json:"ids" parquet:"ids,list"`
	Tokens   []string `json:"tokens" parquet:"tokens,list"`
	Text     string   `json:"text" parquet:"text"`
}

// Activation is a row of the table of activations: a posting.
type Activation struct {
	Layer      int32   `json:"layer" parquet:"layer"`
	Hook       string  `json:"hook" parquet:"hook,dict"`
	Neuron     int32   `json:"neuron" parquet:"neuron"`
	Window     int32   `json:"window" parquet:"window"`
	Token      int32   `json:"token" parquet:"token"` // place in the window, from 0
	ID         int32   `json:"id" parquet:"id"`       // of the token
	Position   int64   `json:"position" parquet:"position"`
	Activation float32 `json:"activation" parquet:"activation"`
}

// JSONLines writes both tables as JSON, a row a line: of activations those of some neurons, by their numbers.
func JSONLines(ctx context.Context, x *index.Index, d Decoder, neurons []int, windows, activations io.Writer) error {
	if err := lines(windows, func(put func(Window) error) error { return eachWindow(ctx, x, d, put) }); err != nil {
		return err
	}
	return lines(activations, func(put func(Activation) error) error { return eachActivation(ctx, x, neurons, put) })
}

func lines[T any](w io.Writer, each func(put func(T) error) error) error {
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := each(func(row T) error { return encoder.Encode(row) }); err != nil {
		return err
	}
	return out.Flush()
}

// Parquet writes both tables as Parquet, compressed with zstd.
func Parquet(ctx context.Context, x *index.Index, d Decoder, neurons []int, windows, activations io.Writer) error {
	err := table(windows, windowColumns(), func(put func(Window) error) error { return eachWindow(ctx, x, d, put) })
	if err != nil {
		return err
	}
	return table(activations, activationColumns(), func(put func(Activation) error) error {
		return eachActivation(ctx, x, neurons, put)
	})
}

func table[T any](w io.Writer, columns []parquet.Column[T], each func(put func(T) error) error) error {
	out, err := parquet.NewWriter(w, columns...)
	if err != nil {
		return err
	}
	if err := each(out.Write); err != nil {
		return err
	}
	return out.Close()
}

func windowColumns() []parquet.Column[Window] {
	return []parquet.Column[Window]{
		parquet.Int32("window", func(w *Window) int32 { return w.Window }),
		parquet.Word("document", func(w *Window) string { return w.Document }),
		parquet.Word("split", func(w *Window) string { return w.Split }),
		parquet.Int64("position", func(w *Window) int64 { return w.Position }),
		parquet.Int32s("ids", func(w *Window) []int32 { return w.IDs }),
		parquet.Texts("tokens", func(w *Window) []string { return w.Tokens }),
		parquet.Text("text", func(w *Window) string { return w.Text }),
	}
}

func activationColumns() []parquet.Column[Activation] {
	return []parquet.Column[Activation]{
		parquet.Int32("layer", func(a *Activation) int32 { return a.Layer }),
		parquet.Word("hook", func(a *Activation) string { return a.Hook }),
		parquet.Int32("neuron", func(a *Activation) int32 { return a.Neuron }),
		parquet.Int32("window", func(a *Activation) int32 { return a.Window }),
		parquet.Int32("token", func(a *Activation) int32 { return a.Token }),
		parquet.Int32("id", func(a *Activation) int32 { return a.ID }),
		parquet.Int64("position", func(a *Activation) int64 { return a.Position }),
		parquet.Float32("activation", func(a *Activation) float32 { return a.Activation }),
	}
}

func eachWindow(ctx context.Context, x *index.Index, d Decoder, put func(Window) error) error {
	var document index.Document
	for number := range x.Meta().Windows {
		if err := ctx.Err(); err != nil {
			return err
		}
		window, err := x.Window(number)
		if err != nil {
			return err
		}
		if number == 0 || document.Number != window.Document {
			if document, err = x.Document(window.Document); err != nil {
				return err
			}
		}
		ids, err := x.IDs(window.First, window.End)
		if err != nil {
			return err
		}
		text, err := corpus.WindowText(x, d, window)
		if err != nil {
			return err
		}
		row := Window{Window: int32(number), Document: document.Origin, Split: document.Split().String(),
			Position: int64(window.First), Text: text}
		for _, id := range ids {
			row.IDs, row.Tokens = append(row.IDs, int32(id)), append(row.Tokens, d.TokenString(id))
		}
		if err := put(row); err != nil {
			return err
		}
	}
	return nil
}

func eachActivation(ctx context.Context, x *index.Index, neurons []int, put func(Activation) error) error {
	for _, n := range neurons {
		if err := ctx.Err(); err != nil {
			return err
		}
		neuron := x.Meta().Neuron(n)
		postings, err := x.Postings(n)
		if err != nil {
			return err
		}
		window := index.Window{End: -1}
		for _, p := range postings {
			position := int(p.Position)
			if position >= window.End {
				number, err := x.WindowAt(position)
				if err != nil {
					return err
				}
				if window, err = x.Window(number); err != nil {
					return err
				}
			}
			ids, err := x.IDs(position, position+1)
			if err != nil {
				return err
			}
			err = put(Activation{
				int32(neuron.Layer), neuron.Hook, int32(neuron.Index), int32(window.Number), int32(position - window.First),
				int32(ids[0]), int64(position), p.Value,
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
