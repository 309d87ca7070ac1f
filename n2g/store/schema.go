package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// applicationID marks the file as ours (PRAGMA application_id): "N2G" and a 1.
const applicationID = 0x4e324731

// migrations[v] takes a store from schema version v (PRAGMA user_version) to v+1. Those that were released are never
// changed; a new version is a new entry.
func migrations() []string {
	return []string{schema1}
}

const schema1 = `
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE shards (
	number INTEGER NOT NULL,
	of     INTEGER NOT NULL,
	PRIMARY KEY (number, of)
) WITHOUT ROWID;

CREATE TABLE planned (
	layer  INTEGER NOT NULL,
	neuron INTEGER NOT NULL,
	PRIMARY KEY (layer, neuron)
) WITHOUT ROWID;

CREATE TABLE failures (
	layer  INTEGER NOT NULL,
	neuron INTEGER NOT NULL,
	reason TEXT NOT NULL,
	PRIMARY KEY (layer, neuron)
) WITHOUT ROWID;

CREATE TABLE neurons (
	id                   INTEGER PRIMARY KEY,
	layer                INTEGER NOT NULL,
	neuron               INTEGER NOT NULL,
	hook                 TEXT NOT NULL,
	max_activation       REAL NOT NULL,
	density              REAL,
	nodes                INTEGER NOT NULL,
	edges                INTEGER NOT NULL,
	components           INTEGER NOT NULL,
	activating_tokens    INTEGER NOT NULL,
	important_tokens     INTEGER NOT NULL,
	repeated_tokens      INTEGER NOT NULL,
	firing_precision     REAL,
	firing_recall        REAL,
	firing_f1            REAL,
	firing_support       INTEGER,
	non_firing_precision REAL,
	non_firing_recall    REAL,
	non_firing_f1        REAL,
	non_firing_support   INTEGER,
	r2                   REAL,
	pearson              REAL,
	average_precision    REAL,
	UNIQUE (layer, neuron)
);

CREATE TABLE baselines (
	neuron_id            INTEGER NOT NULL REFERENCES neurons (id) ON DELETE CASCADE,
	name                 TEXT NOT NULL CHECK (name IN ('token_lookup', 'ngram')),
	firing_precision     REAL NOT NULL,
	firing_recall        REAL NOT NULL,
	firing_f1            REAL NOT NULL,
	firing_support       INTEGER NOT NULL,
	non_firing_precision REAL NOT NULL,
	non_firing_recall    REAL NOT NULL,
	non_firing_f1        REAL NOT NULL,
	non_firing_support   INTEGER NOT NULL,
	r2                   REAL NOT NULL,
	pearson              REAL NOT NULL,
	average_precision    REAL NOT NULL,
	PRIMARY KEY (neuron_id, name)
) WITHOUT ROWID;

CREATE TABLE tokens (
	token     TEXT NOT NULL,
	kind      TEXT NOT NULL CHECK (kind IN ('activating', 'important')),
	neuron_id INTEGER NOT NULL REFERENCES neurons (id) ON DELETE CASCADE,
	weight    REAL NOT NULL,
	PRIMARY KEY (token, kind, neuron_id)
) WITHOUT ROWID;

CREATE INDEX tokens_by_neuron ON tokens (neuron_id);

CREATE TABLE explanations (
	neuron_id INTEGER PRIMARY KEY REFERENCES neurons (id) ON DELETE CASCADE,
	digest    TEXT NOT NULL,
	json      NOT NULL
);
`

// migrate brings the schema up to date, each version in a transaction of its own. A file without any table becomes a
// store.
func migrate(ctx context.Context, db *sql.DB) error {
	for version, statements := range migrations() {
		if err := step(ctx, db, version, statements); err != nil {
			return fmt.Errorf("bringing it to version %d of the store's layout: %w", version+1, err)
		}
	}
	return nil
}

func step(ctx context.Context, db *sql.DB, version int, statements string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	var found int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil || found > version {
		return err
	}
	marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version+1)
	for _, statement := range []string{statements, marks} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// identify checks that the file is a store of a version that this program knows. An empty one is, unless mustExist.
func identify(ctx context.Context, db *sql.DB, mustExist bool) error {
	var application, version, tables int
	row := db.QueryRowContext(ctx, "SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id a, pragma_user_version v")
	if err := row.Scan(&application, &version, &tables); err != nil {
		return err
	}
	known := len(migrations())
	switch {
	case application == 0 && version == 0 && tables == 0 && !mustExist:
		return nil
	case application != applicationID:
		return errors.New("it is a SQLite database but no store of neuron explanations: name the file that n2g run wrote")
	case version > known:
		return fmt.Errorf("it has version %d of the store's layout, and this program knows up to %d: use the newer n2g that wrote it", version, known)
	case version < known && mustExist:
		return fmt.Errorf("it has version %d of the store's layout, and this program reads %d: open it once for writing (n2g run or n2g merge) to bring it up to date", version, known)
	}
	return nil
}
