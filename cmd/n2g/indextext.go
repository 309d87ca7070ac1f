package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// foundText is a text with where it stands in a corpus.
type foundText struct {
	text   string
	count  int
	places [][2]int
	model  siteModel
}

// lookUp finds a text in an index.
func (a *app) lookUp(ctx context.Context, path, ref, text string, limit int) (found *foundText, x *index.Index,
	done func(), err error) {
	if text == "" {
		return nil, nil, nil, fmt.Errorf("give a text to look up")
	}
	if x, err = openIndex(path); err != nil {
		return nil, nil, nil, err
	}
	model, err := a.indexModel(ctx, x, path, ref)
	if err != nil {
		x.Close() // the other error is told
		return nil, nil, nil, err
	}
	done = func() {
		model.Close() // only its tokenizer was used
		x.Close()     // it was only read
	}
	found = &foundText{text: text, model: model}
	if found.count, found.places, err = corpus.Find(x, model, text, limit); err == nil && found.count == 0 {
		err = fmt.Errorf("the text %q stands nowhere in the corpus of %s: it has %d tokens of %s", text, indexName(path),
			x.Meta().Counted, x.Meta().Name)
	}
	if err != nil {
		done()
		return nil, nil, nil, err
	}
	return found, x, done, nil
}

// indexModel opens the model of an index, for its tokenizer: no weights are read.
func (a *app) indexModel(ctx context.Context, x *index.Index, path, ref string) (siteModel, error) {
	switch held, err := a.openProcess(ctx); {
	case err != nil:
		return nil, err
	case held != nil && path == "":
		return nil, errors.New("the index is that of tiny, which is part of the program: name that of -exec with -index FILE")
	case held != nil:
		return held, sameModel(x, held, path)
	}
	if ref == "" {
		ref = x.Meta().Model
	}
	model, err := models.Open(ref, models.Options{Backend: "go"})
	if err != nil {
		return nil, fmt.Errorf("the index was made with %s: %w; name it with -model, or the command that holds it with -exec",
			x.Meta().Model, err)
	}
	return model, nil
}

// context is how much of a window is shown on either side of a place, in tokens.
const contextTokens = 12

// around is the text before, at and behind a range of positions, within its window.
func around(x *index.Index, d corpus.Decoder, place [2]int, tokens int) (before, at, behind string, window index.Window,
	err error) {
	number, err := x.WindowAt(place[0])
	if err != nil {
		return "", "", "", window, err
	}
	if window, err = x.Window(number); err != nil {
		return "", "", "", window, err
	}
	texts := [3]string{}
	for i, r := range [3][2]int{{max(window.First, place[0]-tokens), place[0]}, place,
		{place[1], max(place[1], min(window.End, place[1]+tokens))}} {
		ids, err := x.IDs(r[0], r[1])
		if err != nil {
			return "", "", "", window, err
		}
		texts[i] = d.Decode(ids)
	}
	return texts[0], texts[1], texts[2], window, nil
}

// placeOutput is a place in the corpus, as JSON.
type placeOutput struct {
	Document string `json:"document"`
	Split    string `json:"split"`
	Window   int    `json:"window"`
	Position int    `json:"position"` // of the first token, in the corpus
	Before   string `json:"before"`
	Text     string `json:"text"`
	After    string `json:"after"`
}

func writePlaces(w io.Writer, x *index.Index, found *foundText, asJSON bool) error {
	var list []placeOutput
	for _, place := range found.places {
		before, at, behind, window, err := around(x, found.model, place, contextTokens)
		if err != nil {
			return err
		}
		document, err := x.Document(window.Document)
		if err != nil {
			return err
		}
		list = append(list, placeOutput{document.Origin, document.Split().String(), window.Number, place[0], before, at,
			behind})
	}
	if asJSON {
		return encodeJSON(w, struct {
			Text   string        `json:"text"`
			Count  int           `json:"count"`
			Places []placeOutput `json:"places"`
		}{found.text, found.count, list})
	}
	fmt.Fprintf(w, "%q: %d times\n", found.text, found.count)
	for _, p := range list {
		fmt.Fprintf(w, "%s: %s[%s]%s\n", printable(p.Document), printable(p.Before), printable(p.Text), printable(p.After))
	}
	return nil
}

// fireOutput is a neuron that fires on a text, as JSON.
type fireOutput struct {
	Layer   int     `json:"layer"`
	Hook    string  `json:"hook"`
	Neuron  int     `json:"neuron"`
	Fired   int     `json:"fired"`
	Share   float64 `json:"share"`  // mean activation there, as a share of the maximum
	Chance  float64 `json:"chance"` // share of such places on which it would fire by chance
	Density float64 `json:"density"`
	Score   float64 `json:"score"`
}

func writeFires(w io.Writer, x *index.Index, found *foundText, fires []index.Fire, asJSON bool) error {
	list := make([]fireOutput, len(fires))
	for i, f := range fires {
		stats, err := x.Stats(f.Neuron)
		if err != nil {
			return err
		}
		neuron := x.Meta().Neuron(f.Neuron)
		list[i] = fireOutput{neuron.Layer, neuron.Hook, neuron.Index, f.Fired, f.Share, f.Chance, stats.Density(), f.Score}
	}
	if asJSON {
		return encodeJSON(w, struct {
			Text   string       `json:"text"`
			Count  int          `json:"count"`
			Looked int          `json:"looked_at"`
			Fires  []fireOutput `json:"fires"`
		}{found.text, found.count, len(found.places), list})
	}
	fmt.Fprintf(w, "%q stands %d times in the corpus; %d places were looked at\n", found.text, found.count,
		len(found.places))
	if len(list) == 0 {
		fmt.Fprintln(w, "no neuron fires there more than elsewhere")
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LAYER\tNEURON\tFIRES\tACTIVATION\tDENSITY\tSCORE")
	for _, f := range list {
		fmt.Fprintf(table, "%d\t%s\t%.0f %%\t%.2f\t%s\t%.0f\n", f.Layer, numberName(f.Layer, f.Hook, f.Neuron),
			100*float64(f.Fired)/float64(len(found.places)), f.Share, percent(f.Density), f.Score)
	}
	return table.Flush()
}

// percent is a share, never 0 where it is not.
func percent(share float64) string {
	if share == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.3g %%", 100*share)
}

// writeReport writes what reading the corpus reported.
func writeReport(w io.Writer, report json.RawMessage) error {
	var r corpus.Report
	if err := json.Unmarshal(report, &r); err != nil {
		return fmt.Errorf("the index's report of what was read: %w", err)
	}
	_, err := fmt.Fprintln(w, r)
	return err
}
