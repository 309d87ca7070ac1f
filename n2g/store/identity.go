package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Identity is what all explanations of a store have in common, so that they can be compared.
type Identity struct {
	Model       string
	MaskedModel string // empty: none
	Hook        string
	// ModelFingerprint and MaskedFingerprint tell models of one name apart (models.Causal.Fingerprint); empty: not known,
	// and then not compared.
	ModelFingerprint, MaskedFingerprint string

	Options n2g.Options // resolved when stored; Casings and Observe are not
	// Examples tells where the examples come from: a corpus and how it was mined, or a file and its checksum. What
	// else has influence and no place here, such as casings, belongs here too.
	Examples string
}

// effectsOf names those whose effects stand beside the explanations.
func (i Identity) effectsOf() EffectsOf {
	return EffectsOf{Model: i.Model, Fingerprint: i.ModelFingerprint, Hook: i.Hook}
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
		{"explanation_format", n2g.Format},
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
			return s.identity.differs(identity)
		}
		if err := checkEffectsOf(ctx, tx, identity.effectsOf()); err != nil {
			return err
		}
		for _, v := range values {
			sum := checksum(v[0], v[1])
			if _, err := tx.ExecContext(ctx, "INSERT INTO meta (key, value, checksum) VALUES (?, ?, ?)",
				v[0], v[1], sum); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.identity = &identity
	return nil
}

// differs says in what a store's identity is not another. Options are compared by value: a program that knows more of
// them writes more.
func (i Identity) differs(other Identity) error {
	for _, part := range []struct{ what, there, asked string }{
		{"model", i.Model, other.Model},
		{"masked_model", i.MaskedModel, other.MaskedModel},
		{"hook", i.Hook, other.Hook},
		{"examples", i.Examples, other.Examples},
	} {
		if part.there != part.asked {
			return otherf("it holds explanations with %s %s, and these have %s",
				part.what, shown(part.there), shown(part.asked))
		}
	}
	there, asked := reflect.ValueOf(i.Options.Resolved()), reflect.ValueOf(other.Options.Resolved())
	for k := range there.NumField() {
		name, _, _ := strings.Cut(there.Type().Field(k).Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if a, b := jsonText(there.Field(k).Interface()), jsonText(asked.Field(k).Interface()); a != b {
			return otherf("it holds explanations with other options: %s is %s, and now %s", name, a, b)
		}
	}
	for _, of := range []struct{ model, there, asked string }{
		{"language", i.ModelFingerprint, other.ModelFingerprint},
		{"masked", i.MaskedFingerprint, other.MaskedFingerprint},
	} {
		if of.there != of.asked && of.there != "" && of.asked != "" {
			return otherf("it holds explanations by a %s model of the same name with other weights or another tokenizer "+
				"(fingerprint %s, and now %s)", of.model, of.there, of.asked)
		}
	}
	return nil
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

func shown(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// readIdentity returns nil where none is recorded.
func readIdentity(ctx context.Context, tx *sql.Tx) (*Identity, error) {
	rows, err := whole(ctx, tx, "meta", func(v *[2]string) ([]any, func() int64) {
		return []any{&v[0], &v[1]}, func() int64 { return checksum(v[0], v[1]) }
	}, "key, value", "key")
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, v := range rows {
		values[v[0]] = v[1]
	}
	if _, ok := values["model"]; !ok {
		return nil, nil
	}
	i := &Identity{
		Model: values["model"], MaskedModel: values["masked_model"], Hook: values["hook"], Examples: values["examples"],
		ModelFingerprint: values["model_fingerprint"], MaskedFingerprint: values["masked_fingerprint"],
	}
	decoder := json.NewDecoder(strings.NewReader(values["options"]))
	decoder.DisallowUnknownFields() // an option that counts for nothing here may have counted for something there
	if err := decoder.Decode(&i.Options); err != nil {
		if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
			return nil,
				fmt.Errorf("it was written by a program with an option that this one does not know, %s: use that n2g, or a newer "+
					"one", name)
		}
		return nil, fmt.Errorf("%w: its options are no JSON: %w", ErrDamaged, err)
	}
	return i, nil
}
