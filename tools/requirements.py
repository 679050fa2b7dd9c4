"""Print requirements from pyproject.toml, one a line: ``build-system``, ``dependencies`` or the name of an extra."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def main() -> None:
    """Print what the arguments name, without references to the project itself."""
    data = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    for name in sys.argv[1:]:
        if name == "build-system":
            lines = data["build-system"]["requires"]
        elif name == "dependencies":
            lines = data["project"]["dependencies"]
        else:
            lines = data["project"]["optional-dependencies"][name]
        print("\n".join(line for line in lines if not line.startswith("spikedaq")))


if __name__ == "__main__":
    main()
