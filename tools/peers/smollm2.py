"""Speed of transformers on a model of SmolLM2-135M's shape, for `make bench-peers`: what mining all its neurons costs.

    python3 smollm2.py

Eight windows of 128 tokens through all 30 layers, float32, as many threads as cores, no unembedding; hooks take each
neuron's maximum. The weights are random, since speed does not depend on them. Tokens a second by the clock and by
processor time, the best of some runs each.
"""
import time

import torch
import transformers

config = transformers.LlamaConfig(
    hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
    vocab_size=49152, max_position_embeddings=8192, rope_theta=100000, tie_word_embeddings=True)
model = transformers.LlamaModel(config).eval()
highest = {}


def keep(layer):
    def hook(module, inputs):
        highest[layer] = inputs[0].amax((0, 1))
    return hook


for layer, block in enumerate(model.layers):
    block.mlp.down_proj.register_forward_pre_hook(keep(layer))

ids = torch.randint(config.vocab_size, (8, 128))
walls, spent = [], []
with torch.inference_mode():
    for _ in range(6):
        wall, processor = time.perf_counter(), time.process_time()
        model(ids, use_cache=False)
        walls.append(time.perf_counter() - wall)
        spent.append(time.process_time() - processor)
print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}, SmolLM2 at [8, 128]: "
      f"{ids.numel() / min(walls):.0f} tokens/s, {ids.numel() / min(spent):.0f} tokens/processor-s")
