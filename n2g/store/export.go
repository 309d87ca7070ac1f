package store

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// ExportJSONLines writes every explanation as a line of JSON, by layer and index, as n2g.ReadExplanations reads them.
func (s *Store) ExportJSONLines(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriter(w)
	for text, err := range s.texts(ctx, everyNeuron) {
		if err != nil {
			return err
		}
		out.Write(text.json) // errors stay with the writer, and Flush returns them
		out.WriteByte('\n')
	}
	return out.Flush()
}

// ExportNeuronStore writes neuron_store.json as the published program does: by kind and token, the names of the
// neurons.
func (s *Store) ExportNeuronStore(ctx context.Context, w io.Writer) error {
	users := [2]map[string][]n2g.Site{{}, {}}
	err := s.reading(ctx, func(tx *sql.Tx) error {
		rows, err := soundNeurons(ctx, tx, everyNeuron)
		if err != nil {
			return err
		}
		return allPostings(ctx, tx, rows, func(k int, p *posting) { users[k][p.token] = append(users[k][p.token], p.of) })
	})
	if err != nil {
		return err
	}
	tokens := map[string]map[string][]string{activating: {}, important: {}}
	for k, kind := range [2]string{activating, important} {
		for token, neurons := range users[k] {
			slices.SortFunc(neurons, n2g.Site.Compare)
			for _, n := range neurons {
				tokens[kind][token] = append(tokens[kind][token], n.PublishedName())
			}
		}
	}
	return writeJSON(w, tokens)
}

// ExportStats writes stats.json as the published program does: by layer and neuron, scikit-learn's classification
// report of non-firing ("0") and firing ("1") tokens, with what that program calls correlation. Neurons without scores
// are left out.
func (s *Store) ExportStats(ctx context.Context, w io.Writer) error {
	rows, err := s.Rows(ctx)
	if err != nil {
		return err
	}
	stats := map[string]map[string]map[string]any{}
	for _, r := range rows {
		if r.Scores == nil {
			continue
		}
		layer := strconv.Itoa(r.Layer)
		if stats[layer] == nil {
			stats[layer] = map[string]map[string]any{}
		}
		stats[layer][strconv.Itoa(r.Index)] = report(*r.Scores)
	}
	return writeJSON(w, stats)
}

// reportRow is a row of scikit-learn's classification report. Its support is a float, written with a point.
type reportRow struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1-score"`
	Support   count   `json:"support"`
}

// count is a whole number that JSON shows as Python shows a float.
type count float64

func (c count) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%.1f", float64(c)), nil }

// report is scikit-learn's classification_report(output_dict=True) of the scores. A class that stands neither in the
// truth nor in the predictions has no row, and no part in the averages.
func report(s n2g.Scores) map[string]any {
	total := float64(s.Firing.Support + s.NonFiring.Support)
	// What is predicted to be of a class is either rightly so or misses the other class.
	classes := map[string]n2g.ClassScores{}
	if s.NonFiring.Support > 0 || s.Firing.Support > 0 && s.Firing.Recall < 1 {
		classes["0"] = s.NonFiring
	}
	if s.Firing.Support > 0 || s.NonFiring.Support > 0 && s.NonFiring.Recall < 1 {
		classes["1"] = s.Firing
	}
	macro, weighted := reportRow{Support: count(total)}, reportRow{Support: count(total)}
	hits := 0.0
	of := map[string]any{"correlation": s.R2}
	for name, c := range classes {
		of[name] = reportRow{c.Precision, c.Recall, c.F1, count(c.Support)}
		macro.add(c, 1/float64(len(classes)))
		weighted.add(c, float64(c.Support)/total)
		hits += math.Round(c.Recall * float64(c.Support))
	}
	of["macro avg"], of["weighted avg"] = macro, weighted
	of["accuracy"] = hits / max(total, 1)
	return of
}

func (r *reportRow) add(c n2g.ClassScores, weight float64) {
	r.Precision += weight * c.Precision
	r.Recall += weight * c.Recall
	r.F1 += weight * c.F1
}

// writeJSON writes v with indents, characters as they are.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// ExportCSV writes a line for each neuron: the columns of the table neurons but its id, the baselines' scores, and its
// label.
func (s *Store) ExportCSV(ctx context.Context, w io.Writer) error {
	rows, err := s.Rows(ctx)
	if err != nil {
		return err
	}
	labels, err := s.Labels(ctx)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.Write(csvHead()) // errors stay with the writer, and Error returns them
	for _, r := range rows {
		record := []string{strconv.Itoa(r.Layer), strconv.Itoa(r.Index), r.Hook, number(r.MaxActivation), ""}
		if r.Density != nil {
			record[4] = number(*r.Density)
		}
		for _, n := range []int{r.Nodes, r.Edges, r.Components, r.Activating, r.Important, r.Repeated} {
			record = append(record, strconv.Itoa(n))
		}
		for _, scores := range []*n2g.Scores{r.Scores, r.TokenLookup, r.NGram} {
			record = append(record, csvCells(scoreValues(scores))...)
		}
		out.Write(append(record, labels[r.WithoutHook()]))
	}
	out.Flush()
	return out.Error()
}

// csvCells writes values, nil and what is not measured as nothing.
func csvCells(values []any) []string {
	cells := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case nil:
		case *float64:
			if v != nil {
				cells[i] = number(*v)
			}
		default:
			cells[i] = fmt.Sprint(v)
		}
	}
	return cells
}

// ExportComparisons writes a line for each neuron with a context graph, text and predictor: the columns of the table
// comparisons, with the neuron, its maximum and label before them.
func (s *Store) ExportComparisons(ctx context.Context, w io.Writer) error {
	list, err := s.Comparisons(ctx)
	if err != nil {
		return err
	}
	labels, err := s.Labels(ctx)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.Write(comparisonHead()) // as above
	for _, n := range list {
		of := []string{strconv.Itoa(n.Layer), strconv.Itoa(n.Index), n.Hook, number(n.MaxActivation),
			labels[n.WithoutHook()]}
		for i := range n.Comparisons {
			values := comparisonValues(n.Site, i, &n.Comparisons[i])
			values = values[1 : len(values)-1] // without the number and the checksum
			out.Write(slices.Concat(of, csvCells(values)))
		}
	}
	out.Flush()
	return out.Error()
}
