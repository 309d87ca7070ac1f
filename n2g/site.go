package n2g

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// All as the Index of a parsed [Site] stands for every one of its hook point.
const All = -1

// String is the site in the one form in which it is written everywhere, and which [ParseSite] reads:
//
//	blocks.3.mlp.hook_mid[17]           neuron 17 of layer 3
//	blocks.3.mlp.hook_mid[-17]          where it is lowest: its activations times -1
//	blocks.3.hook_resid_post[5]         coordinate 5 of the residual stream
//	blocks.3.hook_resid_post[sae:17]    feature 17 of a sparse auto-encoder that reads that
//	blocks.3.hook_resid_post[dir:0]     along the first of the directions that are given
//	blocks.3.attn.hook_result[dir:2]    what head 2 adds to the residual stream along it
//	blocks.3.attn[h2].prev              what head 2 pays of its attention to the token before
//	blocks.3.mlp.hook_mid[all]          all of them
//
// A site without a hook is written with mlp alone.
func (s Site) String() string {
	hook, negative := strings.CutPrefix(s.Hook, "-")
	index := strconv.Itoa(s.Index)
	switch {
	case s.Index == All:
		index = "all"
	case negative:
		index = "-" + index
	}
	for _, kind := range []string{"sae", "dir"} {
		if of, ok := strings.CutSuffix(hook, "["+kind+"]"); ok {
			hook, index = of, kind+":"+index
		}
	}
	if kind, ok := strings.CutPrefix(hook, "attn."); ok && !strings.HasPrefix(kind, "hook_") {
		return fmt.Sprintf("blocks.%d.attn[h%s].%s", s.Layer, index, kind)
	}
	switch {
	case hook == "":
		hook = "mlp"
	case isNeuron(hook):
		hook = "mlp." + hook
	}
	return fmt.Sprintf("blocks.%d.%s[%s]", s.Layer, hook, index)
}

// IsNeuron reports whether the site is a neuron of an MLP, on its positive side.
func (s Site) IsNeuron() bool { return s.Hook == "" || isNeuron(strings.TrimPrefix(s.Hook, "mlp.")) }

// Name is how a heading calls the site: layer 3 neuron 17, or what [Site.String] writes where it is no neuron.
func (s Site) Name() string {
	if s.IsNeuron() {
		return fmt.Sprintf("layer %d neuron %d", s.Layer, s.Index)
	}
	return s.String()
}

// Title is Name as a page is headed: Layer 3, neuron 17.
func (s Site) Title() string {
	if s.IsNeuron() {
		return fmt.Sprintf("Layer %d, neuron %d", s.Layer, s.Index)
	}
	return s.String()
}

// PublishedName is layer_index, by which the published program names a neuron.
func (s Site) PublishedName() string { return fmt.Sprintf("%d_%d", s.Layer, s.Index) }

// WithoutHook is the site with an empty hook: what tells neurons of one hook point apart.
func (s Site) WithoutHook() Site { return Site{Layer: s.Layer, Index: s.Index} }

// Compare orders sites by layer, then index, then hook.
func (s Site) Compare(t Site) int {
	return cmp.Or(cmp.Compare(s.Layer, t.Layer), cmp.Compare(s.Index, t.Index), cmp.Compare(s.Hook, t.Hook))
}

// isNeuron says whether a hook point is the MLP's, whose names are short for those with mlp. in front.
func isNeuron(hook string) bool {
	return hook == "hook_pre" || hook == "hook_pre_linear" || hook == "hook_mid" || hook == "hook_post"
}

var (
	sitePattern = regexp.MustCompile(
		`^blocks\.(\d{1,9})\.([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)\[(?:(sae|dir):)?(-?\d{1,9}|all)\]$`)
	headPattern = regexp.MustCompile(`^blocks\.(\d{1,9})\.attn\[h(-?\d{1,9}|all)\]\.([a-z][a-z0-9_]*)$`)
)

// ParseSite reads what [Site.String] writes. The Hook of the result is a hook point without its layer, and without mlp.
// where that is the MLP's; it begins with "-" where the site is the negative side, and ends in [sae] where it is a
// feature, in [dir] where it is along a direction. [all] gives the Index [All].
func ParseSite(text string) (Site, error) {
	var layer, hook, index string
	if parts := sitePattern.FindStringSubmatch(text); parts != nil {
		layer, hook, index = parts[1], parts[2], parts[4]
		switch short := strings.TrimPrefix(hook, "mlp."); {
		case hook == "mlp":
			hook = ""
		case isNeuron(short):
			hook = short
		}
		if parts[3] != "" {
			hook += "[" + parts[3] + "]"
		}
	} else if parts := headPattern.FindStringSubmatch(text); parts != nil {
		layer, hook, index = parts[1], "attn."+parts[3], parts[2]
	} else {
		return Site{},
			fmt.Errorf("%q is no site: write it as blocks.3.mlp.hook_mid[17], blocks.3.hook_resid_post[5], "+
				"blocks.3.hook_resid_post[sae:17], [dir:0] or blocks.3.attn[h2].prev", text)
	}
	var s Site
	var err error
	if s.Layer, err = strconv.Atoi(layer); err != nil {
		return Site{}, fmt.Errorf("%q is no site: %w", text, err)
	}
	s.Hook = hook
	if index == "all" {
		s.Index = All
		return s, nil
	}
	digits, negative := strings.CutPrefix(index, "-")
	if s.Index, err = strconv.Atoi(digits); err != nil {
		return Site{}, fmt.Errorf("%q is no site: %w", text, err)
	}
	if negative {
		s.Hook = "-" + s.Hook
	}
	return s, nil
}
