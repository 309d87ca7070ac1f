package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
)

// effectsLayout is the version of the tables of effects, which a store has from when it is first told of any, whatever
// the version of the rest.
const effectsLayout = 1

// effectsSchema makes them. Triggers count and sum the rows, so that one that was lost is missed: those of tokens in
// effect_vocabulary, the others in totals.
const effectsSchema = `
CREATE TABLE IF NOT EXISTS effects_meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS effects (
	layer                INTEGER NOT NULL,
	neuron               INTEGER NOT NULL,
	kurtosis             REAL NOT NULL,
	faithfulness         REAL,
	faithfulness_context REAL,
	faithfulness_firing  REAL,
	tokens               INTEGER NOT NULL,
	tokens_checksum      INTEGER NOT NULL,
	checksum             INTEGER NOT NULL,
	PRIMARY KEY (layer, neuron)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS effect_tokens (
	layer    INTEGER NOT NULL,
	neuron   INTEGER NOT NULL,
	rank     INTEGER NOT NULL,
	id       INTEGER NOT NULL,
	value    REAL NOT NULL,
	checksum INTEGER NOT NULL,
	PRIMARY KEY (layer, neuron, rank)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS effect_tokens_by_id ON effect_tokens (id);

CREATE TABLE IF NOT EXISTS effect_vocabulary (
	id              INTEGER PRIMARY KEY,
	token           TEXT NOT NULL,
	uses            INTEGER NOT NULL,
	tokens_checksum INTEGER NOT NULL,
	checksum        INTEGER NOT NULL
);

CREATE TRIGGER IF NOT EXISTS effect_tokens_in AFTER INSERT ON effect_tokens BEGIN
	UPDATE effect_vocabulary SET uses = uses + 1, tokens_checksum = tokens_checksum + NEW.checksum WHERE id = NEW.id;
END;
CREATE TRIGGER IF NOT EXISTS effect_tokens_out AFTER DELETE ON effect_tokens BEGIN
	UPDATE effect_vocabulary SET uses = uses - 1, tokens_checksum = tokens_checksum - OLD.checksum WHERE id = OLD.id;
END;
`

// effectsTotals are the tables of effects whose rows totals counts.
func effectsTotals() []string { return []string{"effects", "effect_vocabulary"} }

// ensureEffects makes the tables where there are none.
func ensureEffects(ctx context.Context, tx *sql.Tx) error {
	if there, err := hasEffects(ctx, tx); there || err != nil {
		return err
	}
	return makeEffects(ctx, tx)
}

// makeEffects makes the tables.
func makeEffects(ctx context.Context, tx *sql.Tx) error {
	text := effectsSchema + counting(effectsTotals())
	for _, table := range effectsTotals() {
		text += fmt.Sprintf("INSERT OR REPLACE INTO totals VALUES ('%s', 0, 0);", table)
	}
	_, err := tx.ExecContext(ctx, text+fmt.Sprintf("INSERT INTO effects_meta VALUES ('layout', '%d')", effectsLayout))
	return err
}

// hasEffects says whether a store has tables of effects, and refuses those of a later layout.
func hasEffects(ctx context.Context, tx querier) (bool, error) {
	there, err := hasTable(ctx, tx, "main", "effects_meta")
	if err != nil {
		return false, err
	}
	if !there {
		var counted int
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM totals WHERE name = 'effects'").Scan(&counted)
		if err == nil && counted > 0 {
			err = fmt.Errorf("%w: its tables of effects are lost: %s", ErrDamaged, remedy)
		}
		return false, err
	}
	var text string
	err = tx.QueryRowContext(ctx, "SELECT value FROM effects_meta WHERE key = 'layout'").Scan(&text)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	switch layout, err := strconv.Atoi(text); {
	case err != nil || layout < 1:
		return false, fmt.Errorf("%w: its effects have the layout %q", ErrDamaged, text)
	case layout > effectsLayout:
		return false, fmt.Errorf("its effects have version %d of their layout, and this program knows up to %d: use the "+
			"newer n2g that wrote it", layout, effectsLayout)
	}
	return true, nil
}

func hasTable(ctx context.Context, tx querier, database, table string) (bool, error) {
	var count int
	err := tx.QueryRowContext(ctx,
		"SELECT count(*) FROM "+database+".sqlite_schema WHERE type = 'table' AND name = ?", table).Scan(&count)
	return count > 0, err
}

// copyOldEffects adds the tables of effects of a store of an older layout to the copy of it in memory, as they are.
func copyOldEffects(ctx context.Context, conn *sql.Conn, absolute string) error {
	if _, err := conn.ExecContext(ctx, "ATTACH ? AS source", dsn(absolute, "mode=ro")); err != nil {
		return err
	}
	err := func() error {
		there, err := hasTable(ctx, conn, "source", "effects_meta")
		if err != nil || !there {
			return err
		}
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()                          // after a commit it does nothing
		if err := makeEffects(ctx, tx); err != nil { // totals may be here already
			return err
		}
		for _, statement := range []string{
			"INSERT OR REPLACE INTO main.effects_meta SELECT * FROM source.effects_meta",
			"INSERT INTO main.effect_tokens SELECT * FROM source.effect_tokens",
			"INSERT INTO main.effect_vocabulary SELECT * FROM source.effect_vocabulary", // behind what counts in it
			"INSERT INTO main.effects SELECT * FROM source.effects",
			"INSERT OR REPLACE INTO main.totals SELECT * FROM source.totals WHERE name IN ('effects', 'effect_vocabulary')",
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return tx.Commit()
	}()
	if _, failed := conn.ExecContext(ctx, "DETACH source"); err == nil {
		err = failed
	}
	return err
}
