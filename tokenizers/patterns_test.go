package tokenizers

import (
	"strings"
	"testing"
)

// TestPatterns checks which regular expressions are refused because Go's would mean something else, and that those
// taken mean what Oniguruma's do.
func TestPatterns(t *testing.T) {
	for _, expr := range []string{
		`a(?=b)`, `a(?!b)`, `(?<=a)b`, `(?>a)`, `(?m:a)`, `\bword`, `[^\S]`, `[\W_]`, `a{,3}`, `\p{L}++`, `[a[bc]]`, `[a&&b]`, `\h`, `\1`, `(`,
	} {
		if p, err := newPattern(patternConfig{Regex: &expr}); err == nil {
			t.Errorf("%s was taken: %v", expr, p)
		}
	}
	for _, c := range []struct{ expr, text, want string }{
		{`\s`, "a\u00a0b\u2003\v", "a|[\u00a0]|b|[\u2003]|[\v]"},
		{`\w+`, "né, ß_9 ①字", "[né]|, |[ß_9]| ①|[字]"},
		{`[^\s\d]+`, "ab ٣c", "[ab]| ٣|[c]"},
		{`\S+$`, "a b\nc", "a |[b]|\n|[c]"},
		{`(?i:'s)|[]x]`, "'S]xſ", "['S]|[]]|[x]|ſ"},
	} {
		p, err := newPattern(patternConfig{Regex: &c.expr})
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		var got []string
		for _, m := range p.matches(c.text) {
			part := c.text[m.start:m.end]
			if m.is {
				part = "[" + part + "]"
			}
			got = append(got, part)
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s on %q: %q, want %q", c.expr, c.text, s, c.want)
		}
	}
}

// TestLongLine has lines without a border; were any stage quadratic, it would not end.
func TestLongLine(t *testing.T) {
	variants, files := readVariants(t, "llama3", "llama2", "added")
	toks := map[string]Tokenizer{"solu": open(t, "solu"), "distilbert": open(t, "distilbert")}
	for i, v := range variants {
		tok, err := Parse(files[i], nil)
		if err != nil {
			t.Fatal(err)
		}
		toks[v.Name] = tok
	}
	for _, unit := range []string{"abcdefghijklmnopqrstuvwxyz", " ", "\t \n", "字", "\u0323\u0307", "\u0307\u0323", "'", "<|", "12"} {
		for name, tok := range toks {
			size := 1 << 16
			if name == "solu" && unit[0] == 'a' {
				size = 1 << 20
			}
			line := strings.Repeat(unit, size/len(unit))
			enc := tok.Encode(line)
			if n := len(enc.Offsets); n > 0 && enc.Offsets[n-1][1] > len(line) {
				t.Errorf("%s, line of %q: last offset %v in %d bytes", name, unit, enc.Offsets[n-1], len(line))
			}
			if name == "llama3" && tok.Decode(enc.IDs, false) != line {
				t.Errorf("%s, line of %q: does not come back", name, unit)
			}
		}
	}
}
