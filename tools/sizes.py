"""Print how large the images are, and fail where one does not fit its processor.

``python tools/sizes.py build`` looks at what ``make sizes`` has built: the images of v1_nano and qemu_cm4, and the
libraries as the compiler of the ESP32's family makes them (never linked, and its floating point is in software).
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

KB = 1024
# Flash of an ATmega328P without the 2 KB that the larger of the Nano's two boot loaders takes. avr-ld itself checks no
# limit, for its memory is that of the largest of the family.
IMAGES = {
    "v1_nano": ("avr-size", "firmware-v1/firmware/boards/v1_nano/spikedaq-v1.elf", 30 * KB, 2 * KB),
    "qemu_cm4": ("arm-none-eabi-size", "firmware-cm4/firmware/boards/qemu_cm4/spikedaq-cm4.elf", KB * KB, 320 * KB),
}
XTENSA = ("xtensa-lx106-elf-size", "firmware-xtensa/firmware/boards/xtensa_check/libspikedaq_firmware.a")


def sizes(command: str, path: Path) -> list[tuple[int, int, int, str]]:
    """Return (text, data, bss, file) of each file that is, or is in, ``path``."""
    done = subprocess.run([command, path], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    return [(int(row[0]), int(row[1]), int(row[2]), row[5]) for row in rows]


def main(build: Path, lib: Path) -> int:
    """Print the table; return the number of images that do not fit."""
    too_large = []
    print(f"{'':24}{'text':>8}{'data':>8}{'bss':>8}   of flash      of RAM (without stack)")
    for name, (command, relative, flash, ram) in IMAGES.items():
        ((text, data, bss, _),) = sizes(command, build / relative)
        used, static = text + data, data + bss
        print(
            f"{name:24}{text:8}{data:8}{bss:8}   {used:6} {100 * used / flash:4.1f} %"
            f" {static:7} {100 * static / ram:4.1f} %"
        )
        if used > flash or static > ram:
            too_large.append(f"{name} does not fit: {used} of {flash} bytes of flash, {static} of {ram} of RAM")
    rooms: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for text, data, bss, file in sizes(XTENSA[0], build / XTENSA[1]):
        (source,) = lib.glob(f"*/{file.split('.')[0]}.cpp")
        rooms[source.parent.name] += text
        others[source.parent.name] += data + bss
    for room in sorted(rooms):
        print(f"{'xtensa lib/' + room:24}{rooms[room]:8}{others[room]:8}")
    for message in too_large:
        print(message, file=sys.stderr)
    return len(too_large)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(__file__).resolve().parents[1] / "firmware/lib"))
