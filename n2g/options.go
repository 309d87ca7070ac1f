package n2g

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/tagged"
)

// Options are the constants of the method. A nil field is the published program's default, named in its comment
// and in the tag default; set one with new: Options{Cutoff: new(50)}. The tags are the one place from which the
// command line takes its flags (flag, help) and an Explanation its JSON (json).
type Options struct {
	// StrongThreshold: positions whose activation is at least this share of the prompt's maximum are pruned, each
	// by itself. Default 1, the maximum alone. The published token_activation_threshold.
	StrongThreshold *float64 `json:"strong_threshold" flag:"strong-threshold" default:"1" help:"prune every token whose activation is at least this share of the prompt's maximum"`
	// MaxLength: tokens of a prompt after this many, BOS included, are dropped. Default 1024.
	MaxLength *int `json:"max_length" flag:"max-length" default:"1024" help:"drop tokens of a prompt after this many"`
	// Cutoff: no more than this many tokens before and with the pruned one. Default 30; 0 is no cutoff.
	Cutoff *int `json:"cutoff" flag:"cutoff" default:"30" help:"longest prune candidate, in tokens up to the activating one (0: no limit)"`
	// SkipInterval: only candidates of a multiple of this many tokens are tried. Default 5.
	SkipInterval *int `json:"skip_interval" flag:"skip-interval" default:"5" help:"try only prune candidates of a multiple of this many tokens"`
	// SkipThreshold: candidates shorter than this are all tried. Default 0.
	SkipThreshold *int `json:"skip_threshold" flag:"skip-threshold" default:"0" help:"try all prune candidates shorter than this"`
	// ProportionThreshold: a candidate passes if its maximum changed by more than this share. Default -0.5.
	ProportionThreshold *float64 `json:"proportion_threshold" flag:"proportion-threshold" default:"-0.5" help:"a prune candidate passes if its maximum changes by more than this share"`
	// AbsoluteThreshold: a candidate also passes if its maximum is at least this. Default none.
	AbsoluteThreshold *float64 `json:"absolute_threshold,omitempty" flag:"absolute-threshold" help:"a prune candidate also passes if its maximum is at least this (default none)"`
	// PostContext: at most this many tokens of the sentence after the pruned one are kept. Default 5. -1 keeps all, and
	// then candidates are tried with them.
	PostContext *int `json:"post_context" flag:"post-context" default:"5" help:"tokens of the sentence kept after the activating one (-1: all)"`

	// MaskID replaces a token whose importance is measured. Default: the model's own.
	MaskID *int `json:"mask_id,omitempty" flag:"mask-id" help:"token id that replaces a token whose importance is measured (default: the model's)"`
	// ImportantThreshold: a token at least this important for the maximum is augmented. Default 0.8.
	ImportantThreshold *float64 `json:"important_threshold" flag:"important-threshold" default:"0.8" help:"augment tokens at least this important for the maximum"`

	// Mode is how words are masked: default (each important word by itself), mask_num (MaskNum consecutive words from
	// each important one on), only_important (all important words at once), all_but_important (all the others).
	Mode *string `json:"mode" flag:"mode" default:"default" help:"what the masked model replaces: default (each important word by itself), mask_num, only_important or all_but_important"`
	// MaskNum is the number of consecutive words that mode mask_num masks. Default 1.
	MaskNum *int `json:"mask_num" flag:"mask-num" default:"1" help:"words masked together in mode mask_num"`
	// Substitutes: at most this many variants a masked word. Default 5. The published n.
	Substitutes *int `json:"substitutes" flag:"substitutes" default:"5" help:"variants a masked word (the published n)"`
	// MinProbability: substitutes less probable are not taken. Default 1e-5.
	MinProbability *float64 `json:"min_probability" flag:"min-probability" default:"1e-5" help:"least probability of a substitute"`
	// PositiveThreshold: a variant whose maximum changes by at least this share is positive. Default -0.5.
	PositiveThreshold *float64 `json:"positive_threshold" flag:"positive-threshold" default:"-0.5" help:"a variant is positive if its maximum changes by at least this share"`
	// Stopwords are not substituted. Default none.
	Stopwords []string `json:"stopwords,omitempty"`
	// Casings spells substitutes as a corpus spells them. Default: as the masked model does.
	Casings Casings `json:"-"`

	// ActivationThreshold: tokens of a higher normalised activation start a line of the graph. Default 0.5.
	ActivationThreshold *float64 `json:"activation_threshold" flag:"activation-threshold" default:"0.5" help:"normalised activation above which a token starts a line of the graph"`
	// ImportanceThreshold: more important tokens stand in the graph. Default 0.75.
	ImportanceThreshold *float64 `json:"importance_threshold" flag:"importance-threshold" default:"0.75" help:"importance above which a token stands in the graph"`
	// FireThreshold: a token fires if its normalised activation is at least this. Default 0.5.
	FireThreshold *float64 `json:"fire_threshold" flag:"fire-threshold" default:"0.5" help:"normalised activation from which a token counts as firing"`
	// TrainProportion is the share of the examples that the graph is built from; the rest tests it. Default 0.5.
	TrainProportion *float64 `json:"train_proportion" flag:"train-proportion" default:"0.5" help:"share of the examples the graph is built from"`
	// Seed of the split into train and test examples. Default 0.
	Seed *int `json:"seed" flag:"seed" default:"0" help:"seed of the split into train and test examples"`
	// NGram is the number of predecessors in the key of the n-gram baseline. Default 1.
	NGram *int `json:"ngram" flag:"ngram" default:"1" help:"predecessors in the key of the n-gram baseline"`

	// Stages keeps every intermediate result in the Explanation.
	Stages bool `json:"stages,omitempty"`
	// NoGraph stops after augmentation: every example is pruned, measured and varied, none is kept for testing. Where
	// the examples tell no MaxActivation either, each pruned text is normalised by its own maximum, as the published
	// walkthrough does.
	NoGraph bool `json:"no_graph,omitempty" flag:"no-graph" help:"stop after augmentation: no graph, no scores"`

	// Observe, where set, is called by Explain before each of its stages: done of total are over.
	Observe func(stage string, done, total int) `json:"-"`
}

// Walkthrough returns the options of the published walkthrough notebook, which explains one prompt: every length is a
// prune candidate, the whole rest of the sentence is kept, and a candidate passes with two fifths of the activation.
func Walkthrough() Options {
	return Options{
		Cutoff:              new(0),
		SkipInterval:        new(1),
		ProportionThreshold: new(-0.6),
		PostContext:         new(-1),
		NoGraph:             true,
	}
}

// Resolved returns the options with every nil field that has a default set to it.
func (o Options) Resolved() Options {
	tagged.Fill(&o)
	return o
}

// settings are resolved options as plain values.
type settings struct {
	StrongThreshold     float64
	MaxLength           int
	Cutoff              int
	SkipInterval        int
	SkipThreshold       int
	ProportionThreshold float64
	AbsoluteThreshold   *float64 // nil: none
	PostContext         int
	MaskID              *int // nil: the model's
	ImportantThreshold  float64
	Mode                string
	MaskNum             int
	Substitutes         int
	MinProbability      float64
	PositiveThreshold   float64
	Stopwords           []string
	Casings             Casings
	ActivationThreshold float64
	ImportanceThreshold float64
	FireThreshold       float64
	TrainProportion     float64
	Seed                int
	NGram               int
	Stages              bool
	NoGraph             bool
	Observe             func(stage string, done, total int)
}

func (o Options) settings() settings {
	tagged.Fill(&o)
	var s settings
	tagged.Plain(&o, &s)
	return s
}

// Values of Options.Mode.
const (
	ModeDefault         = "default"           // each important word by itself
	ModeMaskNum         = "mask_num"          // MaskNum consecutive words from each important one on
	ModeOnlyImportant   = "only_important"    // all important words at once
	ModeAllButImportant = "all_but_important" // all the other words at once
)

// modes returns the values of Options.Mode.
func modes() []string {
	return []string{ModeDefault, ModeMaskNum, ModeOnlyImportant, ModeAllButImportant}
}

// check says which option is out of its range.
func (s *settings) check() error {
	whole := func(name string, value, least int, why string) error {
		if value < least {
			return fmt.Errorf("option %s is %d; it is at least %d%s", name, value, least, why)
		}
		return nil
	}
	number := func(name string, value, least, most float64) error {
		if !(value >= least && value <= most) { // not a number is neither
			return fmt.Errorf("option %s is %g; it lies between %g and %g", name, value, least, most)
		}
		return nil
	}
	if !slices.Contains(modes(), s.Mode) {
		return fmt.Errorf("option mode is %q; it is one of %s", s.Mode, strings.Join(modes(), ", "))
	}
	if !(s.StrongThreshold > 0 && s.StrongThreshold <= 1) {
		return fmt.Errorf("option strong_threshold is %g; it lies in (0, 1]", s.StrongThreshold)
	}
	if !(s.TrainProportion > 0 && s.TrainProportion <= 1) {
		return fmt.Errorf("option train_proportion is %g; it lies in (0, 1]", s.TrainProportion)
	}
	const large = math.MaxFloat32 // activations are of this type
	absolute := 0.0
	if s.AbsoluteThreshold != nil {
		absolute = *s.AbsoluteThreshold
	}
	return cmp.Or(
		whole("cutoff", s.Cutoff, 0, ", which is no limit"),
		whole("substitutes", s.Substitutes, 0, ""),
		whole("post_context", s.PostContext, -1, ", which keeps the whole rest of the sentence"),
		whole("skip_interval", s.SkipInterval, 1, ""),
		whole("skip_threshold", s.SkipThreshold, 0, ""),
		whole("mask_num", s.MaskNum, 1, ""),
		whole("max_length", s.MaxLength, 2, " (BOS and a token)"),
		whole("ngram", s.NGram, 0, ""),
		number("proportion_threshold", s.ProportionThreshold, -large, large),
		number("absolute_threshold", absolute, -large, large),
		number("important_threshold", s.ImportantThreshold, -large, large),
		number("min_probability", s.MinProbability, 0, 1),
		number("positive_threshold", s.PositiveThreshold, -large, large),
		number("activation_threshold", s.ActivationThreshold, -large, large),
		number("importance_threshold", s.ImportanceThreshold, -large, large),
		number("fire_threshold", s.FireThreshold, 0, 1),
	)
}
