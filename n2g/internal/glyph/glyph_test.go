package glyph_test

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

func TestVisible(t *testing.T) {
	for _, test := range []struct{ token, want string }{
		{"", ""},
		{"word", "word"},
		{" thought", "·thought"},
		{"\n\n\t", "↵↵→"},
		{"\r\x00\x1b\x7f", "␍␀␛␡"},
		{`"\</b>`, `"\</b>`},
		{"\u00a0\u3000", `\u{a0}\u{3000}`},
		{"\u202eabc", `\u{202e}abc`},
		{"\ufffd", "\ufffd"},
		{"\xff\xc3", `\xff\xc3`},
		{"漢字שלום", "漢字שלום"},
		{"👨‍👩‍👧", "👨‍👩‍👧"},
		{"\u200d", `\u{200d}`},
		{"\u0301", "◌\u0301"},
		{"e\u0301", "e\u0301"},
		{" \u0301", "·◌\u0301"},
		{"\ufeff\uffff\u0085\u2028", `\u{feff}\u{ffff}\u{85}\u{2028}`},
	} {
		if got := glyph.Visible(test.token); got != test.want {
			t.Errorf("Visible(%q) = %q, want %q", test.token, got, test.want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	for _, seed := range []string{" a", "\x00\xff", "👨‍👩‍👧", "\u202e<b>", "]]>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		got := glyph.Visible(token)
		if !utf8.ValidString(got) {
			t.Fatalf("Visible(%q) = %q is not UTF-8", token, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
			t.Fatalf("Visible(%q) = %q holds a character without a picture", token, got)
		}
		if (token == "") != (got == "") {
			t.Fatalf("Visible(%q) = %q", token, got)
		}
		var escaped strings.Builder
		if err := xml.EscapeText(&escaped, []byte(got)); err != nil {
			t.Fatal(err)
		}
		var back string
		if err := xml.Unmarshal([]byte("<t>"+escaped.String()+"</t>"), &back); err != nil || back != got {
			t.Fatalf("Visible(%q) = %q is not valid XML text: %v", token, got, err)
		}
	})
}
