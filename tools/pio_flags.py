"""Print the build flags that say what a PlatformIO image was made of; platformio.ini calls this."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print version and a hash over every file that can go into an image."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    digest = hashlib.sha256()
    for path in sorted((ROOT / "firmware").rglob("*")):
        if path.suffix in {".h", ".cpp"} and path.relative_to(ROOT / "firmware").parts[0] in {"lib", "boards"}:
            digest.update(path.read_bytes())
    print(f"'-D SPIKEDAQ_VERSION=\"{version}\"' '-D SPIKEDAQ_BUILD_HASH=\"{digest.hexdigest()[:12]}\"'")


if __name__ == "__main__":
    main()
