package label_test

import (
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g/internal/label"
)

func TestTokens(t *testing.T) {
	for _, c := range []struct {
		tokens []string
		most   int
		want   string
	}{
		{nil, 3, ""},
		{[]string{" if", "\n\t"}, 3, "` if`/`\\n\\t`"},
		{[]string{"a", "b", "c"}, 2, "`a`/`b` and 1 more"},
		{[]string{strings.Repeat("é", 24), strings.Repeat("é", 25)}, 2,
			"`" + strings.Repeat("é", 24) + "`/`" + strings.Repeat("é", 23) + "…`"},
		{[]string{"```", "`x\""}, 2, "`\\x60\\x60\\x60`/`\\x60x\\\"`"},
	} {
		if got := label.Tokens(c.tokens, c.most); got != c.want {
			t.Errorf("%q: %s, want %s", c.tokens, got, c.want)
		}
	}
}

func TestHTML(t *testing.T) {
	parts := func(yield func(string, bool) bool) {
		_ = yield("a & ", false) && yield("</script>\n", true) && yield(" 3 back", false)
	}
	const want = "a &amp; <code>&lt;/script&gt;↵</code> 3 back"
	if got := label.HTML(parts); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
