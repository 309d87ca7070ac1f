package n2g

import (
	"context"
	"iter"
	"slices"
)

// LanguageModel is what the method asks of the model whose neuron it explains. It speaks in plain types, so that
// anything that can answer (a transformer, a sparse auto-encoder's feature, a process elsewhere) satisfies it
// without importing this package. Implementations are safe for concurrent use, and answer equally whatever else
// is asked at the same time. The model is causal: an activation depends on its token and those before it only, so no
// more of a prompt is sent than up to the last position asked.
//
// A model that has a usual hook point also implements DefaultHook() string; it serves where a [Site] names
// none. One that computes less than every token it is sent implements [RowCounter], for the accounts in [Work].
// Package n2gtest checks implementations.
type LanguageModel interface {
	// Name identifies the model in an Explanation.
	Name() string
	// Tokenize returns the token ids of text, without BOS.
	Tokenize(text string) ([]int, error)
	// TokenString is the text of one id alone, its leading space kept; part of a character is U+FFFD.
	TokenString(id int) string
	// Decode is the text of a span of ids.
	Decode(ids []int) string
	// BOS is the id that stands in front of every prompt, negative where nothing does.
	BOS() int
	// MaskID is the id that replaces a token whose importance is measured (algorithm: <|padding|>).
	MaskID() int
	// ContextLength is the longest prompt, in tokens with BOS.
	ContextLength() int
	// Activations runs each prompt (ids, BOS included) and returns the activation of one neuron: result[i][k] is
	// that on token positions[i][k] of prompts[i]. A nil positions, or a nil entry, asks every position.
	Activations(ctx context.Context, layer int, hook string, index int, prompts, positions [][]int) ([][]float32, error)
}

// MaskedModel is what the augmenter asks of a BERT-like model.
type MaskedModel interface {
	// Name identifies the model in an Explanation.
	Name() string
	// MaskToken is the text that stands for a masked word, such as [MASK].
	MaskToken() string
	// Fill answers, for each text, what could stand in place of the mask token at byte offsets[i] of texts[i]:
	// vocabulary entries as spelled (a word piece begins with ##) and their probabilities, most probable first.
	// Other masks of a text stay masked. The sequences can be left early and walked again.
	Fill(ctx context.Context, texts []string, offsets []int) ([]iter.Seq2[string, float64], error)
}

// WordFiller is a [MaskedModel] that looks at the masked word itself rather than at the text around it. The augmenter
// asks FillWords of one that has it, in place of Fill.
type WordFiller interface {
	MaskedModel
	// FillWords is Fill where the mask token at byte offsets[i] of texts[i] stands for words[i].
	FillWords(ctx context.Context, texts []string, offsets []int, words []string) ([]iter.Seq2[string, float64], error)
}

// Site names one neuron: the index-th unit at a hook point of a layer. [Site.String] is its text form.
type Site struct {
	Layer int `json:"layer"`
	Index int `json:"index"`
	// Hook is hook_pre, hook_mid or hook_post of the layer's MLP, or another hook point of the model, such as
	// hook_resid_post; n2g reads hook_mid of SoLU models and hook_post of others. Empty is the model's own DefaultHook.
	// With - in front it is the negative side: activations count times -1.
	Hook string `json:"hook"`
}

// Examples are the texts that excite a neuron most, in descending order of their maximum (Neuroscope's and
// Lexoscope's convention), with the highest activation seen on any token of the data set they come from.
type Examples struct {
	Site          Site     `json:"-"`                 // in JSON layer, neuron and hook; see UnmarshalJSON
	MaxActivation float64  `json:"max_activation"`    // 0: the highest over Prompts; see Options.NoGraph
	Density       *float64 `json:"density,omitempty"` // share of the data set's tokens on which it fires, where known
	Prompts       []string `json:"prompts"`
	// TestOnly are the numbers of those Prompts, from 0, that are kept for testing as long as the others suffice to train:
	// texts of documents on which explanations are scored. See Split.
	TestOnly []int `json:"test_only,omitempty"`
}

// Split divides Prompts, by their number, into those that the graph is made of and those that test it: as
// [SplitExamples] does, but prompts of TestOnly train only where there are too few others.
func (e *Examples) Split(o Options) (train, test []int) {
	o = o.Resolved()
	train, test = SplitExamples(len(e.Prompts), *o.TrainProportion, *o.Seed)
	if len(e.TestOnly) == 0 {
		return train, test
	}
	trains := len(train)
	var others, kept []int
	for _, i := range slices.Concat(train, test) {
		if slices.Contains(e.TestOnly, i) {
			kept = append(kept, i)
		} else {
			others = append(others, i)
		}
	}
	order := append(others, kept...)
	return order[:trains], order[trains:]
}
