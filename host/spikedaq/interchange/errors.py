"""Faults of foreign files. Each is also what the same fault is in the tools whose names our functions have."""

from __future__ import annotations

from spikedaq.model import StoreError


class ContentError(StoreError, ValueError):
    """A file that holds something else than it should, or contradicts itself."""


class MissingContentError(StoreError, KeyError):
    """A file that lacks a dataset, a table or a column."""

    def __str__(self) -> str:
        # KeyError would put its message in quotes.
        return str(self.args[0]) if self.args else ""


class MissingFileError(StoreError, FileNotFoundError):
    """There is no such file or folder."""


class UntrustedError(StoreError, ValueError):
    """A file that could run code while it is read, and nobody said that it is to be trusted."""


class UnwrittenWarning(UserWarning):
    """Something of the spike trains does not reach the file, because its format has no place for it."""


class FlaggedWarning(UserWarning):
    """A file can be used, but a reader has to know something about it; it is in ``metadata["flags"]``, too."""
