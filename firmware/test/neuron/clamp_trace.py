"""Where the literals of test_clamp.cpp come from: the voltage clamp once more, in numpy's float32.

Written apart from firmware/lib/neuron, from protocol/README.md, section 4.4. Run it to see the literals:
``python firmware/test/neuron/clamp_trace.py``.
"""

import struct

import numpy as np

F = np.float32
M64 = 0xFFFFFFFFFFFFFFFF
TABLE = """
.02 .2 -70  .02 .25 -64  .02 .2 -70  .02 .25 -64  .02 .2 -70  .01 .2 -70  .02 -.1 -60  .2 .26 -64  .02 .2 -70  .05 .26 -62
.1 .26 -62  .02 -.1 -60  .03 .25 -64  .03 .25 -64  .03 .25 -64  .1 .26 -61  1 .2 -70  .02 1 -65  .02 1 -63.8  .026 -1 -63.8
"""
NUMBERS = [F(x) for x in TABLE.split()]
PRESETS = [NUMBERS[i : i + 3] for i in range(0, 60, 3)]


def bounded(x: np.float32, low: float, high: float) -> np.float32:
    return F(high) if x > F(high) else F(low) if x < F(low) else x


class Clamped:
    """A membrane in voltage clamp; every operation is rounded to 32 bits, in the order written."""

    def __init__(self, preset: int) -> None:
        self.a, self.b, self.v = PRESETS[preset]
        self.u = self.b * self.v
        self.sum, self.at_peak, self.rescues = F(0), 0, 0

    def step(self, hold, jack=0.0, other=0.0, kp=7.5, ki=0.1, low=-200.0, high=300.0):
        kp, ki = F(kp), F(ki)
        command = bounded(F(hold) + bounded(F(jack) * F(700) / F(2047), -70, 70), -110, 30)
        error = command - self.v
        wanted = kp * error + ki * self.sum
        out = bounded(wanted, low, high)
        further = (wanted > F(high) and error > 0) or (wanted < F(low) and error < 0)
        if ki == 0:
            self.sum = F(0)
        elif not further:
            self.sum = self.sum + error * F(0.1)
        v, u = self.v, self.u
        v = v + F(0.1) * (F(0.04) * v * v + F(5) * v + F(140) - u + (out + F(other)))
        u = u + F(0.1) * self.a * (self.b * v - u)
        self.at_peak = self.at_peak + 1 if v >= 30 else 0
        if self.at_peak == 3:
            v, u = command, self.b * command
            self.sum, self.at_peak = F(0), 0
            self.rescues += 1
        self.v, self.u = bounded(v, -110, 30), u
        return command, out


def literal(x: np.float32) -> str:
    return f"0x{struct.unpack('<I', struct.pack('<f', x))[0]:08X}"


def short() -> None:
    """Twelve steps from rest of preset 0 to -20 mV, and back with the output cut at -200 and -50."""
    clamped = Clamped(0)
    for step in range(12):
        hold, low = (-20, -200) if step < 6 else (-90, -50)
        command, out = clamped.step(hold, low=low)
        row = ", ".join(literal(x) for x in (command, out, clamped.v, clamped.u, clamped.sum))
        print(f"    {{{row}}},  // {command:g} mV, {out:.7g} a.u., {clamped.v:.7g} mV")


def long(n_steps: int) -> tuple[int, int]:
    """FNV-1a (64 bits) of v, u, command and output of every step, and the number of rescues."""
    digest, rescues = 0xCBF29CE484222325, 0
    clamped = Clamped(0)
    for step in range(n_steps):
        if step % 1000 == 0:
            rescues += clamped.rescues
            clamped = Clamped(step // 1000 % 20)
        hold = (-110, -80, -62.5, -40, -20, 0, 10, 30)[step // 125 % 8]
        if step % 125 == 0:
            clamped.sum, clamped.at_peak = F(0), 0  # the holding potential has changed
        jack = (step % 50 - 25) * 0.5 if step // 50 % 2 else 0.0
        command, out = clamped.step(
            hold, jack, kp=3.25 if step // 4000 % 2 else 7.5, ki=0.4 if step // 8000 % 2 else 0.1
        )
        for byte in struct.pack("<4f", clamped.v, clamped.u, command, out):
            digest = ((digest ^ byte) * 0x100000001B3) & M64
    return digest, rescues + clamped.rescues


def held() -> None:
    """Where each preset is after 20,000 steps at each potential that the limits let it hold."""
    for preset in range(20):
        row = []
        for hold in (-110, -90, -70, -50, -30, -10, 10):
            clamped = Clamped(preset)
            for _ in range(20000):
                _, out = clamped.step(hold)
            row.append(f"{clamped.v:.3f}/{out:.2f}{'!' * (clamped.rescues > 0)}")
        print(f"# {preset}: " + " ".join(row))


if __name__ == "__main__":
    short()
    print("40,000 steps: 0x%016X, %d rescues" % long(40000))
    held()
