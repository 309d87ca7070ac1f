package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Explanation reads the explanation of one neuron, with its effects where the store has them. An empty hook is the
// store's own.
func (s *Store) Explanation(ctx context.Context, n n2g.Site) (*n2g.Explanation, error) {
	for text, err := range s.texts(ctx, "neurons WHERE layer = ? AND neuron = ?", n.Layer, n.Index) {
		if err != nil {
			return nil, err
		}
		if n.Hook != "" && n.Hook != text.neuron.Hook {
			return nil, fmt.Errorf("%s has explanations at %s, and none of %v", s.path, text.neuron.Hook, n)
		}
		return s.decode(text.neuron, text)
	}
	// Before it is denied, all rows are counted: this one may be lost.
	there, err := s.Done(ctx)
	if err == nil && slices.ContainsFunc(there, func(m n2g.Site) bool { return m.WithoutHook() == n.WithoutHook() }) {
		err = s.explained("reading", damaged(n, "the index of neurons is, or the explanation"))
	}
	if err != nil {
		return nil, err
	}
	failed, err := s.Failures(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(failed, func(f Failure) bool { return f.Site.WithoutHook() == n.WithoutHook() }); i >= 0 {
		return nil, fmt.Errorf("%s has no explanation of layer %d neuron %d: it failed: %s",
			s.path, n.Layer, n.Index, failed[i].Reason)
	}
	return nil, fmt.Errorf("%s has no explanation of layer %d neuron %d", s.path, n.Layer, n.Index)
}

// Explanations yields every explanation by layer and index, and ends with the first error.
func (s *Store) Explanations(ctx context.Context) iter.Seq2[*n2g.Explanation, error] {
	return func(yield func(*n2g.Explanation, error) bool) {
		for text, err := range s.texts(ctx, everyNeuron) {
			var e *n2g.Explanation
			if err == nil {
				e, err = s.decode(text.neuron, text)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// explanationText is a stored explanation whose digest is right.
type explanationText struct {
	neuron  n2g.Site
	json    []byte
	effects *n2g.Effects // that the store has of it
}

func (s *Store) decode(n n2g.Site, text explanationText) (*n2g.Explanation, error) {
	e := new(n2g.Explanation)
	if err := e.UnmarshalJSON(text.json); err != nil {
		return nil, fmt.Errorf("reading layer %d neuron %d of %s: %w", n.Layer, n.Index, s.path, err)
	}
	if e.Effects == nil {
		e.Effects = text.effects
	}
	return e, nil
}

// texts yields the JSON of explanations in order; of every neuron, it is an error
// that some are lost.
func (s *Store) texts(ctx context.Context, from string, values ...any) iter.Seq2[explanationText, error] {
	return func(yield func(explanationText, error) bool) {
		stopped := errors.New("stopped")
		err := s.reading(ctx, func(tx *sql.Tx) error {
			rows, err := soundNeurons(ctx, tx, from, values...)
			if err != nil {
				return err
			}
			slices.SortFunc(rows, func(a, b *neuronRow) int { return a.Compare(b.Site) })
			read, err := tx.PrepareContext(ctx, "SELECT json FROM explanations WHERE neuron_id = ?")
			if err != nil {
				return err
			}
			defer read.Close()
			withEffects, err := hasEffects(ctx, tx)
			if err != nil {
				return err
			}
			for _, r := range rows {
				text := explanationText{neuron: r.Site}
				if text.json, err = soundText(ctx, read, r); err != nil {
					return err
				}
				if withEffects {
					if text.effects, err = readEffects(ctx, tx, r.Site); err != nil {
						return err
					}
				}
				if !yield(text, nil) {
					return stopped
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(explanationText{}, err)
		}
	}
}

// soundText is the JSON of a neuron's explanation, which must be what was written.
func soundText(ctx context.Context, read *sql.Stmt, r *neuronRow) ([]byte, error) {
	var raw any
	err := read.QueryRowContext(ctx, r.id).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, damaged(r.Site, "the explanation is lost, and so")
	}
	if err != nil {
		return nil, err
	}
	text, err := jsonOf(raw)
	if err != nil {
		return nil, fmt.Errorf("layer %d neuron %d: %w", r.Layer, r.Index, err)
	}
	if digest(text) != r.digest {
		return nil, damaged(r.Site, "the explanation is")
	}
	return text, nil
}

// jsonOf is the JSON in a column that holds text, or a gzipped blob of it.
func jsonOf(raw any) ([]byte, error) {
	switch raw := raw.(type) {
	case string:
		return checked([]byte(raw))
	case []byte:
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%w: an explanation is neither text nor gzip: %w", ErrDamaged, err)
		}
		text, err := io.ReadAll(io.LimitReader(z, n2g.MaxExplanationBytes+1))
		if err != nil {
			return nil, fmt.Errorf("%w: unpacking an explanation: %w", ErrDamaged, err)
		}
		return checked(text)
	}
	return nil, fmt.Errorf("%w: an explanation is a %T", ErrDamaged, raw)
}

// checked is the JSON of an explanation unless it is larger than what [Store.Put] writes.
func checked(text []byte) ([]byte, error) {
	if err := n2g.CheckSize(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return text, nil
}

// Rows returns what the tables of neurons and baselines hold, by layer and index.
func (s *Store) Rows(ctx context.Context) ([]Row, error) {
	var list []Row
	err := s.reading(ctx, func(tx *sql.Tx) error {
		rows, err := soundNeurons(ctx, tx, everyNeuron)
		if err != nil {
			return err
		}
		byID := make(map[int64]*neuronRow, len(rows))
		for _, r := range rows {
			byID[r.id] = r
		}
		var all tally
		err = eachBaseline(ctx, tx, func(id int64, name string, scores *n2g.Scores, sum int64, sound bool) error {
			r := byID[id]
			switch {
			case r == nil:
				return fmt.Errorf("%w: scores of a baseline are of no neuron: %s", ErrDamaged, remedy)
			case !sound:
				return damaged(r.Site, "a baseline's scores are")
			case name == tokenLookup:
				r.TokenLookup = scores
			default:
				r.NGram = scores
			}
			all.add(sum)
			return nil
		})
		if err == nil {
			err = all.agrees(ctx, tx, "baselines")
		}
		if err != nil {
			return err
		}
		behaviours, err := soundBehaviours(ctx, tx)
		if err != nil {
			return err
		}
		effects, err := soundEffects(ctx, tx)
		list = make([]Row, len(rows))
		for i, r := range rows {
			if e := effects[r.WithoutHook()]; e != nil {
				r.Kurtosis, r.Faithfulness = &e.kurtosis, e.graph
			}
			if n, known := behaviours[r.id]; known {
				r.Behaviours = &n
			}
			list[i] = r.Row
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b Row) int { return a.Compare(b.Site) })
	return list, nil
}
