package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/backends"
)

// fillOutput is what could stand at one mask.
type fillOutput struct {
	Position    int          `json:"position"` // in the tokens, [CLS] being 0
	Substitutes []substitute `json:"substitutes"`
}

type substitute struct {
	Token       string  `json:"token"` // as the vocabulary spells it
	ID          int     `json:"id"`
	Probability float64 `json:"probability"`
}

func (a *app) fill() *command {
	c := newCommand("fill", "show what a masked model puts in place of [MASK]")
	c.long = `Prints the most probable substitutes of every mask in the text. -ids are run exactly as given, [CLS] and [SEP] included.
With -json a list of {position, substitutes: [{token, id, probability}]}, one for each mask.`
	c.examples = []string{
		`-text 'if err != [MASK] { return err }'`,
		`-masked distilbert-base-uncased -text 'The [MASK] sat on the mat.' -n 20 -json`,
	}
	ref := maskedFlag(c)
	backend := backendFlag(c)
	text := c.flags.String("text", "", "`TEXT` with a [MASK] or several; - reads standard input")
	list := c.flags.String("ids", "", "`IDS` tokens instead of a text, such as '[101,103,102]'")
	n := c.flags.Int("n", 10, "`NUMBER` of substitutes to show for each mask")
	asJSON := c.flags.Bool("json", false, "print JSON")
	c.run = func(ctx context.Context) error {
		switch {
		case given(c.flags, "text") == given(c.flags, "ids"):
			return errors.New("give either a text with -text TEXT or token ids with -ids '[101,103,102]'")
		case *n < 1:
			return fmt.Errorf("-n is %d: ask for at least one substitute", *n)
		}
		var ids []int
		if given(c.flags, "ids") {
			var err error
			if ids, err = parseIDs(*list); err != nil {
				return err
			}
		}
		if *text == standard {
			data, err := a.read(standard)
			if err != nil {
				return err
			}
			*text = string(data)
		}
		model, err := a.openMasked(*ref, *backend)
		if err != nil {
			return err
		}
		defer model.Close()
		if ids == nil {
			ids = model.Tokenizer().EncodeSpecial(*text).IDs
		}
		fills, err := model.FillIDs(ctx, ids)
		if err != nil {
			return err
		}
		out := make([]fillOutput, 0, len(fills))
		for _, fill := range fills {
			out = append(out, fillOutput{fill.Position, substitutes(model, fill, *n)})
		}
		return buffered(a.stdout, func(w io.Writer) error {
			if *asJSON {
				return encodeJSON(w, out)
			}
			table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "POSITION\tPROBABILITY\tID\tTOKEN")
			for _, mask := range out {
				for _, s := range mask.Substitutes {
					fmt.Fprintf(table, "%d\t%.6f\t%d\t%q\n", mask.Position, s.Probability, s.ID, s.Token)
				}
			}
			return table.Flush()
		})
	}
	return c
}

// substitutes returns the n most probable of a mask.
func substitutes(model *models.Masked, fill models.MaskFill, n int) []substitute {
	var list []substitute
	for id, probability := range fill.IDs() {
		if len(list) == n {
			break
		}
		list = append(list, substitute{model.Tokenizer().TokenString(id), id, probability})
	}
	return list
}

// noModel stands for doing without a masked model.
const noModel = "none"

// maskedFlag defines -masked.
func maskedFlag(c *command) *string {
	return c.flags.String("masked", "tiny", "`MODEL` BERT or DistilBERT: tiny, which is part of the program, a folder, or a name: n2g models lists those")
}

// openMasked opens a masked model and says what it runs on.
func (a *app) openMasked(ref, backend string) (*models.Masked, error) {
	_, info, err := backends.Open(backend)
	if err != nil {
		return nil, err
	}
	model, err := models.OpenMasked(ref, models.Options{Backend: backend})
	if err != nil {
		return nil, err
	}
	a.start(info)
	return model, nil
}
