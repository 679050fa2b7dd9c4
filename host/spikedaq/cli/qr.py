"""A QR code in the terminal, where the library for it is installed."""

from __future__ import annotations

import io


def qr_lines(text: str) -> list[str]:
    """Return a text's QR code as lines of block characters, or one line that says what is missing."""
    try:
        import segno  # noqa: PLC0415  an extra
    except ImportError:
        return ["  (for its QR code: pip install 'spikedaq[class]')"]
    out = io.StringIO()
    segno.make(text, micro=False).terminal(out, border=2, compact=True)
    return out.getvalue().splitlines()
