package learn

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// byteString is how a byte-level vocabulary spells text.
func byteString(text string) string {
	out := make([]byte, 0, len(text)+len(text)/2)
	for i := range len(text) {
		out = utf8.AppendRune(out, byteRunes[text[i]])
	}
	return string(out)
}

// sources are a few files of the Go tree: what the vocabularies are for.
func sources(t testing.TB) []string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("go env GOROOT: %v", err)
	}
	names, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src", "strings", "*.go"))
	if err != nil || len(names) == 0 {
		t.Skip("no Go source tree on this machine")
	}
	var texts []string
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	return texts
}

func TestSplitGPT2(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"a b", []string{"a", " b"}},
		{"a  b", []string{"a", " ", " b"}},
		{"a\n\tb", []string{"a", "\n", "\t", "b"}},
		{"a \n", []string{"a", " \n"}},
		{"x := 12, y", []string{"x", " :=", " 12", ",", " y"}},
		{"don't 'd'", []string{"don", "'t", " '", "d", "'"}},
		{"we'll've", []string{"we", "'ll", "'ve"}},
		{"日本 1½", []string{"日本", " 1½"}},
		{" ", []string{" "}},
		{"a\u3000\u3000b", []string{"a", "\u3000", "\u3000", "b"}},
		{"\xff\xfea", []string{"\ufffd\ufffd", "a"}},
	} {
		var got []string
		splitGPT2(test.text, func(word []byte) { got = append(got, string(word)) })
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestSplitBERT(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"Don't Stop", []string{"don", "'", "t", "stop"}},
		{"if err != nil {\n", []string{"if", "err", "!", "=", "nil", "{"}},
		{"Café\u200b x\x00y", []string{"cafe", "xy"}},
		{"a日本b", []string{"a", "日", "本", "b"}},
		{"_x^y", []string{"_", "x", "^", "y"}},
	} {
		var got []string
		splitBERT(test.text, func(word []byte) { got = append(got, string(word)) })
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
	}
}

// naiveMerges learns merges as the paper's listing does: count everything anew at every step.
func naiveMerges(words map[string]int, n int) [][2]string {
	type word struct {
		symbols []string
		count   int
	}
	order := map[string]int{}
	for i, r := range slices.Sorted(slices.Values(byteRunes[:])) {
		order[string(r)] = i
	}
	var list []word
	for text, count := range words {
		list = append(list, word{strings.Split(byteString(text), ""), count})
	}
	var merges [][2]string
	for range n {
		counts := map[[2]string]int{}
		for _, w := range list {
			for i := range len(w.symbols) - 1 {
				counts[[2]string{w.symbols[i], w.symbols[i+1]}] += w.count
			}
		}
		var best [2]string
		for p, count := range counts {
			if before := counts[best]; count > before || count == before &&
				(order[p[0]] < order[best[0]] || order[p[0]] == order[best[0]] && order[p[1]] < order[best[1]]) {
				best = p
			}
		}
		if counts[best] < 2 {
			break
		}
		joined := best[0] + best[1]
		if _, ok := order[joined]; !ok {
			order[joined] = len(order)
		}
		merges = append(merges, best)
		for i := range list {
			list[i].symbols = apply(list[i].symbols, best)
		}
	}
	return merges
}

// apply merges a pair from left to right.
func apply(symbols []string, pair [2]string) []string {
	var out []string
	for i := 0; i < len(symbols); i++ {
		if i+1 < len(symbols) && symbols[i] == pair[0] && symbols[i+1] == pair[1] {
			out = append(out, pair[0]+pair[1])
			i++
			continue
		}
		out = append(out, symbols[i])
	}
	return out
}

func TestByteLevelLearnsWhatTheNaiveAlgorithmLearns(t *testing.T) {
	words := NewByteLevelWords()
	words.Add(sources(t)[0])
	v, err := ByteLevel(context.Background(), words, Options{Size: 2 + 256 + 150})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(naiveMerges(words.counts, len(v.Merges)), v.Merges); diff != "" {
		t.Errorf("merges (-naive +learned):\n%s", diff)
	}
}

func TestByteLevelEncodesByItsMerges(t *testing.T) {
	texts := sources(t)
	words := NewByteLevelWords()
	for _, text := range texts[1:] {
		words.Add(text)
	}
	v, err := ByteLevel(context.Background(), words, Options{Size: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Tokens) != 1000 {
		t.Fatalf("%d entries, want 1000", len(v.Tokens))
	}
	tok := parse(t, v)
	ids := map[string]int{}
	for id, token := range v.Tokens {
		if before, ok := ids[token]; ok {
			t.Errorf("%q has the ids %d and %d", token, before, id)
		}
		ids[token] = id
	}
	unseen := texts[0] + "\nhéllo 日本 \x00\xff  "
	if got := tok.Decode(tok.Encode(unseen).IDs, false); got != tokenizers.ValidText(unseen) {
		t.Error("decoding an encoded text does not give it back")
	}
	var want []int
	splitGPT2(unseen, func(word []byte) {
		symbols := strings.Split(byteString(string(word)), "")
		for _, merge := range v.Merges {
			symbols = apply(symbols, merge)
		}
		for _, s := range symbols {
			want = append(want, ids[s])
		}
	})
	if diff := cmp.Diff(want, tok.Encode(unseen).IDs); diff != "" {
		t.Errorf("ids (-merges one by one +tokenizer):\n%s", diff)
	}
	if s := tok.Special(); s.BOS != 0 || s.Pad != 1 {
		t.Errorf("BOS %d and padding %d, want 0 and 1", s.BOS, s.Pad)
	}
}

func TestWordPieceCoversItsCorpus(t *testing.T) {
	words := NewBERTWords()
	texts := sources(t)
	for _, text := range texts {
		words.Add(text)
	}
	v, err := WordPiece(context.Background(), words, Options{Size: 1000})
	if err != nil {
		t.Fatal(err)
	}
	tok := parse(t, v)
	want := tokenizers.Special{BOS: -1, EOS: -1, Pad: 0, Mask: 4, Unknown: 1, CLS: 2, Sep: 3}
	if got := tok.Special(); got.Mask != want.Mask || got.CLS != want.CLS || got.Sep != want.Sep || got.Pad != want.Pad ||
		got.Unknown != want.Unknown {
		t.Errorf("special tokens %+v, want %+v", got, want)
	}
	known := map[string]bool{}
	for _, token := range v.Tokens {
		if known[token] {
			t.Errorf("%q stands in the vocabulary twice", token)
		}
		known[token] = true
	}
	var pieces, unknown int
	for _, text := range texts {
		for _, id := range tok.Encode(text).IDs {
			pieces++
			if id == 1 {
				unknown++
			}
		}
	}
	if pieces == 0 || unknown*200 > pieces {
		t.Errorf("%d of %d pieces are [UNK], want less than one in 200", unknown, pieces)
	}
	if id, ok := tok.ID("string"); !ok || tok.TokenString(id) != "string" {
		t.Errorf("a vocabulary of package strings lacks the word string")
	}
}

func TestLearningIsReproducible(t *testing.T) {
	text := sources(t)[0]
	file := func() []byte {
		words := NewBERTWords()
		words.Add(text)
		v, err := WordPiece(context.Background(), words, Options{Size: 600})
		if err != nil {
			t.Fatal(err)
		}
		file, err := v.TokenizerJSON()
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	if first, second := file(), file(); !slices.Equal(first, second) {
		t.Error("the same words give two different files")
	}
}

func TestBadInput(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	words := NewByteLevelWords()
	words.Add("a a a b")
	for name, test := range map[string]func() error{
		"vocabulary smaller than its alphabet": func() error {
			_, err := ByteLevel(context.Background(), words, Options{Size: 100})
			return err
		},
		"word pieces without room": func() error {
			_, err := WordPiece(context.Background(), words, Options{Size: 6})
			return err
		},
		"cancelled": func() error {
			_, err := ByteLevel(cancelled, words, Options{})
			return err
		},
	} {
		if err := test(); err == nil || !strings.HasPrefix(err.Error(), "learn: ") {
			t.Errorf("%s: error %v, want one that begins with the package's name", name, err)
		}
	}
}

func TestLearningEndsWherePairsAreRare(t *testing.T) {
	words := NewByteLevelWords()
	words.Add("ab ab cd")
	v, err := ByteLevel(context.Background(), words, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Tokens[258:]; len(got) != 1 && len(got) != 2 {
		t.Errorf("merged entries %q, want those that occur twice", got)
	}
}

func parse(t testing.TB, v *Vocabulary) tokenizers.Tokenizer {
	t.Helper()
	file, err := v.TokenizerJSON()
	if err != nil {
		t.Fatal(err)
	}
	config, err := v.ConfigJSON(256)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizers.Parse(file, config)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func BenchmarkByteLevel(b *testing.B) {
	words := NewByteLevelWords()
	for _, text := range sources(b) {
		words.Add(text)
	}
	for b.Loop() {
		if _, err := ByteLevel(context.Background(), words, Options{Size: 1000}); err != nil {
			b.Fatal(err)
		}
	}
}
