package n2g

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestWordsGolden(t *testing.T) {
	units := readGoldenGraph[struct {
		Words     [][2]any `json:"word_tokenizer"`
		Sentences [][3]any `json:"sentence_tokenizer"`
	}](t, "units/units.json.gz")
	for _, c := range units.Words {
		want := []string{}
		for _, piece := range c[1].([]any) {
			want = append(want, piece.(string))
		}
		if got := splitWords(c[0].(string)); !slices.Equal(got, want) {
			t.Errorf("splitWords(%q) = %q, want %q", c[0], got, want)
		}
	}
	for _, c := range units.Sentences {
		end := 0
		for _, sentence := range c[1].([]any) {
			for k, token := range sentence.([]any) {
				if last := k == len(sentence.([]any))-1; endsSentence(token.(string)) != last && end+1 < len(c[0].([]any)) {
					t.Errorf("endsSentence(%q) = %v in %q", token, !last, c[0])
				}
				end++
			}
		}
	}
}

func TestNormalizeWord(t *testing.T) {
	for in, want := range map[string]string{
		" Cross": "cross", "'don't'": "don't", "...": "", " \t": "", "naïve_": "naïve", "“x”": "“x”", "##Ing": "ing",
	} {
		if got := normalizeWord(in); got != want {
			t.Errorf("normalizeWord(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTitleWord(t *testing.T) {
	for in, want := range map[string]string{"paris": "Paris", "PARIS": "Paris", "o'neil": "O'Neil", "éa": "Éa", "ǆ": "ǅ",
		"": ""} {
		if got := titleWord(in); got != want {
			t.Errorf("titleWord(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzSplitWords(f *testing.F) {
	f.Add("func main() { return 'x' }")
	f.Add("a\xff'é́日\x00")
	f.Fuzz(func(t *testing.T, text string) {
		pieces := splitWords(text)
		if strings.Join(pieces, "") != text {
			t.Fatalf("the pieces %q of %q are not the text", pieces, text)
		}
		word := false
		for _, piece := range pieces {
			letters := strings.IndexFunc(piece, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' }) < 0
			if letters && word {
				t.Errorf("two words in a row in %q", pieces)
			}
			if n := len([]rune(piece)); !letters && n != 1 {
				t.Errorf("piece %q of %d characters", piece, n)
			}
			word = letters
		}
	})
}

func TestCasings(t *testing.T) {
	c := CountCasings(slices.Values([]string{"The nasa of NASA, NASA", "the The x"}))
	want := Casings{
		"the": {{"The", 2}, {"the", 1}}, "nasa": {{"NASA", 2}, {"nasa", 1}}, "of": {{"of", 1}}, "x": {{"x", 1}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("counted %v, want %v", c, want)
	}
	for word, want := range map[string]string{"nasa": "NASA", "Nasa": "NASA", "unknown": "unknown"} {
		if got := c.spell(word); got != want {
			t.Errorf("spell(%q) = %q, want %q", word, got, want)
		}
	}
	// The first of equal counts stands.
	if got := (Casings{"a": {{"A", 1}, {"a", 2}, {"À", 2}}}).spell("a"); got != "a" {
		t.Errorf("spell gives %q", got)
	}
}

func TestLoadCasingsRefuses(t *testing.T) {
	for _, text := range []string{``, `[]`, `{"a":["A",1]}`, `{"a":[["A"]]}`, `{"a":[["A",-1]]}`, `{"a":[["",1]]}`,
		`{"a":[]}`, `{"a":[["A",1.5]]}`} {
		if _, err := LoadCasings(strings.NewReader(text)); err == nil {
			t.Errorf("LoadCasings(%s) gave no error", text)
		}
	}
}

func FuzzLoadCasings(f *testing.F) {
	f.Add(`{"package":[["package",1841],["Package",182]]}`)
	f.Add(`{"a":[["A",1,2]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := LoadCasings(strings.NewReader(text))
		if err != nil {
			return
		}
		for word, list := range c {
			if len(list) == 0 || c.spell(word) == "" {
				t.Errorf("the word %q has no spelling", word)
			}
		}
	})
}

func TestOptionsDefaults(t *testing.T) {
	o := Options{}.Resolved()
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		text, ok := field.Tag.Lookup("default")
		if ok && v.Field(i).IsNil() {
			t.Errorf("%s has the default %q but is nil", field.Name, text)
		}
		if name, ok := field.Tag.Lookup("flag"); ok && field.Tag.Get("help") == "" {
			t.Errorf("flag %s has no help", name)
		}
	}
	set := o.settings()
	if err := set.check(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	for name, bad := range map[string]Options{
		"fire_threshold": {FireThreshold: new(math.Inf(1))}, "activation_threshold": {ActivationThreshold: new(math.NaN())},
		"absolute_threshold": {AbsoluteThreshold: new(math.Inf(1))}, "min_probability": {MinProbability: new(-1.0)},
		"importance_threshold": {ImportanceThreshold: new(math.Inf(-1))},
		"ngram":                {NGram: new(-1)}, "skip_threshold": {SkipThreshold: new(-1)},
		"max_length": {MaxLength: new(1)},
		"mode":       {Mode: new("all")}, "train_proportion": {TrainProportion: new(math.NaN())},
	} {
		set := bad.settings()
		if err := set.check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a bad %s: %v", name, err)
		}
	}
	if *o.Cutoff != 30 || *o.ProportionThreshold != -0.5 || *o.Mode != ModeDefault || *o.MinProbability != 1e-5 {
		t.Errorf("defaults are %+v", o)
	}
	if w := Walkthrough().Resolved(); *w.Cutoff != 0 || *w.SkipInterval != 1 || *w.ProportionThreshold != -0.6 ||
		*w.PostContext != -1 {
		t.Errorf("the walkthrough's are %+v", w)
	}
}
