"""Print requirements from pyproject.toml, one a line: ``build-system``, ``dependencies`` or the name of an extra."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def main() -> None:
    """Print what the arguments name, with what our own extras name in the place of their names."""
    data = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    for name in sys.argv[1:]:
        if name == "build-system":
            lines = data["build-system"]["requires"]
        elif name == "dependencies":
            lines = data["project"]["dependencies"]
        else:
            lines = data["project"]["optional-dependencies"][name]
        print("\n".join(expanded(lines, data["project"]["optional-dependencies"])))


def expanded(lines: list[str], extras: dict[str, list[str]]) -> list[str]:
    """Return requirements with those of our own extras in the place of each ``spikedaq[EXTRA]``."""
    found = []
    for line in lines:
        if line.startswith("spikedaq["):
            for extra in line.removeprefix("spikedaq[").rstrip("]").split(","):
                found += expanded(extras[extra], extras)
        else:
            found.append(line)
    return found


if __name__ == "__main__":
    main()
