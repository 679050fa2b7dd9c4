"""`spikedaq demo` with its page, as a process."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def demo(data: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Run the demo; its process, the address of its page, the daemon's."""
    command = [sys.executable, "-m", "spikedaq.cli", "demo", "--data", str(data), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            assert process.stdout is not None
            for line in process.stdout:
                said += line
                if "elsewhere: " in line:
                    break
            page = re.search(r"^the page is at (\S+)$", said, re.MULTILINE)
            bench = re.search(r"SPIKEDAQ_URL=(\S+)", said)
            assert page and bench, said
            yield process, page[1], bench[1]
        finally:
            if process.poll() is None:
                process.kill()
