package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// storeFlag names the store that a command asks.
func storeFlag(c *command) *string {
	return c.path(asks, "store", "run.db", "`FILE` the store that n2g run or n2g merge made")
}

// withStore opens a store to read it.
func withStore(path string, do func(*store.Store) error) error {
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

// kindFlag chooses a kind of tokens.
func kindFlag(c *command) *string {
	return c.flags.String("kind", "any", "`KIND` of tokens compared: activating, important, or any, which is both")
}

func parseKind(text string) (n2g.TokenKind, error) {
	switch text {
	case "any":
		return n2g.AnyKind, nil
	case "activating":
		return n2g.ActivatingKind, nil
	case "important":
		return n2g.ImportantKind, nil
	}
	return 0, fmt.Errorf("-kind is %q: it is activating, important or any", text)
}

// parseNeuron reads layer/neuron, or a site.
func parseNeuron(text string) (n2g.Site, error) {
	if strings.Contains(text, "[") {
		return n2g.ParseSite(text)
	}
	layer, index, _ := strings.Cut(text, "/")
	l, err1 := strconv.ParseUint(layer, 10, 31)
	i, err2 := strconv.ParseUint(index, 10, 31)
	if errors.Join(err1, err2) != nil {
		return n2g.Site{}, fmt.Errorf("%q is no neuron: write layer and number like 2/117", text)
	}
	return n2g.Site{Layer: int(l), Index: int(i)}, nil
}

// written is a neuron as parseNeuron reads it: a store is of one hook point.
func written(n n2g.Site) string { return fmt.Sprintf("%d/%d", n.Layer, n.Index) }

// neuronJSON names a neuron among other fields of JSON.
type neuronJSON struct {
	Layer  int `json:"layer"`
	Neuron int `json:"neuron"`
}

func jsonOf(site n2g.Site) neuronJSON { return neuronJSON{site.Layer, site.Index} }

// hitLine is a neuron of a store as a line of JSON.
type hitLine struct {
	neuronJSON
	store.Hit
}

// writeHits lists neurons of a store, as a table or as JSON Lines.
func (a *app) writeHits(hits []store.Hit, asJSON bool, limit int) error {
	rest := 0
	if limit > 0 && len(hits) > limit {
		hits, rest = hits[:limit], len(hits)-limit
	}
	if asJSON {
		lines := make([]hitLine, len(hits))
		for i, h := range hits {
			lines[i] = hitLine{jsonOf(h.Site), h}
		}
		return writeJSONLines(a.stdout, lines)
	}
	return a.print(func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		searched := len(hits) > 0 && hits[0].Found != nil
		head := "NEURON\tF1\tNODES\tACTIVATING\tREPEATED\tIMPORTANT"
		if searched {
			head += "\tFOUND IN"
		} else {
			head += "\tBEHAVIOURS"
		}
		fmt.Fprintln(table, head)
		for _, h := range hits {
			f1 := "-"
			if h.F1 != nil {
				f1 = fmt.Sprintf("%.3f", *h.F1)
			}
			last := "-"
			if searched {
				last = foundIn(h.Found)
			} else if h.Behaviours != nil {
				last = strconv.Itoa(*h.Behaviours)
			}
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", written(h.Site), f1, h.Nodes, h.Activating, h.Repeated,
				h.Important, last)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		if rest > 0 {
			fmt.Fprintf(w, "and %d more (-n 0 lists all)\n", rest)
		}
		return nil
	})
}

// foundIn says how a neuron's graphs have the tokens of a search, such as "published activating, context important
// (set, window)".
func foundIn(list []store.Found) string {
	var parts []string
	for _, f := range list {
		part := f.Graph + " " + f.Kind
		if len(f.Roles) > 0 {
			part += " (" + strings.Join(f.Roles, ", ") + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// listFlags say how neurons are listed.
type listFlags struct {
	store *string
	json  *bool
	limit *int
}

func listFlagsOf(c *command) listFlags {
	return listFlags{
		store: storeFlag(c),
		json:  c.flags.Bool("json", false, "write JSON Lines"),
		limit: c.flags.Int("n", 50, "`NUMBER` list no more than so many, 0 for all"),
	}
}
