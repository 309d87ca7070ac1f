package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// hookUsage is that of -hook.
const hookUsage = "`NAME` where to read: hook_pre, hook_mid or hook_post of the MLP, or another hook point, such as " +
	"hook_resid_post (default: hook_mid of SoLU models, else hook_post)"

// besides are flags of what stands beside a model.
type besides struct{ sae, direction *string }

// saeFlag adds -sae, which every model that the command opens gets.
func (a *app) saeFlag(c *command) besides {
	b := besides{sae: c.path(reads, "sae", "",
		"`FOLDER` a sparse auto-encoder or transcoder of SAELens, sparsify or Gemma Scope, whose features are read at its "+
			"hook point: -site 'blocks.7.hook_resid_post[sae:17]'; tiny is the one in the program, of "+
			"blocks.1.hook_resid_post of tiny")}
	a.besides = append(a.besides, b)
	return b
}

// besideFlags adds -sae and -direction.
func (a *app) besideFlags(c *command) {
	b := a.saeFlag(c)
	b.direction = c.path(reads, "direction", "",
		"`FILE` vectors that a hook point is multiplied by, JSON or safetensors, or the numbers themselves, '[0.5, -1, …]': "+
			"-site 'blocks.7.hook_resid_post[dir:0]', or heads' results along them, 'blocks.7.attn.hook_result[dir:2]'")
	a.besides[len(a.besides)-1] = b
}

// siteFlag adds -site, which says in one word what -layer, -neuron and -hook say.
func siteFlag(c *command) *string {
	return c.flags.String("site", "", "`SITE` what to read, instead of -layer, -neuron and -hook: "+
		"blocks.3.mlp.hook_mid[17], [-17] for the negative side, blocks.3.hook_resid_post[5], "+
		"blocks.3.hook_resid_post[sae:17], [dir:0], blocks.3.attn[h2].prev")
}

// isNeuronHook says whether a hook point's numbers are neurons of an MLP, on their positive side.
func isNeuronHook(hook string) bool {
	return n2g.Site{Hook: hook}.IsNeuron()
}

// numberName is what stands in columns of neurons: a neuron's number, or the site of anything else, since an index may
// hold both.
func numberName(layer int, hook string, index int) string {
	if isNeuronHook(hook) {
		return strconv.Itoa(index)
	}
	return n2g.Site{Layer: layer, Hook: hook, Index: index}.String()
}

// siteName is how a site is called in headings: a neuron by layer and number, anything else as it is written.
func siteName(text string) string {
	s, err := n2g.ParseSite(text)
	if err != nil {
		return text
	}
	return s.Name()
}

// applyAll sets the lists of layers and numbers, empty for all of a hook point, and the hook to those of a site.
func applyAll(flags *flag.FlagSet, site string, layers, numbers, hook *string) error {
	if site == "" {
		return nil
	}
	for _, other := range []string{"layers", "neurons", "hook"} {
		if given(flags, other) {
			return fmt.Errorf("-site says what -%s says: give one of them", other)
		}
	}
	s, err := n2g.ParseSite(site)
	if err != nil {
		return fmt.Errorf("-site: %w", err)
	}
	*layers, *hook = strconv.Itoa(s.Layer), s.Hook
	if s.Index != n2g.All {
		*numbers = strconv.Itoa(s.Index)
	}
	return nil
}

// applySite sets layer, neuron and hook to those of a site. neuron may be all where it is text.
func applySite(flags *flag.FlagSet, site string, layer *int, neuron any, hook *string) error {
	if site == "" {
		return nil
	}
	for _, other := range []string{"layer", "neuron", "hook"} {
		if given(flags, other) {
			return fmt.Errorf("-site says what -%s says: give one of them", other)
		}
	}
	s, err := n2g.ParseSite(site)
	if err != nil {
		return fmt.Errorf("-site: %w", err)
	}
	*layer, *hook = s.Layer, s.Hook
	switch neuron := neuron.(type) {
	case *int:
		if s.Index == n2g.All {
			return errors.New("-site names all numbers of a hook point, and one is asked here: give its number")
		}
		*neuron = s.Index
	case *string:
		if *neuron = strconv.Itoa(s.Index); s.Index == n2g.All {
			*neuron = "all"
		}
	}
	return nil
}
