"""One base class per kind of fault; every message names the thing, what is wrong, and the remedy."""

from __future__ import annotations


class SpikedaqError(Exception):
    """Base of every error that spikedaq raises on purpose."""


class ProtocolError(SpikedaqError):
    """The wire protocol was not kept."""


class LocalProtocolError(ProtocolError):
    """A request that the protocol's state does not allow, made on our side."""


class RemoteProtocolError(ProtocolError):
    """The device sent something that no working device sends, or speaks another major version."""


class LinkError(SpikedaqError):
    """A byte transport failed. ``url`` names it."""

    def __init__(self, message: str, *, url: str = "") -> None:
        super().__init__(message)
        self.url = url


class LinkOpenError(LinkError):
    """A link could not be opened: absent, busy, not permitted, or an address that makes no sense."""


class LinkLostError(LinkError):
    """An open link ended: unplugged, closed by the other side, or its process died."""


class CommandError(SpikedaqError):
    """A command to a device or a daemon did not take effect. ``code`` is a stable short word."""

    def __init__(self, message: str, *, code: str = "error") -> None:
        super().__init__(message)
        self.code = code


class CommandRejected(CommandError):
    """The other side answered, and refused."""


class CommandTimeout(CommandError):
    """The other side did not answer in time."""


class ConfigError(SpikedaqError):
    """A configuration, an argument or a name that cannot be used."""


class ArgumentError(ConfigError, ValueError):
    """An argument that makes no sense, of a function whose callers know it from other tools, where it is ValueError."""


class ArgumentTypeError(ConfigError, TypeError):
    """An argument of the wrong kind, of such a function."""


class StoreError(SpikedaqError):
    """A recording, journal or folder that cannot be read or written."""


class DamagedFileError(StoreError):
    """The content of a file is not what was written; what it held is to be had from the journal only."""


class DiskFullError(StoreError):
    """There is no room for what is to be written; nothing is wrong with the file itself."""


class RecordingWarning(UserWarning):
    """Something about a recording that its reader should know; the same text is in the recording's ``flags``."""
