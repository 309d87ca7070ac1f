package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Term asks for a token among a neuron's activating or important tokens, or both.
type Term struct {
	Token  string // any spelling of it: it is normalised
	Kind   n2g.TokenKind
	Prefix bool // any token that begins with Token
}

// ParseTerm reads TOKEN, TOKEN:activating, TOKEN:important or TOKEN:any. A final * matches every token that begins like that;
// \n, \t, \r, \* and \\ stand for a newline, a tab, a return, a star and a backslash.
func ParseTerm(text string) (Term, error) {
	term := Term{Token: text}
	if i := strings.LastIndexByte(text, ':'); i > 0 {
		kinds := map[string]n2g.TokenKind{"any": n2g.AnyKind, activating: n2g.ActivatingKind, important: n2g.ImportantKind}
		if kind, ok := kinds[text[i+1:]]; ok {
			term.Token, term.Kind = text[:i], kind
		}
	}
	token, star := strings.CutSuffix(term.Token, "*")
	if escapes := len(token) - len(strings.TrimRight(token, `\`)); star && escapes%2 == 0 {
		term.Token, term.Prefix = token, true
	}
	term.Token = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\*`, "*", `\\`, `\`).Replace(term.Token)
	if term.Token == "" {
		return Term{}, fmt.Errorf("%q asks for no token: write TOKEN, TOKEN:activating, TOKEN:important or BEGINNING*", text)
	}
	return term, nil
}

// Search returns the neurons that have all of the terms, by layer and index; all neurons if there are none.
func (s *Store) Search(ctx context.Context, terms ...Term) ([]Row, error) {
	var found []string
	var values []any
	for _, t := range terms {
		query, own := t.query()
		found = append(found, query)
		values = append(values, own...)
	}
	if len(found) == 0 {
		return s.Rows(ctx)
	}
	return s.rows(ctx, "WHERE n.id IN ("+strings.Join(found, " INTERSECT ")+") ORDER BY n.layer, n.neuron", values...)
}

// query selects the ids of the neurons that have the term.
func (t Term) query() (text string, values []any) {
	token := n2g.NormalizeToken(t.Token)
	text, values = "SELECT neuron_id FROM tokens WHERE token = ?", []any{token}
	if t.Prefix {
		// In UTF-8 no byte is the highest, so what begins with token is what sorts before it with its last byte raised.
		after := token[:len(token)-1] + string([]byte{token[len(token)-1] + 1})
		text, values = "SELECT neuron_id FROM tokens WHERE token >= ? AND token < ?", []any{token, after}
	}
	switch t.Kind {
	case n2g.ActivatingKind:
		return text + " AND kind = ?", append(values, activating)
	case n2g.ImportantKind:
		return text + " AND kind = ?", append(values, important)
	}
	return text, values
}
