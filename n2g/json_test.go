package n2g

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// sampleExplanation is an Explanation with every part.
func sampleExplanation(random *rand.Rand) *Explanation {
	lines := randomLines(random)
	trie := BuildTrie(lines)
	before := trie.clone()
	trie.MergeIgnores()
	density := random.Float64()
	measured := &Measured{
		Tokens: []string{"<s>", " \"</script>", "\u2028é\n"}, Activations: []float64{0, 0.125, 1}, Peak: 2,
		Importances: []float64{0, -3.5, 1}, Matrix: [][]float64{{0, 0, 0}, {0, 1, 0.5}, {0, 0, 1}},
	}
	tests := []Test{{PromptIndex: 3, Tokens: []string{"<s>", "a"}, Activations: []float64{0, 0.7},
		Predictions: []float64{0, 1}}}
	scores := scoresOf(tests, Options{})
	return &Explanation{
		Format: Format, Model: "model", MaskedModel: "masked", Site: Site{Layer: 1, Index: 7, Hook: "hook_mid"},
		MaxActivation: random.ExpFloat64(), Density: &density, Options: Options{MaskID: new(1), Stages: true}.Resolved(),
		Prunes: []Prune{{
			PromptIndex: 2, Position: 5, Text: " text", InitialMax: 1.5, TruncatedMax: 1.25, ImportantTokens: []string{" a"},
			Variants: []Variant{{Text: " text", Activation: 1.25, Change: 1, Positive: true, Measured: measured}},
			Measured: measured,
		}},
		Trie: trie, Graph: NewGraph(lines), Tests: tests, Scores: &scores,
		Baselines: &Baselines{TokenLookup: Baseline{Scores: scores}},
		Work:      &Work{Calls: 5, Prompts: 40, Rows: 300, PlainRows: 900, MaskedCalls: 1, MaskedTexts: 4},
		Stages: &Stages{
			Trains: []Train{{PromptIndex: 1, Tokens: []string{"<s>"}, Activations: []float64{0}}}, Lines: [][]Line{lines},
			TrieBeforeMerge: before,
		},
	}
}

func TestExplanationRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(17, 18))
	for range 100 {
		want := sampleExplanation(random)
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Explanation
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&got, want) {
			t.Fatalf("read %+v\nwrote %+v", &got, want)
		}
	}
}

// The fields that other programs rely on are there, by name, in an Explanation of nothing too.
func TestExplanationSchema(t *testing.T) {
	trie := &Node{Token: RootToken, Children: []*Node{{Token: "a"}}}
	data, err := json.Marshal(Explanation{Prunes: []Prune{{}}, Trie: trie})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	if fields["format"] != Format {
		t.Errorf("format is %v", fields["format"])
	}
	for _, absent := range []string{"tests", "scores", "baselines", "graph", "stages"} {
		if _, ok := fields[absent]; ok {
			t.Errorf("%s is there though nothing made it", absent)
		}
	}
	for _, present := range []string{
		`"site":{"layer":0,"index":0,"hook":""}`, `"max_activation":0`, `"options":{`, `"important_tokens":[]`,
		`"variants":[]`,
		`{"token":"a","activation":0,"importance":0,"important":false,"activator":false,"end":null,"children":[]}`,
	} {
		if !bytes.Contains(data, []byte(present)) {
			t.Errorf("%s is not in %s", present, data)
		}
	}
	if data, _ := json.Marshal(Explanation{}); !bytes.Contains(data, []byte(`"prunes":[]`)) {
		t.Errorf("prunes are no list in %s", data)
	}
}

func TestExplanationNotFinite(t *testing.T) {
	for _, x := range []float64{math.NaN(), math.Inf(1)} {
		_, err := json.Marshal(Explanation{Site: Site{Layer: 3, Index: 9}, MaxActivation: x})
		if err == nil || !strings.Contains(err.Error(), "layer 3 neuron 9") {
			t.Errorf("%g is written: %v", x, err)
		}
	}
}

func TestReadExplanationRefuses(t *testing.T) {
	deep := strings.Repeat(`{"children":[`, 100_000)
	for name, c := range map[string][2]string{
		"nothing":      {``, "it is empty"},
		"no JSON":      {`<html>`, "invalid character"},
		"null":         {`null`, "field format is missing"},
		"a list":       {`[]`, "not an explanation"},
		"no format":    {`{}`, "field format is missing"},
		"later format": {`{"format":"n2g-explanation/3"}`, `this program reads "n2g-explanation/2"`},
		"cut off":      {`{"format":"n2g-explanation/1"`, "unexpected EOF"},
		"two":          {`{"format":"n2g-explanation/1"} {"format":"n2g-explanation/1"}`, "more than one"},
		"null child": {`{"format":"n2g-explanation/1","trie":{"children":[{"token":"a","children":[null]}]}}`,
			`node "a" is null`},
		"too deep":         {`{"format":"n2g-explanation/1","trie":` + deep, "max depth"},
		"number too large": {`{"format":"n2g-explanation/1","max_activation":1e999}`, "1e999"},
		"edge to nowhere": {`{"format":"n2g-explanation/1","graph":{"nodes":[],"edges":[[0,1]]}}`,
			"an edge leads to node 0 of 0"},
		"test of two sizes": {`{"format":"n2g-explanation/1","tests":[{"tokens":["a"],"activations":[]}]}`,
			"test 0 has 1 tokens"},
		"peak outside": {`{"format":"n2g-explanation/1","prunes":[{"measured":{"tokens":["a"],"activations":[1],"importances":[1],"peak":1}}]}`, "prune 0: its maximum"},
		"wide matrix": {
			`{"format":"n2g-explanation/1","prunes":[{"variants":[{"measured":{"tokens":["a"],"activations":[1],"importances":[1],"matrix":[[1,2]]}}]}]}`,
			"prune 0, variant 0: a row",
		},
		"train of two sizes": {`{"format":"n2g-explanation/1","stages":{"trains":[{"tokens":["a"]}]}}`, "train prompt 0"},
		"behaviours of no examples": {`{"format":"n2g-explanation/2","behaviours":{"examples":6,"list":[{"examples":0}]}}`,
			"behaviour 1 has 0 examples"},
		"behaviours of more examples": {`{"format":"n2g-explanation/2","behaviours":{"examples":6,"list":[{"examples":7}]}}`,
			"7 examples, and 6 are left"},
		"behaviour of all and more": {
			`{"format":"n2g-explanation/2","behaviours":{"examples":6,"list":[{"examples":6,"share":1.5}]}}`, "1.5 is no share"},
		"a cosine of behaviours": {
			`{"format":"n2g-explanation/2","behaviours":{"examples":6,"list":[{"examples":6,"within":1e300}]}}`, "outside -1 to 1"},
		"counts of behaviours that overflow": {
			`{"format":"n2g-explanation/2","behaviours":{"examples":6,"list":[{"examples":9223372036854775807},` +
				`{"examples":9223372036854775807},{"examples":8}]}}`, "6 are left"},
		"behaviour's peak": {
			`{"format":"n2g-explanation/2","behaviours":{"examples":6,"list":[{"examples":6,"shown":[{"tokens":["a"],"activations":[1],"peak":1}]}]}}`,
			"its peak at 1"},
		"negative layer": {`{"format":"n2g-explanation/1","site":{"layer":-1}}`, "negative"},
	} {
		e, err := ReadExplanation(strings.NewReader(c[0]))
		if err == nil || e != nil || !strings.Contains(err.Error(), c[1]) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error is %v, want one sentence with %q", name, err, c[1])
		}
	}
}

func TestReadExplanations(t *testing.T) {
	one := `{"format":"n2g-explanation/1","site":{"layer":1,"index":2}}`
	input := one + "\n\n" + strings.Replace(one, `"index":2`, `"index":3`, 1) + "\n{"
	var indices []int
	var failed error
	for e, err := range ReadExplanations(strings.NewReader(input)) {
		if err != nil {
			failed = err
			break
		}
		indices = append(indices, e.Site.Index)
		if e.Options.Cutoff == nil {
			t.Error("options that the JSON lacks have no default")
		}
	}
	if len(indices) != 2 || failed == nil || !strings.Contains(failed.Error(), "explanation 3 of the input") {
		t.Errorf("read %v, then %v", indices, failed)
	}
	for range ReadExplanations(strings.NewReader(input)) {
		break // stops without reading on
	}
}

func FuzzExplanationJSON(f *testing.F) {
	sample, err := json.Marshal(sampleExplanation(rand.New(rand.NewPCG(19, 20))))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add(
		[]byte(
			`{"format":"n2g-explanation/1","trie":{"children":[{"token":"a","activator":true,"end":1,"children":[{"ignore":true}]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ReadExplanation(bytes.NewReader(data))
		if err != nil {
			return
		}
		predicted := e.Predict([]string{"a", " The", "b", ""})
		NewTokenSets(e.Trie)
		if e.Behaviours != nil {
			e.Behaviours.Summary()
		}
		if e.Graph != nil {
			e.Graph.Components()
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		back, err := ReadExplanation(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if got := back.Predict([]string{"a", " The", "b", ""}); !reflect.DeepEqual(got, predicted) {
			t.Errorf("predicts %v after a round trip, %v before", got, predicted)
		}
	})
}

// TestExamplesJSON: examples are read in the form that programs before wrote, and in that of a site.
func TestExamplesJSON(t *testing.T) {
	want := Examples{Site: Site{Layer: 3, Index: 17, Hook: "hook_mid"}, MaxActivation: 1.5, Density: new(0.25),
		Prompts: []string{"a"}}
	rest := `"max_activation": 1.5, "density": 0.25, "prompts": ["a"]}`
	for _, text := range []string{
		`{"layer": 3, "neuron": 17, "hook": "hook_mid", ` + rest, `{"site": "blocks.3.mlp.hook_mid[17]", ` + rest,
	} {
		var got Examples
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, error %v", text, got, err)
		}
	}
	written, err := json.Marshal(want)
	if err != nil || string(written) != `{"layer":3,"neuron":17,"hook":"hook_mid",`+strings.ReplaceAll(rest, " ", "") {
		t.Errorf("%s, error %v", written, err)
	}
	for text, complaint := range map[string]string{
		`{"layer": 3, "index": 17}`:                          `"index"`,
		`{"site": "3/17"}`:                                   "is no site",
		`{"site": "blocks.3.mlp[all]"}`:                      "all",
		`{"site": "blocks.3.mlp[1]", "layer": 3}`:            "give one of them",
		`{"layer": "3", "neuron": 17, "prompts": ["a"]}`:     "layer",
		`{"layer": 3, "neuron": 17, "prompts": ["a"], 5: 1}`: "invalid",
	} {
		var got Examples
		if err := json.Unmarshal([]byte(text), &got); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%s: error %v, want %q in it", text, err, complaint)
		}
	}
}
