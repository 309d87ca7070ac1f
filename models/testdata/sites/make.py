"""Writes splice.json: what Hugging Face's transformers loses where an auto-encoder's output takes a hook point's place,
and what each head adds to the residual stream along a direction.

    python3 -m venv V && V/bin/pip install torch transformers && V/bin/python make.py

Models and weights are those of ../transformers/make.py; made with transformers 5.24 and PyTorch 2.15.
"""

import importlib.util
import json
import os

import torch
import transformers

here = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("make", os.path.join(here, "../transformers/make.py"))
make = importlib.util.module_from_spec(spec)
source = open(spec.origin).read().rstrip()
assert source.endswith("main()")
exec(compile(source[: -len("main()")], spec.origin, "exec"), make.__dict__)
draw = make.draw

NAMES = ["gpt2", "gpt_neox", "llama", "opt", "gpt_neo"]
F, SKIP = 20, 1


def auto_encoder(x, width):
    features = torch.relu(x @ (draw("sae.W_enc", (width[0], F)) * 2) + draw("sae.b_enc", (F,)))
    return features, features @ draw("sae.W_dec", (F, width[1])) + draw("sae.b_dec", (width[1],))


def modules(model, family, layer):
    if family == "llama":
        block = model.model.layers[layer]
        return block, block.self_attn.o_proj, block.mlp, block.mlp.down_proj, block.post_attention_layernorm
    if family == "gpt_neox":
        block = model.gpt_neox.layers[layer]
        return block, block.attention.dense, block.mlp, block.mlp.dense_4h_to_h, block.post_attention_layernorm
    if family == "opt":
        block = model.model.decoder.layers[layer]
        return block, block.self_attn.out_proj, block.fc2, block.fc2, block.final_layer_norm
    block = model.transformer.h[layer]
    if family == "gpt2":
        return block, block.attn.c_proj, block.mlp, block.mlp.c_proj, block.ln_2
    return block, block.attn.attention.out_proj, block.mlp, block.mlp.c_proj, block.ln_2


def loss(model, ids):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0]
    return float(torch.nn.functional.cross_entropy(logits[SKIP:-1], torch.tensor(ids[SKIP + 1:])))


def spliced(model, family, layer, hook, replace, ids):
    """The loss with replace(x) in place of what a hook point has behind the first SKIP positions."""
    block, z, mlp, out, norm = modules(model, family, layer)
    seen = {}

    def change(x, read=None):
        flat = x.reshape(1, len(ids), -1)  # OPT's MLP has no batch
        y = flat.clone()
        y[:, SKIP:] = replace(flat if read is None else read)[:, SKIP:]
        seen["x"], seen["y"] = flat[0], y[0]
        return y.reshape(x.shape)

    def before(module, args, kwargs=None):
        if args:
            return (change(args[0]), *args[1:]), kwargs or {}
        return args, {**kwargs, "hidden_states": change(kwargs["hidden_states"])}

    def after(module, args, value):
        if isinstance(value, tuple):
            return (change(value[0]), *value[1:])
        return change(value)

    handles = []
    if hook == "hook_resid_pre":
        handles.append(block.register_forward_pre_hook(before, with_kwargs=True))
    elif hook == "hook_resid_post":
        handles.append(block.register_forward_hook(after))
    elif hook == "attn.hook_z":
        handles.append(z.register_forward_pre_hook(before, with_kwargs=True))
    elif hook == "hook_attn_out":
        handles.append(z.register_forward_hook(after))
    elif hook == "mlp.hook_post":
        handles.append(out.register_forward_pre_hook(before, with_kwargs=True))
    elif hook == "hook_mlp_out":
        handles.append(mlp.register_forward_hook(after))
    else:  # a transcoder
        handles.append(norm.register_forward_hook(lambda m, a, v: seen.__setitem__("read", v.reshape(1, len(ids), -1))))
        handles.append(mlp.register_forward_hook(lambda m, a, v: change(v, seen["read"])))
    value = loss(model, ids)
    for handle in handles:
        handle.remove()
    return value, seen


def main():
    references = {"splices": [], "directions": []}
    for name in NAMES:
        family, base, changes = next((f, c, m) for n, f, c, m in make.MODELS if n == name)
        config = transformers.AutoConfig.for_model(family, **base, **changes, bos_token_id=0, eos_token_id=0, pad_token_id=1)
        config._attn_implementation = "eager"
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                parameter.copy_(draw(key, tuple(parameter.shape)))
        ids = [0] + [(7 * i * i + 3 * i) % 58 + 2 for i in range(1, 30)]
        for layer, hook in [(0, "hook_resid_pre"), (1, "hook_resid_pre"), (1, "hook_resid_post"), (1, "attn.hook_z"),
                            (0, "hook_attn_out"), (1, "mlp.hook_post"), (2, "hook_mlp_out"), (1, "ln2.hook_normalized")]:
            width = []

            def encode(x):
                width[:] = [x.shape[-1], model.config.hidden_size if hook.startswith("ln2") else x.shape[-1]]
                return auto_encoder(x, width)

            value, seen = spliced(model, family, layer, hook, lambda x: encode(x)[1], ids)
            zero, _ = spliced(model, family, layer, hook, lambda x: 0 * encode(x)[1], ids)
            x, y = seen["x"][SKIP:], seen["y"][SKIP:]
            features = encode((seen["read"][0] if "read" in seen else seen["x"])[SKIP:])[0]
            explained = 1 - ((x - y) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
            references["splices"].append({
                "model": name, "layer": layer, "hook": hook, "width": width[:], "loss": loss(model, ids),
                "spliced": value, "zero": zero, "explained": float(explained),
                "l0": float((features > 0).sum(-1).float().mean())})
        block, z, _, _, _ = modules(model, family, 1)
        d = model.config.hidden_size
        heads = model.config.num_attention_heads
        kept = []
        handle = z.register_forward_pre_hook(lambda m, args: kept.append(args[0][0]))
        loss(model, ids)
        handle.remove()
        weight = z.weight if family == "gpt2" else z.weight.T  # [heads·d_head, d_model]
        size = weight.shape[0] // heads
        directions = draw("directions", (2, d))
        results = []
        for v in directions:
            results.append([[float(f"{float(kept[0][p, h * size:(h + 1) * size] @ weight[h * size:(h + 1) * size] @ v):.7g}")
                             for h in range(heads)] for p in range(len(ids))])
        references["directions"].append({"model": name, "layer": 1, "heads": heads, "width": d, "results": results})
    with open("splice.json", "w") as f:
        f.write(json.dumps(references, separators=(",", ":")))


main()
