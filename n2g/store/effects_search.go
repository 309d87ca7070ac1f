package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// EffectTerm asks for a token among those that a neuron promotes most, or suppresses most.
type EffectTerm struct {
	// Token in its normal form (n2g.NormalizeToken: "money") stands for all its spellings, " money" and "Money" too; in
	// another form it stands for itself.
	Token      string
	Prefix     bool // any token that begins with Token
	Suppressed bool
}

// ParseEffectTerm reads TOKEN or BEGINNING*, with the escapes of [ParseTerm].
func ParseEffectTerm(text string, suppressed bool) (EffectTerm, error) {
	token, prefix := readToken(text)
	if token == "" {
		return EffectTerm{}, fmt.Errorf("%q asks for no token: write TOKEN or BEGINNING*", text)
	}
	return EffectTerm{token, prefix, suppressed}, nil
}

// means says whether a term asks for a token.
func (t EffectTerm) means(token string) bool {
	if n2g.NormalizeToken(t.Token) == t.Token {
		token = n2g.NormalizeToken(token)
	}
	return token == t.Token || t.Prefix && strings.HasPrefix(token, t.Token)
}

// EffectHit is a neuron that was found by what it promotes or suppresses.
type EffectHit struct {
	n2g.Site `json:"-"`
	Kurtosis float64 `json:"kurtosis"`
	// Promoted and Suppressed are the tokens that were asked for, strongest first. Ranks, from 1, are their places among
	// all that the neuron promotes or suppresses.
	Promoted   []RankedEffect `json:"promoted,omitempty"`
	Suppressed []RankedEffect `json:"suppressed,omitempty"`
}

// RankedEffect is a token among those that a neuron promotes or suppresses.
type RankedEffect struct {
	n2g.TokenEffect
	Rank int `json:"rank"`
}

// strength is the strongest effect that was asked for.
func (h *EffectHit) strength() float64 {
	most := 0.0
	for _, list := range [2][]RankedEffect{h.Promoted, h.Suppressed} {
		for _, t := range list {
			most = max(most, t.Value, -t.Value)
		}
	}
	return most
}

// SearchEffects returns the neurons that promote or suppress all of the terms among their stored tokens, strongest
// effect first; explained or not.
func (s *Store) SearchEffects(ctx context.Context, terms ...EffectTerm) ([]EffectHit, error) {
	hits := []EffectHit{}
	err := s.reading(ctx, func(tx *sql.Tx) error {
		there, err := hasEffects(ctx, tx)
		if err != nil {
			return err
		}
		if !there {
			return errors.New("it knows nothing of what neurons promote: n2g effects -store fills that in")
		}
		vocabulary, err := soundVocabulary(ctx, tx)
		if err != nil {
			return err
		}
		hook, err := effectsHook(ctx, tx)
		if err != nil {
			return err
		}
		var common map[n2g.Site]*EffectHit // by place
		for _, t := range terms {
			found, err := t.neurons(ctx, tx, vocabulary, common)
			if err != nil {
				return err
			}
			common = found
		}
		for _, h := range common {
			err := eachEffects(ctx, tx, func(r *effectsRow, sound bool) error {
				if h.Kurtosis = r.kurtosis; !sound {
					return damaged(h.Site, "its effects are")
				}
				return nil
			}, "WHERE layer = ? AND neuron = ?", h.Layer, h.Index)
			if err != nil {
				return err
			}
			for _, list := range [2][]RankedEffect{h.Promoted, h.Suppressed} {
				slices.SortFunc(list, func(a, b RankedEffect) int { return cmp.Compare(a.Rank, b.Rank) })
			}
			h.Hook = hook
			hits = append(hits, *h)
		}
		return nil
	})
	slices.SortFunc(hits, func(a, b EffectHit) int {
		return cmp.Or(cmp.Compare(b.strength(), a.strength()), a.Compare(b.Site))
	})
	return hits, err
}

// effectWord is a row of effect_vocabulary.
type effectWord struct {
	id    int
	token string
	uses  tally // rows of effect_tokens
}

// soundVocabulary reads effect_vocabulary, each row of which must be what was written, and none lost: a term that is
// not found there is in no neuron.
func soundVocabulary(ctx context.Context, tx *sql.Tx) (list []effectWord, err error) {
	var w effectWord
	var sum int64
	var all tally
	err = each(ctx, tx, []any{&w.id, &w.token, &w.uses.rows, &w.uses.sum, &sum}, func() error {
		if checksum(w.id, w.token) != sum {
			return fmt.Errorf("%w: token %d of its effects is not what was written: %s", ErrDamaged, w.id, remedy)
		}
		all.add(sum)
		list = append(list, w)
		return nil
	}, "SELECT id, token, uses, tokens_checksum, checksum FROM effect_vocabulary")
	if err == nil {
		err = all.agrees(ctx, tx, "effect_vocabulary")
	}
	return list, err
}

// neurons finds those that have the term, of those that had the terms before it unless these are nil. What the
// vocabulary says of the tokens must be there.
func (t EffectTerm) neurons(ctx context.Context, tx *sql.Tx, vocabulary []effectWord,
	before map[n2g.Site]*EffectHit) (map[n2g.Site]*EffectHit, error) {
	var want, found tally
	ids := []int{}
	for _, w := range vocabulary {
		if t.means(w.token) {
			ids = append(ids, w.id)
			want.rows, want.sum = want.rows+w.uses.rows, want.sum+w.uses.sum
		}
	}
	asked, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	hits := map[n2g.Site]*EffectHit{}
	err = eachEffectToken(ctx, tx, func(row *effectToken, token string, sound bool) error {
		if !sound {
			return damaged(row.Site, fmt.Sprintf("the effect on the token %q is", token))
		}
		if found.add(row.sum); row.rank < 0 != t.Suppressed {
			return nil
		}
		h := hits[row.Site]
		if h == nil {
			if h = before[row.Site]; h == nil {
				if before != nil {
					return nil
				}
				h = &EffectHit{Site: row.Site}
			}
			hits[row.Site] = h
		}
		list := &h.Promoted
		if t.Suppressed {
			list = &h.Suppressed
		}
		one := RankedEffect{n2g.TokenEffect{ID: row.id, Token: token, Value: row.value}, max(row.rank, -row.rank)}
		if !slices.Contains(*list, one) {
			*list = append(*list, one)
		}
		return nil
	}, "WHERE id IN (SELECT value FROM json_each(?))", string(asked))
	if err == nil && found != want {
		err = fmt.Errorf("%w: of %d effects on tokens, %d are there, or others: %s",
			ErrDamaged, want.rows, found.rows, remedy)
	}
	return hits, err
}
