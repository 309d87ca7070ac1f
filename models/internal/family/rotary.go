package family

import (
	"encoding/json"
	"fmt"
	"math"
)

// rotaryFile is what config.json says of rotary positions, in rope_parameters or, in older files, in rope_scaling and
// beside it. Kinds and formulas are those of Hugging Face's modeling_rope_utils.
type rotaryFile struct {
	Parameters *rotaryKind `json:"rope_parameters"`
	Scaling    *rotaryKind `json:"rope_scaling"`
	Theta      *float64    `json:"rope_theta"`
	Fraction   *float64    `json:"partial_rotary_factor"`
	// What GPT-NeoX calls these two.
	OldTheta    *float64 `json:"rotary_emb_base"`
	OldFraction *float64 `json:"rotary_pct"`
	// Original is the context that the model was trained on before its positions were stretched.
	Original *float64 `json:"original_max_position_embeddings"`
}

// rotaryKind is one way to turn queries and keys.
type rotaryKind struct {
	Type     string   `json:"rope_type"`
	OldType  string   `json:"type"`
	Theta    *float64 `json:"rope_theta"`
	Fraction *float64 `json:"partial_rotary_factor"`
	Factor   *float64 `json:"factor"`
	Original *float64 `json:"original_max_position_embeddings"`
	// Of llama3.
	LowFrequency  *float64 `json:"low_freq_factor"`
	HighFrequency *float64 `json:"high_freq_factor"`
	// Of yarn.
	BetaFast        *float64 `json:"beta_fast"`
	BetaSlow        *float64 `json:"beta_slow"`
	AttentionFactor *float64 `json:"attention_factor"`
	MScale          *float64 `json:"mscale"`
	MScaleAll       *float64 `json:"mscale_all_dim"`
	Truncate        *bool    `json:"truncate"`
	// Of models whose layers differ.
	Full    json.RawMessage `json:"full_attention"`
	Sliding json.RawMessage `json:"sliding_attention"`
}

// apply sets the rotary positions of a model whose heads turn by the given part, unless the file says otherwise.
func (f rotaryFile) apply(c *Config, part float64) error {
	k := orDefault(f.Scaling, orDefault(f.Parameters, rotaryKind{}))
	if k.Full != nil || k.Sliding != nil {
		return fmt.Errorf("rope_parameters differ from layer to layer, which is not implemented")
	}
	c.RotaryBase = first(10000, k.Theta, f.Theta, f.OldTheta)
	part = first(part, k.Fraction, f.Fraction, f.OldFraction)
	if !(part > 0 && part <= 1) {
		return fmt.Errorf("the rotary part of a head is %g, but must lie between 0 and 1", part)
	}
	c.RotaryDims = int(part * float64(c.DHead))
	kind := k.Type
	if kind == "" {
		kind = k.OldType
	}
	original := first(float64(c.Positions), f.Original, k.Original)
	switch kind {
	case "", "default":
		return nil
	case "linear", "llama3", "yarn":
	case "dynamic":
		return fmt.Errorf("rotary positions of type dynamic are not implemented: they turn by what depends on the text's " +
			"length, so that a token's values would depend on what follows it")
	default:
		return fmt.Errorf("rotary positions of type %q are not implemented: default, linear, llama3 and yarn are", kind)
	}
	factor := orDefault(k.Factor, 0)
	if kind == "yarn" && k.Factor == nil {
		factor = float64(c.Positions) / original
	}
	if !(factor > 0) || !(c.RotaryBase > 1) || !(original > 0) {
		return fmt.Errorf("rotary positions of type %s have the factor %g, base %g and original context %g: all must be "+
			"positive",
			kind, factor, c.RotaryBase, original)
	}
	frequencies := make([]float64, c.RotaryDims/2)
	for i := range frequencies {
		frequencies[i] = math.Pow(c.RotaryBase, -2*float64(i)/float64(c.RotaryDims))
	}
	switch kind {
	case "linear":
		for i := range frequencies {
			frequencies[i] /= factor
		}
	case "llama3":
		if err := k.llama3(frequencies, factor, original); err != nil {
			return err
		}
	case "yarn":
		k.yarn(frequencies, factor, original, c.RotaryBase)
		c.RotaryScale = k.yarnScale(factor)
	}
	for _, frequency := range frequencies {
		c.RotaryFrequencies = append(c.RotaryFrequencies, float32(frequency))
	}
	return nil
}

// llama3 slows down the planes that turn less than once in the original context (Dubey et al. 2024, Llama 3).
func (k rotaryKind) llama3(frequencies []float64, factor, original float64) error {
	low, high := orDefault(k.LowFrequency, 0), orDefault(k.HighFrequency, 0)
	if !(low > 0 && high > low) {
		return fmt.Errorf("rotary positions of type llama3 need a low_freq_factor above 0 and a high_freq_factor above "+
			"that, not %g and %g", low, high)
	}
	for i, frequency := range frequencies {
		turns := original * frequency / (2 * math.Pi)
		switch {
		case turns < low:
			frequencies[i] = frequency / factor
		case turns <= high:
			smooth := (turns - low) / (high - low)
			frequencies[i] = (1-smooth)*frequency/factor + smooth*frequency
		}
	}
	return nil
}

// yarn slows down planes by how often they turn in the original context (Peng et al. 2023,
// https://arxiv.org/abs/2309.00071).
func (k rotaryKind) yarn(frequencies []float64, factor, original, base float64) {
	dims := 2 * float64(len(frequencies))
	plane := func(turns float64) float64 {
		return dims * math.Log(original/(turns*2*math.Pi)) / (2 * math.Log(base))
	}
	low, high := plane(nonZero(k.BetaFast, 32)), plane(nonZero(k.BetaSlow, 1))
	if orDefault(k.Truncate, true) {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, dims-1)
	if low == high {
		high += 0.001
	}
	for i, frequency := range frequencies {
		slowed := min(max((float64(i)-low)/(high-low), 0), 1)
		frequencies[i] = frequency/factor*slowed + frequency*(1-slowed)
	}
}

// yarnScale is what yarn multiplies queries and keys by.
func (k rotaryKind) yarnScale(factor float64) float64 {
	scale := func(weight float64) float64 {
		if factor <= 1 {
			return 1
		}
		return 0.1*weight*math.Log(factor) + 1
	}
	if k.AttentionFactor != nil {
		return *k.AttentionFactor
	}
	if m, all := orDefault(k.MScale, 0), orDefault(k.MScaleAll, 0); m != 0 && all != 0 {
		return scale(m) / scale(all)
	}
	return scale(1)
}

// first is the first value that the file has, or fallback.
func first(fallback float64, values ...*float64) float64 {
	for _, value := range values {
		if value != nil {
			return *value
		}
	}
	return fallback
}

// nonZero is value, or fallback where the file leaves it out or says 0.
func nonZero(value *float64, fallback float64) float64 {
	if v := orDefault(value, 0); v != 0 {
		return v
	}
	return fallback
}
