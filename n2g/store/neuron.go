package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// hookOf is the hook of all neurons, where [Store.Begin] recorded it. Tables of what is not explained name none.
func hookOf(ctx context.Context, tx *sql.Tx) (hook string, err error) {
	err = tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'hook'").Scan(&hook)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return hook, err
}

// Row is what the table of neurons holds of one: everything but texts and tokens.
type Row struct {
	n2g.Site
	MaxActivation float64
	Density       *float64 // nil: unknown

	Nodes, Edges int // of the graph
	Components   int // sub-graphs without a common edge
	Activating   int // tokens of the kind
	Important    int
	Repeated     int // activating tokens that recur in their own context; see [Store.Induction]

	Scores             *n2g.Scores // nil: not tested
	TokenLookup, NGram *n2g.Scores // the baselines', nil likewise

	Behaviours   *int     // how many it has ([n2g.Behaviours]), nil where they were not looked for
	Kurtosis     *float64 // of its effects on the tokens, nil where they are not stored
	Faithfulness *float64 // n2g.Faithfulness.Graph, nil where it was not measured
}
