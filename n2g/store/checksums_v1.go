package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// fillChecksums makes the checksums of a store that was written before there were any. Rows of scores and tokens get
// those of the neuron's explanation, which has a digest: what differs from it is found like any later damage, when it
// is read.
func fillChecksums(ctx context.Context, tx *sql.Tx) error {
	var id int64
	var ids []int64
	note := func() error { ids = append(ids, id); return nil }
	if err := each(ctx, tx, []any{&id}, note, "SELECT neuron_id FROM explanations"); err != nil {
		return err
	}
	lost := map[string]*tally{} // rows that should be there
	for _, table := range countedBefore3() {
		lost[table] = &tally{}
	}
	var lostTokens []weightedToken
	var lostSums []int64
	for _, id := range ids {
		var sum string
		var raw any
		row := tx.QueryRowContext(ctx, "SELECT digest, json FROM explanations WHERE neuron_id = ?", id)
		if err := row.Scan(&sum, &raw); err != nil {
			return err
		}
		text, err := jsonOf(raw)
		e := new(n2g.Explanation)
		if err == nil {
			err = e.UnmarshalJSON(text)
		}
		if err != nil || digest(text) != sum {
			continue // its rows stay unsound
		}
		r := neuronRow{Row: rowOf(e), digest: sum}
		rowSum := checksum(r.values()...)
		set := func(table string, sum int64, statement string, values ...any) error {
			result, err := tx.ExecContext(ctx, "UPDATE "+table+" SET "+statement, values...)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n > 0 {
				return err
			}
			if of := lost[table]; of != nil {
				of.add(sum)
			}
			return nil
		}
		if err := set("neurons", rowSum, "digest = ?, checksum = ? WHERE id = ?", sum, rowSum, id); err != nil {
			return err
		}
		for name, s := range r.baselines() {
			sum := baselineChecksum(r.Site, name, s)
			if err := set("baselines", sum, "checksum = ? WHERE neuron_id = ? AND name = ?", sum, id, name); err != nil {
				return err
			}
		}
		for _, t := range weightedTokens(e.Trie) {
			sum := tokenChecksum(r.Site, t.token, t.kind, t.weight)
			result, err := tx.ExecContext(ctx, "UPDATE tokens SET checksum = ? WHERE token = ? AND kind = ? AND neuron_id = ?",
				sum, t.token, t.kind, id)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			if n == 0 {
				lostTokens, lostSums = append(lostTokens, t), append(lostSums, sum)
			}
		}
	}
	if err := fillUnproven(ctx, tx); err != nil {
		return err
	}
	for _, table := range countedBefore3() {
		statement := fmt.Sprintf("INSERT INTO totals SELECT '%[1]s', count(*) + ?, coalesce(sum(checksum), 0) + ? "+
			"FROM %[1]s", table)
		if _, err := tx.ExecContext(ctx, statement, lost[table].rows, lost[table].sum); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO vocabulary SELECT token, kind, count(*), sum(checksum) "+
		"FROM tokens GROUP BY token, kind"); err != nil {
		return err
	}
	for i, t := range lostTokens {
		if _, err := tx.ExecContext(ctx, `INSERT INTO vocabulary (token, kind, neurons, checksum) VALUES (?, ?, 1, ?)
			ON CONFLICT DO UPDATE SET neurons = neurons + 1, checksum = checksum + excluded.checksum`, t.token, t.kind, lostSums[i]); err != nil {
			return err
		}
	}
	return nil
}

// fillUnproven takes the rows that no explanation proves as they are.
func fillUnproven(ctx context.Context, tx *sql.Tx) error {
	type update struct {
		statement string
		values    []any
	}
	var updates []update
	var n n2g.Site
	var shard Shard
	var text, key string
	note := func(statement string, values ...any) { updates = append(updates, update{statement, values}) }
	for _, err := range []error{
		each(ctx, tx, []any{&n.Layer, &n.Index, &text}, func() error {
			note("failures SET checksum = ? WHERE layer = ? AND neuron = ?", checksum(n.Layer, n.Index, text), n.Layer, n.Index)
			return nil
		}, "SELECT layer, neuron, reason FROM failures"),
		each(ctx, tx, []any{&n.Layer, &n.Index}, func() error {
			note("planned SET checksum = ? WHERE layer = ? AND neuron = ?", checksum(n.Layer, n.Index), n.Layer, n.Index)
			return nil
		}, "SELECT layer, neuron FROM planned"),
		each(ctx, tx, []any{&shard.Number, &shard.Of}, func() error {
			note("shards SET checksum = ? WHERE number = ? AND of = ?", checksum(shard.Number, shard.Of), shard.Number, shard.Of)
			return nil
		}, "SELECT number, of FROM shards"),
		each(ctx, tx, []any{&key, &text}, func() error {
			note("meta SET checksum = ? WHERE key = ?", checksum(key, text), key)
			return nil
		}, "SELECT key, value FROM meta"),
	} {
		if err != nil {
			return err
		}
	}
	for _, u := range updates {
		if _, err := tx.ExecContext(ctx, "UPDATE "+u.statement, u.values...); err != nil {
			return err
		}
	}
	return nil
}
