package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Term asks for a token among a neuron's activating or important tokens, or both.
type Term struct {
	Token  string // any spelling of it: it is normalised
	Kind   n2g.TokenKind
	Prefix bool // any token that begins with Token
}

// ParseTerm reads TOKEN, TOKEN:activating, TOKEN:important or TOKEN:any. A final * matches every token that begins like
// that; \n, \t, \r, \* and \\ stand for a newline, a tab, a return, a star and a backslash.
func ParseTerm(text string) (Term, error) {
	term := Term{Token: text}
	if i := strings.LastIndexByte(text, ':'); i > 0 {
		kinds := map[string]n2g.TokenKind{"any": n2g.AnyKind, activating: n2g.ActivatingKind, important: n2g.ImportantKind}
		if kind, ok := kinds[text[i+1:]]; ok {
			term.Token, term.Kind = text[:i], kind
		}
	}
	if term.Token, term.Prefix = readToken(term.Token); term.Token == "" {
		return Term{}, fmt.Errorf("%q asks for no token: write TOKEN, TOKEN:activating, TOKEN:important or BEGINNING*", text)
	}
	return term, nil
}

// readToken reads TOKEN, or BEGINNING* of which it says that it is a prefix, with the escapes of [ParseTerm].
func readToken(text string) (token string, prefix bool) {
	token, star := strings.CutSuffix(text, "*")
	if escapes := len(token) - len(strings.TrimRight(token, `\`)); !star || escapes%2 != 0 {
		token, star = text, false
	}
	return strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\*`, "*", `\\`, `\`).Replace(token), star
}

// behind is what sorts behind all that begins with a token: in UTF-8 no byte is the highest, so it is the token with
// its last byte raised.
func behind(token string) string {
	return token[:len(token)-1] + string([]byte{token[len(token)-1] + 1})
}

// Hit is a neuron that was found, with what tells whether it is worth a look.
type Hit struct {
	n2g.Site   `json:"-"`
	F1         *float64 `json:"firing_f1,omitempty"` // nil: not tested
	Nodes      int      `json:"nodes"`               // of the graph
	Components int      `json:"components"`          // separate sub-graphs
	Activating int      `json:"activating_tokens"`
	Important  int      `json:"important_tokens"`
	Repeated   int      `json:"repeated_tokens"` // activating tokens that recur in their own context
}

func (r *neuronRow) hit() Hit {
	h := Hit{Site: r.Site, Nodes: r.Nodes, Components: r.Components, Activating: r.Activating, Important: r.Important,
		Repeated: r.Repeated}
	if r.Scores != nil {
		h.F1 = &r.Scores.Firing.F1
	}
	return h
}

// Search returns the neurons that have all of the terms in one of their graphs, published or context
// ([n2g.ContextGraph.TokenSets]), by layer and index; all neurons if there are none.
func (s *Store) Search(ctx context.Context, terms ...Term) ([]Hit, error) {
	if len(terms) == 0 {
		return s.allHits(ctx, func(Hit) bool { return true }, func(a, b Hit) int { return 0 })
	}
	hits := []Hit{}
	err := s.reading(ctx, func(tx *sql.Tx) error {
		var common []int64 // ids of the neurons that have the terms so far, ascending
		inContexts, err := contextTokens(ctx, tx, terms)
		if err != nil {
			return err
		}
		for i, t := range terms {
			ids, err := t.neurons(ctx, tx)
			if err != nil {
				return err
			}
			ids = slices.Concat(ids, inContexts[i])
			slices.Sort(ids)
			ids = slices.Compact(ids)
			if i > 0 {
				ids = slices.DeleteFunc(ids, func(id int64) bool {
					_, has := slices.BinarySearch(common, id)
					return !has
				})
			}
			common = ids
		}
		list, err := json.Marshal(common)
		if err != nil {
			return err
		}
		// The ids lead, and the order is made here: with IN and ORDER BY, SQLite would first put them into a table of its
		// own and then sort whole rows, which takes as long again.
		rows, err := soundNeurons(ctx, tx, "json_each(?) AS wanted CROSS JOIN neurons ON neurons.id = wanted.value",
			string(list))
		for _, r := range rows {
			hits = append(hits, r.hit())
		}
		return err
	})
	slices.SortFunc(hits, func(a, b Hit) int { return a.Compare(b.Site) })
	return hits, err
}

// neurons returns the ids of the neurons that have the term, ascending. What the vocabulary says of the tokens must be
// there.
func (t Term) neurons(ctx context.Context, tx *sql.Tx) (ids []int64, err error) {
	where, values := t.condition()
	var found tally
	err = eachPosting(ctx, tx, func(p *posting) error {
		if !p.sound() {
			return damagedToken(p)
		}
		found.add(p.sum)
		ids = append(ids, p.id)
		return nil
	}, where, values...)
	if err == nil {
		err = found.agreesWithVocabulary(ctx, tx, where, values)
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// condition selects rows of tokens, or of vocabulary.
func (t Term) condition() (where string, values []any) {
	token := n2g.NormalizeToken(t.Token)
	where, values = "WHERE token = ?", []any{token}
	if t.Prefix {
		where, values = "WHERE token >= ? AND token < ?", []any{token, behind(token)}
	}
	switch t.Kind {
	case n2g.ActivatingKind:
		return where + " AND kind = ?", append(values, activating)
	case n2g.ImportantKind:
		return where + " AND kind = ?", append(values, important)
	}
	return where, values
}
