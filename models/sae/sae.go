package sae

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// SAE is a sparse auto-encoder, or a transcoder. It is safe for concurrent use.
type SAE struct {
	// Layer and Hook are where it reads; Hook is a hook point of the layer, such as hook_resid_post.
	Layer int
	Hook  string
	// Width is d_in, how many numbers it reads, and Features d_sae.
	Width, Features int
	// Architecture is standard, gated, jumprelu, topk, groupmax, batchtopk, matryoshka_batchtopk, transcoder,
	// skip_transcoder, jumprelu_transcoder or jumprelu_skip_transcoder.
	Architecture string
	// Output is the hook point of the layer whose values it gives: Hook, or of a transcoder hook_mlp_out.
	Output string
	// Model is what its file calls the model, for messages; empty where it says nothing.
	Model string

	config  config
	encoder *kernels.Matrix // W_enc and b_enc, or b_gate
	minus   []float32       // b_dec, where that is subtracted
	// Of the architectures that have them.
	threshold, scale, gateBias, magnitudeBias, decoderNorm []float32
	decoder                                                []float32 // W_dec [d_sae, d_out]
	bias                                                   []float32 // b_dec [d_out]
	skip                                                   []float32 // W_skip [d_out, d_in]
}

// Encode computes all features of rows of x [rows, Width] to dst [rows, Features].
func (s *SAE) Encode(dst, x []float32, rows int) {
	s.encoder.Mul(dst, s.input(x, rows), rows)
	for row := range rows {
		s.activate(dst[row*s.Features:(row+1)*s.Features], 0)
	}
}

// encodedRows is how many rows are encoded at a time where only a few of their features are wanted.
const encodedRows = 64

// Feature computes one feature of rows of x [rows, Width] to dst [rows]: the same bits as [SAE.Encode].
func (s *SAE) Feature(dst, x []float32, rows, index int) {
	in := s.input(x, rows)
	s.encoder.Column(dst, in, rows, index)
	if s.config.K == 0 {
		for row := range rows {
			s.activate(dst[row:row+1], index)
		}
		return
	}
	// Whether it is among the highest hangs on the others, which need not be known where it is not above 0.
	var open []int
	for row := range rows {
		part := in[row*s.Width : (row+1)*s.Width]
		if squares := kernels.Dot(part, part); dst[row] > 0 || squares-squares != 0 {
			open = append(open, row)
		}
		dst[row] = 0
	}
	many := min(len(open), encodedRows)
	all, some := make([]float32, many*s.Features), make([]float32, many*s.Width)
	for part := range slices.Chunk(open, encodedRows) {
		for k, row := range part {
			copy(some[k*s.Width:(k+1)*s.Width], in[row*s.Width:])
		}
		s.encoder.Mul(all, some, len(part))
		for k, row := range part {
			features := all[k*s.Features : (k+1)*s.Features]
			s.activate(features, 0)
			dst[row] = features[index]
		}
	}
}

// input is what the encoder multiplies; it may be x itself.
func (s *SAE) input(x []float32, rows int) []float32 {
	if s.config.Normalise == "" && s.minus == nil {
		return x
	}
	in := slices.Clone(x[:rows*s.Width])
	for row := range rows {
		part := in[row*s.Width : (row+1)*s.Width]
		shift, scale := s.normalise(part)
		for i, v := range part {
			part[i] = (v - shift) * scale
			if s.minus != nil {
				part[i] -= s.minus[i]
			}
		}
	}
	return in
}

// normalise is what a row is shifted and multiplied by before it is encoded.
func (s *SAE) normalise(x []float32) (shift, scale float32) {
	switch s.config.Normalise {
	case "constant_norm_rescale":
		squares := 0.0
		for _, v := range x {
			squares += float64(v) * float64(v)
		}
		return 0, float32(math.Sqrt(float64(len(x)) / squares))
	case "layer_norm": // with the deviation of a sample, and 1e-5 beside it, as SAELens computes it
		mean, squares := 0.0, 0.0
		for _, v := range x {
			mean += float64(v) / float64(len(x))
		}
		for _, v := range x {
			squares += (float64(v) - mean) * (float64(v) - mean)
		}
		deviation := math.Sqrt(squares / float64(len(x)-1))
		return float32(mean), float32(1 / (deviation + 1e-5))
	}
	return 0, 1
}

// activate turns what the encoder gives for the features from first on into these features.
func (s *SAE) activate(pre []float32, first int) {
	switch {
	case s.scale != nil: // gated: pre has b_gate in it, the magnitude has its own bias
		for i, gate := range pre {
			magnitude := (gate-s.gateBias[first+i])*s.scale[first+i] + s.magnitudeBias[first+i]
			if pre[i] = 0; gate > 0 || gate != gate {
				pre[i] = max(magnitude, 0)
			}
		}
	case s.threshold != nil:
		for i, threshold := range s.threshold[first : first+len(pre)] {
			if pre[i] <= threshold {
				pre[i] = 0
			}
		}
		kernels.ReLU(pre)
	case s.Architecture == "groupmax":
		keepOfGroups(pre, s.config.K)
	case s.config.K > 0:
		if s.decoderNorm != nil {
			kernels.Mul(pre, s.decoderNorm[first:first+len(pre)])
		}
		keepHighest(pre, s.config.K)
	default:
		kernels.ReLU(pre)
	}
}

// keepHighest sets all but the k highest to 0, and what is below 0; of equals the first stay. One NaN makes all
// NaN.
func keepHighest(x []float32, k int) {
	if squares := kernels.Dot(x, x); squares != squares { // so that nobody takes the row for a quiet one
		for i := range x {
			x[i] = squares
		}
		return
	}
	at := kernels.TopK(nil, x, k)
	kept := make([]float32, len(at))
	for i, place := range at {
		kept[i] = x[place]
	}
	clear(x)
	for i, place := range at {
		x[place] = kept[i]
	}
}

// keepOfGroups sets all but the highest of each of so many groups of neighbours to 0, and what is below 0.
func keepOfGroups(x []float32, groups int) {
	kernels.ReLU(x)
	for group := range slices.Chunk(x, len(x)/groups) {
		at := 0
		for i, v := range group {
			if v > group[at] || v != v && group[at] == group[at] {
				at = i
			}
		}
		highest := group[at]
		clear(group)
		group[at] = highest
	}
}

// Decode is what the features of one row stand for, [d_out]: the row itself, approximately, or of a transcoder what the
// layer makes of it. x is the row that was encoded, whose length or mean some auto-encoders put back.
func (s *SAE) Decode(features, x []float32) []float32 {
	out := len(s.bias)
	sums := make([]float64, out)
	for i, b := range s.bias {
		sums[i] = float64(b)
	}
	for f, a := range features {
		if a == 0 {
			continue
		}
		weight := float64(a)
		if s.decoderNorm != nil {
			weight /= float64(s.decoderNorm[f])
		}
		for i, w := range s.decoder[f*out : (f+1)*out] {
			sums[i] += weight * float64(w)
		}
	}
	y := make([]float32, out)
	shift, scale := float32(0), float32(1)
	if !s.config.Transcoder { // whose output has another mean and length
		shift, scale = s.normalise(x)
		if s.config.Normalise == "layer_norm" { // which leaves out what stood beside the deviation
			scale = 1 / (1/scale - 1e-5)
		}
	}
	for i, sum := range sums {
		if s.skip != nil {
			for k, v := range x {
				sum += float64(s.skip[i*s.Width+k]) * float64(v)
			}
		}
		y[i] = float32(sum)/scale + shift
	}
	return y
}

// InputTerms are the terms that a feature is the sum of, before its bias and activation: the input x [Width],
// normalised and less b_dec where the auto-encoder does that, times the feature's column of W_enc.
func (s *SAE) InputTerms(x []float32, feature int) []float32 {
	weights := s.encoder.Weights(feature)
	for i, v := range s.input(x, 1) {
		weights[i] *= v
	}
	return weights
}

// Digest tells auto-encoders apart, by what they decode with.
func (s *SAE) Digest() string {
	sum := sha256.New()
	for _, list := range [][]float32{s.decoder, s.bias} {
		binary.Write(sum, binary.LittleEndian, list) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// Outputs is d_out, how many numbers [SAE.Decode] gives.
func (s *SAE) Outputs() int { return len(s.bias) }

// Direction is what a feature adds to what is decoded, its row of W_dec, [d_out].
func (s *SAE) Direction(feature int) []float32 {
	out := len(s.bias)
	return s.decoder[feature*out : (feature+1)*out]
}
