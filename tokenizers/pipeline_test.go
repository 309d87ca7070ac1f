package tokenizers

import (
	"reflect"
	"strings"
	"testing"
)

// TestPieces: a text read some lines at a time gives what it gives as a whole, whatever stands at the lines' ends.
func TestPieces(t *testing.T) {
	tok, err := Open(goldenDir + "/wordpiece.tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	p := tok.(*pipeline)
	if !p.byLine {
		t.Fatal("the text is read as a whole")
	}
	whole := *p
	whole.byLine = false
	var all strings.Builder
	for i, c := range readGolden(t, "wordpiece") {
		all.WriteString(c.Text)
		all.WriteString([]string{"\n", "\r\n", "\n\u0301", "\u0344\n\u302e", "\u2028", " "}[i%6])
	}
	text := all.String()
	got, want := p.EncodeSpecial(text), whole.EncodeSpecial(text)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("in pieces %d tokens, as a whole %d", len(got.IDs), len(want.IDs))
	}
	if n := pieceEnd(text); n == len(text) {
		t.Error("the text is one piece")
	}
}

// TestASCII: the short way for plain text does what the long one does.
func TestASCII(t *testing.T) {
	var every strings.Builder
	for c := range byte(0x80) {
		if !isControl(rune(c)) {
			every.WriteByte(c)
		}
	}
	for _, b := range []bertNormalizer{{true, true, true, true}, {true, true, false, false}, {false, true, true, true},
		{}} {
		got, ok := b.ascii(text{s: every.String(), base: 3})
		want := text{s: every.String(), base: 3}
		if b.clean {
			want = cleanText(want)
		}
		if b.lower {
			want = lowercase(want)
		}
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: %+v %v, want %+v", b, got, ok, want)
		}
	}
	for _, s := range []string{"a\x00", "a\x7f", "é", "a\v"} {
		if _, ok := (bertNormalizer{clean: true}).ascii(text{s: s}); ok {
			t.Errorf("%q is taken for plain", s)
		}
	}
}
