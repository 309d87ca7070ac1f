package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// comparisonColumns are the columns of comparisons but for the neuron.
const comparisonColumns = "number, text, predictor, fire_threshold, log_loss, value_error, " + scoreColumns +
	", checksum"

// comparisonValues are the values of comparisonColumns.
func comparisonValues(n n2g.Site, number int, c *n2g.Comparison) []any {
	values := []any{number, c.Text, c.Predictor, c.FireThreshold, c.LogLoss, c.ValueError}
	values = append(values, scoreValues(&c.Scores)...)
	return append(values, checksum(append([]any{n.Layer, n.Index}, values...)...))
}

// insertComparisons writes how well a neuron's context graph predicts, and what it is compared with.
func insertComparisons(ctx context.Context, tx *sql.Tx, id int64, n n2g.Site, list []n2g.Comparison) error {
	for number := range list {
		values := append([]any{id}, comparisonValues(n, number, &list[number])...)
		if _, err := tx.ExecContext(ctx, "INSERT INTO comparisons (neuron_id, "+comparisonColumns+") VALUES ("+
			placeholders(len(values))+")", values...); err != nil {
			return err
		}
	}
	return nil
}

// comparisonRow is a row of comparisons.
type comparisonRow struct {
	n2g.Comparison
	id    int64 // of the neuron; 0: there is none
	of    n2g.Site
	sum   int64
	sound bool // it is what was written
}

// eachComparison calls do for rows of comparisons, those of a neuron in order.
func eachComparison(ctx context.Context, tx *sql.Tx, do func(*comparisonRow) error) error {
	var id, layer, index sql.NullInt64
	var number int
	var r comparisonRow
	var loss, valueError sql.NullFloat64
	var scores nullableScores
	targets := []any{&id, &layer, &index, &number, &r.Text, &r.Predictor, &r.FireThreshold, &loss, &valueError}
	targets = append(append(targets, scores.targets()...), &r.sum)
	return each(ctx, tx, targets, func() error {
		row := r
		row.id, row.of = id.Int64, n2g.Site{Layer: int(layer.Int64), Index: int(index.Int64)}
		if loss.Valid {
			row.LogLoss = new(loss.Float64)
		}
		if valueError.Valid {
			row.ValueError = new(valueError.Float64)
		}
		if s := scores.scores(); s != nil {
			row.Scores = *s
			values := comparisonValues(row.of, number, &row.Comparison)
			row.sound = id.Valid && values[len(values)-1] == row.sum
		}
		return do(&row)
	}, "SELECT id, layer, neuron, number, text, predictor, fire_threshold, log_loss, value_error"+prefixed("c")+
		", c.checksum FROM comparisons c LEFT JOIN neurons ON id = neuron_id ORDER BY neuron_id, number")
}

// Compared is how well a neuron's context graph predicts, beside what it is compared with.
type Compared struct {
	n2g.Site
	MaxActivation float64
	Comparisons   []n2g.Comparison // as in its explanation
}

// Comparisons returns those of the neurons that have a context graph, by layer and index. No explanation is read.
func (s *Store) Comparisons(ctx context.Context) ([]Compared, error) {
	list := []Compared{}
	err := s.reading(ctx, func(tx *sql.Tx) error {
		rows, err := soundNeurons(ctx, tx, everyNeuron)
		if err != nil {
			return err
		}
		of := make(map[int64][]n2g.Comparison, len(rows))
		var all tally
		err = eachComparison(ctx, tx, func(r *comparisonRow) error {
			switch {
			case r.id == 0:
				return fmt.Errorf("%w: scores of a context graph are of no neuron: %s", ErrDamaged, remedy)
			case !r.sound:
				return damaged(r.of, "the context graph's scores are")
			}
			all.add(r.sum)
			of[r.id] = append(of[r.id], r.Comparison)
			return nil
		})
		if err == nil {
			err = all.agrees(ctx, tx, "comparisons")
		}
		if err != nil {
			return err
		}
		for _, r := range rows {
			if c := of[r.id]; c != nil {
				list = append(list, Compared{r.Site, r.MaxActivation, c})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b Compared) int { return a.Compare(b.Site) })
	return list, nil
}
