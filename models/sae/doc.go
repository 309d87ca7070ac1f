// Package sae reads sparse auto-encoders and transcoders, whose features can be explained as neurons can (Cunningham et
// al. 2023, https://arxiv.org/abs/2309.08600; Dunefsky et al. 2024, https://arxiv.org/abs/2406.11944). [Open] takes the
// folders of SAELens (cfg.json and sae_weights.safetensors), of EleutherAI's sparsify (cfg.json and sae.safetensors)
// and of Gemma Scope (params.npz); a model opened with one, models.Options.SAE, has its features at the hook point that
// it reads.
//
// An auto-encoder takes x [d_in] to features [d_sae]:
//
//	pre = (norm(x) - b_dec)·W_enc + b_enc
//	standard, transcoder    max(pre, 0)
//	jumprelu                pre where pre > threshold, else 0
//	topk                    max(pre, 0) of the k highest, else 0
//	gated                   max((norm(x) - b_dec)·(W_enc ⊙ exp(r_mag)) + b_mag, 0)
//	                        where (norm(x) - b_dec)·W_enc + b_gate > 0
//
// Whether b_dec is subtracted is apply_b_dec_to_input. With rescale_acts_by_decoder_norm, pre of topk is multiplied by
// the length of the feature's row of W_dec. The formulas are those of sae-lens 6.54.
package sae
