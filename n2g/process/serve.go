package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Serve answers questions for a model until r ends: what a command does whose standard input and output are r and w,
// for a model written in Go. sites are what it answers for. All numbers of a hook point are asked of a model that has
// corpus.Scanner's Scan at once, of another one by one.
func Serve(ctx context.Context, r io.Reader, w io.Writer, model n2g.LanguageModel, sites []Site) error {
	in, out := bufio.NewReaderSize(r, 1<<16), bufio.NewWriterSize(w, 1<<16)
	s := &server{model: model, about: about{Protocol: Protocol, Name: model.Name(),
		ContextLength: model.ContextLength(), Mask: new(model.MaskID()), Sites: slices.Clone(sites)}}
	if bos := model.BOS(); bos >= 0 {
		s.about.BOS = &bos
	}
	if m, ok := model.(interface{ Vocabulary() int }); ok {
		s.about.Vocabulary = m.Vocabulary()
	}
	if m, ok := model.(interface{ Fingerprint() (string, error) }); ok {
		var err error
		if s.about.Fingerprint, err = m.Fingerprint(); err != nil {
			return err
		}
	}
	if err := s.about.check(); err != nil {
		return fmt.Errorf("serve %s, which %w", model.Name(), err)
	}
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if err := json.NewEncoder(out).Encode(s.answer(ctx, line)); err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// server answers for a model.
type server struct {
	model n2g.LanguageModel
	about about
}

// reply is an answer as it is written.
type reply struct {
	ID    *int64 `json:"id,omitempty"`
	Error string `json:"error,omitempty"`
	*about
	IDs         [][]int  `json:"ids,omitempty"`
	Texts       []string `json:"texts,omitempty"`
	Activations []any    `json:"activations,omitempty"` // []float32, or what floats reads as a string
}

func (s *server) answer(ctx context.Context, line []byte) reply {
	var q run
	if err := json.Unmarshal(line, &q); err != nil {
		return reply{Error: "a question that is no JSON: " + err.Error()}
	}
	a, err := s.reply(ctx, q)
	if err != nil {
		a = reply{Error: err.Error()}
	}
	a.ID = &q.ID
	return a
}

func (s *server) reply(ctx context.Context, q run) (a reply, err error) {
	switch q.Method {
	case hello:
		a.about = &s.about
	case tokenize:
		a.IDs = make([][]int, len(q.Texts))
		for i, text := range q.Texts {
			if a.IDs[i], err = s.model.Tokenize(text); err != nil {
				return a, err
			}
		}
	case decode:
		a.Texts = make([]string, len(q.IDs))
		for i, ids := range q.IDs {
			if a.Texts[i] = s.model.Decode(ids); len(ids) == 1 {
				a.Texts[i] = s.model.TokenString(ids[0])
			}
		}
	case activations:
		return s.activations(ctx, q)
	default:
		return a, fmt.Errorf("there is no method %q", q.Method)
	}
	return a, nil
}

func (s *server) activations(ctx context.Context, q run) (a reply, err error) {
	if q.Neuron != nil {
		rows, err := s.model.Activations(ctx, q.Layer, q.Hook, *q.Neuron, q.Prompts, nil)
		if err != nil {
			return a, err
		}
		for _, row := range rows {
			a.Activations = append(a.Activations, written(row))
		}
		return a, nil
	}
	i := slices.IndexFunc(s.about.Sites, func(t Site) bool { return t.Layer == q.Layer && t.Hook == q.Hook })
	if i < 0 || s.about.Sites[i].Width == 0 {
		return a, fmt.Errorf("%s is not known", q.Site)
	}
	width, rows := s.about.Sites[i].Width, 0
	for _, ids := range q.Prompts {
		rows += len(ids)
	}
	all := make([]float32, rows*width)
	if m, ok := s.model.(scanner); ok {
		err = m.Scan(ctx, []int{q.Layer}, q.Hook, q.Prompts, func(_, first int, values []float32) {
			copy(all[first*width:], values)
		})
	} else {
		err = s.scan(ctx, q, width, all)
	}
	for _, ids := range q.Prompts {
		n := len(ids) * width
		a.Activations, all = append(a.Activations, encoded(all[:n])), all[n:]
	}
	return a, err
}

// scanner is a model that has all numbers of a hook point at once.
type scanner interface {
	Scan(ctx context.Context, layers []int, hook string, windows [][]int,
		visit func(layer, first int, values []float32)) error
}

// scan asks for one number of a hook point after the other.
func (s *server) scan(ctx context.Context, q run, width int, all []float32) error {
	for n := range width {
		rows, err := s.model.Activations(ctx, q.Layer, q.Hook, n, q.Prompts, nil)
		if err != nil {
			return err
		}
		for k, v := range slices.Concat(rows...) {
			all[k*width+n] = v
		}
	}
	return nil
}

// written is a row as JSON numbers, or encoded where JSON has none for one of them.
func written(row []float32) any {
	if slices.ContainsFunc(row, func(v float32) bool { return v-v != 0 }) {
		return encoded(row)
	}
	return row
}

// encoded is a row as floats reads it from a string.
func encoded(row []float32) string {
	data := make([]byte, 0, 4*len(row))
	for _, v := range row {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return base64.StdEncoding.EncodeToString(data)
}
