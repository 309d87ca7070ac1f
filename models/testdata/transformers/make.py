"""Writes reference.json.gz: what Hugging Face's transformers computes for small models of many configurations.

    python3 -m venv V && V/bin/pip install torch transformers && V/bin/python make.py

Weights are drawn by a rule (draw) that the Go test repeats, so that no weights are stored. Made with transformers 5.24
and PyTorch 2.15, float32, eager attention.
"""

import gzip
import json

import numpy as np
import torch
import transformers

POSITIONS = [0, 1, 5, 11, 20, 29]  # of 30 tokens


def draw(name, shape):
    """Uniform in [-0.5, 0.5) by splitmix64 over FNV-1a of the name; weights of norms lie around 1."""
    seed = 14695981039346656037
    for byte in name.encode():
        seed = (seed ^ byte) * 1099511628211 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    values = (z >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5
    if len(shape) == 1 and ("norm" in name.lower() or "ln_" in name) and name.endswith("weight"):
        values = values + 1
    return torch.tensor(values.astype(np.float32).reshape(shape))


llama = dict(vocab_size=60, hidden_size=16, intermediate_size=24, num_hidden_layers=4, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-6)
neox = dict(vocab_size=60, hidden_size=32, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4,
            max_position_embeddings=128)
opt = dict(vocab_size=60, hidden_size=16, ffn_dim=24, num_hidden_layers=3, num_attention_heads=4,
           max_position_embeddings=64, word_embed_proj_dim=16)
gpt2 = dict(vocab_size=60, n_embd=16, n_layer=3, n_head=4, n_positions=64)
gptneo = dict(vocab_size=60, hidden_size=16, num_layers=4, num_heads=4, max_position_embeddings=64, window_size=4)
bert = dict(vocab_size=60, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=64)
distil = dict(vocab_size=60, dim=16, hidden_dim=24, n_layers=2, n_heads=4, max_position_embeddings=64)


def rope(kind, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **more}}


MODELS = [
    ("llama", "llama", llama, {}),
    ("llama, rope llama3", "llama", llama, rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                                original_max_position_embeddings=32)),
    ("llama, rope linear", "llama", llama, rope("linear", factor=4.0)),
    ("llama, rope yarn", "llama", llama, rope("yarn", factor=4.0, original_max_position_embeddings=32)),
    ("llama, rope yarn of the whole context", "llama", llama, rope("yarn", factor=2.0)),
    ("llama, rope yarn with its own factor", "llama", llama,
     rope("yarn", factor=4.0, original_max_position_embeddings=32, attention_factor=0.7, beta_fast=16, beta_slow=2)),
    ("llama, rope yarn with mscale, not truncated", "llama", llama,
     rope("yarn", factor=4.0, original_max_position_embeddings=32, mscale=1.5, mscale_all_dim=0.8, truncate=False)),
    ("llama with biases", "llama", llama, dict(attention_bias=True, mlp_bias=True)),
    ("llama, wide heads, tied", "llama", llama, dict(head_dim=8, tie_word_embeddings=True)),
    ("llama ignores a window", "llama", llama, dict(sliding_window=3, use_sliding_window=True)),
    ("qwen2, windows behind max_window_layers", "qwen2", llama,
     dict(use_sliding_window=True, sliding_window=4, max_window_layers=2)),
    ("qwen2, windows by layer_types", "qwen2", llama,
     dict(use_sliding_window=True, sliding_window=4,
          layer_types=["sliding_attention", "full_attention", "sliding_attention", "full_attention"])),
    ("qwen2, windows unused", "qwen2", llama, dict(use_sliding_window=False, sliding_window=4, max_window_layers=0)),
    ("mistral, window", "mistral", llama, dict(sliding_window=4)),
    ("mistral, no window", "mistral", llama, dict(sliding_window=None)),
    ("gpt_neox", "gpt_neox", neox, {}),
    ("gpt_neox, no biases of attention", "gpt_neox", neox, dict(attention_bias=False)),
    ("gpt_neox, one after the other, all turns", "gpt_neox", neox,
     dict(use_parallel_residual=False, rope_parameters={"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 1.0})),
    ("gpt_neox, rope linear", "gpt_neox", neox,
     dict(rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0, "partial_rotary_factor": 0.5})),
    ("opt", "opt", opt, {}),
    ("opt, no biases", "opt", opt, dict(enable_bias=False)),
    ("opt, plain norms", "opt", opt, dict(layer_norm_elementwise_affine=False)),
    ("opt, no final norm", "opt", opt, dict(_remove_final_layer_norm=True, activation_function="gelu")),
    ("gpt2", "gpt2", gpt2, {}),
    ("gpt2, scores by layer", "gpt2", gpt2, dict(scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True)),
    ("gpt2, scores not scaled, untied", "gpt2", gpt2,
     dict(scale_attn_weights=False, tie_word_embeddings=False, n_inner=24, activation_function="relu")),
    ("gpt_neo", "gpt_neo", gptneo, dict(attention_types=[[["global", "local"], 2]])),
    ("gpt_neo, otherwise ordered", "gpt_neo", gptneo,
     dict(attention_types=[[["local"], 3], [["global"], 1]], intermediate_size=24, activation_function="gelu")),
    ("olmo", "olmo", {k: v for k, v in llama.items() if k != "rms_norm_eps"}, dict(attention_bias=True)),
    ("bert", "bert", bert, {}),
    ("bert, untied", "bert", bert, dict(tie_word_embeddings=False, hidden_act="gelu_new")),
    ("bert, no token types, relu", "bert", bert, dict(type_vocab_size=1, hidden_act="relu", layer_norm_eps=1e-5)),
    ("distilbert", "distilbert", distil, {}),
    ("distilbert, untied, silu", "distilbert", distil, dict(tie_word_embeddings=False, activation="silu")),
]


def numbers(values):
    return [float(f"{v:.7g}") for v in values.detach().reshape(-1).tolist()]


def hooks(model, family, layer):
    """Registers hooks that fill the result with TransformerLens's hook points of a layer."""
    seen = {}

    def output(name):
        return lambda module, args, out: seen.__setitem__(name, out[0] if isinstance(out, tuple) else out)

    def inputs(name):
        return lambda module, args: seen.__setitem__(name, args[0])

    if family in ("llama", "qwen2", "mistral", "olmo"):
        block = model.model.layers[layer]
        z, gate, linear, out = block.self_attn.o_proj, block.mlp.gate_proj, block.mlp.up_proj, block.mlp.down_proj
        linear.register_forward_hook(output("mlp.hook_pre_linear"))
        gate.register_forward_hook(output("mlp.hook_pre"))
        block.mlp.register_forward_hook(output("hook_mlp_out"))
    elif family == "gpt_neox":
        block = model.gpt_neox.layers[layer]
        z, out = block.attention.dense, block.mlp.dense_4h_to_h
        block.mlp.dense_h_to_4h.register_forward_hook(output("mlp.hook_pre"))
        block.mlp.register_forward_hook(output("hook_mlp_out"))
    elif family == "opt":
        block = model.model.decoder.layers[layer]
        z, out = block.self_attn.out_proj, block.fc2
        block.fc1.register_forward_hook(output("mlp.hook_pre"))
        block.fc2.register_forward_hook(output("hook_mlp_out"))
    elif family == "gpt2":
        block = model.transformer.h[layer]
        z, out = block.attn.c_proj, block.mlp.c_proj
        block.mlp.c_fc.register_forward_hook(output("mlp.hook_pre"))
        block.mlp.register_forward_hook(output("hook_mlp_out"))
    else:
        block = model.transformer.h[layer]
        z, out = block.attn.attention.out_proj, block.mlp.c_proj
        block.mlp.c_fc.register_forward_hook(output("mlp.hook_pre"))
        block.mlp.register_forward_hook(output("hook_mlp_out"))
    z.register_forward_pre_hook(inputs("attn.hook_z"))
    z.register_forward_hook(output("hook_attn_out"))
    out.register_forward_pre_hook(inputs("mlp.hook_post"))
    block.register_forward_pre_hook(
        lambda module, args, kwargs: seen.__setitem__("hook_resid_pre", args[0] if args else kwargs["hidden_states"]),
        with_kwargs=True)
    block.register_forward_hook(output("hook_resid_post"))
    return seen


# What a forward pass is changed by: layer, neuron, operation, number, positions (None: all). Logits after tokens 5 and 29.
EDITS = [
    [(1, 3, "set", 0.75, None)],
    [(0, 7, "add", 2.0, [5, 20])],
    [(0, 1, "scale", -1.5, None), (2, 5, "set", 0.0, [29])],
]


def edited(model, family, ids, edits):
    """The logits with neurons changed where they enter the MLP's way out."""
    outs = {
        "gpt_neox": lambda layer: model.gpt_neox.layers[layer].mlp.dense_4h_to_h,
        "opt": lambda layer: model.model.decoder.layers[layer].fc2,
        "gpt2": lambda layer: model.transformer.h[layer].mlp.c_proj,
        "gpt_neo": lambda layer: model.transformer.h[layer].mlp.c_proj,
    }
    out = outs.get(family, lambda layer: model.model.layers[layer].mlp.down_proj)

    def change(index, op, number, positions):
        def hook(module, args):
            x = args[0].clone()
            flat = x.reshape(len(ids), -1)
            for p in positions or range(len(ids)):
                flat[p, index] = {"set": number, "add": flat[p, index] + number, "scale": flat[p, index] * number}[op]
            return (flat.reshape(x.shape),)
        return hook

    handles = [out(layer).register_forward_pre_hook(change(*rest)) for layer, *rest in edits]
    logits = model(torch.tensor([ids])).logits[0]
    for handle in handles:
        handle.remove()
    return [numbers(logits[p]) for p in (5, 29)]


def main():
    reference = []
    for name, family, base, changes in MODELS:
        config = transformers.AutoConfig.for_model(family, **base, **changes, bos_token_id=0, eos_token_id=0, pad_token_id=1)
        config._attn_implementation = "eager"
        masked = family in ("bert", "distilbert")
        kind = transformers.AutoModelForMaskedLM if masked else transformers.AutoModelForCausalLM
        model = kind.from_config(config, attn_implementation="eager").eval()
        stored = {}
        with torch.no_grad():
            for key, parameter in model.named_parameters():  # tied ones once
                parameter.copy_(draw(key, tuple(parameter.shape)))
                stored[key] = list(parameter.shape)
        ids = [0] + [(7 * i * i + 3 * i) % 58 + 2 for i in range(1, 30)]
        text = json.loads(config.to_json_string(use_diff=False))
        text = {k: v for k, v in text.items() if k not in ("architectures", "id2label", "label2id", "transformers_version")}
        entry = {"name": name, "family": family, "config": text, "tensors": stored, "ids": ids, "positions": POSITIONS}
        layer = 1 if family in ("bert", "distilbert", "opt") else 2
        values = {}
        with torch.no_grad():
            seen = {} if masked else hooks(model, family, layer)
            out = model(torch.tensor([ids]))
            values["logits"] = out.logits[0]
            for hook, value in seen.items():
                values[f"blocks.{layer}.{hook}"] = value.reshape(len(ids), -1)
            if not masked and not getattr(config, "use_parallel_residual", False):
                values[f"blocks.{layer}.hook_resid_mid"] = values[f"blocks.{layer}.hook_resid_pre"] + values[f"blocks.{layer}.hook_attn_out"]
        entry["values"] = {k: [numbers(v[p]) for p in POSITIONS] for k, v in values.items()}
        if not masked:
            with torch.no_grad():
                entry["edits"] = [
                    {"edits": [dict(zip(("layer", "index", "op", "value", "positions"), e)) for e in edits],
                     "logits": edited(model, family, ids, edits)} for edits in EDITS]
        reference.append(entry)
        print(name, {k: tuple(v.shape) for k, v in values.items()})
    with gzip.GzipFile("reference.json.gz", "wb", mtime=0) as f:
        f.write(json.dumps(reference, separators=(",", ":")).encode())


main()
