package export

import (
	"bufio"
	"context"
	"encoding/json"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
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
	if err := table(windows, func(put func(Window) error) error { return eachWindow(ctx, x, d, put) }); err != nil {
		return err
	}
	return table(activations, func(put func(Activation) error) error { return eachActivation(ctx, x, neurons, put) })
}

// groupRows is the number of rows that are in memory until they are written as a group.
const groupRows = 1 << 17

func table[T any](w io.Writer, each func(put func(T) error) error) error {
	out := parquet.NewGenericWriter[T](w, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(groupRows))
	rows := make([]T, 0, 1024)
	flush := func() error {
		_, err := out.Write(rows)
		rows = rows[:0]
		return err
	}
	err := each(func(row T) error {
		if rows = append(rows, row); len(rows) == cap(rows) {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	return out.Close()
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
