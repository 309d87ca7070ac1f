package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/vary"
)

// fillOutput is what could stand at one mask.
type fillOutput struct {
	Position    int          `json:"position"` // in the tokens, [CLS] being 0
	Substitutes []substitute `json:"substitutes"`
}

type substitute struct {
	Token       string  `json:"token,omitempty"` // as the vocabulary spells it; absent without a tokenizer
	ID          int     `json:"id"`
	Probability float64 `json:"probability"`
}

func (a *app) fill() *command {
	c := newCommand("fill", "show what a masked model puts in place of [MASK]")
	c.long = `Prints the most probable substitutes of every mask in the text. -ids are run exactly as given, [CLS] and [SEP] included.
A model without a tokenizer.json is asked with -ids and -at, and answers with ids.
With -json a list of {position, substitutes: [{token, id, probability}]}, one for each mask.`
	c.examples = []string{
		`-text 'if err != [MASK] { return err }'`,
		`-masked distilbert-base-uncased -text 'The [MASK] sat on the mat.' -n 20 -json`,
		`-masked DIR -ids '[101,103,102]' -at 1`,
	}
	ref := maskedFlag(c)
	backend := backendFlag(c)
	source := textFlagsOf(c, "with a [MASK] or several")
	list := c.flags.String("ids", "", "`IDS` tokens instead of a text, such as '[101,103,102]'")
	at := c.flags.String("at", "", "`POSITIONS` of -ids to fill, from 0, such as 1,5 (default: the masks)")
	n := c.flags.Int("n", 10, "`NUMBER` of substitutes to show for each mask")
	asJSON := c.flags.Bool("json", false, "print JSON")
	c.run = func(ctx context.Context) error {
		switch {
		case source.given() == given(c.flags, "ids"):
			return errors.New("give either a text, with -text TEXT or -file FILE, or token ids with -ids '[101,103,102]'")
		case *n < 1:
			return fmt.Errorf("-n is %d: ask for at least one substitute", *n)
		case *at != "" && !given(c.flags, "ids"):
			return errors.New("-at counts tokens: give them with -ids, or write [MASK] into the text")
		}
		var ids, positions []int
		if given(c.flags, "ids") {
			var err error
			if ids, err = parseNumbers("ids", *list); err != nil {
				return err
			}
		}
		if *at != "" {
			var err error
			if positions, err = parseNumbers("at", *at); err != nil {
				return err
			}
		}
		text := ""
		if source.given() {
			var err error
			if text, err = source.readUTF8(a); err != nil {
				return err
			}
		}
		model, err := a.openMasked(*ref, *backend)
		if err != nil {
			return err
		}
		defer model.Close()
		fills, err := fillMasks(ctx, model, text, ids, positions)
		if err != nil {
			return err
		}
		out := make([]fillOutput, 0, len(fills))
		for _, fill := range fills {
			out = append(out, fillOutput{fill.Position, substitutes(model, fill, *n)})
		}
		if *asJSON {
			return buffered(a.stdout, func(w io.Writer) error { return encodeJSON(w, out) })
		}
		return a.print(func(w io.Writer) error {
			table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "POSITION\tPROBABILITY\tID\tTOKEN")
			for _, mask := range out {
				for _, s := range mask.Substitutes {
					token := "#" + strconv.Itoa(s.ID)
					if model.Tokenizer() != nil {
						token = strconv.Quote(s.Token)
					}
					fmt.Fprintf(table, "%d\t%.6f\t%d\t%s\n", mask.Position, s.Probability, s.ID, token)
				}
			}
			return table.Flush()
		})
	}
	return c
}

// fillMasks asks for what stands at the positions of ids, or of the text where there are no ids; without positions for
// the masks.
func fillMasks(ctx context.Context, model *models.Masked, text string, ids, positions []int) ([]models.MaskFill,
	error) {
	switch {
	case positions != nil:
		return model.FillAt(ctx, ids, positions)
	case model.Tokenizer() == nil && ids == nil:
		return nil, fmt.Errorf("%s has no tokenizer.json, so it cannot read a text: give token ids with -ids and -at",
			model.Name())
	case model.Tokenizer() == nil:
		return nil,
			fmt.Errorf("%s has no tokenizer.json, so its mask token is not known: say with -at which of the ids to fill",
				model.Name())
	case ids == nil:
		ids = model.Tokenizer().EncodeSpecial(text).IDs
	}
	return model.FillIDs(ctx, ids)
}

// substitutes returns the n most probable of a mask.
func substitutes(model *models.Masked, fill models.MaskFill, n int) []substitute {
	var list []substitute
	for id, probability := range fill.IDs() {
		if len(list) == n {
			break
		}
		s := substitute{ID: id, Probability: probability}
		if model.Tokenizer() != nil {
			s.Token = model.Tokenizer().TokenString(id)
		}
		list = append(list, s)
	}
	return list
}

// noModel stands for doing without a masked model.
const noModel = "none"

// maskedFlag defines -masked.
func maskedFlag(c *command) *string {
	return c.path(reads, "masked", "tiny", "`MODEL` BERT or DistilBERT: tiny, which is part of the program, a folder, "+
		"or a name: n2g models lists those")
}

// What -masked may say beside a model.
const (
	varyBySelf       = "self"
	varyByNeighbours = "neighbours"
)

const varyingUsage = "`MODEL` that varies words: BERT or DistilBERT (tiny, a folder, or a name), neighbours (words " +
	"of like embeddings in the explained model), self (what that model expects there), or none for no variants " +
	"(default: tiny for the model tiny and with -exec, else neighbours)"

// openVarying opens what varies words of texts that excite a model; nil where -masked is none. done closes it.
func (a *app) openVarying(ref, backend string, model siteModel) (masked n2g.MaskedModel, done func() error,
	err error) {
	nothing := func() error { return nil }
	here, ok := model.(*models.Causal)
	switch {
	case ref != "":
	case isTiny(model):
		ref = tiny.Name
	case ok:
		ref = varyByNeighbours
	default:
		ref = tiny.Name
		fmt.Fprintln(a.stderr, "n2g: words are varied by tiny, a masked model of Go source, since a command of -exec gives "+
			"no embeddings to go by: -masked names another, and -masked none varies nothing")
	}
	switch {
	case ref == noModel:
		return nil, nothing, nil
	case !ok && (ref == varyBySelf || ref == varyByNeighbours):
		return nil, nil, fmt.Errorf("-masked %s asks the explained model, and a command of -exec gives activations only: "+
			"name a masked model, such as tiny or distilbert, or none", ref)
	case ref == varyBySelf:
		return vary.Self(here, vary.SelfOptions{}), nothing, nil
	case ref == varyByNeighbours:
		return vary.Neighbours(here), nothing, nil
	}
	opened, err := models.OpenMasked(ref, models.Options{Backend: backend})
	if err != nil {
		return nil, nil, err
	}
	if opened.Tokenizer() == nil {
		return nil, nil,
			errors.Join(fmt.Errorf("%s has no tokenizer.json, so it cannot vary words: put the file into its folder",
				opened.Name()), opened.Close())
	}
	return opened, opened.Close, nil
}

// openMasked opens a masked model and says what it runs on.
func (a *app) openMasked(ref, backend string) (*models.Masked, error) {
	model, err := models.OpenMasked(ref, models.Options{Backend: backend})
	if err != nil {
		return nil, err
	}
	a.start(model.Backend())
	return model, nil
}
