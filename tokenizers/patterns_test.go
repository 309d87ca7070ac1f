package tokenizers

import (
	"slices"
	"strings"
	"testing"
)

// TestPatterns checks which regular expressions are refused, and that those taken mean what Oniguruma's do.
func TestPatterns(t *testing.T) {
	for _, expr := range []string{
		`a(?=bc)`, `a(?!b|cd)`, `(?<=ab)c`, `(?>a)`, `(?m:a)`, `(?<n>a)`, `(?:ab)++`, `a{2}?`, `a{2}+`, `a{3,2}`, `a{1,9999}`,
		`(a{900}){900}`,
		`\1`, `\K`, `\R`, `\X`, `\G`, `\k<n>`, `(`, `)`, `a)`, `[`, `[a`, `[b-a]`, `[a-[b]]`, `[[:alpha:]]`, `*`, `+a`, `\`,
		`\p`, `\pL`, `\p{Nope}`,
		`\x{110000}`, `\xFF`, `\u00`, `(?i:ss)`, `(?i:\p{L})`, `a*`, `(?!a)`, `a|`, `(?=a)*`, "\xff",
		strings.Repeat("(", 100) + strings.Repeat(")", 100),
	} {
		if _, err := newPattern(patternConfig{Regex: &expr}); err == nil {
			t.Errorf("%s was taken", expr)
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
	for _, unit := range []string{"abcdefghijklmnopqrstuvwxyz", " ", "\t \n", "字", "\u0323\u0307", "\u0307\u0323", "'",
		"<|", "12"} {
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

// TestLinear has expressions that a search which forgets would need quadratic time for, on long texts that tempt it.
func TestLinear(t *testing.T) {
	for _, expr := range []string{`a*b|a`, `(?:a|a)+b|a`, `a+b`, `[^b]*b|.`, `\s*[\r\n]+|\s`, `(?:a|aa|aaa)*c|a`,
		`a{1,20}b|a`} {
		p, err := compileRegex(expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		for _, unit := range []string{"a", " ", "字"} {
			text, last := strings.Repeat(unit, 1<<16/len(unit)), 0
			p.find(text, func(i, j int) {
				if i < last || j <= i || j > len(text) {
					t.Fatalf("%s on %q…: a match at %d to %d behind %d", expr, unit, i, j, last)
				}
				last = j
			})
		}
	}
}

// TestLettersAndMarks has a tokenizer whose pattern keeps marks with their letters.
func TestLettersAndMarks(t *testing.T) {
	tok, err := Open("testdata/letters-and-marks.tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	got := tok.Encode("HTTPServer says: e\u0301te\u0301  2024!\n").IDs
	want := []int{40, 52, 52, 48, 51, 260, 341, 259, 305, 83, 26, 221, 69, 137, 224, 84, 69, 137, 224, 221, 221, 18, 16,
		18, 20, 1, 199}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzRegex(f *testing.F) {
	for _, expr := range []string{`a|b*c`, `[^\r\n\p{L}\p{N}]?[\p{Lu}&&[^\p{Han}]]+(?i:'s|'t)?`, `\s+(?!\S)|\b\w{2,3}?`,
		`(?<=\d)x++|[a-c[x-z]]`, `\x{41}\u0042$`} {
		f.Add(expr, "HTTPServer's  été 12\n字a")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		a, err := compileRegex(expr)
		if err != nil {
			return
		}
		last := 0
		a.find(ValidText(text), func(i, j int) {
			if i < last || j <= i {
				t.Fatalf("%q on %q: a match at %d to %d behind %d", expr, text, i, j, last)
			}
			last = j
		})
	})
}

func FuzzPrecompiled(f *testing.F) {
	f.Add([]byte("\x08\x00\x00\x00\x00\x04\x00\x00aaaaxyz\x00"), "aé\u0301")
	f.Fuzz(func(t *testing.T, data []byte, s string) {
		p, err := newPrecompiled(data)
		if err != nil {
			return
		}
		s = ValidText(s)
		out := p.normalize(text{s: s})
		if len(out.s) > len(s)*p.growth() && len(out.s) > len(s) {
			t.Fatalf("%d bytes became %d", len(s), len(out.s))
		}
		if out.align != nil && len(out.align) != len(out.s) {
			t.Fatalf("%d bytes, %d places", len(out.s), len(out.align))
		}
	})
}
