"""Writes reference.json.gz, what sae-lens computes with small auto-encoders of every architecture, and layouts.json.gz,
what NumPy computes with those of other layouts and older versions by their published formulas.

    python3 -m venv V && V/bin/pip install sae-lens==6.54.12 && V/bin/python make.py

Weights and inputs are drawn by the rule of models/testdata/transformers/make.py, which the Go test repeats. What sparsify
computes is written out here after its documentation, since the package needs a GPU.
"""

import gzip
import json

import numpy as np
import torch
from sae_lens.registry import get_sae_class, get_sae_training_class

D, F = 12, 40


def draw(name, shape):
    seed = 14695981039346656037
    for byte in name.encode():
        seed = (seed ^ byte) * 1099511628211 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    values = (z >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5
    return torch.tensor(values.astype(np.float32).reshape(shape))


CASES = [
    ("standard", {}),
    ("standard", {"apply_b_dec_to_input": False}),
    ("standard", {"normalize_activations": "layer_norm"}),
    ("standard", {"normalize_activations": "constant_norm_rescale"}),
    ("gated", {}),
    ("gated", {"apply_b_dec_to_input": False}),
    ("jumprelu", {}),
    ("jumprelu", {"apply_b_dec_to_input": False, "normalize_activations": "layer_norm"}),
    ("topk", {"k": 5}),
    ("topk", {"k": 5, "rescale_acts_by_decoder_norm": True}),
    ("topk", {"k": 40, "apply_b_dec_to_input": False}),
    ("transcoder", {"d_out": 9, "apply_b_dec_to_input": False}),
    ("skip_transcoder", {"d_out": 9, "apply_b_dec_to_input": False}),
    ("jumprelu_transcoder", {"d_out": 9, "apply_b_dec_to_input": False}),
    ("jumprelu_skip_transcoder", {"d_out": 9, "apply_b_dec_to_input": False}),
    ("transcoder", {"d_out": 9, "apply_b_dec_to_input": False, "normalize_activations": "layer_norm"}),
    ("skip_transcoder", {"apply_b_dec_to_input": False, "d_out": 12, "normalize_activations": "constant_norm_rescale"}),
    ("standard", {"normalize_activations": "expected_average_only_in"}),
    ("gated", {"normalize_activations": "layer_norm"}),
    ("topk", {"k": 7, "rescale_acts_by_decoder_norm": True, "normalize_activations": "layer_norm"}),
]

# What training checkpoints hold, and what is written of them when training is over: the features are those of that.
TRAINED = [
    ("batchtopk", {"k": 5.5, "rescale_acts_by_decoder_norm": False}),
    ("batchtopk", {"k": 5, "rescale_acts_by_decoder_norm": True}),
    ("matryoshka_batchtopk", {"k": 3, "matryoshka_widths": [10, 40], "rescale_acts_by_decoder_norm": True}),
]


def numbers(values):
    return [float(f"{v:.7g}") for v in values.detach().reshape(-1).tolist()]


def saved(architecture, changes, x):
    sae_class, config_class = get_sae_training_class(architecture)
    config = config_class(d_in=D, d_sae=F, **changes)
    config.metadata.hook_name = "blocks.1.hook_resid_post"
    sae = sae_class(config)
    tensors = {}
    with torch.no_grad():
        for name, value in list(sae.named_parameters()) + [("topk_threshold", sae.topk_threshold)]:
            value.copy_(draw(name, tuple(value.shape)))
            tensors[name] = list(value.shape)
        state = {name: value.clone() for name, value in sae.state_dict().items()}
        sae.process_state_dict_for_saving_inference(state)
        written = config.get_inference_sae_cfg_dict()
        inference_class, inference_config = get_sae_class(written["architecture"])
        inference = inference_class(inference_config.from_dict(written))
        inference.load_state_dict(state)
        features = inference.encode(x)
        text = config.to_dict()
        return {"config": text, "tensors": tensors, "features": numbers(features), "output": numbers(inference.decode(features))}


def array(name, *shape):
    return draw(name, shape).numpy().astype(np.float64)


def rounded(values):
    return [float(f"{v:.7g}") for v in values.reshape(-1).tolist()]


def layouts():
    """sparsify (github.com/EleutherAI/sparsify), Gemma Scope's own formula, and sae-lens 3 to 5."""
    x = 4 * array("x", 6, D)
    encoder, bias = array("encoder.weight", F, D), array("encoder.bias", F)
    decoder, end, skip = array("W_dec", F, D), array("b_dec", D), array("W_skip", D, D)
    sparsify = {"encoder.weight": [F, D], "encoder.bias": [F], "W_dec": [F, D], "b_dec": [D]}
    base = {"d_in": D, "expansion_factor": 32, "normalize_decoder": True, "num_latents": F, "multi_topk": False}

    def topk(pre, k):
        kept = np.zeros_like(pre)
        for row, values in enumerate(np.maximum(pre, 0)):
            for at in np.argsort(-values, kind="stable")[:k]:
                kept[row, at] = values[at]
        return kept

    def groupmax(pre, k):
        kept = np.zeros_like(pre)
        size = F // k
        for row, values in enumerate(np.maximum(pre, 0)):
            for group in range(k):
                at = group * size + int(np.argmax(values[group * size : (group + 1) * size]))
                kept[row, at] = values[at]
        return kept

    cases = []

    def case(path, hook, output_hook, config, tensors, features, output):
        cases.append({"path": path, "layer": 7, "hook": hook, "output_hook": output_hook, "config": config, "tensors": tensors,
                      "features": rounded(features), "output": rounded(output)})

    for path, hook in [("layers.7", "hook_resid_post"), ("gpt_neox.layers.7.mlp", "hook_mlp_out"), ("h.7.attn", "hook_attn_out"),
                       ("model.layers.7.self_attn", "hook_attn_out"), ("layers.7.mlp/seed1", "hook_mlp_out")]:
        features = topk((x - end) @ encoder.T + bias, 6)
        case("sparsify/" + path, hook, hook, base | {"k": 6, "activation": "topk", "multi_topk": True}, sparsify, features,
             features @ decoder + end)
    features = groupmax((x - end) @ encoder.T + bias, 8)
    case("sparsify/layers.7", "hook_resid_post", "hook_resid_post", base | {"k": 8, "activation": "groupmax"}, sparsify, features,
         features @ decoder + end)
    features = groupmax(x @ encoder.T + bias, 4)
    case("sparsify/layers.7.mlp", "ln2.hook_normalized", "hook_mlp_out",
         base | {"k": 4, "activation": "groupmax", "transcode": True, "skip_connection": True}, sparsify | {"W_skip": [D, D]}, features,
         features @ decoder + end + x @ skip.T)
    features = topk((x - end) @ encoder.T + bias, 6)
    case("sparsify/layers.7", "hook_resid_post", "hook_resid_post", base | {"k": 6, "skip_connection": True},
         sparsify | {"W_skip": [D, D]}, features, features @ decoder + end + x @ skip.T)

    def jumprelu(pre):
        return np.where(pre > array("threshold", F), np.maximum(pre, 0), 0)

    for path, hook, output_hook, names, out in [
        ("gemma-scope-2b-pt-res/layer_7/width_16k/average_l0_71", "hook_resid_post", "hook_resid_post", "W_enc W_dec", D),
        ("gemma-scope-2b-pt-att/layer_7/width_16k/average_l0_71", "attn.hook_z", "attn.hook_z", "W_enc W_dec", D),
        ("gemma-scope-9b-it-mlp/layer_7/width_16k/average_l0_71", "hook_mlp_out", "hook_mlp_out", "w_enc w_dec", D),
        ("gemma-scope-2b-pt-transcoders/layer_7/width_16k/average_l0_71", "ln2.hook_normalized", "hook_mlp_out", "W_enc W_dec", 9),
        ("gemma-scope-2b-pt-transcoders/layer_7/width_16k/average_l0_7", "ln2.hook_normalized", "hook_mlp_out",
         "W_enc W_dec affine_skip_connection", 9),
        ("gemma-scope-2-1b-pt/resid_post/layer_7_width_16k_l0_medium", "hook_resid_post", "hook_resid_post", "w_enc w_dec", D),
        ("gemma-scope-2-1b-pt/transcoder_all/layer_7_width_16k_l0_small_affine", "ln2.hook_normalized", "hook_mlp_out",
         "w_enc w_dec affine_skip_connection", 9),
    ]:
        w_enc, w_dec, *affine = names.split()
        tensors = {w_enc: [D, F], w_dec: [F, out], "b_enc": [F], "b_dec": [out], "threshold": [F]}
        features = jumprelu(x @ array(w_enc, D, F) + array("b_enc", F))
        output = features @ array(w_dec, F, out) + array("b_dec", out)
        if affine:
            tensors[affine[0]] = [D, out]
            output += x @ array(affine[0], D, out)
        case(path, hook, output_hook, None, tensors, features, output)

    # sae-lens 3 to 5: fine-tuning multiplies features before they are decoded (SAE.decode of those versions).
    old = {"W_enc": [D, F], "b_enc": [F], "W_dec": [F, D], "b_dec": [D], "scaling_factor": [F]}
    config = {"architecture": "standard", "d_in": D, "d_sae": F, "activation_fn_str": "relu", "activation_fn_kwargs": {},
              "apply_b_dec_to_input": True, "finetuning_scaling_factor": True, "normalize_activations": "none",
              "hook_name": "blocks.7.hook_resid_post", "hook_layer": 7, "hook_head_index": None, "dtype": "torch.float32"}
    features = np.maximum((x - end) @ array("W_enc", D, F) + array("b_enc", F), 0)
    case("old", "hook_resid_post", "hook_resid_post", config, old, features, (features * array("scaling_factor", F)) @ decoder + end)
    return cases


def write(name, value):
    with gzip.GzipFile(name, "wb", mtime=0) as f:
        f.write(json.dumps(value, separators=(",", ":")).encode())


def main():
    x = 4 * draw("x", (6, D))
    reference = []
    for architecture, changes in CASES:
        sae_class, config_class = get_sae_class(architecture)
        config = config_class(d_in=D, d_sae=F, **changes)
        config.metadata.hook_name = "blocks.1.hook_resid_post"
        sae = sae_class(config)
        tensors = {}
        with torch.no_grad():
            for name, parameter in sae.named_parameters():
                parameter.copy_(draw(name, tuple(parameter.shape)))
                tensors[name] = list(parameter.shape)
            features = sae.encode(x)
            if "skip_transcoder" in architecture:
                out = sae.decode(features) + x @ sae.W_skip.T
            else:
                out = sae.decode(features)
        reference.append({"config": config.to_dict(), "tensors": tensors, "features": numbers(features), "output": numbers(out)})
    reference += [saved(architecture, changes, x) for architecture, changes in TRAINED]
    write("reference.json.gz", reference)
    write("layouts.json.gz", layouts())


main()
