"""The golden trace: what the library computes and sends is the same, bit for bit, on every target."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

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


def test_the_host_can_read_the_frame_in_the_trace() -> None:
    """The last block, which the trace shows byte for byte, is a good frame of packed samples."""
    frame = bytes.fromhex(lines(EXPECTED)[-2])
    (good,) = FrameDecoder().feed(frame)
    message = decode_message(good.message)
    assert (message.codec, message.n, message.step_us) == (1, 10, 1000)
    assert message.first_step == 0xFFFFFFFB + 70
