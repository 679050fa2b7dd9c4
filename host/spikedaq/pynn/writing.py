"""Write blocks, by an IO of Neo or by a file's name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spikedaq.model import ConfigError
from spikedaq.objects.block_copy import for_nix
from spikedaq.objects.block_files import check_extension, write_block


def write_data(io: Any, blocks: Mapping[str, Callable[[], Any]], overwrite: bool) -> list[Path]:
    """Write blocks, each to a file of its own; see `spikedaq.pynn.Handle.write_data`.

    Parameters
    ----------
    io : str, Path, or an IO of Neo
    blocks : mapping of str to callable
        What to put into each file's name, and what makes the block.
    """
    if isinstance(io, str | Path):
        path = Path(io)
        check_extension(path)
        return [write_block(make(), _name(path, bench), overwrite=overwrite) for bench, make in blocks.items()]
    if not hasattr(io, "write_block") and not hasattr(io, "write"):
        raise ConfigError(f"give a file's name or an IO of Neo, not {type(io).__name__}")
    if len(blocks) > 1:
        raise ConfigError("an IO of Neo has one file, and there are several benches; give a file's name, or gather")
    for make in blocks.values():
        block = make()
        if type(io).__name__ == "NixIO":
            block = for_nix(block)  # Neo's NixRawIO takes the numbers for that
        io.write(block)
    return []


def _name(path: Path, bench: str) -> Path:
    if not bench:
        return path
    return path.with_name(f"{path.stem}_{re.sub(r'[^A-Za-z0-9_.-]', '_', bench)}{path.suffix}")
