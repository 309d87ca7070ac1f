package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// verdict is which neurons of a store are what was written.
type verdict struct {
	sound   map[n2g.Site]*neuronRow // by place
	damaged map[int64]n2g.Site      // by id
	loose   bool                    // rows are of no neuron, or do not add up
	effects map[n2g.Site]bool       // which neurons' effects are sound, by place; nil: there are none
}

// neurons that are damaged, in order.
func (v *verdict) neurons() []n2g.Site {
	var list []n2g.Site
	for _, n := range v.damaged {
		list = append(list, n)
	}
	slices.SortFunc(list, n2g.Site.Compare)
	return list
}

// damagedEffects are the neurons whose effects are damaged, in order.
func (v *verdict) damagedEffects() []n2g.Site {
	var list []n2g.Site
	for n, sound := range v.effects {
		if !sound {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, n2g.Site.Compare)
	return list
}

func (v *verdict) soundIDs() []int64 {
	ids := make([]int64, 0, len(v.sound))
	for _, r := range v.sound {
		ids = append(ids, r.id)
	}
	slices.Sort(ids)
	return ids
}

// verify checks everything that belongs to neurons.
func (s *Store) verify(ctx context.Context) (v *verdict, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		if v, err = verifyRows(ctx, tx, nil, !s.unindexed); err != nil {
			return err
		}
		there, err := hasEffects(ctx, tx)
		if err == nil && there {
			v.effects, _, err = verifyEffects(ctx, tx)
		}
		return err
	})
	return v, err
}

// verifyRows checks the neurons asked for, all where asked is nil. indexed says whether there are context_tokens.
func verifyRows(ctx context.Context, tx *sql.Tx, asked func(n2g.Site) bool, indexed bool) (*verdict, error) {
	v := &verdict{sound: map[n2g.Site]*neuronRow{}, damaged: map[int64]n2g.Site{}}
	rows := map[int64]*neuronRow{}
	var all, baselines, comparisons, labels, behaviours, tokens, contextTokens tally
	err := eachNeuron(ctx, tx, func(r *neuronRow, sum int64, sound bool) error {
		all.add(sum)
		if asked != nil && !asked(r.Site.WithoutHook()) {
			return nil
		}
		if rows[r.id] = r; !sound {
			v.damaged[r.id] = r.Site
		}
		return nil
	}, everyNeuron)
	if err != nil {
		return nil, err
	}
	open := map[int64][2]int{}
	for id, r := range rows {
		open[id] = [2]int{r.Activating, r.Important}
	}
	err = eachBaseline(ctx, tx, func(id int64, name string, _ *n2g.Scores, sum int64, sound bool) error {
		baselines.add(sum)
		v.note(rows, id, sound)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachComparison(ctx, tx, func(r *comparisonRow) error {
		comparisons.add(r.sum)
		v.note(rows, r.id, r.sound)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachBehaviours(ctx, tx, func(r *behavioursRow) error {
		behaviours.add(r.sum)
		v.note(rows, r.id, r.sound())
		return nil
	})
	if err != nil {
		return nil, err
	}
	labelled, openContext := map[int64]bool{}, map[int64][2]int{}
	err = eachLabel(ctx, tx, func(r *labelRow) error {
		labels.add(r.sum)
		labelled[r.id] = true
		v.note(rows, r.id, r.sound())
		if !indexed {
			return nil
		}
		sets, err := r.tokens()
		openContext[r.id] = [2]int{len(sets[0]), len(sets[1])}
		v.note(rows, r.id, err == nil)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachPosting(ctx, tx, func(p *posting) error {
		tokens.add(p.sum)
		v.note(rows, p.id, p.sound())
		left := open[p.id]
		if p.kind == important {
			left[1]--
		} else {
			left[0]--
		}
		open[p.id] = left
		return nil
	}, "")
	if err != nil {
		return nil, err
	}
	if indexed {
		err = eachContextPosting(ctx, tx, func(p *contextPosting) error {
			contextTokens.add(p.sum)
			v.note(rows, p.id, p.sound())
			left := openContext[p.id]
			for k, roles := range [2]n2g.TokenRoles{p.Activating, p.Important} {
				if roles != 0 {
					left[k]--
				}
			}
			openContext[p.id] = left
			return nil
		}, "")
		if err == nil {
			err = v.agrees(contextTokens.agreesWithVocabulary(ctx, tx, "context_vocabulary", "", nil))
		}
	}
	if err != nil {
		return nil, err
	}
	read, err := tx.PrepareContext(ctx, "SELECT json FROM explanations WHERE neuron_id = ?")
	if err != nil {
		return nil, err
	}
	defer read.Close()
	for id, r := range rows {
		v.note(rows, id, open[id] == [2]int{} && labelled[id] && openContext[id] == [2]int{})
		if _, bad := v.damaged[id]; bad {
			continue
		}
		_, err := soundText(ctx, read, r)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return nil, err
		}
		v.note(rows, id, err == nil)
		if err == nil {
			v.sound[r.Site.WithoutHook()] = r
		}
	}
	there, err := hasBehaviours(ctx, tx, "main")
	if err == nil && there {
		err = v.agrees(behaviours.agrees(ctx, tx, "behaviours"))
	}
	if err != nil {
		return nil, err
	}
	for _, err := range []error{all.agrees(ctx, tx, "neurons"), baselines.agrees(ctx, tx, "baselines"),
		comparisons.agrees(ctx, tx, "comparisons"), labels.agrees(ctx, tx, "labels"),
		tokens.agreesWithVocabulary(ctx, tx, "vocabulary", "", nil)} {
		if err := v.agrees(err); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// agrees records damage of a table, and returns other errors.
func (v *verdict) agrees(err error) error {
	if errors.Is(err, ErrDamaged) {
		v.loose = true
		return nil
	}
	return err
}

// note records what is known of a row that belongs to the neuron of an id.
func (v *verdict) note(rows map[int64]*neuronRow, id int64, sound bool) {
	switch r := rows[id]; {
	case id == 0:
		v.loose = true
	case r != nil && !sound:
		v.damaged[id] = r.Site
	}
}

// remove removes the damaged neurons.
func (v *verdict) remove(ctx context.Context, tx *sql.Tx) error {
	for id := range v.damaged {
		if _, err := tx.ExecContext(ctx, "DELETE FROM main.neurons WHERE id = ?", id); err != nil {
			return err
		}
	}
	if len(v.damaged) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, looseContextTokens)
	return err
}

// looseContextTokens deletes the rows that damaged labels leave behind, before other neurons get the ids in them.
const looseContextTokens = "DELETE FROM main.context_tokens WHERE neuron_id NOT IN (SELECT id FROM main.neurons)"

// Repaired is what [Store.Repair] did.
type Repaired struct {
	Removed []n2g.Site // neurons that were not what was written
	Lost    bool       // whether rows were there that are not now; what they were is not known
}

// Repair removes what is damaged, neurons with all that belongs to them and failures, so that a run makes it anew: it
// finds them among those planned and not done. Damage to what SQLite needs to read the file at all is beyond it.
func (s *Store) Repair(ctx context.Context) (*Repaired, error) {
	r := &Repaired{}
	err := s.change(ctx, "repairing", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "REINDEX"); err != nil {
			return fmt.Errorf("%w; n2g merge -store NEW takes what is sound of it into a new store", err)
		}
		v, err := verifyRows(ctx, tx, nil, true)
		if err != nil {
			return err
		}
		r.Removed, r.Lost = v.neurons(), v.loose
		if err := v.remove(ctx, tx); err != nil {
			return err
		}
		for _, statement := range []string{
			"DELETE FROM baselines WHERE neuron_id NOT IN (SELECT id FROM neurons)",
			"DELETE FROM comparisons WHERE neuron_id NOT IN (SELECT id FROM neurons)",
			"DELETE FROM labels WHERE neuron_id NOT IN (SELECT id FROM neurons)",
			"DELETE FROM behaviours WHERE neuron_id NOT IN (SELECT id FROM neurons)",
			"DELETE FROM tokens WHERE neuron_id NOT IN (SELECT id FROM neurons)",
			looseContextTokens,
			"DELETE FROM explanations WHERE neuron_id NOT IN (SELECT id FROM neurons)",
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		lost, err := removeUnsound(ctx, tx)
		if err != nil {
			return err
		}
		lostEffects, err := repairEffects(ctx, tx)
		if err != nil {
			return err
		}
		r.Lost = r.Lost || lost || lostEffects
		return recount(ctx, tx)
	})
	return r, err
}

// removeUnsound removes damaged rows of the tables that stand for themselves.
func removeUnsound(ctx context.Context, tx *sql.Tx) (found bool, err error) {
	var n n2g.Site
	var shard Shard
	var reason string
	var sum int64
	var where []func() error
	note := func(table, condition string, values ...any) {
		found = true
		where = append(where, func() error {
			_, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE "+condition, values...)
			return err
		})
	}
	err = errors.Join(
		each(ctx, tx, []any{&n.Layer, &n.Index, &reason, &sum}, func() error {
			if sum != checksum(n.Layer, n.Index, reason) {
				note("failures", "layer = ? AND neuron = ?", n.Layer, n.Index)
			}
			return nil
		}, "SELECT layer, neuron, reason, checksum FROM failures"),
		each(ctx, tx, []any{&n.Layer, &n.Index, &sum}, func() error {
			if sum != checksum(n.Layer, n.Index) {
				note("planned", "layer = ? AND neuron = ?", n.Layer, n.Index)
			}
			return nil
		}, "SELECT layer, neuron, checksum FROM planned"),
		each(ctx, tx, []any{&shard.Number, &shard.Of, &sum}, func() error {
			if sum != checksum(shard.Number, shard.Of) {
				note("shards", "number = ? AND of = ?", shard.Number, shard.Of)
			}
			return nil
		}, "SELECT number, of, checksum FROM shards"),
	)
	for _, remove := range where {
		err = errors.Join(err, remove())
	}
	return found, err
}

// recount makes totals and vocabulary what the other tables, all of whose rows are sound, add up to.
func recount(ctx context.Context, tx *sql.Tx) error {
	statements := []string{"DELETE FROM vocabulary",
		"INSERT INTO vocabulary SELECT token, kind, count(*), sum(checksum) FROM tokens GROUP BY token, kind",
		"DELETE FROM context_vocabulary",
		"INSERT INTO context_vocabulary SELECT token, count(*), sum(checksum) FROM context_tokens GROUP BY token"}
	for _, table := range countedTables() {
		statements = append(statements, countAnew(table))
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// countAnew makes the totals of a table what its rows add up to.
func countAnew(table string) string {
	return fmt.Sprintf("INSERT OR REPLACE INTO totals SELECT '%[1]s', count(*), coalesce(sum(checksum), 0) "+
		"FROM %[1]s", table)
}
