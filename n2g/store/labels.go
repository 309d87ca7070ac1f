package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// labelRow is a row of labels: what a neuron's explanation says in one line, and the tokens of its context graph.
type labelRow struct {
	label                 string
	activating, important string // JSON lists
	id                    int64  // of the neuron; 0: there is none
	of                    n2g.Site
	sum                   int64
}

func labelOf(e *n2g.Explanation) (r labelRow, err error) {
	sets := e.Context.TokenSets()
	r = labelRow{label: e.Label(), of: e.Site}
	for _, list := range []struct {
		text   *string
		tokens []string
	}{{&r.activating, sets.Activating}, {&r.important, sets.Important}} {
		text, err := json.Marshal(list.tokens)
		if err != nil {
			return r, err
		}
		*list.text = string(text)
	}
	return r, nil
}

func (r *labelRow) checksum() int64 {
	return checksum(r.of.Layer, r.of.Index, r.label, r.activating, r.important)
}

// sound tells whether the row is what was written.
func (r *labelRow) sound() bool { return r.id != 0 && r.checksum() == r.sum }

// insertContext writes what there is in columns of a neuron's label, context graph and behaviours.
func insertContext(ctx context.Context, tx *sql.Tx, id int64, e *n2g.Explanation) error {
	if err := insertLabel(ctx, tx, id, e); err != nil {
		return err
	}
	if err := insertContextTokens(ctx, tx, id, e.Site, e.Context.Tokens()); err != nil {
		return err
	}
	if err := insertBehaviours(ctx, tx, id, e); err != nil {
		return err
	}
	return insertComparisons(ctx, tx, id, e.Site, e.Comparisons)
}

func insertLabel(ctx context.Context, tx *sql.Tx, id int64, e *n2g.Explanation) error {
	r, err := labelOf(e)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO labels (neuron_id, label, activating, important, checksum) VALUES (?, ?, "+
		"?, ?, ?)", id, r.label, r.activating, r.important, r.checksum())
	return err
}

// tokens are those of the context graph, by kind.
func (r *labelRow) tokens() (kinds [2][]string, err error) {
	for k, text := range [2]string{r.activating, r.important} {
		if err := json.Unmarshal([]byte(text), &kinds[k]); err != nil {
			return kinds, damaged(r.of, "the context graph's tokens are")
		}
	}
	return kinds, nil
}

// eachLabel calls do for rows of labels.
func eachLabel(ctx context.Context, tx *sql.Tx, do func(*labelRow) error) error {
	var r labelRow
	var id, layer, index sql.NullInt64
	targets := []any{&id, &layer, &index, &r.label, &r.activating, &r.important, &r.sum}
	return each(ctx, tx, targets, func() error {
		r.id, r.of = id.Int64, n2g.Site{Layer: int(layer.Int64), Index: int(index.Int64)}
		return do(&r)
	}, "SELECT id, layer, neuron, label, activating, important, l.checksum FROM labels l LEFT JOIN neurons ON id = "+
		"neuron_id")
}

// eachSoundLabel is eachLabel where all must be what was written, and none be lost.
func eachSoundLabel(ctx context.Context, tx *sql.Tx, do func(*labelRow) error) error {
	var all tally
	err := eachLabel(ctx, tx, func(r *labelRow) error {
		switch {
		case r.id == 0:
			return fmt.Errorf("%w: a label is of no neuron: %s", ErrDamaged, remedy)
		case !r.sound():
			return damaged(r.of, "the label is, or the context graph's tokens")
		}
		all.add(r.sum)
		return do(r)
	})
	if err != nil {
		return err
	}
	var neurons int64
	if err := tx.QueryRowContext(ctx, "SELECT rows FROM totals WHERE name = 'neurons'").Scan(&neurons); err != nil {
		return fmt.Errorf("%w: it lacks the totals of its table neurons: %w", ErrDamaged, err)
	}
	if all.rows != neurons {
		return fmt.Errorf("%w: %d neurons have %d labels: %s", ErrDamaged, neurons, all.rows, remedy)
	}
	return all.agrees(ctx, tx, "labels")
}

// Labels returns what neurons fire on, in a line each ([n2g.Explanation.Label]), by site without hook. No explanation
// is read.
func (s *Store) Labels(ctx context.Context) (map[n2g.Site]string, error) {
	labels := map[n2g.Site]string{}
	err := s.reading(ctx, func(tx *sql.Tx) error {
		return eachSoundLabel(ctx, tx, func(r *labelRow) error {
			labels[r.of] = r.label
			return nil
		})
	})
	return labels, err
}
