"""MLP neurons of a causal model of Hugging Face transformers, for n2g -exec 'python3 huggingface.py NAME'."""
import base64
import functools
import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
device = model.to("cuda" if torch.cuda.is_available() else "cpu").device
blocks = next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList))  # the layers
caught = {}
for number, block in enumerate(blocks):  # the last projection of an MLP reads its neurons
    last = [m for m in block.mlp.modules() if hasattr(m, "weight") and m.weight.dim() == 2][-1]
    last.register_forward_pre_hook(functools.partial(lambda n, _, args: caught.__setitem__(n, args[0]), number))
bos = tokenizer.bos_token_id
pad = tokenizer.pad_token_id or bos or 0  # behind a prompt it changes nothing, as the model is causal
model.base_model(torch.tensor([[0]], device=device))
widths = [caught[n].shape[-1] for n in range(len(blocks))]


@functools.lru_cache(maxsize=1)  # n2g mine asks layer after layer with the same prompts
def run(prompts):
    longest = max(map(len, prompts))
    ids = torch.tensor([list(p) + [pad] * (longest - len(p)) for p in prompts], device=device)
    with torch.no_grad():
        model.base_model(ids)
    return {n: values.float().cpu() for n, values in caught.items()}


def activations(q):
    found = run(tuple(map(tuple, q["prompts"])))[q["layer"]]
    for prompt, rows in zip(q["prompts"], found):
        rows = rows[:len(prompt)] if q["neuron"] is None else rows[:len(prompt), q["neuron"]]
        yield base64.b64encode(rows.contiguous().numpy().astype("<f4").tobytes()).decode()


def decode(ids):
    """The text of tokens. SentencePiece drops the first one's blank, which is had by decoding that twice."""
    twice = ids[:1] if (tokenizer.convert_ids_to_tokens(ids[0]) or "").startswith("\u2581") else []
    first, text = (tokenizer.decode(i, clean_up_tokenization_spaces=False) for i in (twice, twice + ids))
    return text[len(first):]


def answer(q):
    if q["method"] == "hello":
        return {"protocol": 1, "name": sys.argv[1], "context_length": model.config.max_position_embeddings,
                "vocabulary": model.config.vocab_size, "bos": bos, "mask": pad, "batch": 16,
                "sites": [{"layer": n, "hook": "hook_post", "width": w} for n, w in enumerate(widths)]}
    if q["method"] == "tokenize":
        read = tokenizer(q["texts"], add_special_tokens=False, return_offsets_mapping=True)
        return {"ids": read["input_ids"], "offsets": read["offset_mapping"]}
    if q["method"] == "decode":
        return {"texts": [decode(ids) for ids in q["ids"]]}
    return {"activations": list(activations(q))}


for line in sys.stdin:
    question = json.loads(line)
    try:
        found = answer(question)
    except Exception as error:
        found = {"error": repr(error)}
    print(json.dumps({"id": question["id"], **found}), flush=True)
