// Package sae reads sparse auto-encoders and transcoders, whose features can be explained as neurons can (Cunningham et
// al. 2023, https://arxiv.org/abs/2309.08600; Dunefsky et al. 2024, https://arxiv.org/abs/2406.11944). [Open] takes
// folders; a model opened with one, models.Options.SAE, has its features at the hook point that it reads:
//
//   - SAELens 3 to 6: cfg.json and sae_weights.safetensors, training checkpoints among them;
//   - EleutherAI's sparsify, which delphi reads too: layers.7 or layers.7.mlp with cfg.json and sae.safetensors;
//   - Gemma Scope: params.npz in gemma-scope-2b-pt-res/layer_7/…, or -mlp, -att, -transcoders;
//   - Gemma Scope 2: params.safetensors in resid_post/layer_7_…, or mlp_out, attn_out, transcoder.
//
// What a folder says that is not implemented, and tensors that have no place in its architecture, are errors.
//
// An auto-encoder takes x [d_in] to features [d_sae]:
//
//	pre = (norm(x) - b_dec)·W_enc + b_enc
//	standard, transcoder    max(pre, 0)
//	jumprelu, batchtopk     max(pre, 0) where pre > threshold, else 0
//	topk                    max(pre, 0) of the k highest, else 0
//	groupmax                max(pre, 0) of the highest of each of k groups of neighbours, else 0
//	gated                   max((norm(x) - b_dec)·(W_enc ⊙ exp(r_mag)) + b_mag, 0)
//	                        where (norm(x) - b_dec)·W_enc + b_gate > 0
//
// Whether b_dec is subtracted is apply_b_dec_to_input; transcoders never do. With rescale_acts_by_decoder_norm, pre of
// topk and batchtopk is multiplied by the length of the feature's row of W_dec. skip_transcoder and
// jumprelu_skip_transcoder add W_skip·x to what is decoded. The formulas are those of sae-lens 6.54, of sparsify's
// SparseCoder and of Gemma Scope's tutorial.
package sae
