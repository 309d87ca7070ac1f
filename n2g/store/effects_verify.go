package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// verifyEffects returns the neurons whose effects are what was written, and whether all that was written is there.
func verifyEffects(ctx context.Context, tx *sql.Tx) (sound map[n2g.Site]bool, whole bool, err error) {
	rows := map[n2g.Site]*effectsRow{}
	sound, whole = map[n2g.Site]bool{}, true
	var all tally
	err = eachEffects(ctx, tx, func(r *effectsRow, ok bool) error {
		rows[r.Site], sound[r.Site] = r, ok
		all.add(r.sum)
		return nil
	}, "")
	if err != nil {
		return nil, false, err
	}
	found := map[n2g.Site]tally{}
	err = eachEffectToken(ctx, tx, func(t *effectToken, _ string, ok bool) error {
		if rows[t.Site] == nil {
			whole = false
			return nil
		}
		one := found[t.Site]
		one.add(t.sum)
		found[t.Site] = one
		sound[t.Site] = sound[t.Site] && ok
		return nil
	}, "")
	if err != nil {
		return nil, false, err
	}
	for n, r := range rows {
		sound[n] = sound[n] && found[n] == tally{int64(r.tokens), r.tokensSum}
		whole = whole && sound[n]
	}
	_, lost := soundVocabulary(ctx, tx)
	for _, err := range []error{all.agrees(ctx, tx, "effects"), lost} {
		switch {
		case errors.Is(err, ErrDamaged):
			whole = false
		case err != nil:
			return nil, false, err
		}
	}
	return sound, whole, nil
}

// repairEffects removes the effects that are damaged; found says whether any were.
func repairEffects(ctx context.Context, tx *sql.Tx) (found bool, err error) {
	if there, err := hasEffects(ctx, tx); !there || err != nil {
		return false, err
	}
	sound, whole, err := verifyEffects(ctx, tx)
	if err != nil {
		return false, err
	}
	for n, ok := range sound {
		if !ok {
			if err := deleteAt(ctx, tx, "effects", n); err != nil {
				return false, err
			}
		}
	}
	statements := []string{
		"DELETE FROM effect_tokens WHERE (layer, neuron) NOT IN (SELECT layer, neuron FROM effects)",
		"DELETE FROM effect_vocabulary WHERE id NOT IN (SELECT id FROM effect_tokens)",
		"UPDATE effect_vocabulary SET (uses, tokens_checksum) = (SELECT count(*), sum(checksum) FROM effect_tokens t " +
			"WHERE t.id = effect_vocabulary.id)",
	}
	for _, table := range effectsTotals() {
		statements = append(statements, countAnew(table))
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return false, err
		}
	}
	return !whole, nil
}

// copyEffects adds the effects that the attached database source has of neurons, but for those that main has or that
// are not sound. Its token ids must stand for the same tokens.
func (s *Store) copyEffects(ctx context.Context, tx *sql.Tx, sound map[n2g.Site]bool) (added int, err error) {
	if err := ensureEffects(ctx, tx); err != nil {
		return 0, err
	}
	of, err := effectsOf(ctx, tx, "source")
	if err != nil {
		return 0, err
	}
	if err := s.beginEffects(ctx, tx, of); err != nil {
		return 0, err
	}
	var other int
	err = tx.QueryRowContext(ctx, "SELECT count(*) FROM main.effect_vocabulary m JOIN source.effect_vocabulary s "+
		"USING (id) WHERE m.token <> s.token").Scan(&other)
	if err != nil {
		return 0, err
	}
	if other > 0 {
		return 0, errors.New("its effects are of a model with another tokenizer")
	}
	for _, statement := range []string{
		"CREATE TEMP TABLE wanted (layer INTEGER, neuron INTEGER, PRIMARY KEY (layer, neuron)) WITHOUT ROWID",
		"INSERT INTO wanted SELECT layer, neuron FROM source.effects WHERE (layer, neuron) NOT IN (SELECT layer, neuron " +
			"FROM main.effects)",
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return 0, err
		}
	}
	for n, ok := range sound {
		if !ok {
			if err := deleteAt(ctx, tx, "wanted", n); err != nil {
				return 0, err
			}
		}
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM wanted").Scan(&added); err != nil {
		return 0, err
	}
	for _, statement := range []string{
		"INSERT OR IGNORE INTO main.effect_vocabulary SELECT id, token, 0, 0, checksum FROM source.effect_vocabulary " +
			"WHERE id IN (SELECT id FROM source.effect_tokens JOIN wanted USING (layer, neuron))",
		"INSERT INTO main.effect_tokens SELECT t.* FROM source.effect_tokens t JOIN wanted USING (layer, neuron)",
		"INSERT INTO main.effects SELECT e.* FROM source.effects e JOIN wanted USING (layer, neuron)",
		"DROP TABLE temp.wanted",
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return 0, err
		}
	}
	return added, nil
}
