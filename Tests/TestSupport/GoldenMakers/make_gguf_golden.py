#!/usr/bin/env python3
"""Make the golden data of the packed GGUF types: random blocks, and what gguf-py decodes them to.

    python3 -m venv .venv && .venv/bin/pip install gguf numpy
    .venv/bin/python make_gguf_golden.py ../Golden

Writes `gguf_blocks.json`: per type the packed bytes of BLOCKS blocks and the float32 values, both in
base64, little-endian. Codes and integer scales are random bytes; the half-precision scales are
random finite numbers of both signs, subnormals and zeros among them. The values are what
`gguf.quants.dequantize` gives, bit for bit. The output depends on nothing but the seed.
"""
import base64, json, sys
import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

SEED = 20240517
# Bytes of a block, and where the half-precision scales are in it.
TYPES = {
    T.Q4_0: (18, [0]), T.Q4_1: (20, [0, 2]), T.Q5_0: (22, [0]), T.Q5_1: (24, [0, 2]), T.Q8_0: (34, [0]),
    T.Q2_K: (84, [80, 82]), T.Q3_K: (110, [108]), T.Q4_K: (144, [0, 2]), T.Q5_K: (176, [0, 2]), T.Q6_K: (210, [208]),
}


def blocks_of(kind, rng):
    size, scales = TYPES[kind]
    length = 32 if size < 64 else 256
    count = 640 // length * 4 if length == 32 else 16
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for at in scales:
        half = rng.integers(0, 1 << 16, count, dtype=np.uint16)
        # All ones in the exponent is infinity or NaN: take one bit away.
        half = np.where(half & 0x7C00 == 0x7C00, half & 0xBFFF, half).astype("<u2")
        half[0], half[1], half[2] = 0x0000, 0x8001, 0x7BFF  # zero, smallest subnormal, largest
        blocks[:, at:at + 2] = half.view(np.uint8).reshape(-1, 2)
    return blocks, length


def main():
    rng = np.random.default_rng(SEED)
    cases = []
    for kind in TYPES:
        blocks, length = blocks_of(kind, rng)
        values = gguf.dequantize(blocks.reshape(-1), kind).astype("<f4")
        assert values.size == len(blocks) * length and np.isfinite(values).all()
        cases.append({
            "type": int(kind), "name": kind.name, "block_count": len(blocks),
            "blocks": base64.b64encode(blocks.tobytes()).decode(),
            "values": base64.b64encode(values.tobytes()).decode(),
        })
    from importlib.metadata import version
    what = "blocks of random codes and finite scales, and the float32 values gguf-py %s decodes them to; exact" % version("gguf")
    with open(sys.argv[1] + "/gguf_blocks.json", "w") as f:
        json.dump({"what": what, "seed": SEED, "cases": cases}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
