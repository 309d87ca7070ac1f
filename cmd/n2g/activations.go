package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
)

// activationsOutput is what -json prints.
type activationsOutput struct {
	IDs         []int     `json:"ids"`
	Tokens      []string  `json:"tokens,omitempty"` // absent for a model without a tokenizer
	Activations []numbers `json:"activations"`      // [token][neuron]; of one neuron: [token][1]
}

// numbers are JSON numbers, or null for what JSON has no number for: NaN and the infinities.
type numbers []float32

func (n numbers) MarshalJSON() ([]byte, error) {
	list := make([]*float32, len(n))
	for i, v := range n {
		if v-v == 0 {
			list[i] = &n[i]
		}
	}
	return json.Marshal(list)
}

// finite is an error that names the first neuron whose activation is NaN or infinite.
func (o *activationsOutput) finite(model string, layer, index int) error {
	for i, row := range o.Activations {
		for n, v := range row {
			if v-v != 0 {
				if index >= 0 {
					n = index
				}
				return fmt.Errorf("layer %d neuron %d of %s has the activation %g at position %d: check the model's weights", layer,
					n, model, v, i)
			}
		}
	}
	return nil
}

func (a *app) activations() *command {
	c := newCommand("activations", "show a neuron's activation on each token of a text")
	c.long = `Prints a table of tokens and activations; of all neurons (-neuron all), the five highest of each token. The text is run
with BOS in front; -ids are run exactly as given, so that any model can be compared with another program without
a tokenizer.`
	c.examples = []string{
		`-layer 2 -neuron 500 -file main.go`,
		`-model gpt2 -layer 3 -neuron all -hook hook_post -ids '[50256,464,3807]' -json`,
		`-layer 2 -neuron 500 -file main.go -html activations.html`,
		`-site 'blocks.1.hook_resid_post[5]' -file main.go`,
	}
	ref := modelFlag(c)
	backend := backendFlag(c)
	layer := c.flags.Int("layer", -1, "`NUMBER` the layer, from 0")
	neuron := c.flags.String("neuron", "", "`NUMBER` the neuron, from 0, or all")
	hook := c.flags.String("hook", "", hookUsage)
	site := siteFlag(c)
	a.besideFlags(c)
	a.execFlag(c)
	source := textFlagsOf(c, "the text")
	maxLength := c.flags.Int("max-length", math.MaxInt,
		"`NUMBER` drop tokens of the text after this many, BOS included (default: none, and a text longer than the model's "+
			"context is refused)")
	list := c.flags.String("ids", "", "`IDS` tokens instead of a text, BOS included, such as '[0,5,17]'")
	asJSON := c.flags.Bool("json", false, "print JSON: ids, tokens, activations [token][neuron]")
	page := c.path(replaces, "html", "", "`FILE` to write a page with the text's heat map to")
	highest := c.flags.Float64("max", 0, "`NUMBER` activation that full colour stands for in the heat map (default: the "+
		"neuron's highest, known for tiny, else the text's)")
	c.run = func(ctx context.Context) error {
		if err := applySite(c.flags, *site, layer, neuron, hook); err != nil {
			return err
		}
		index, err := neuronNumber(*neuron)
		switch {
		case err != nil:
			return err
		case *layer < 0:
			return errors.New("name a layer with -layer NUMBER, from 0")
		case source.given() == given(c.flags, "ids"):
			return errors.New("give either a text, with -text TEXT or -file FILE, or token ids with -ids '[0,5,17]'")
		case *maxLength < 2:
			return fmt.Errorf("-max-length is %d: it is at least 2, BOS and a token", *maxLength)
		case !(*highest >= 0):
			return fmt.Errorf("-max is %g: it is the activation of full colour, above 0", *highest)
		case index < 0 && *page != "":
			return errors.New("a heat map shows one neuron: give its number with -neuron, not all")
		}
		var text string
		var ids []int
		if given(c.flags, "ids") {
			ids, err = parseNumbers("ids", *list)
		} else {
			text, err = source.readUTF8(a)
		}
		if err != nil {
			return err
		}
		model, err := a.openSites(ctx, *ref, *backend)
		if err != nil {
			return err
		}
		defer model.Close()
		if ids == nil {
			if ids, err = n2g.CutPrompt(model, text, *maxLength); err != nil {
				return err
			}
		}
		out, err := measure(ctx, model, *layer, *hook, index, ids)
		if err != nil {
			return err
		}
		if *page != "" {
			if *hook == "" {
				*hook = model.DefaultHook()
			}
			title := fmt.Sprintf("%s, layer %d, neuron %d, %s", model.Name(), *layer, index, *hook)
			full := scale{*highest, "given"}
			if *highest == 0 {
				full = scaleOf(model, *layer, index, *hook)
			}
			if err := a.writeBytes(ctx, *page, []byte(out.heatMap(title, full).Page())); err != nil {
				return err
			}
			if !*asJSON {
				return nil
			}
		}
		if *asJSON {
			err = buffered(a.stdout, func(w io.Writer) error { return encodeJSON(w, out) })
		} else {
			err = a.print(out.table)
		}
		return errors.Join(err, out.finite(model.Name(), *layer, index))
	}
	return c
}

// neuronNumber reads -neuron; all is -1.
func neuronNumber(text string) (int, error) {
	if text == "all" {
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("-neuron is %q: give a neuron's number, from 0, or all", text)
	}
	return n, nil
}

// measure runs ids; index -1 is all neurons.
func measure(ctx context.Context, model siteModel, layer int, hook string, index int,
	ids []int) (*activationsOutput, error) {
	out := &activationsOutput{IDs: ids}
	if tokenizes(model) {
		for _, id := range ids {
			out.Tokens = append(out.Tokens, model.TokenString(id))
		}
	}
	if index < 0 {
		all, err := everyActivation(ctx, model, layer, hook, ids)
		if err != nil {
			return nil, err
		}
		for _, row := range all {
			out.Activations = append(out.Activations, row)
		}
		return out, nil
	}
	one, err := model.Activations(ctx, layer, hook, index, [][]int{ids}, nil)
	if err != nil {
		return nil, err
	}
	for _, value := range one[0] {
		out.Activations = append(out.Activations, numbers{value})
	}
	return out, nil
}

// token is the text of the i-th token, or its number where there is no tokenizer.
func (o *activationsOutput) token(i int) string {
	if o.Tokens == nil {
		return fmt.Sprintf("#%d", o.IDs[i])
	}
	return o.Tokens[i]
}

// named is the number of neurons a row of the table names.
const named = 5

func (o *activationsOutput) table(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	one := len(o.Activations[0]) == 1
	if one {
		fmt.Fprintln(table, "POSITION\tID\tACTIVATION\tTOKEN")
	} else {
		fmt.Fprintln(table, "POSITION\tID\tHIGHEST NEURONS\tTOKEN")
	}
	for i, row := range o.Activations {
		cell := fmt.Sprintf("%.4g", row[0])
		if !one {
			cell = top(row)
		}
		fmt.Fprintf(table, "%d\t%d\t%s\t%q\n", i, o.IDs[i], cell, o.token(i))
	}
	return table.Flush()
}

// top names the neurons of the highest values.
func top(row []float32) string {
	order := make([]int, len(row))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case row[a] > row[b]:
			return -1
		case row[a] < row[b]:
			return 1
		}
		return 0
	})
	var cells []string
	for _, i := range order[:min(named, len(order))] {
		cells = append(cells, fmt.Sprintf("%d: %.3g", i, row[i]))
	}
	return strings.Join(cells, ", ")
}

// heatMap shows one neuron's activations. Full colour is full, or the strongest of the text where that is 0.
func (o *activationsOutput) heatMap(title string, full scale) heatmap.HeatMap {
	values := make([]float64, len(o.IDs))
	tokens := make([]string, len(o.IDs))
	for i := range o.IDs {
		values[i], tokens[i] = float64(o.Activations[i][0]), o.token(i)
	}
	m := heatmap.HeatMap{Title: title, Tokens: tokens, Form: heatmap.Compact,
		Rows: []heatmap.Row{{Name: "activation", Values: values, Color: heatmap.Red}}}
	if full.max == 0 {
		full.note = "the text's strongest"
		for _, value := range values[min(1, len(values)-1):] { // the method never looks at BOS
			full.max = max(full.max, math.Abs(value))
		}
	}
	if full.max > 0 {
		m.Rows[0].Max, m.Rows[0].Note = full.max, full.note
	}
	return m
}

// scale is the activation that full colour stands for, and what that is.
type scale struct {
	max  float64
	note string
}

// scaleOf is the scale that a neuron's maps share: its highest activation, where that is known.
func scaleOf(model siteModel, layer, neuron int, hook string) scale {
	if !isTiny(model) {
		return scale{}
	}
	x, err := openIndex("")
	if err != nil {
		return scale{}
	}
	number, err := x.Meta().Number(layer, hook, neuron)
	if err != nil {
		return scale{}
	}
	stats, err := x.Stats(number)
	if err != nil {
		return scale{}
	}
	return scale{stats.Maximum(), "the neuron's highest in the sample"}
}

// modelFlag defines -model.
func modelFlag(c *command) *string {
	return c.path(reads, "model", "tiny", "`MODEL` tiny, which is part of the program, a folder, or a name: n2g models "+
		"lists those")
}

// openModel opens a causal model and says what it runs on.
func (a *app) openModel(ref, backend string) (*models.Causal, error) {
	opts := models.Options{Backend: backend}
	for _, b := range a.besides {
		opts.SAE += *b.sae
		if b.direction != nil {
			opts.Directions += *b.direction
		}
	}
	model, err := models.Open(ref, opts)
	if err != nil {
		return nil, err
	}
	collectOften(model.Config())
	a.start(model.Backend())
	return model, nil
}
