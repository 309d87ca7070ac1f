package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Merged says what one source added to a store.
type Merged struct {
	Added     int        // explanations
	Same      int        // neurons that both have, with the same explanation
	Different []n2g.Site // neurons that both have, with different explanations: the store kept its own
	Failures  int        // failures added
	Damaged   []n2g.Site // neurons of the source that are not what was written: they are left out
	Repaired  []n2g.Site // neurons that were damaged here, and are taken anew from the source
	Effects   int        // neurons whose effects were added
	// DamagedEffects are neurons of whose effects the source has not what was written: they are left out.
	DamagedEffects []n2g.Site
}

// Merge copies what the store at path holds into this one, in one transaction: explanations and failures of neurons
// that this one has not explained, and what was planned. A neuron that both have explained stays as it is here, unless
// it is damaged here. What is damaged in the source is left out, and named. Stores of different models or options are
// refused; see [Store.MissingShards] and [Store.Missing] for what is still to come.
func (s *Store) Merge(ctx context.Context, path string) (*Merged, error) {
	source, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	if err := notSame(s.path, path); err != nil {
		return nil, err
	}
	if theirs, ok := source.Identity(); ok {
		if err := s.Begin(ctx, theirs); err != nil {
			return nil, fmt.Errorf("merging %s: %w", path, err)
		}
	}
	if s.lock == nil {
		return nil, fmt.Errorf("merging %s: %s was opened for reading only", path, s.path)
	}
	theirs, err := source.verify(ctx)
	if err != nil {
		return nil, fmt.Errorf("merging %s: %w", path, err)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, s.explained("writing", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "ATTACH ? AS source", source.uri); err != nil {
		return nil, explained(path, "reading", err)
	}
	m, err := s.mergeAttached(ctx, conn, theirs, source.unindexed)
	// Not ctx: the connection goes back to where others take it from.
	if _, failed := conn.ExecContext(context.WithoutCancel(ctx), "DETACH source"); err == nil {
		err = failed
	}
	if err != nil {
		return nil, fmt.Errorf("merging %s: %w", path, s.explained("writing", err))
	}
	s.made = false
	return m, s.there()
}

// notSame refuses to merge a file with itself.
func notSame(a, b string) error {
	infoA, err := os.Stat(a)
	if err != nil {
		return fmt.Errorf("merging: %w", err)
	}
	infoB, err := os.Stat(b)
	if err != nil {
		return fmt.Errorf("merging: %w", err)
	}
	if os.SameFile(infoA, infoB) {
		return fmt.Errorf("%s and %s are the same file: name another to merge into", a, b)
	}
	return nil
}

// mergeAttached merges the database source; unindexed is one that lacks context_tokens.
func (s *Store) mergeAttached(ctx context.Context, conn *sql.Conn, theirs *verdict, unindexed bool) (*Merged, error) {
	if err := checkPages(ctx, conn, "source"); err != nil {
		return nil, err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // after a commit it does nothing
	m := &Merged{Damaged: theirs.neurons(), DamagedEffects: theirs.damagedEffects()}
	if err := m.repair(ctx, tx, theirs); err != nil {
		return nil, err
	}
	if err := m.compare(ctx, tx, theirs); err != nil {
		return nil, err
	}
	ids, err := json.Marshal(theirs.soundIDs())
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "CREATE TEMP TABLE sound (id INTEGER PRIMARY KEY)"); err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO sound SELECT value FROM json_each(?)", string(ids)); err != nil {
		return nil, err
	}
	// Ids grow, so that those above the highest are of the neurons that are added.
	var before int64
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM main.neurons").Scan(&before); err != nil {
		return nil, err
	}
	// of joins a table of the source with the added neuron that its rows belong to.
	const of = " JOIN source.neurons s ON s.id = x.neuron_id JOIN main.neurons m ON m.layer = s.layer AND m.neuron = " +
		"s.neuron WHERE m.id > ?"
	own, _ := s.jsonKinds()
	for _, step := range []struct {
		count *int
		query string
		value []any
	}{
		{&m.Added, "INSERT INTO main.neurons (" + neuronColumns + ") SELECT " + neuronColumns +
			` FROM source.neurons s JOIN sound USING (id)
			WHERE NOT EXISTS (SELECT 1 FROM main.neurons m WHERE m.layer = s.layer AND m.neuron = s.neuron) ORDER BY layer, neuron`, nil},
		{nil, "INSERT INTO main.baselines (neuron_id, name, " + scoreColumns + ", checksum) SELECT m.id, x.name" +
			prefixed("x") + ", x.checksum FROM source.baselines x" + of, []any{before}},
		{nil, "INSERT INTO main.comparisons (neuron_id, " + comparisonColumns + ") SELECT m.id, number, text, predictor, " +
			"fire_threshold, log_loss, value_error" + prefixed("x") + ", x.checksum FROM source.comparisons x" + of,
			[]any{before}},
		{nil, "INSERT INTO main.labels (neuron_id, label, activating, important, checksum) SELECT m.id, x.label, " +
			"x.activating, x.important, x.checksum FROM source.labels x" + of, []any{before}},
		{nil, "INSERT INTO main.tokens (token, kind, neuron_id, weight, checksum) SELECT x.token, x.kind, m.id, x.weight, " +
			"x.checksum FROM source.tokens x" + of, []any{before}},
		{nil, "INSERT INTO main.explanations (neuron_id, json) SELECT m.id, x.json FROM source.explanations x" + of +
			" AND typeof(x.json) = ?", []any{before, own}},
		{nil, "INSERT OR IGNORE INTO main.planned (layer, neuron, checksum) SELECT layer, neuron, checksum FROM " +
			"source.planned", nil},
		{nil, "INSERT OR IGNORE INTO main.shards (number, of, checksum) SELECT number, of, checksum FROM source.shards", nil},
		{&m.Failures, "INSERT OR IGNORE INTO main.failures (layer, neuron, reason, checksum) SELECT layer, neuron, reason, " +
			"checksum FROM source.failures", nil},
		{nil, "DELETE FROM main.failures WHERE (layer, neuron) IN (SELECT layer, neuron FROM main.neurons)", nil},
		{nil, "DROP TABLE temp.sound", nil},
	} {
		result, err := tx.ExecContext(ctx, step.query, step.value...)
		if err != nil {
			return nil, err
		}
		if step.count != nil {
			n, err := result.RowsAffected()
			if err != nil {
				return nil, err
			}
			*step.count = int(n)
		}
	}
	if err := s.convert(ctx, tx, of, before); err != nil {
		return nil, err
	}
	if unindexed {
		err = fillContextTokens(ctx, tx, "SELECT id, digest FROM main.neurons WHERE id > ?", before)
	} else {
		_, err = tx.ExecContext(ctx, "INSERT INTO main.context_tokens SELECT x.token, m.id, x.activating, x.important, "+
			"x.checksum FROM source.context_tokens x"+of, before)
	}
	if err != nil {
		return nil, err
	}
	there, err := hasBehaviours(ctx, tx, "source")
	if err != nil {
		return nil, err
	}
	if !there {
		err = fillBehaviours(ctx, tx, "SELECT id, digest FROM main.neurons WHERE id > ?", before)
	} else {
		_, err = tx.ExecContext(ctx, "INSERT INTO main.behaviours SELECT m.id, x.behaviours, x.examples, x.checksum FROM "+
			"source.behaviours x"+of, before)
	}
	if err != nil {
		return nil, err
	}
	if theirs.effects != nil {
		if m.Effects, err = s.copyEffects(ctx, tx, theirs.effects); err != nil {
			return nil, err
		}
	}
	return m, tx.Commit()
}

// kinds of the column of JSON, as SQLite names them: as the store keeps it, and the other.
func (s *Store) jsonKinds() (own, other string) {
	if s.plain {
		return "text", "blob"
	}
	return "blob", "text"
}

// convert adds the explanations that the source keeps in the other form. of joins them with the neurons that are
// added, whose ids are above before.
func (s *Store) convert(ctx context.Context, tx *sql.Tx, of string, before int64) error {
	_, other := s.jsonKinds()
	var id, there int64
	var ids [][2]int64
	note := func() error { ids = append(ids, [2]int64{id, there}); return nil }
	if err := each(ctx, tx, []any{&id, &there}, note, "SELECT m.id, x.neuron_id FROM source.explanations x"+of+
		" AND typeof(x.json) = ?", before, other); err != nil {
		return err
	}
	for _, one := range ids {
		var raw any
		row := tx.QueryRowContext(ctx, "SELECT json FROM source.explanations WHERE neuron_id = ?", one[1])
		if err := row.Scan(&raw); err != nil {
			return err
		}
		text, err := jsonOf(raw)
		if err != nil {
			return err
		}
		stored, err := s.stored(text)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO main.explanations (neuron_id, json) VALUES (?, ?)",
			one[0], stored); err != nil {
			return err
		}
	}
	return nil
}

// inBoth joins the neurons that source and store have.
const inBoth = " FROM source.neurons s JOIN main.neurons m ON m.layer = s.layer AND m.neuron = s.neuron"

// repair removes neurons that are damaged here and sound in the source, which are then taken from there.
func (m *Merged) repair(ctx context.Context, tx *sql.Tx, theirs *verdict) error {
	common := map[n2g.Site]bool{}
	var n n2g.Site
	err := each(ctx, tx, []any{&n.Layer, &n.Index}, func() error {
		if theirs.sound[n] != nil {
			common[n] = true
		}
		return nil
	}, "SELECT m.layer, m.neuron"+inBoth)
	if err != nil || len(common) == 0 { // as in merges of shards, whose cost is then that of what is added
		return err
	}
	ours, err := verifyRows(ctx, tx, func(n n2g.Site) bool { return common[n] }, true)
	if err != nil {
		return err
	}
	if m.Repaired = ours.neurons(); len(m.Repaired) == 0 {
		return nil
	}
	return ours.remove(ctx, tx)
}

// compare finds the neurons that both stores have explained.
func (m *Merged) compare(ctx context.Context, tx *sql.Tx, theirs *verdict) error {
	var n n2g.Site
	var own string
	err := each(ctx, tx, []any{&n.Layer, &n.Index, &n.Hook, &own}, func() error {
		switch r := theirs.sound[n.WithoutHook()]; {
		case r == nil:
		case r.digest == own:
			m.Same++
		default:
			m.Different = append(m.Different, n)
		}
		return nil
	}, "SELECT m.layer, m.neuron, m.hook, m.digest"+inBoth)
	slices.SortFunc(m.Different, n2g.Site.Compare)
	return err
}

// MissingShards returns the shards that no run or merge has brought; none if all of some number of shards are there.
func (s *Store) MissingShards(ctx context.Context) ([]Shard, error) {
	there, err := s.Shards(ctx)
	if err != nil {
		return nil, err
	}
	missing := []Shard{}
	for i, shard := range there {
		if i > 0 && there[i-1].Of == shard.Of {
			continue
		}
		lacking := 0
		for number := 1; number <= shard.Of; number++ {
			if one := (Shard{number, shard.Of}); !slices.Contains(there, one) {
				missing = append(missing, one)
				lacking++
			}
		}
		if lacking == 0 {
			return []Shard{}, nil
		}
	}
	return missing, nil
}
