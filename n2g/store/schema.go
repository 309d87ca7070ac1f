package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// ApplicationID marks the file as a store (PRAGMA application_id): "N2G" and a 1.
const ApplicationID = 0x4e324731

// migrations[v] takes a store from schema version v (PRAGMA user_version) to v+1. Those that were released are never
// changed; a new version is a new entry.
func migrations() []migration {
	return []migration{{statements: schema1},
		{statements: schema2, fill: fillChecksums,
			then: "ALTER TABLE explanations DROP COLUMN digest;" + countTokens + counting(countedBefore3())},
		{statements: schema3, fill: fillComparisons},
		{statements: schema4, fill: func(ctx context.Context, tx *sql.Tx) error {
			return fillContextTokens(ctx, tx, allDigests)
		}},
		{statements: schema5, fill: func(ctx context.Context, tx *sql.Tx) error {
			return fillBehaviours(ctx, tx, allDigests)
		}}}
}

// migration brings a store to the next version of the layout: it runs statements, fill and then.
type migration struct {
	statements string
	fill       func(context.Context, *sql.Tx) error // nil: nothing
	then       string
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

// schema2 gives each row a checksum, and counts and sums rows, by table and by token, so that a row that was lost is
// missed. Explanations' digests stand with the neurons, whose checksums include them.
const schema2 = `
ALTER TABLE neurons ADD COLUMN digest TEXT NOT NULL DEFAULT '';
ALTER TABLE neurons ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE baselines ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE tokens ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE failures ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE planned ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE shards ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE meta ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1;

CREATE TABLE totals (
	name     TEXT PRIMARY KEY,
	rows     INTEGER NOT NULL,
	checksum INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE vocabulary (
	token    TEXT NOT NULL,
	kind     TEXT NOT NULL,
	neurons  INTEGER NOT NULL,
	checksum INTEGER NOT NULL,
	PRIMARY KEY (token, kind)
) WITHOUT ROWID;
`

// schema3 adds what explanations say of context graphs: the scores, and the tokens and labels to find neurons by.
var schema3 = `
CREATE TABLE comparisons (
	neuron_id            INTEGER NOT NULL REFERENCES neurons (id) ON DELETE CASCADE,
	number               INTEGER NOT NULL,
	text                 TEXT NOT NULL,
	predictor            TEXT NOT NULL,
	fire_threshold       REAL NOT NULL,
	log_loss             REAL,
	value_error          REAL,
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
	checksum             INTEGER NOT NULL,
	PRIMARY KEY (neuron_id, number)
) WITHOUT ROWID;

CREATE TABLE labels (
	neuron_id  INTEGER PRIMARY KEY REFERENCES neurons (id) ON DELETE CASCADE,
	label      TEXT NOT NULL,
	activating TEXT NOT NULL,
	important  TEXT NOT NULL,
	checksum   INTEGER NOT NULL
);

INSERT OR REPLACE INTO totals VALUES ('comparisons', 0, 0), ('labels', 0, 0);
` + counting(countedFrom3())

// schema4 adds an index of the tokens of context graphs: labels have them by neuron, context_tokens by token. Their
// rows come with those of labels and go with them; triggers count them by token. A label that is damaged leaves rows
// behind, which belong to no neuron.
const schema4 = `
CREATE TABLE context_tokens (
	token      TEXT NOT NULL,
	neuron_id  INTEGER NOT NULL,
	activating INTEGER NOT NULL,
	important  INTEGER NOT NULL,
	checksum   INTEGER NOT NULL,
	PRIMARY KEY (token, neuron_id)
) WITHOUT ROWID;

CREATE TABLE context_vocabulary (
	token    TEXT PRIMARY KEY,
	neurons  INTEGER NOT NULL,
	checksum INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER context_tokens_in AFTER INSERT ON context_tokens BEGIN
	INSERT INTO context_vocabulary (token, neurons, checksum) VALUES (NEW.token, 1, NEW.checksum)
		ON CONFLICT DO UPDATE SET neurons = neurons + 1, checksum = checksum + excluded.checksum;
END;
CREATE TRIGGER context_tokens_out AFTER DELETE ON context_tokens BEGIN
	UPDATE context_vocabulary SET neurons = neurons - 1, checksum = checksum - OLD.checksum WHERE token = OLD.token;
	DELETE FROM context_vocabulary WHERE token = OLD.token AND neurons = 0;
END;
CREATE TRIGGER labels_tokens_out AFTER DELETE ON labels BEGIN
	DELETE FROM context_tokens WHERE neuron_id = OLD.neuron_id AND token IN (
		SELECT value FROM json_each(CASE WHEN json_valid(OLD.activating) THEN OLD.activating ELSE '[]' END) UNION
		SELECT value FROM json_each(CASE WHEN json_valid(OLD.important) THEN OLD.important ELSE '[]' END));
END;
`

// schema5 adds how many behaviours neurons have.
var schema5 = `
CREATE TABLE behaviours (
	neuron_id  INTEGER PRIMARY KEY REFERENCES neurons (id) ON DELETE CASCADE,
	behaviours INTEGER NOT NULL,
	examples   INTEGER NOT NULL,
	checksum   INTEGER NOT NULL
);

INSERT OR REPLACE INTO totals VALUES ('behaviours', 0, 0);
` + counting([]string{"behaviours"})

// fillComparisons fills comparisons from the explanations that are what was written; labels come with schema4.
func fillComparisons(ctx context.Context, tx *sql.Tx) error {
	return eachSoundExplanation(ctx, tx, func(id int64, e *n2g.Explanation) error {
		return insertComparisons(ctx, tx, id, e.Site, e.Comparisons)
	}, allDigests)
}

// fillContextTokens fills the tables of schema4 likewise, of the neurons that a query yields, and labels, anew where
// there are some: what counts as a token of a context graph has changed.
func fillContextTokens(ctx context.Context, tx *sql.Tx, query string, values ...any) error {
	return eachSoundExplanation(ctx, tx, func(id int64, e *n2g.Explanation) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM main.labels WHERE neuron_id = ?", id); err != nil {
			return err
		}
		if err := insertLabel(ctx, tx, id, e); err != nil {
			return err
		}
		return insertContextTokens(ctx, tx, id, e.Site, e.Context.Tokens())
	}, query, values...)
}

// fillBehaviours fills the table of schema5.
func fillBehaviours(ctx context.Context, tx *sql.Tx, query string, values ...any) error {
	return eachSoundExplanation(ctx, tx, func(id int64, e *n2g.Explanation) error {
		return insertBehaviours(ctx, tx, id, e)
	}, query, values...)
}

const allDigests = "SELECT id, digest FROM neurons"

// eachSoundExplanation calls do for the explanations that are what was written, of neurons whose id and digest a query
// yields; the others are found where they are read.
func eachSoundExplanation(ctx context.Context, tx *sql.Tx, do func(id int64, e *n2g.Explanation) error, query string,
	values ...any) error {
	var id int64
	var sum string
	digests := map[int64]string{}
	note := func() error { digests[id] = sum; return nil }
	if err := each(ctx, tx, []any{&id, &sum}, note, query, values...); err != nil {
		return err
	}
	read, err := tx.PrepareContext(ctx, "SELECT json FROM main.explanations WHERE neuron_id = ?")
	if err != nil {
		return err
	}
	defer read.Close()
	for _, id := range slices.Sorted(maps.Keys(digests)) {
		text, err := soundText(ctx, read, &neuronRow{id: id, digest: digests[id]})
		if errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		e := new(n2g.Explanation)
		if e.UnmarshalJSON(text) != nil {
			continue
		}
		if err := do(id, e); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// countedTables are those whose rows totals counts.
func countedTables() []string { return countedIn(len(migrations())) }

func countedIn(version int) []string {
	switch {
	case version < 3:
		return countedBefore3()
	case version < 5:
		return append(countedBefore3(), countedFrom3()...)
	}
	return append(append(countedBefore3(), countedFrom3()...), "behaviours")
}

func countedBefore3() []string {
	return []string{"baselines", "failures", "meta", "neurons", "planned", "shards"}
}

func countedFrom3() []string { return []string{"comparisons", "labels"} }

// countTokens are the triggers by which vocabulary follows tokens. Rows are inserted and deleted, never updated.
const countTokens = `
CREATE TRIGGER tokens_in AFTER INSERT ON tokens BEGIN
	INSERT INTO vocabulary (token, kind, neurons, checksum) VALUES (NEW.token, NEW.kind, 1, NEW.checksum)
		ON CONFLICT DO UPDATE SET neurons = neurons + 1, checksum = checksum + excluded.checksum;
END;
CREATE TRIGGER tokens_out AFTER DELETE ON tokens BEGIN
	UPDATE vocabulary SET neurons = neurons - 1, checksum = checksum - OLD.checksum WHERE token = OLD.token AND kind = OLD.kind;
	DELETE FROM vocabulary WHERE token = OLD.token AND kind = OLD.kind AND neurons = 0;
END;
`

// counting are the triggers by which totals follow tables.
func counting(tables []string) (text string) {
	for _, table := range tables {
		text += fmt.Sprintf(`
CREATE TRIGGER %[1]s_in AFTER INSERT ON %[1]s BEGIN
	UPDATE totals SET rows = rows + 1, checksum = checksum + NEW.checksum WHERE name = '%[1]s';
END;
CREATE TRIGGER %[1]s_out AFTER DELETE ON %[1]s BEGIN
	UPDATE totals SET rows = rows - 1, checksum = checksum - OLD.checksum WHERE name = '%[1]s';
END;
`, table)
	}
	return text
}

// migrate brings the schema up to date, each version in a transaction of its own. A file without any table becomes a
// store.
func migrate(ctx context.Context, db *sql.DB) error {
	for version, m := range migrations() {
		if err := m.apply(ctx, db, version); err != nil {
			return fmt.Errorf("bringing it to version %d of the store's layout: %w", version+1, err)
		}
	}
	return nil
}

func (m migration) apply(ctx context.Context, db *sql.DB, version int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit it does nothing
	var found int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil || found > version {
		return err
	}
	marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", ApplicationID, version+1)
	if _, err := tx.ExecContext(ctx, m.statements); err != nil {
		return err
	}
	if m.fill != nil {
		if err := m.fill(ctx, tx); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, m.then+marks); err != nil {
		return err
	}
	return tx.Commit()
}

// identify checks that the file is a store of a version that this program knows, which it returns. An empty one is,
// unless mustExist.
func identify(ctx context.Context, db *sql.DB, mustExist bool) (version int, err error) {
	var application, tables int
	row := db.QueryRowContext(ctx, "SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema) FROM "+
		"pragma_application_id a, pragma_user_version v")
	if err := row.Scan(&application, &version, &tables); err != nil {
		return 0, err
	}
	known := len(migrations())
	switch {
	case application == 0 && version == 0 && tables == 0 && !mustExist:
		return 0, nil
	case application != ApplicationID:
		return 0, errors.New("it is a SQLite database but no store of neuron explanations: name the file that n2g run wrote")
	case version > known:
		return 0,
			fmt.Errorf("it has version %d of the store's layout, and this program knows up to %d: use the newer n2g that "+
				"wrote it", version, known)
	case version < 1:
		return 0, fmt.Errorf("%w: it has version %d of the store's layout", ErrDamaged, version)
	}
	return version, nil
}
