package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Identity is what all explanations of a store have in common, so that they can be compared.
type Identity struct {
	Model       string
	MaskedModel string // empty: none
	Hook        string
	// ModelFingerprint and MaskedFingerprint tell models of one name apart (models.Causal.Fingerprint); empty: not known, and
	// then not compared.
	ModelFingerprint, MaskedFingerprint string

	Options n2g.Options // resolved when stored; Casings and Observe are not
	// Examples tells where the examples come from: a corpus and how it was mined, or a file and its checksum. What
	// else has influence and no place here, such as casings, belongs here too.
	Examples string
}

// keys of meta that hold an Identity.
func (i Identity) values() ([][2]string, error) {
	options, err := json.Marshal(i.Options.Resolved())
	if err != nil {
		return nil, fmt.Errorf("the options cannot be stored: %w", err)
	}
	return [][2]string{
		{"model", i.Model},
		{"masked_model", i.MaskedModel},
		{"hook", i.Hook},
		{"options", string(options)},
		{"examples", i.Examples},
		{"model_fingerprint", i.ModelFingerprint},
		{"masked_fingerprint", i.MaskedFingerprint},
	}, nil
}

// Identity returns what Begin recorded; false if nothing was.
func (s *Store) Identity() (Identity, bool) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.identity == nil {
		return Identity{}, false
	}
	return *s.identity, true
}

// Begin records what explanations of this store have in common, or checks that it is what was recorded before: results
// of different models or options are never mixed.
func (s *Store) Begin(ctx context.Context, identity Identity) error {
	values, err := identity.values()
	if err != nil {
		return err
	}
	identity.Options = identity.Options.Resolved()
	identity.Options.Casings, identity.Options.Observe = nil, nil
	err = s.change(ctx, "writing", func(tx *sql.Tx) error {
		if s.identity != nil {
			return differs(*s.identity, values)
		}
		for _, v := range values {
			if _, err := tx.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES (?, ?)", v[0], v[1]); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES ('explanation_format', ?)", n2g.Format)
		return err
	})
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.identity = &identity
	return nil
}

// differs says in what a store's identity is not the one of values.
func differs(stored Identity, values [][2]string) error {
	own, err := stored.values()
	if err != nil {
		return err
	}
	// Names come first, and so are told before fingerprints, which differ where names do.
	for i, v := range values {
		key, there, asked := v[0], own[i][1], v[1]
		of, fingerprint := strings.CutSuffix(key, "_fingerprint")
		switch {
		case there == asked, fingerprint && (there == "" || asked == ""):
		case fingerprint:
			return fmt.Errorf("it holds explanations by a %s model of the same name with other weights or another tokenizer (fingerprint %s, and now %s): write to another file",
				map[string]string{"model": "language", "masked": "masked"}[of], there, asked)
		default:
			return fmt.Errorf("it holds explanations with %s %s, and these have %s: write to another file", key, shown(there), shown(asked))
		}
	}
	return nil
}

func shown(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// readIdentity returns nil where none is recorded.
func readIdentity(ctx context.Context, db *sql.DB) (*Identity, error) {
	values := map[string]string{}
	rows, err := db.QueryContext(ctx, "SELECT key, value FROM meta")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return nil, err
		}
		values[key] = value
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if _, ok := values["model"]; !ok {
		return nil, nil
	}
	i := &Identity{
		Model: values["model"], MaskedModel: values["masked_model"], Hook: values["hook"], Examples: values["examples"],
		ModelFingerprint: values["model_fingerprint"], MaskedFingerprint: values["masked_fingerprint"],
	}
	if err := json.Unmarshal([]byte(values["options"]), &i.Options); err != nil {
		return nil, fmt.Errorf("%w: its options are no JSON: %w", ErrDamaged, err)
	}
	return i, nil
}
