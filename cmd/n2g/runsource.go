package main

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	n2grun "github.com/neuron2graph/neuron2graph/n2g/run"
)

// sourceFlags name where the examples of many neurons are.
type sourceFlags struct{ examples, index *string }

func sourceFlagsOf(c *command) sourceFlags {
	return sourceFlags{
		examples: c.path(reads, "examples", "", "`FILE` the neurons' examples as JSON Lines; - is standard input"),
		index: c.path(reads, "index", "", "`FILE` the index, made by n2g mine, to take the neurons' examples from "+
			"(default: that of tiny, which is part of the program)"),
	}
}

// exampleSource is where the examples of many neurons are.
type exampleSource struct {
	examples n2grun.Source
	has      func(n2g.Site) bool
	hook     string       // they were found at; empty: unknown
	identity string       // tells it from others
	index    *index.Index // where they come from one
}

func (f sourceFlags) open(a *app, model siteModel, ref string) (*exampleSource, error) {
	switch {
	case *f.examples != "" && *f.index != "":
		return nil, errors.New("give one of -examples and -index")
	case *f.examples != "":
		return a.listSource(*f.examples)
	case *f.index == "" && !isTiny(model):
		return nil,
			fmt.Errorf("say where the examples of %s are: -index FILE, which n2g mine %s makes, or -examples FILE",
				a.modelNamed(ref), a.modelArguments(ref))
	}
	x, err := openIndex(*f.index)
	if err != nil {
		return nil, err
	}
	if err := sameModel(x, model, *f.index); err != nil {
		return nil, err
	}
	return indexSource(x, model), nil
}

// fingerprint tells files apart, whatever their names.
func fingerprint(data []byte) string {
	sum := sha256.Sum256(data)
	return fmt.Sprintf("of a file with SHA-256 %x…", sum[:8])
}

// indexSource has the examples of an index, which stays open.
func indexSource(x *index.Index, decoder corpus.Decoder) *exampleSource {
	m := x.Meta()
	return &exampleSource{
		examples: func(site n2g.Site) (*n2g.Examples, error) {
			return corpus.Examples(x, decoder, atHookOf(m, site))
		},
		has: func(n n2g.Site) bool {
			n = atHookOf(m, n)
			_, err := m.Number(n.Layer, n.Hook, n.Index)
			return err == nil
		},
		index:    x,
		hook:     m.Sites[0].Hook,
		identity: fmt.Sprintf("of an index with SHA-256 %.16s…", x.Digest()),
	}
}

// atHookOf is the site as an index holds it: what is known of a neuron serves at every hook point of its MLP.
func atHookOf(m *index.Meta, site n2g.Site) n2g.Site {
	if !site.IsNeuron() {
		return site
	}
	holds := func(hook string) bool {
		return slices.ContainsFunc(m.Sites, func(s index.Site) bool { return s.Layer == site.Layer && s.Hook == hook })
	}
	for _, hook := range []string{site.Hook, "hook_mid", "hook_post", "hook_pre", "hook_pre_linear"} {
		if holds(hook) {
			site.Hook = hook
			return site
		}
	}
	site.Hook = cmp.Or(site.Hook, "hook_post") // an empty one would be that of the layer's first site, whatever that is
	return site
}

// listSource has the examples of a file of JSON Lines.
func (a *app) listSource(path string) (*exampleSource, error) {
	data, err := a.read(path)
	if err != nil {
		return nil, err
	}
	list, err := parseExamples(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	byNeuron := map[n2g.Site]*n2g.Examples{}
	for i := range list {
		n := list[i].Site.WithoutHook()
		if byNeuron[n] != nil {
			return nil, fmt.Errorf("%s has examples of layer %d neuron %d twice", path, n.Layer, n.Index)
		}
		if there := list[0].Site.Hook; list[i].Site.Hook != there {
			return nil, fmt.Errorf("%s has examples at %q and at %q: a run reads one hook", path, there, list[i].Site.Hook)
		}
		byNeuron[n] = &list[i]
	}
	return &exampleSource{
		examples: func(site n2g.Site) (*n2g.Examples, error) {
			if examples := byNeuron[site.WithoutHook()]; examples != nil {
				return examples, nil
			}
			return nil, fmt.Errorf("%s has no examples of it", path)
		},
		has:      func(site n2g.Site) bool { return byNeuron[site.WithoutHook()] != nil },
		hook:     list[0].Site.Hook,
		identity: fingerprint(data),
	}, nil
}
