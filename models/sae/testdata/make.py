"""Writes reference.json.gz: what sae-lens computes with small auto-encoders of every architecture.

    python3 -m venv V && V/bin/pip install sae-lens==6.54.12 && V/bin/python make.py

Weights and inputs are drawn by the rule of models/testdata/transformers/make.py, which the Go test repeats. What sparsify
computes is written out here after its documentation, since the package needs a GPU.
"""

import gzip
import json

import numpy as np
import torch
from sae_lens.registry import get_sae_class

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
]


def numbers(values):
    return [float(f"{v:.7g}") for v in values.detach().reshape(-1).tolist()]


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
            if architecture == "skip_transcoder":
                out = sae.decode(features) + x @ sae.W_skip.T
            else:
                out = sae.decode(features)
        reference.append({"config": config.to_dict(), "tensors": tensors, "features": numbers(features), "output": numbers(out)})
    with gzip.GzipFile("reference.json.gz", "wb", mtime=0) as f:
        f.write(json.dumps(reference, separators=(",", ":")).encode())


main()
