"""Optional packages: loaded where they are used; where one is absent, the error names the command that installs it."""

from __future__ import annotations

import importlib
from types import ModuleType

from spikedaq.model.errors import SpikedaqError


class MissingExtraError(SpikedaqError, ImportError):
    """A package that only some functions need is not installed. ``extra`` is what to install it by."""

    def __init__(self, message: str, *, extra: str = "") -> None:
        super().__init__(message)
        self.extra = extra


def require(module: str, extra: str) -> ModuleType:
    """Load an optional module.

    Parameters
    ----------
    module : str
        As in an ``import`` statement; of ``a.b`` that is ``a.b`` itself.
    extra : str
        The extra of spikedaq that brings it.

    Raises
    ------
    MissingExtraError
        It, or something that it needs, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        absent = error.name or module
        raise MissingExtraError(
            f"{absent} is not installed, and this needs it: pip install 'spikedaq[{extra}]'", extra=extra
        ) from error
