"""Where the literals of test_float32.cpp come from: the neuron once more, in numpy's float32, from the specification.

Written apart from firmware/lib/neuron, from protocol/README.md and the published description of the model and of the
two generators. Run it to see the literals: ``python firmware/test/neuron/float32_trace.py``.
"""

import struct

import numpy as np

F = np.float32
M32, M64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
PRESETS = """
.02 .2 -65 6 -70 | .02 .25 -65 6 -64 | .02 .2 -50 2 -70 | .02 .25 -55 .05 -64
.02 .2 -55 4 -70 | .01 .2 -65 8 -70 | .02 -.1 -55 6 -60 | .2 .26 -65 0 -64
.02 .2 -65 6 -70 | .05 .26 -60 0 -62 | .1 .26 -60 -1 -62 | .02 -.1 -55 6 -60
.03 .25 -60 4 -64 | .03 .25 -52 0 -64 | .03 .25 -60 4 -64 | .1 .26 -60 0 -61
1 .2 -60 -21 -70 | .02 1 -55 4 -65 | .02 1 -60 8 -63.8 | .026 -1 -45 -2 -63.8
"""


def splitmix64(seed: int):
    """Steele, Lea and Flood, 2014."""
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & M64
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & M64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
        yield z ^ (z >> 31)


def xoshiro128pp(seed: int):
    """Blackman and Vigna, 2019."""
    words = splitmix64(seed)
    w0, w1 = next(words), next(words)
    s = [w0 & M32, w0 >> 32, w1 & M32, w1 >> 32]

    def rot(x: int, k: int) -> int:
        return ((x << k) & M32) | (x >> (32 - k))

    while True:
        yield (rot((s[0] + s[3]) & M32, 7) + s[0]) & M32
        t = (s[1] << 9) & M32
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rot(s[3], 11)


def raw(value: np.float32, per_unit: int) -> int:
    """Half away from zero, saturating."""
    x = float(value * F(per_unit))
    return max(-32767, min(32767, int(abs(x) + 0.5) * (1 if x >= 0 else -1)))


def trace(n_steps: int) -> int:
    """FNV-1a (64 bits) of v, i_total and the raw channels of every step."""
    bits = xoshiro128pp(42)
    table = [[F(x) for x in row.split()] for line in PRESETS.split("\n") if line for row in line.split(" | ")]
    amplitude, syn, before, digest = F(1), [F(0), F(0)], [False, False], 0xCBF29CE484222325
    for step in range(n_steps):
        if step % 1000 == 0:
            a, b, c, d, v = table[step // 1000 % 20]
            u = b * v
        noise = F(sum(sum(next(bits).to_bytes(4, "little")) for _ in range(3)) - 1530) * F(1 / 256) * F(1.5)
        photo = F(4 * (step // 700 % 2)) * F(3) * amplitude
        if amplitude > 0:
            amplitude = max(F(0), amplitude - F(0.001) * photo)
        if amplitude < 1:
            amplitude = amplitude + F(0.025)
        levels = [step % 97 < 5, step % 211 < 7]
        for k, (gain, decay) in enumerate([(F(6), F(0.995)), (F(-3), F(0.990))]):
            if levels[k] and not before[k]:
                syn[k] = syn[k] + gain
            syn[k] = syn[k] * decay
        before = levels
        stimulus = 60 if step % 510 < 255 else 0
        total = F(12) + F((step % 50 - 25) * 0.125) + photo + syn[0] + syn[1] + noise
        v = v + F(0.1) * (F(0.04) * v * v + F(5) * v + F(140) - u + total)
        u = u + F(0.1) * a * (b * v - u)
        if v >= 30:
            v, u = c, u + d
        if v <= -110:
            v = F(-110)
        vm = F(30) if v >= -30 else v
        row = [
            raw(vm, 100),
            stimulus,
            raw(total, 100),
            -11000,
            raw(syn[0], 100),
            -11000,
            raw(syn[1], 100),
            int(step % 510 == 0),
        ]
        for byte in struct.pack("<ff8h", v, total, *row):
            digest = ((digest ^ byte) * 0x100000001B3) & M64
    return digest


if __name__ == "__main__":
    for seed in (0, 1):
        source = xoshiro128pp(seed)
        print(f"xoshiro128++ of seed {seed}:", *(f"{next(source):#010x}" for _ in range(4)))
    print(f"trace of 40000 steps: {trace(40000):#018x}")
