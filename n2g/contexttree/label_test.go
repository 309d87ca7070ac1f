package contexttree_test

import (
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
)

func TestLabelParts(t *testing.T) {
	for _, c := range []struct{ label, want string }{
		{"", "<>"},
		{"repeated within 8", "<repeated within 8>"},
		{"` {`, `switch` within 8", "<>[ {]<, >[switch]< within 8>"},
		{"`\\n\\t` after `\\\"`", "<>[\n\t]< after >[\"]<>"},
		{"`</script>`; or `a`", "<>[</script>]<; or >[a]<>"},
		{"`\\x60\\x60`/`a`", "<>[``]</>[a]<>"},
		{"` `` after `x`", "<` `` after `x`>"}, // as older stores have a token with a backtick
	} {
		got := ""
		for part, token := range contexttree.LabelParts(c.label) {
			if token {
				got += "[" + part + "]"
			} else {
				got += "<" + part + ">"
			}
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.label, got, c.want)
		}
	}
}
