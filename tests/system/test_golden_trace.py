"""The golden trace: what the library computes and sends is the same, bit for bit, on every target."""

from __future__ import annotations

import runpy
import socket
import struct
import subprocess
from pathlib import Path

import numpy as np

from helpers.simulators import GOLDEN, ROOT, SimAvr, built, tool
from spikedaq.wire import FrameDecoder, decode_message

EXPECTED = (ROOT / "firmware/test/golden/expected.txt").read_text()


def lines(text: str) -> list[str]:
    """Without the comments."""
    return [line for line in text.splitlines() if not line.startswith("#")]


def native() -> str:
    """Of this computer's compiler and processor."""
    program = built(f"firmware/{GOLDEN}", "firmware")
    return subprocess.run([program], capture_output=True, text=True, check=True, timeout=60).stdout


def avr() -> str:
    """Of gcc-avr, whose float is in software, on a simulated ATmega328P."""
    image = built(f"firmware-v1/{GOLDEN}.elf", "firmware-v1")
    text = b""
    with SimAvr(image, "--speed", "0", "--lossless") as board:
        with socket.create_connection(("127.0.0.1", board.port)) as client:
            client.settimeout(60)
            while chunk := client.recv(4096):
                text += chunk
        assert board.process.wait(20) == 0
    return text.decode()


def cortex_m4(output: Path) -> str:
    """Of gcc for Arm, on the floating-point unit that QEMU simulates."""
    command = [tool("qemu-system-arm", "qemu-system-arm"), "-M", "mps2-an386", "-display", "none", "-monitor", "none"]
    command += ["-semihosting-config", "enable=on,target=native", "-serial", f"file:{output}"]
    image = built(f"firmware-cm4/{GOLDEN}.elf", "firmware-cm4")
    subprocess.run([*command, "-kernel", str(image)], check=True, timeout=60)
    return output.read_text()


def test_native() -> None:
    """This computer gives the expected lines."""
    assert lines(native()) == lines(EXPECTED)


def test_avr() -> None:
    """So does an ATmega328P."""
    assert lines(avr()) == lines(EXPECTED)


def test_cortex_m4(tmp_path: Path) -> None:
    """So does a Cortex-M4F."""
    assert lines(cortex_m4(tmp_path / "trace")) == lines(EXPECTED)


def test_the_presets_end_where_numpy_says() -> None:
    """The first twenty expected lines, bits of v and u, from an implementation apart."""
    other = runpy.run_path(str(ROOT / "firmware/test/neuron/float32_trace.py"))
    real = np.float32
    text = [row for line in other["PRESETS"].split("\n") if line for row in line.split(" | ")]
    bits = other["xoshiro128pp"](42)
    amplitude, syn, before = real(1), [real(0), real(0)], [False, False]
    for number, row in enumerate(text):
        a, b, c, d, v = (real(x) for x in row.split())
        u = b * v
        for step in range(100):
            noise = (
                real(sum(sum(next(bits).to_bytes(4, "little")) for _ in range(3)) - 1530) * real(1 / 256) * real(1.5)
            )
            photo = real(4 * (step // 70 % 2)) * real(3) * amplitude
            amplitude = max(real(0), amplitude - real(0.001) * photo) if amplitude > 0 else amplitude
            amplitude = amplitude + real(0.025) if amplitude < 1 else amplitude
            levels = [step % 97 < 5, step % 41 < 7]
            for k, (gain, decay) in enumerate([(real(6), real(0.995)), (real(-3), real(0.990))]):
                syn[k] = (syn[k] + gain if levels[k] and not before[k] else syn[k]) * decay
            before = levels
            total = real(12) + real((step % 50 - 25) * 0.125) + photo + syn[0] + syn[1] + noise
            v = v + real(0.1) * (real(0.04) * v * v + real(5) * v + real(140) - u + total)
            u = u + real(0.1) * a * (b * v - u)
            if v >= 30:
                v, u = c, u + d
            v = max(v, real(-110))
        bits_of = [struct.pack(">f", x).hex() for x in (v, u)]
        assert lines(EXPECTED)[number].split()[:6] == ["preset", str(number), "v", bits_of[0], "u", bits_of[1]]


def test_the_host_can_read_the_frame_in_the_trace() -> None:
    """The last block, which the trace shows byte for byte, is a good frame of packed samples."""
    frame = bytes.fromhex(lines(EXPECTED)[-2])
    (good,) = FrameDecoder().feed(frame)
    message = decode_message(good.message)
    assert (message.codec, message.n, message.step_us) == (1, 10, 1000)
    assert message.first_step == 0xFFFFFFFB + 70
