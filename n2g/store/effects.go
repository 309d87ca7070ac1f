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

// EffectsOf names the model whose numbers have effects, as Identity does, and the hook point where these stand; of the
// hook points of an MLP's neurons, which have the same effects, all count as one. Beside tells the auto-encoder or the
// directions that the hook point is read through from others of its kind; empty: none, or not known.
type EffectsOf struct{ Model, Fingerprint, Hook, Beside string }

// at is the hook point, empty for neurons.
func (of EffectsOf) at() string {
	if (n2g.Site{Hook: of.Hook}).IsNeuron() {
		return ""
	}
	return of.Hook
}

// NeuronEffects are the effects of a neuron.
type NeuronEffects struct {
	n2g.Site
	*n2g.Effects
}

// PutEffects writes the effects of neurons, explained or not, in one transaction; those of the same neurons are
// replaced. Effects of another model, or at another hook point, than the store holds explanations or effects of are
// refused.
func (s *Store) PutEffects(ctx context.Context, of EffectsOf, list []NeuronEffects) error {
	return s.change(ctx, "writing effects to", func(tx *sql.Tx) error { return s.putEffects(ctx, tx, of, list) })
}

func (s *Store) putEffects(ctx context.Context, tx *sql.Tx, of EffectsOf, list []NeuronEffects) error {
	if err := ensureEffects(ctx, tx); err != nil {
		return err
	}
	if err := s.beginEffects(ctx, tx, of); err != nil {
		return err
	}
	put, err := prepareEffects(ctx, tx)
	if err != nil {
		return err
	}
	defer put.close()
	for _, e := range list {
		if err := put.neuron(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// putEffectsOf writes the effects that an explanation has. Where it has none, those that are there stay, but for the
// faithfulness of the explanation before.
func (s *Store) putEffectsOf(ctx context.Context, tx *sql.Tx, e *n2g.Explanation) error {
	n, found := e.Site, e.Effects
	if found == nil {
		there, err := hasEffects(ctx, tx)
		if err != nil || !there {
			return err
		}
		if found, err = readEffects(ctx, tx, n); err != nil || found == nil || found.Faithfulness == nil {
			return err
		}
		found.Faithfulness = nil
	}
	return s.putEffects(ctx, tx, EffectsOf{Model: e.Model, Hook: n.Hook}, []NeuronEffects{{n, found}})
}

// same refuses another model, and another hook point.
func (of EffectsOf) same(there EffectsOf) error {
	switch {
	case of.Model != there.Model:
		return fmt.Errorf("it is of the model %s, and these effects are of %s: write to another file",
			shown(there.Model), shown(of.Model))
	case of.Fingerprint != there.Fingerprint && of.Fingerprint != "" && there.Fingerprint != "":
		return fmt.Errorf("it is of a model of the same name with other weights or another tokenizer (fingerprint %s, and "+
			"now %s): write to another file", there.Fingerprint, of.Fingerprint)
	case of.at() != there.at():
		return fmt.Errorf("it is of %s, and these effects are of %s: write to another file", there.numbers(), of.numbers())
	case of.Beside != there.Beside && of.Beside != "" && there.Beside != "":
		return fmt.Errorf("it is of %s, and these effects are of %s: write to another file", there.Beside, of.Beside)
	}
	return nil
}

// numbers says whose effects they are.
func (of EffectsOf) numbers() string {
	if hook := of.at(); hook != "" {
		return "numbers at " + hook
	}
	return "neurons"
}

// effectsOf is whose effects a database, main or an attached one, has.
func effectsOf(ctx context.Context, tx querier, database string) (of EffectsOf, err error) {
	sum := ""
	for key, into := range map[string]*string{"model": &of.Model, "model_fingerprint": &of.Fingerprint, "hook": &of.Hook,
		"beside": &of.Beside, "hook_checksum": &sum} {
		err := tx.QueryRowContext(ctx, "SELECT value FROM "+database+".effects_meta WHERE key = ?", key).Scan(into)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return of, err
		}
	}
	if of.Hook+of.Beside+sum != "" && sum != fmt.Sprint(checksum(of.Hook, of.Beside)) {
		return of, fmt.Errorf("%w: its effects are of the hook point %q, which is not what was written", ErrDamaged, of.Hook)
	}
	return of, nil
}

// effectsHook is the hook point that a store's effects are at.
func effectsHook(ctx context.Context, tx *sql.Tx) (string, error) {
	hook, err := hookOf(ctx, tx)
	if err != nil || hook != "" {
		return hook, err
	}
	of, err := effectsOf(ctx, tx, "main")
	return of.Hook, err
}

// beginEffects records whose effects they are, or checks that it is what was recorded before, with them or with
// explanations.
func (s *Store) beginEffects(ctx context.Context, tx *sql.Tx, of EffectsOf) error {
	of.Hook = of.at()
	if i := s.identity; i != nil {
		if err := of.same(i.effectsOf()); err != nil {
			return err
		}
		if of.Fingerprint == "" {
			of.Fingerprint = i.ModelFingerprint
		}
	}
	there, err := effectsOf(ctx, tx, "main")
	if err != nil {
		return err
	}
	if there.Model != "" {
		if err := of.same(there); err != nil {
			return err
		}
	}
	if of.Fingerprint == "" {
		of.Fingerprint = there.Fingerprint
	}
	if of.Beside == "" {
		of.Beside = there.Beside
	}
	if of == there {
		return nil
	}
	_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO effects_meta VALUES ('model', ?), ('model_fingerprint', ?)",
		of.Model, of.Fingerprint)
	if err == nil && of.Hook != "" {
		_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO effects_meta VALUES ('hook', ?), ('beside', ?), "+
			"('hook_checksum', ?)", of.Hook, of.Beside, fmt.Sprint(checksum(of.Hook, of.Beside)))
	}
	return err
}

// checkEffectsOf refuses to begin explanations of another model, or hook point, than the store has effects of.
func checkEffectsOf(ctx context.Context, tx *sql.Tx, of EffectsOf) error {
	if there, err := hasEffects(ctx, tx); !there || err != nil {
		return err
	}
	there, err := effectsOf(ctx, tx, "main")
	if err != nil || there.Model == "" {
		return err
	}
	return of.same(there)
}

// effectsRow is a row of effects.
type effectsRow struct {
	n2g.Site
	kurtosis               float64
	graph, context, firing *float64 // faithfulness
	tokens                 int
	tokensSum, sum         int64
}

func (r *effectsRow) values() []any {
	return []any{r.Layer, r.Index, r.kurtosis, r.graph, r.context, r.firing, r.tokens, int(r.tokensSum)}
}

const effectsColumns = "layer, neuron, kurtosis, faithfulness, faithfulness_context, faithfulness_firing, tokens, " +
	"tokens_checksum, checksum"

// effectToken is a row of effect_tokens. Promoted tokens have the ranks 1, 2, …, suppressed ones -1, -2, ….
type effectToken struct {
	n2g.Site
	rank, id int
	value    float64
	sum      int64
}

func (t *effectToken) checksum() int64 { return checksum(t.Layer, t.Index, t.rank, t.id, t.value) }

// effectsPut writes neurons' effects.
type effectsPut struct {
	word, spelling, token, row, dropTokens, drop *sql.Stmt
	known                                        map[int]bool // ids that effect_vocabulary has
}

func prepareEffects(ctx context.Context, tx *sql.Tx) (*effectsPut, error) {
	p := &effectsPut{known: map[int]bool{}}
	for _, s := range []struct {
		into **sql.Stmt
		text string
	}{
		{&p.word, "INSERT OR IGNORE INTO effect_vocabulary VALUES (?, ?, 0, 0, ?)"},
		{&p.spelling, "SELECT token FROM effect_vocabulary WHERE id = ?"},
		{&p.token, "INSERT INTO effect_tokens VALUES (?, ?, ?, ?, ?, ?)"},
		{&p.row, "INSERT INTO effects (" + effectsColumns + ") VALUES (" + placeholders(9) + ")"},
		{&p.dropTokens, "DELETE FROM effect_tokens WHERE layer = ? AND neuron = ?"},
		{&p.drop, "DELETE FROM effects WHERE layer = ? AND neuron = ?"},
	} {
		var err error
		if *s.into, err = tx.PrepareContext(ctx, s.text); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func (p *effectsPut) close() {
	for _, s := range []*sql.Stmt{p.word, p.spelling, p.token, p.row, p.dropTokens, p.drop} {
		if s != nil {
			s.Close() // it ends with its transaction
		}
	}
}

func (p *effectsPut) neuron(ctx context.Context, e NeuronEffects) error {
	for _, drop := range []*sql.Stmt{p.dropTokens, p.drop} {
		if _, err := drop.ExecContext(ctx, e.Layer, e.Index); err != nil {
			return err
		}
	}
	r := effectsRow{Site: e.Site, kurtosis: e.Kurtosis}
	if f := e.Faithfulness; f != nil {
		r.graph, r.context, r.firing = &f.Graph, f.Context, &f.Firing
	}
	for side, list := range [2][]n2g.TokenEffect{e.Promoted, e.Suppressed} {
		for i, t := range list {
			if err := p.learn(ctx, t.ID, t.Token); err != nil {
				return err
			}
			row := effectToken{Site: e.Site, rank: (i + 1) * (1 - 2*side), id: t.ID, value: t.Value}
			sum := row.checksum()
			if _, err := p.token.ExecContext(ctx, row.Layer, row.Index, row.rank, row.id, row.value, sum); err != nil {
				return err
			}
			r.tokens, r.tokensSum = r.tokens+1, r.tokensSum+sum
		}
	}
	values := r.values()
	_, err := p.row.ExecContext(ctx, append(values, checksum(values...))...)
	return err
}

// learn adds a token to the vocabulary.
func (p *effectsPut) learn(ctx context.Context, id int, token string) error {
	if p.known[id] {
		return nil
	}
	p.known[id] = true
	result, err := p.word.ExecContext(ctx, id, token, checksum(id, token))
	if err != nil {
		return err
	}
	if added, err := result.RowsAffected(); err != nil || added > 0 {
		return err
	}
	var there string
	if err := p.spelling.QueryRowContext(ctx, id).Scan(&there); err != nil {
		return err
	}
	if there != token {
		return fmt.Errorf("its token %d is %q, and now %q: the effects are of a model with another tokenizer: write to "+
			"another file", id, there, token)
	}
	return nil
}

// eachEffects calls do for rows of effects with whether each is what was written. rest follows the table.
func eachEffects(ctx context.Context, tx *sql.Tx, do func(r *effectsRow, sound bool) error, rest string,
	values ...any) error {
	var r effectsRow
	var graph, context, firing sql.NullFloat64
	targets := []any{&r.Layer, &r.Index, &r.kurtosis, &graph, &context, &firing, &r.tokens, &r.tokensSum, &r.sum}
	return each(ctx, tx, targets, func() error {
		row := r
		for _, v := range []struct {
			into **float64
			from sql.NullFloat64
		}{{&row.graph, graph}, {&row.context, context}, {&row.firing, firing}} {
			if *v.into = nil; v.from.Valid {
				*v.into = &v.from.Float64
			}
		}
		return do(&row, checksum(row.values()...) == row.sum)
	}, "SELECT "+effectsColumns+" FROM effects "+rest, values...)
}

// soundEffects returns all rows of effects by neuron, each of which must be what was written; none may be lost.
func soundEffects(ctx context.Context, tx *sql.Tx) (map[n2g.Site]*effectsRow, error) {
	rows := map[n2g.Site]*effectsRow{}
	if there, err := hasEffects(ctx, tx); !there || err != nil {
		return rows, err
	}
	var all tally
	err := eachEffects(ctx, tx, func(r *effectsRow, sound bool) error {
		if !sound {
			return damaged(r.Site, "its effects are")
		}
		all.add(r.sum)
		rows[r.Site] = r
		return nil
	}, "")
	if err == nil {
		err = all.agrees(ctx, tx, "effects")
	}
	return rows, err
}

// WithEffects returns the neurons of which effects are stored, explained or not, by layer and index.
func (s *Store) WithEffects(ctx context.Context) (list []n2g.Site, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		rows, err := soundEffects(ctx, tx)
		if err != nil {
			return err
		}
		list = slices.SortedFunc(maps.Keys(rows), n2g.Site.Compare)
		if len(rows) == 0 {
			return nil
		}
		hook, err := effectsHook(ctx, tx)
		for i := range list {
			list[i].Hook = hook
		}
		return err
	})
	return list, err
}

// Effects reads what is stored of a neuron's effects, explained or not; nil if nothing is. Of its faithfulness, only
// the values are there.
func (s *Store) Effects(ctx context.Context, n n2g.Site) (e *n2g.Effects, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		there, err := hasEffects(ctx, tx)
		if err == nil && there {
			e, err = readEffects(ctx, tx, n)
		}
		return err
	})
	return e, err
}

func readEffects(ctx context.Context, tx *sql.Tx, n n2g.Site) (e *n2g.Effects, err error) {
	var row *effectsRow
	err = eachEffects(ctx, tx, func(r *effectsRow, sound bool) error {
		if row = r; !sound {
			return damaged(n, "its effects are")
		}
		return nil
	}, "WHERE layer = ? AND neuron = ?", n.Layer, n.Index)
	if err != nil {
		return nil, err
	}
	if row == nil { // before it is denied, all rows are counted
		_, err := soundEffects(ctx, tx)
		return nil, err
	}
	e = row.effects()
	var found tally
	err = eachEffectToken(ctx, tx, func(t *effectToken, token string, sound bool) error {
		if !sound {
			return damaged(n, fmt.Sprintf("the effect on the token %q is", token))
		}
		found.add(t.sum)
		side := &e.Promoted
		if t.rank < 0 {
			side = &e.Suppressed
		}
		*side = append(*side, n2g.TokenEffect{ID: t.id, Token: token, Value: t.value})
		return nil
	}, "WHERE layer = ? AND neuron = ? ORDER BY abs(rank)", n.Layer, n.Index)
	if err == nil && found != (tally{int64(row.tokens), row.tokensSum}) {
		err = damaged(n, "its effects on tokens are")
	}
	return e, err
}

// effects is the row without tokens.
func (r *effectsRow) effects() *n2g.Effects {
	e := &n2g.Effects{Attribution: n2g.Attribution{Promoted: []n2g.TokenEffect{}, Suppressed: []n2g.TokenEffect{},
		Kurtosis: r.kurtosis}}
	if r.graph != nil && r.firing != nil {
		e.Faithfulness = &n2g.Faithfulness{Graph: *r.graph, Context: r.context, Firing: *r.firing}
	}
	return e
}

// eachEffectToken calls do for rows of effect_tokens with their token, and whether both are what was written. rest
// follows the tables.
func eachEffectToken(ctx context.Context, tx *sql.Tx, do func(t *effectToken, token string, sound bool) error,
	rest string, values ...any) error {
	var t effectToken
	var token sql.NullString
	var tokenSum sql.NullInt64
	targets := []any{&t.Layer, &t.Index, &t.rank, &t.id, &t.value, &t.sum, &token, &tokenSum}
	return each(ctx, tx, targets, func() error {
		sound := tokenSum.Valid && tokenSum.Int64 == checksum(t.id, token.String) && t.checksum() == t.sum && t.rank != 0
		return do(&t, token.String, sound)
	}, "SELECT layer, neuron, rank, id, value, effect_tokens.checksum, token, effect_vocabulary.checksum "+
		"FROM effect_tokens LEFT JOIN effect_vocabulary USING (id) "+rest, values...)
}
