"""Speed of PyTorch on the models and shapes of this repository's benchmarks, for `make bench-peers`.

    python3 solu.py forward    six-layer SoLU, d_model 768, 3072 neurons: 32 prompts of 32 tokens, and 8 of 128
    python3 solu.py train      an AdamW step of the embedded causal model: 8 windows of 256 tokens

Plain PyTorch with its fused attention, float32, as many threads as cores; each figure is the best of several runs.
"""
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, width, heads, mlp):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2, self.ln = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(mlp)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.read, self.write = nn.Linear(width, mlp), nn.Linear(mlp, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (y.view(batch, length, self.heads, -1).transpose(1, 2) for y in self.qkv(self.ln1(x)).chunk(3, -1))
        z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(z.transpose(1, 2).reshape(batch, length, width))
        pre = self.read(self.ln2(x))
        return x + self.write(self.ln(pre * pre.softmax(-1)))


class SoLU(nn.Module):
    def __init__(self, layers, width, heads, mlp, vocabulary, context):
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, mlp) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def residual(self, ids):
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, ids):
        return self.head(self.norm(self.residual(ids)))


def best(run, runs):
    run()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def forward():
    model = SoLU(6, 768, 12, 3072, 4096, 1024).eval()
    flops = 2 * 6 * (4 * 768 * 768 + 2 * 768 * 3072)  # a token, as BenchmarkSoLU6 counts them
    for batch, length in (32, 32), (8, 128):
        ids = torch.randint(4096, (batch, length))
        with torch.inference_mode():
            seconds = best(lambda: model.residual(ids), 10)
        tokens = batch * length / seconds
        print(f"PyTorch {torch.__version__}, SoLU 6x768 at [{batch}, {length}]: {tokens:.0f} tokens/s, {tokens * flops / 1e9:.0f} GFLOP/s")


def train():
    model = SoLU(3, 128, 2, 512, 4096, 256)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    ids = torch.randint(4096, (8, 257))

    def step():
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    print(f"PyTorch {torch.__version__}, an AdamW step of tiny: {8 * 256 / best(step, 20):.0f} tokens/s")


{"forward": forward, "train": train}[sys.argv[1]]()
