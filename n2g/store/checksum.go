package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// checksum is what a row of the store is checked with: the first 32 bits of the SHA-256 of its values, each with its
// type and length. Checksums of 32 bits add up within SQLite's integers, so that a table's sum is kept as well.
func checksum(values ...any) int64 {
	text := make([]byte, 0, 512)
	for _, value := range values {
		switch v := value.(type) {
		case nil:
			text = append(text, 'n')
		case int:
			text = binary.LittleEndian.AppendUint64(append(text, 'i'), uint64(v))
		case float64:
			text = binary.LittleEndian.AppendUint64(append(text, 'f'), math.Float64bits(v))
		case *float64:
			if v == nil {
				text = append(text, 'n')
			} else {
				text = binary.LittleEndian.AppendUint64(append(text, 'f'), math.Float64bits(*v))
			}
		case string:
			text = append(binary.LittleEndian.AppendUint64(append(text, 's'), uint64(len(v))), v...)
		default:
			panic(fmt.Sprintf("no checksum of a %T", value)) // the callers' values are known
		}
	}
	sum := sha256.Sum256(text)
	return int64(binary.LittleEndian.Uint32(sum[:4]))
}

func baselineChecksum(n n2g.Site, name string, s *n2g.Scores) int64 {
	return checksum(append([]any{n.Layer, n.Index, name}, scoreValues(s)...)...)
}

func tokenChecksum(n n2g.Site, token, kind string, weight float64) int64 {
	return checksum(n.Layer, n.Index, token, kind, weight)
}

const remedy = "n2g run -retry-damaged makes what is damaged anew, and n2g merge takes it from a sound copy"

// remedyFor tells what to do about a table. Without meta a store is not even opened.
func remedyFor(table string) string {
	if table == "meta" {
		return "restore a copy, or make it anew"
	}
	return remedy
}

// damaged says that a part of a neuron is not what was written.
func damaged(n n2g.Site, part string) error {
	return fmt.Errorf("%w: layer %d neuron %d: %s not what was written: %s", ErrDamaged, n.Layer, n.Index, part, remedy)
}

// tally counts the rows that are read of a table, to compare them with what its row in totals says.
type tally struct{ rows, sum int64 }

func (t *tally) add(checksum int64) {
	t.rows++
	t.sum += checksum
}

// agrees compares with totals: rows that are lost, or there twice, are seen by no checksum of their own.
func (t tally) agrees(ctx context.Context, tx *sql.Tx, table string) error {
	var want tally
	err := tx.QueryRowContext(ctx, "SELECT rows, checksum FROM totals WHERE name = ?", table).Scan(&want.rows, &want.sum)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: it lacks the totals of its table %s: %s", ErrDamaged, table, remedyFor(table))
	case err != nil:
		return err
	case t != want:
		return fmt.Errorf("%w: of the %d rows of its table %s, %d are there, or others: %s", ErrDamaged, want.rows, table,
			t.rows, remedyFor(table))
	}
	return nil
}

// agreesWithVocabulary compares rows of tokens with what vocabulary says of them, and rows of context_tokens with
// context_vocabulary.
func (t tally) agreesWithVocabulary(ctx context.Context, tx *sql.Tx, vocabulary, where string, values []any) error {
	var want tally
	row := tx.QueryRowContext(ctx,
		"SELECT coalesce(sum(neurons), 0), coalesce(sum(checksum), 0) FROM "+vocabulary+" "+where, values...)
	if err := row.Scan(&want.rows, &want.sum); err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%w: of %d uses of tokens by neurons, %d are there, or others: %s",
			ErrDamaged, want.rows, t.rows, remedy)
	}
	return nil
}

// reading runs do in a transaction, whose queries all see the same state.
func (s *Store) reading(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s.explained("reading", err)
	}
	defer tx.Rollback() // nothing was written
	return s.explained("reading", do(tx))
}

// each calls do for every row of a query. A value that does not fit its target is damage.
func each(ctx context.Context, tx *sql.Tx, targets []any, do func() error, query string, values ...any) (err error) {
	rows, err := tx.QueryContext(ctx, query, values...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return fmt.Errorf("%w: a value is of another type: %w", ErrDamaged, err)
		}
		if err := do(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// neuronRow is a row of neurons.
type neuronRow struct {
	Row
	id     int64
	digest string // of the explanation
}

// values of neuronColumns but for the last, the checksum.
func (r *neuronRow) values() []any {
	return append(append([]any{r.Layer, r.Index, r.Hook, r.MaxActivation, r.Density, r.Nodes, r.Edges, r.Components,
		r.Activating, r.Important, r.Repeated}, scoreValues(r.Scores)...), r.digest)
}

// everyNeuron is where rows of neurons come from if all are wanted.
const everyNeuron = "neurons"

// eachNeuron calls do for rows of neurons, with whether each is what was written. from follows FROM.
func eachNeuron(ctx context.Context, tx *sql.Tx, do func(r *neuronRow, sum int64, sound bool) error, from string,
	values ...any) error {
	var r neuronRow
	var sum int64
	var density sql.NullFloat64
	var scores nullableScores
	targets := []any{&r.id, &r.Layer, &r.Index, &r.Hook, &r.MaxActivation, &density, &r.Nodes, &r.Edges, &r.Components,
		&r.Activating, &r.Important, &r.Repeated}
	targets = append(append(targets, scores.targets()...), &r.digest, &sum)
	return each(ctx, tx, targets, func() error {
		row := r
		if row.Density = nil; density.Valid {
			row.Density = new(density.Float64)
		}
		row.Scores = scores.scores()
		return do(&row, sum, checksum(row.values()...) == sum && inRange(&row.Row))
	}, "SELECT neurons.id, "+neuronColumns+" FROM "+from, values...)
}

// soundNeurons returns rows of neurons, which must be what was written. Where every one is read, none may be lost.
func soundNeurons(ctx context.Context, tx *sql.Tx, from string, values ...any) ([]*neuronRow, error) {
	var list []*neuronRow
	var all tally
	err := eachNeuron(ctx, tx, func(r *neuronRow, sum int64, sound bool) error {
		if !sound {
			return damaged(r.Site, "the row is")
		}
		all.add(sum)
		list = append(list, r)
		return nil
	}, from, values...)
	if err == nil && from == everyNeuron {
		err = all.agrees(ctx, tx, "neurons")
	}
	return list, err
}

// inRange tells whether a row can be anyone's: a row that was forged has a checksum too.
func inRange(r *Row) bool {
	for _, n := range [...]int{r.Layer, r.Index, r.Nodes, r.Edges, r.Components, r.Activating, r.Important, r.Repeated} {
		if n < 0 {
			return false
		}
	}
	return r.Density == nil || *r.Density >= 0 && *r.Density <= 1
}

// eachBaseline calls do for rows of baselines. A row without a neuron has the id 0.
func eachBaseline(ctx context.Context, tx *sql.Tx,
	do func(id int64, name string, s *n2g.Scores, sum int64, sound bool) error) error {
	var id sql.NullInt64
	var n struct{ layer, index sql.NullInt64 }
	var name string
	var scores nullableScores
	var sum int64
	targets := append(append([]any{&id, &n.layer, &n.index, &name}, scores.targets()...), &sum)
	return each(ctx, tx, targets, func() error {
		s := scores.scores()
		of := n2g.Site{Layer: int(n.layer.Int64), Index: int(n.index.Int64)}
		return do(id.Int64, name, s, sum, id.Valid && s != nil && baselineChecksum(of, name, s) == sum)
	}, "SELECT id, layer, neuron, name"+prefixed("b")+", b.checksum FROM baselines b LEFT JOIN neurons ON id = neuron_id")
}

// posting is a row of tokens.
type posting struct {
	weightedToken
	id  int64 // of the neuron; 0: there is none
	of  n2g.Site
	sum int64
}

// sound tells whether the row is what was written.
func (p *posting) sound() bool {
	return p.id != 0 && tokenChecksum(p.of, p.token, p.kind, p.weight) == p.sum
}

// eachPosting calls do for rows of tokens, which is told once more what it was told of the row. rest follows the
// tables.
func eachPosting(ctx context.Context, tx *sql.Tx, do func(*posting) error, rest string, values ...any) error {
	var p posting
	var id, layer, index sql.NullInt64
	targets := []any{&p.token, &p.kind, &p.weight, &p.sum, &id, &layer, &index}
	return each(ctx, tx, targets, func() error {
		p.id, p.of = id.Int64, n2g.Site{Layer: int(layer.Int64), Index: int(index.Int64)}
		return do(&p)
	}, "SELECT token, kind, weight, t.checksum, id, layer, neuron FROM tokens t LEFT JOIN neurons ON "+
		"id = neuron_id "+rest, values...)
}

// damagedToken says that a row of tokens is not what was written.
func damagedToken(p *posting) error {
	if p.id == 0 {
		return fmt.Errorf("%w: a token is of no neuron: %s", ErrDamaged, remedy)
	}
	return damaged(p.of, fmt.Sprintf("the token %q is", p.token))
}
