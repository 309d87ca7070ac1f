package transformer

import "strings"

// The places of an MLP that a neuron is read at; their full names begin with mlp.
const (
	HookPre       = "hook_pre"        // before the activation function
	HookPreLinear = "hook_pre_linear" // what the activation function's value is multiplied by, where the MLP is gated
	HookMid       = "hook_mid"        // before the LayerNorm of solu_ln; without one, the same as HookPost
	// HookPost is what W_out multiplies; for solu_ln the normalised value, before mlp.ln's own weight and bias.
	HookPost = "hook_post"
)

// Other places of a layer.
const (
	HookResidPre  = "hook_resid_pre"      // the residual stream before the layer
	HookResidMid  = "hook_resid_mid"      // and between attention and MLP, unless these stand beside each other
	HookResidPost = "hook_resid_post"     // and behind the layer
	HookZ         = "attn.hook_z"         // what the heads give, before W_O: head h at h·d_head
	HookAttnOut   = "hook_attn_out"       // what attention adds to the residual stream
	HookMLPIn     = "ln2.hook_normalized" // what enters the MLP: behind the norm, its weight and bias included
	HookMLPOut    = "hook_mlp_out"        // what the MLP adds
)

// Sums of what a token's heads pay of their attention to some tokens, one number a head; their full names begin with
// attn.
const (
	PatternBOS       = "bos"       // the first token of the prompt
	PatternSelf      = "self"      // the token itself
	PatternPrevious  = "prev"      // the token before it
	PatternInduction = "induction" // tokens that followed the same token before
)

// HookPoints lists the places of a layer, in the order in which they are computed.
func (c Decoder) HookPoints() []string {
	list := []string{
		HookResidPre, "attn." + PatternBOS, "attn." + PatternSelf, "attn." + PatternPrevious, "attn." + PatternInduction,
		HookZ, HookAttnOut,
	}
	if !c.ParallelResidual {
		list = append(list, HookResidMid)
	}
	list = append(list, HookMLPIn, "mlp."+HookPre)
	if c.Gated {
		list = append(list, "mlp."+HookPreLinear)
	}
	return append(list, "mlp."+HookMid, "mlp."+HookPost, HookMLPOut, HookResidPost)
}

// BesideAttention says that a hook point belongs to an MLP that stands beside attention, which it does not need then.
func (c Decoder) BesideAttention(hook string) bool {
	return c.ParallelResidual && (strings.HasPrefix(hook, "mlp.") || hook == HookMLPIn)
}

// Width is how many numbers a hook point has for each token.
func (c Decoder) Width(hook string) int {
	if _, ok := PatternSummary(hook); ok {
		return c.Heads
	}
	switch {
	case strings.HasPrefix(hook, "mlp."):
		return c.DMLP
	case hook == HookZ || hook == "attn.hook_q":
		return c.Heads * c.DHead
	case hook == "attn.hook_k" || hook == "attn.hook_v":
		return c.KeyHeads() * c.DHead
	}
	return c.DModel
}

// PatternSummary is the kind of summary that a hook point is.
func PatternSummary(hook string) (kind string, ok bool) {
	kind, ok = strings.CutPrefix(hook, "attn.")
	switch kind {
	case PatternBOS, PatternSelf, PatternPrevious, PatternInduction:
		return kind, ok
	}
	return "", false
}

// Counts says whether the attention that the last of ids pays to the one at place p is part of a summary.
func Counts(kind string, ids []int32, p int) bool {
	last := len(ids) - 1
	switch kind {
	case PatternBOS:
		return p == 0
	case PatternSelf:
		return p == last
	case PatternPrevious:
		return p == last-1
	}
	return p > 0 && ids[p-1] == ids[last]
}
