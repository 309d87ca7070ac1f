"""Writes types.gguf, one tensor of every quantised type with random blocks and settings of every kind, and types.f32.gz,
what Python's package gguf makes of the tensors, in the order of their names. Run with that package installed."""
import gzip
import pathlib

import gguf
import numpy as np

here = pathlib.Path(__file__).parent
rows, columns = 2, 512
random = np.random.default_rng(1)
T = gguf.GGMLQuantizationType
# Where the 16-bit scales of a block lie: random bits there would be infinities.
scales = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}

writer = gguf.GGUFWriter(here / "types.gguf", "test")
writer.add_uint8("kinds.uint8", 200)
writer.add_int8("kinds.int8", -100)
writer.add_uint16("kinds.uint16", 60000)
writer.add_int16("kinds.int16", -30000)
writer.add_uint32("kinds.uint32", 4000000000)
writer.add_int32("kinds.int32", -2000000000)
writer.add_uint64("kinds.uint64", 2**64 - 1)
writer.add_int64("kinds.int64", -(2**63))
writer.add_float32("kinds.float32", 0.1)
writer.add_float64("kinds.float64", 0.1)
writer.add_bool("kinds.bool", True)
writer.add_string("kinds.string", "naïve ▁")
writer.add_array("kinds.ints", [1, -2, 3])
writer.add_array("kinds.floats", [0.5, -1.5])
writer.add_array("kinds.bools", [True, False])
writer.add_array("kinds.strings", ["", "a", "字"])
writer.add_array("kinds.arrays", [[1, 2], [3]])

expected = {}
for kind, places in scales.items():
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows * columns // block, size), dtype=np.uint8)
    for at in places:
        values = (random.standard_normal(len(blocks)) * 0.01).astype(np.float16)
        values[0] = np.float16(3e-6)  # subnormal
        blocks[:, at:at + 2] = values[:, None].view(np.uint8)
    data = blocks.reshape(rows, -1)
    writer.add_tensor(kind.name, data, raw_dtype=kind)
    expected[kind.name] = gguf.dequantize(data, kind)
for kind in (T.F32, T.F16, T.BF16):
    values = random.standard_normal((rows, columns)).astype(np.float32)
    data = gguf.quantize(values, kind)
    writer.add_tensor(kind.name, data, raw_dtype=kind)
    expected[kind.name] = gguf.dequantize(data, kind)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

values = np.concatenate([expected[name].astype("<f4").reshape(-1) for name in sorted(expected)])
with gzip.GzipFile(here / "types.f32.gz", "wb", mtime=0) as file:
    file.write(values.tobytes())
