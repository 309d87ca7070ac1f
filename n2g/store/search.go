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
	F1         *float64 `json:"firing_f1,omitempty"`  // nil: not tested
	Nodes      int      `json:"nodes"`                // of the graph
	Behaviours *int     `json:"behaviours,omitempty"` // nil: not looked for; some searches do not tell
	Activating int      `json:"activating_tokens"`
	Important  int      `json:"important_tokens"`
	Repeated   int      `json:"repeated_tokens"` // activating tokens that recur in their own context
	// Found is what a search found the neuron by: how its graphs have the tokens that were asked for.
	Found []Found `json:"found,omitempty"`
}

// Found is a kind of token that a graph has.
type Found struct {
	Graph string   `json:"graph"`           // published, context
	Kind  string   `json:"kind"`            // activating, important
	Roles []string `json:"roles,omitempty"` // in a context graph: n2g.TokenRoles.Names
}

// mention is how the graphs of the neuron of an id have a token, by kind: 0 is activating, 1 important.
type mention struct {
	id                 int64
	published, context [2]bool
	roles              [2]n2g.TokenRoles // in the context graph, where they are known
}

func (m *mention) add(other mention) {
	for k := range m.roles {
		m.published[k] = m.published[k] || other.published[k]
		m.context[k] = m.context[k] || other.context[k]
		m.roles[k] |= other.roles[k]
	}
}

func (m mention) found() (list []Found) {
	for k, kind := range [2]string{activating, important} {
		if m.published[k] {
			list = append(list, Found{Graph: "published", Kind: kind})
		}
	}
	for k, kind := range [2]string{activating, important} {
		if m.context[k] {
			list = append(list, Found{"context", kind, m.roles[k].Names()})
		}
	}
	return list
}

func (r *neuronRow) hit() Hit {
	h := Hit{Site: r.Site, Nodes: r.Nodes, Behaviours: r.Behaviours, Activating: r.Activating, Important: r.Important,
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
	if slices.ContainsFunc(terms, func(t Term) bool { return t.Token == "" }) {
		return nil, errors.New("store: a term asks for no token")
	}
	hits := []Hit{}
	err := s.reading(ctx, func(tx *sql.Tx) error {
		inContexts, err := s.contextMentions(ctx, tx, terms)
		if err != nil {
			return err
		}
		var common []mention // by the neurons that have the terms so far, ascending
		for i, t := range terms {
			has, err := t.neurons(ctx, tx, inContexts[i])
			if err != nil {
				return err
			}
			if i > 0 {
				has = mentionedInBoth(common, has)
			}
			common = has
		}
		ids := make([]int64, len(common))
		for i, m := range common {
			ids[i] = m.id
		}
		list, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		// The ids lead, and the order is made here: with IN and ORDER BY, SQLite would first put them into a table of its
		// own and then sort whole rows, which takes as long again.
		rows, err := soundNeurons(ctx, tx,
			"json_each(?) AS wanted CROSS JOIN neurons ON neurons.id = wanted.value", string(list))
		for _, r := range rows {
			h := r.hit()
			if at, asked := slices.BinarySearch(ids, r.id); asked {
				h.Found = common[at].found()
			}
			hits = append(hits, h)
		}
		return err
	})
	slices.SortFunc(hits, func(a, b Hit) int { return a.Compare(b.Site) })
	return hits, err
}

// mentionedInBoth are the neurons that two sorted lists name, with what either says of them.
func mentionedInBoth(a, b []mention) (both []mention) {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].id < b[0].id:
			a = a[1:]
		case a[0].id > b[0].id:
			b = b[1:]
		default:
			a[0].add(b[0])
			both = append(both, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return both
}

// neurons finds those that have the term, by id, beside those whose context graphs do. What the vocabulary says of the
// tokens must be there.
func (t Term) neurons(ctx context.Context, tx *sql.Tx, list []mention) ([]mention, error) {
	where, values := t.ofToken()
	switch t.Kind {
	case n2g.ActivatingKind:
		where, values = where+" AND kind = ?", append(values, activating)
	case n2g.ImportantKind:
		where, values = where+" AND kind = ?", append(values, important)
	}
	var found tally
	err := eachPosting(ctx, tx, func(p *posting) error {
		if !p.sound() {
			return damagedToken(p)
		}
		found.add(p.sum)
		list = append(list, mention{id: p.id, published: [2]bool{p.kind == activating, p.kind == important}})
		return nil
	}, where, values...)
	if err == nil {
		err = found.agreesWithVocabulary(ctx, tx, "vocabulary", where, values)
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b mention) int { return cmp.Compare(a.id, b.id) })
	merged := list[:0]
	for _, m := range list {
		if last := len(merged) - 1; last >= 0 && merged[last].id == m.id {
			merged[last].add(m)
		} else {
			merged = append(merged, m)
		}
	}
	return merged, nil
}

// ofToken selects rows by token.
func (t Term) ofToken() (where string, values []any) {
	token := n2g.NormalizeToken(t.Token)
	if t.Prefix {
		return "WHERE token >= ? AND token < ?", []any{token, behind(token)}
	}
	return "WHERE token = ?", []any{token}
}
