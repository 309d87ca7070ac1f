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
	"github.com/neuron2graph/neuron2graph/n2g/effects"
)

// effectsOutput is what n2g effects -json prints of a neuron.
type effectsOutput struct {
	Site   string `json:"site"`
	Layer  int    `json:"layer"`
	Neuron int    `json:"neuron"`
	n2g.Attribution
	Connected *effects.Neighbours `json:"connected,omitempty"`
	Together  []together          `json:"fires_together,omitempty"`
	Followed  *followed           `json:"followed,omitempty"`
}

// together is a neuron, or a feature or another number of the index, that fires where another does.
type together struct {
	Layer  int     `json:"layer"`
	Hook   string  `json:"hook"`
	Neuron int     `json:"neuron"`
	Share  float64 `json:"share"`  // of the places looked at, on which it fires
	Chance float64 `json:"chance"` // share of all tokens on which it fires
}

func (a *app) effects() *command {
	c := newCommand("effects", "show what a neuron does: the tokens that it promotes and suppresses, and the neurons it "+
		"is connected with")
	c.long = `Direct logit attribution: what one unit of the neuron's activation adds to the logit of each token,
W_U·(w ⊙ W_out[neuron]) with w the final norm's weight. Kurtosis says how pointed that is: 3 as a normal distribution,
more where few tokens stand out. -layer all and -neuron all ask many; connected neurons are left out then.

-store writes the tokens of many neurons into a store, for n2g search -promotes and n2g serve: of every neuron of a model
in a minute or so, whether it was explained or not.`
	c.examples = []string{`-layer 1 -neuron 254`, `-model smollm2 -layer 10 -neuron 214 -json`,
		`-layer all -neuron all -json`, `-model smollm2 -layer all -neuron all -store smollm2.db`}
	ref, backend := modelFlag(c), backendFlag(c)
	layer := c.flags.String("layer", "", "`NUMBER` the layer, from 0, or all")
	neuron := c.flags.String("neuron", "", "`NUMBER` the neuron, from 0, or all")
	hook := c.flags.String("hook", "", hookUsage)
	site := siteFlag(c)
	a.besideFlags(c)
	k := c.flags.Int("k", effects.DefaultTokens, "`NUMBER` of tokens each way, and of neurons of each kind")
	connected := c.flags.Bool("connected", true, "find connected and like neurons; of many neurons they are left out")
	out := c.path(fills, "store", "", "`FILE` a store to write the tokens to, made if it is not there; nothing is "+
		"printed then, and neurons of which it has some are passed over")
	indexed := c.path(reads, "index", "",
		"`FILE` the index, made by n2g mine, that tells which neurons fire together, and "+
			"whether what a neuron promotes follows where it fires (default: that of tiny, which is part of the program)")
	asJSON := c.flags.Bool("json", false, "print JSON, a line for each neuron: layer, neuron, promoted, suppressed, "+
		"kurtosis, connected, fires_together, followed")
	c.run = func(ctx context.Context) error {
		if *k < 1 {
			return fmt.Errorf("-k is %d: it is at least 1", *k)
		}
		if *out != "" && *asJSON {
			return errors.New("give one of -store and -json")
		}
		if *site != "" {
			var number int
			if err := applySite(c.flags, *site, &number, neuron, hook); err != nil {
				return err
			}
			*layer = strconv.Itoa(number)
		}
		if *indexed != "" && !isNeuronHook(*hook) {
			return fmt.Errorf("-index tells what follows where a neuron fires, and %s is no neuron's: leave it out", *hook)
		}
		index, err := neuronNumber(*neuron)
		if err != nil {
			return err
		}
		model, err := a.openModel(*ref, *backend)
		if err != nil {
			return err
		}
		defer model.Close()
		layers, err := layersAsked(*layer, model.Config().Layers)
		if err != nil {
			return err
		}
		if *out != "" {
			return a.fillEffects(ctx, model, *out, layers, *hook, index, *k)
		}
		one := *connected && len(layers) == 1 && index >= 0 && isNeuronHook(*hook)
		if err := model.HasLogits(); err != nil {
			if !one {
				return err
			}
			fmt.Fprintf(a.stderr, "n2g: %v: promoted and suppressed tokens are left out\n", err)
		}
		var follows *follower
		if *indexed != "" || one && model.Name() == tiny.Name {
			x, err := openIndex(*indexed)
			if err != nil {
				return err
			}
			defer x.Close() // it is only read
			if err := sameModel(x, model, *indexed); err != nil {
				return err
			}
			if follows, err = newFollower(x); err != nil {
				return err
			}
		}
		return buffered(a.stdout, func(w io.Writer) error {
			for _, l := range layers {
				found, err := effectsOf(ctx, model, l, *hook, index, *k)
				if err != nil {
					return err
				}
				for i := range found {
					if one {
						if found[i].Connected, err = connectedOf(model, l, index, *k); err != nil {
							return err
						}
					}
					if follows != nil {
						if err := found[i].ask(follows, one, *indexed == "", *k); err != nil {
							return err
						}
					}
					if *asJSON {
						err = encodeJSON(w, found[i])
					} else {
						err = found[i].write(w)
					}
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return c
}

// layersAsked reads -layer.
func layersAsked(text string, layers int) ([]int, error) {
	if text == "all" {
		list := make([]int, layers)
		for l := range list {
			list[l] = l
		}
		return list, nil
	}
	l, err := strconv.Atoi(text)
	if err != nil || l < 0 || l >= layers {
		return nil, fmt.Errorf("-layer is %q: give a layer, 0 to %d, or all", text, layers-1)
	}
	return []int{l}, nil
}

// vocabularyOf is what a model may say.
func vocabularyOf(model *models.Causal) effects.Vocabulary {
	v := effects.Vocabulary{TokenString: model.TokenString}
	if t := model.Tokenizer(); t != nil {
		v.Size = t.VocabSize()
	}
	return v
}

// outputDirections is what the numbers of a layer's hook point add to the residual stream. index, where it is not
// negative, is one of them.
func outputDirections(model *models.Causal, layer int, hook string, index int) ([][]float32, error) {
	out, err := model.OutputDirections(layer, hook)
	if err == nil && index >= len(out) {
		err = fmt.Errorf("-neuron is %d: layer %d of %s has numbers 0 to %d", index, layer, model.Name(), len(out)-1)
	}
	return out, err
}

// effectsOf attributes one number of a layer's hook point, or all where index is negative.
func effectsOf(ctx context.Context, model *models.Causal, layer int, hook string, index, k int) ([]effectsOutput,
	error) {
	out, err := outputDirections(model, layer, hook, index)
	if err != nil {
		return nil, err
	}
	first := 0
	if index >= 0 {
		first, out = index, out[index:index+1]
	}
	found := make([]n2g.Attribution, len(out))
	for i := range found {
		found[i].Promoted, found[i].Suppressed = []n2g.TokenEffect{}, []n2g.TokenEffect{}
	}
	if model.HasLogits() == nil {
		if found, err = effects.Attribute(ctx, model, out, k, vocabularyOf(model)); err != nil {
			return nil, err
		}
	}
	list := make([]effectsOutput, len(found))
	for i := range found {
		s := n2g.Site{Layer: layer, Index: first + i, Hook: hook}
		list[i] = effectsOutput{Site: s.String(), Layer: layer, Neuron: s.Index, Attribution: found[i]}
	}
	return list, nil
}

func connectedOf(model *models.Causal, layer, index, k int) (*effects.Neighbours, error) {
	return effects.Connected(model.Config().Layers, func(l int) (*effects.Weights, error) {
		w, err := model.NeuronWeights(l)
		if err != nil {
			return nil, err
		}
		return &effects.Weights{Out: w.Out, In: w.In, Gate: w.Gate, Norm: w.Norm}, nil
	}, layer, index, k)
}

// ask adds what an index tells: what follows where the neuron fires and, of one alone, which neurons fire there too. Of
// a neuron that the embedded index does not hold, it tells nothing.
func (o *effectsOutput) ask(f *follower, alone, embedded bool, k int) (err error) {
	held := atHookOf(f.x.Meta(), n2g.Site{Layer: o.Layer, Index: o.Neuron})
	number, err := f.x.Meta().Number(held.Layer, held.Hook, held.Index)
	if err != nil {
		if embedded {
			return nil
		}
		return err
	}
	if o.Followed, err = f.of(number, o.Attribution); err != nil || !alone {
		return err
	}
	places, err := f.x.FiringPlaces(number, 512) // as CoFiring looks at
	if err != nil {
		return err
	}
	fires, err := f.x.CoFiring(number, k)
	if err != nil {
		return err
	}
	for _, fire := range fires {
		n := f.x.Meta().Neuron(fire.Neuron)
		o.Together = append(o.Together, together{n.Layer, n.Hook, n.Index, float64(fire.Fired) / float64(len(places)),
			fire.Chance})
	}
	return nil
}

func (o *effectsOutput) write(w io.Writer) error {
	if len(o.Promoted) == 0 {
		fmt.Fprintf(w, "%s\n", siteName(o.Site))
		return o.writeConnected(w)
	}
	fmt.Fprintf(w, "%s, kurtosis %.1f\n\n", siteName(o.Site), o.Kurtosis)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROMOTED\t\tSUPPRESSED\t")
	for i := range max(len(o.Promoted), len(o.Suppressed)) {
		cell := func(list []n2g.TokenEffect) string {
			if i >= len(list) {
				return "\t"
			}
			return fmt.Sprintf("%q\t%+.3f", list[i].Token, list[i].Value)
		}
		fmt.Fprintf(table, "%s\t%s\n", cell(o.Promoted), cell(o.Suppressed))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	o.Followed.write(w)
	return o.writeConnected(w)
}

func (o *effectsOutput) writeConnected(w io.Writer) error {
	if n := o.Connected; n != nil {
		for _, kind := range []struct {
			name string
			list []effects.Neighbour
		}{
			{"read by later neurons", n.Down}, {"reads of earlier neurons", n.Up}, {"reads alike", n.LikeIn},
			{"writes alike", n.LikeOut},
		} {
			if len(kind.list) == 0 {
				continue
			}
			fmt.Fprintf(w, "\n%s:", kind.name)
			for i, x := range kind.list {
				if i > 0 {
					fmt.Fprint(w, ",")
				}
				fmt.Fprintf(w, " %d/%d %+.2f", x.Layer, x.Neuron, x.Cosine)
				if x.Through == "gate" {
					fmt.Fprint(w, " (gate)")
				}
			}
		}
		fmt.Fprintln(w)
	}
	if len(o.Together) > 0 {
		fmt.Fprint(w, "fire where it does:")
		for i, t := range o.Together {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			name := numberName(t.Layer, t.Hook, t.Neuron)
			if isNeuronHook(t.Hook) {
				name = fmt.Sprintf("%d/%s", t.Layer, name)
			}
			fmt.Fprintf(w, " %s %.0f %% (chance %.2g %%)", name, 100*t.Share, 100*t.Chance)
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// editFlags say what is done to a neuron, and where.
type editFlags struct {
	command         *command
	layer, neuron   *int
	hook, site      *string
	set, scale, add *float64
	positions       *string
}

func editFlagsOf(c *command) *editFlags {
	return &editFlags{
		command: c,
		layer:   c.flags.Int("layer", -1, "`NUMBER` the layer, from 0"),
		neuron:  c.flags.Int("neuron", -1, "`NUMBER` the neuron, from 0"),
		hook: c.flags.String("hook", "", "`NAME` where the neuron is changed: hook_pre, hook_pre_linear, hook_mid or "+
			"hook_post (default hook_post, what it writes)"),
		site: c.flags.String("site", "", "`SITE` what to change, instead of -layer, -neuron and -hook: "+
			"blocks.3.mlp.hook_post[17]"),
		set:   c.flags.Float64("set", 0, "`VALUE` to set the neuron to"),
		scale: c.flags.Float64("scale", 1, "`FACTOR` to multiply it by"),
		add:   c.flags.Float64("add", 0, "`VALUE` to add to it"),
		positions: c.flags.String("positions", "",
			"`LIST` of positions at which it is changed, the first token in front of the text being 0 (default all)"),
	}
}

// edit is the change; otherwise is what is done where no flag says.
func (f *editFlags) edit(otherwise models.Edit) (models.Edit, error) {
	if err := applySite(f.command.flags, *f.site, f.layer, f.neuron, f.hook); err != nil {
		return otherwise, err
	}
	if *f.layer < 0 || *f.neuron < 0 {
		return otherwise, errors.New("name a neuron with -layer NUMBER and -neuron NUMBER, from 0")
	}
	e := otherwise
	e.Layer, e.Index, e.Hook = *f.layer, *f.neuron, *f.hook
	asked := 0
	for _, op := range []struct {
		op    models.Op
		value float64
	}{{models.Set, *f.set}, {models.Scale, *f.scale}, {models.Add, *f.add}} {
		if given(f.command.flags, string(op.op)) {
			e.Op, e.Value = op.op, op.value
			asked++
		}
	}
	switch {
	case asked > 1:
		return e, errors.New("give one of -set, -scale and -add")
	case e.Op == "":
		return e, errors.New("say how the neuron is steered: -set VALUE, -scale FACTOR or -add VALUE")
	}
	if *f.positions != "" {
		positions, err := parseNumbers("positions", *f.positions)
		if err != nil {
			return e, err
		}
		e.Positions = positions
	}
	return e, nil
}

// checkPositions refuses a position that the prompt does not have.
func checkPositions(e models.Edit, ids []int) error {
	for _, p := range e.Positions {
		if p < 0 || p >= len(ids) {
			return fmt.Errorf("-positions names %d: the text's tokens stand at 0 to %d", p, len(ids)-1)
		}
	}
	return nil
}
