package n2g

import (
	"slices"
	"testing"
	"unicode"
	"unicode/utf8"
)

// What Python's istitle, lower, isalpha and strip make of them.
func TestNormalizeToken(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "",
		"A":                "A",
		" A":               "a",
		"The":              "the",
		" The\n":           "the",
		"THE":              "THE",
		" THE":             "THE",
		"The Cat":          "the cat",
		"The cat":          "The cat",
		"Don't":            "Don't",
		"Don'T":            "don't",
		" \t":              " \t",
		" 1 ":              " 1 ",
		" 1a ":             "1a",
		"İ":                "İ",
		"İs":               "i\u0307s",
		" Οδος":            "οδος",
		"Οδοσ":             "οδοσ",
		"ΑΣ":               "ΑΣ",
		"Α.Σ":              "α.ς", // a Σ that ends a word, the full stop between being ignored
		"Α.Σ.":             "α.ς.",
		"Α.Σ.α":            "Α.Σ.α",
		"Σ.":               "σ.",
		"ǅungla":           "ǆungla",
		"\u2160x":          "\u2170x",
		"\x1c x\x1f":       "x",
		"\u3000x\u00a0":    "x",
		"\u200bx":          "\u200bx",
		"\xff":             "\xff",
		" \xffx ":          "\xffx",
		"Привет":           "привет",
		" Привет":          "привет",
		"**IGNORE**":       "**IGNORE**",
		"<|endoftext|>":    "<|endoftext|>",
		"\u1e9e":           "\u1e9e",
		"\u1e9ea":          "ßa",
		"\U00010400\u0020": "\U00010428",
	} {
		if got := NormalizeToken(in); got != want {
			t.Errorf("NormalizeToken(%q) = %q, want %q", in, got, want)
		}
	}
}

// Lower-casing agrees with Unicode's simple mapping everywhere but at the one character with a longer mapping.
func TestLowerCase(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) || r == 'İ' {
			continue
		}
		if got, want := string(appendLower(nil, string(r))), string(unicode.ToLower(r)); got != want {
			t.Errorf("%U becomes %q, want %q", r, got, want)
		}
	}
}

func FuzzNormalizeToken(f *testing.F) {
	for _, s := range []string{"The", " İ", "Σ", "\xff A", "ΑΣ ", "\x1c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := NormalizeToken(s)
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("NormalizeToken(%q) = %q", s, got)
		}
		if again := NormalizeToken(got); again != got {
			t.Errorf("NormalizeToken(%q) = %q, of which it makes %q", s, got, again)
		}
		prefix := []byte("x ")
		if appended := appendNormalized(slices.Clone(prefix), s); string(appended) != "x "+got {
			t.Errorf("appended to a prefix: %q, alone %q", appended, got)
		}
	})
}
