"""What every connection of a client shares: it is closed with the ``with`` statement that it stands in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """Something that is closed once, by `close` or by the end of its ``with`` statement."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
