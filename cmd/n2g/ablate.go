package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/effects"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
)

// ablateOutput is what n2g ablate -json prints.
type ablateOutput struct {
	Layer  int      `json:"layer"`
	Neuron int      `json:"neuron"`
	Op     string   `json:"op"`
	Value  float64  `json:"value"`
	IDs    []int    `json:"ids"`
	Tokens []string `json:"tokens,omitempty"`
	effects.Change
}

func (a *app) ablate() *command {
	c := newCommand("ablate", "show what changes in a model's output when a neuron is ablated on a text")
	c.long = `Runs the text as it is and with the neuron set to 0 (or -set, -scale, -add), at all or some positions, and
tells the loss before and after, and at each position the divergence of the next-token distribution, KL(before ‖ after)
in nats, and the change of the true next token's log-probability. -ids are run exactly as given.

-windows runs so many windows of the test documents of an index instead (-index, else the embedded one), which nothing
was learned from, and tells the loss on them, and the KL where the neuron fires and elsewhere.`
	c.examples = []string{
		`-layer 1 -neuron 254 -file main.go`,
		`-model smollm2 -layer 10 -neuron 214 -text 'I am tired of this' -json`,
		`-layer 1 -neuron 254 -file main.go -scale 2 -html ablated.html`,
		`-site 'blocks.1.mlp.hook_post[254]' -windows 1000`,
	}
	ref, backend := modelFlag(c), backendFlag(c)
	edit := editFlagsOf(c)
	source := textFlagsOf(c, "the text")
	list := c.flags.String("ids", "", "`IDS` tokens instead of a text, BOS included, such as '[0,5,17]'")
	k := c.flags.Int("k", 5, "`NUMBER` of next tokens shown")
	asJSON := c.flags.Bool("json", false, "print JSON: ids, tokens, loss_before, loss_after, kl_per_position, "+
		"logprob_changes, next_before, next_after")
	page := c.path(replaces, "html", "", "`FILE` to write a page to with the text's heat map: activation and effect")
	indexed := c.path(reads, "index", "", "`FILE` the index that n2g mine made; -windows runs windows of "+
		"its test documents")
	windows := c.flags.Int("windows", 0, "`NUMBER` of windows of an index's test documents to run in place of a text")
	c.run = func(ctx context.Context) error {
		e, err := edit.edit(models.Edit{Op: models.Set})
		if err != nil {
			return err
		}
		switch {
		case *windows < 0 || *windows == 0 && *indexed != "":
			return errors.New("say with -windows how many windows of the index to run, 1 or more")
		case *windows > 0 && (source.given() || *list != "" || *page != "" || *edit.positions != ""):
			return errors.New("-windows runs texts of an index: leave out -text, -file, -ids, -positions and -html")
		case *windows > 0:
			model, err := a.openModel(*ref, *backend)
			if err != nil {
				return err
			}
			defer model.Close()
			if err := model.HasLogits(); err != nil {
				return err
			}
			out, err := a.ablateOnIndex(ctx, model, *indexed, *windows, e, *edit.hook)
			if err != nil {
				return err
			}
			if *asJSON {
				return buffered(a.stdout, func(w io.Writer) error { return encodeJSON(w, out) })
			}
			return a.print(out.write)
		}
		model, ids, err := a.modelAndPrompt(*ref, *backend, source, *list)
		if err != nil {
			return err
		}
		defer model.Close()
		if err := errors.Join(checkPositions(e, ids), model.HasLogits()); err != nil {
			return err
		}
		changes, err := effects.Measure(ctx, model.Changed(e), [][]int{ids}, *k, vocabularyOf(model))
		if err != nil {
			return err
		}
		out := &ablateOutput{Layer: e.Layer, Neuron: e.Index, Op: string(e.Op), Value: e.Value, IDs: ids, Change: changes[0]}
		if model.Tokenizer() != nil {
			for _, id := range ids {
				out.Tokens = append(out.Tokens, model.TokenString(id))
			}
		}
		if *page != "" {
			own, err := measure(ctx, model, e.Layer, edit.hookOf(model), e.Index, ids)
			if err != nil {
				return err
			}
			title := fmt.Sprintf("%s, layer %d, neuron %d, %s %g", model.Name(), e.Layer, e.Index, e.Op, e.Value)
			m := own.heatMap(title, scaleOf(model, e.Layer, e.Index, edit.hookOf(model)))
			m.Rows = append(m.Rows, heatmap.Row{Name: "KL after", Values: out.KL, Color: heatmap.Blue, Max: highest(out.KL)},
				heatmap.Row{Name: "token less likely", Values: out.losses(), Color: heatmap.Blue, Max: highest(out.losses())})
			if err := a.writeBytes(ctx, *page, []byte(m.Page())); err != nil {
				return err
			}
			if !*asJSON {
				return nil
			}
		}
		if *asJSON {
			return buffered(a.stdout, func(w io.Writer) error { return encodeJSON(w, out) })
		}
		return a.print(out.table)
	}
	return c
}

// losses are by how much each token of the text becomes less likely, in nats of log-probability; 0 for the first, and
// where it becomes more likely.
func (o *ablateOutput) losses() []float64 {
	list := make([]float64, len(o.KL))
	for p, change := range o.LogProbs {
		list[p+1] = max(0, -change)
	}
	return list
}

// hookOf is where activations are read for the heat map: where the neuron is changed, if that is said.
func (f *editFlags) hookOf(model *models.Causal) string {
	if *f.hook != "" {
		return *f.hook
	}
	return model.DefaultHook()
}

// highest is the highest value, or 1 where none is above 0.
func highest(values []float64) float64 {
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	if top == 0 {
		return 1
	}
	return top
}

// modelAndPrompt opens the model and reads the prompt, of a text or of ids.
func (a *app) modelAndPrompt(ref, backend string, source textFlags, list string) (*models.Causal, []int, error) {
	var ids []int
	var text string
	var err error
	switch {
	case source.given() == (list != ""):
		return nil, nil, errors.New("give either a text, with -text TEXT or -file FILE, or token ids with -ids '[0,5,17]'")
	case list != "":
		ids, err = parseNumbers("ids", list)
	default:
		text, err = source.readUTF8(a)
	}
	if err != nil {
		return nil, nil, err
	}
	model, err := a.openModel(ref, backend)
	if err != nil {
		return nil, nil, err
	}
	if ids == nil {
		if ids, err = n2g.Prompt(model, text); err != nil {
			return nil, nil, errors.Join(err, model.Close())
		}
	}
	return model, ids, nil
}

func (o *ablateOutput) table(w io.Writer) error {
	fmt.Fprintf(w, "layer %d neuron %d, %s %g: loss %.4f before, %.4f after; mean KL %.3g\n\n", o.Layer, o.Neuron, o.Op,
		o.Value, o.LossBefore, o.LossAfter, o.MeanKL())
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "POSITION\tKL\tCHANGE OF LOG P\tTOKEN\tNEXT")
	for p, kl := range o.KL {
		change, next := "", ""
		if p+1 < len(o.KL) {
			change, next = fmt.Sprintf("%+.4f", o.LogProbs[p]), o.token(p+1)
		}
		fmt.Fprintf(table, "%d\t%.3g\t%s\t%s\t%s\n", p, kl, change, o.token(p), next)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return writeNext(w, o.NextBefore, o.NextAfter)
}

func (o *ablateOutput) token(p int) string {
	if o.Tokens == nil {
		return fmt.Sprintf("#%d", o.IDs[p])
	}
	return fmt.Sprintf("%q", o.Tokens[p])
}

func writeNext(w io.Writer, before, after []effects.NextToken) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nNEXT BEFORE\t\tNEXT AFTER\t")
	for i := range before {
		fmt.Fprintf(table, "%q\t%.3f\t%q\t%.3f\n", before[i].Token, before[i].Probability, after[i].Token,
			after[i].Probability)
	}
	return table.Flush()
}

// steerOutput is what n2g steer -json prints.
type steerOutput struct {
	Layer      int                 `json:"layer"`
	Neuron     int                 `json:"neuron"`
	Op         string              `json:"op"`
	Value      float64             `json:"value"`
	Prompt     []int               `json:"prompt"`
	Before     []int               `json:"before"` // ids of the continuation
	After      []int               `json:"after"`
	TextBefore string              `json:"text_before"`
	TextAfter  string              `json:"text_after"`
	NextBefore []effects.NextToken `json:"next_before"`
	NextAfter  []effects.NextToken `json:"next_after"`
}

func (a *app) steer() *command {
	c := newCommand("steer", "continue a text with a neuron steered, and without")
	c.long = `Adds to a neuron's activation (-add), sets it (-set) or multiplies it (-scale), at every position, those of the continuation too, or at some,
and continues the text greedily or, with -temperature, by drawing at random. The same -seed draws the same.`
	c.examples = []string{
		`-layer 2 -neuron 500 -add 5 -text 'func main() {' -tokens 20`,
		`-model smollm2 -layer 10 -neuron 369 -add 20 -text 'I went to the' -temperature 0.8 -seed 3 -json`,
	}
	ref, backend := modelFlag(c), backendFlag(c)
	edit := editFlagsOf(c)
	source := textFlagsOf(c, "the text that is continued")
	tokens := c.flags.Int("tokens", 20, "`NUMBER` of tokens to continue by")
	temperature := c.flags.Float64("temperature", 0, "`NUMBER` how freely tokens are drawn; 0 takes the most probable")
	seed := c.flags.Uint64("seed", 0, "`NUMBER` that the draws follow from")
	k := c.flags.Int("k", 5, "`NUMBER` of next tokens shown")
	asJSON := c.flags.Bool("json", false, "print JSON: prompt, before, after, text_before, text_after, next_before, "+
		"next_after")
	c.run = func(ctx context.Context) error {
		e, err := edit.edit(models.Edit{})
		switch {
		case err != nil:
			return err
		case *tokens < 1:
			return fmt.Errorf("-tokens is %d: it is at least 1", *tokens)
		case !(*temperature >= 0):
			return fmt.Errorf("-temperature is %g: it is 0 or above", *temperature)
		}
		model, ids, err := a.modelAndPrompt(*ref, *backend, source, "")
		if err != nil {
			return err
		}
		defer model.Close()
		if err := errors.Join(checkPositions(e, ids), model.HasLogits()); err != nil {
			return err
		}
		if n := model.ContextLength(); len(ids)+*tokens > n {
			return fmt.Errorf("the text has %d tokens, and with %d more it is longer than the context of %s, %d: shorten it "+
				"or -tokens", len(ids), *tokens, model.Name(), n)
		}
		out := &steerOutput{Layer: e.Layer, Neuron: e.Index, Op: string(e.Op), Value: e.Value, Prompt: ids}
		changes, err := effects.Measure(ctx, model.Changed(e), [][]int{ids}, *k, vocabularyOf(model))
		if err != nil {
			return err
		}
		out.NextBefore, out.NextAfter = changes[0].NextBefore, changes[0].NextAfter
		for _, side := range []struct {
			edits []models.Edit
			ids   *[]int
			text  *string
		}{{nil, &out.Before, &out.TextBefore}, {[]models.Edit{e}, &out.After, &out.TextAfter}} {
			if *side.ids, err = continued(ctx, model, ids, side.edits, *tokens, *temperature, *seed); err != nil {
				return err
			}
			*side.text = model.Decode(*side.ids)
		}
		if *asJSON {
			return buffered(a.stdout, func(w io.Writer) error { return encodeJSON(w, out) })
		}
		return a.print(func(w io.Writer) error {
			fmt.Fprintf(w, "layer %d neuron %d, %s %g\n\nbefore: %q\nafter:  %q\n", out.Layer, out.Neuron, out.Op, out.Value,
				out.TextBefore, out.TextAfter)
			return writeNext(w, out.NextBefore, out.NextAfter)
		})
	}
	return c
}

// continued are the tokens that follow a prompt.
func continued(ctx context.Context, model *models.Causal, prompt []int, edits []models.Edit, tokens int,
	temperature float64, seed uint64) ([]int, error) {
	random := rand.New(rand.NewPCG(seed, 0))
	vocabulary := vocabularyOf(model).Size
	ids := append([]int(nil), prompt...)
	for range tokens {
		next, draw := 0, random.Float64()
		last := [][]int{{len(ids) - 1}}
		err := model.EachLogits(ctx, [][]int{ids}, last, [][]models.Edit{edits}, func(_, _ int, logits [][]float32) {
			row := logits[0]
			if vocabulary > 0 && vocabulary < len(row) {
				row = row[:vocabulary]
			}
			next = effects.Sample(row, temperature, draw)
		})
		if err != nil {
			return nil, err
		}
		ids = append(ids, next)
	}
	return ids[len(prompt):], nil
}
