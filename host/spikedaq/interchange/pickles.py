"""Pickles of spike trains. One can run any code while it is read, so none is read unless it is said to be trusted."""

from __future__ import annotations

import pickle
import pickletools
import warnings
from pathlib import Path
from typing import Any

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.formats.s3 import Access
from spikedaq.interchange.errors import ContentError, UntrustedError
from spikedaq.interchange.places import PathOrUrl, is_url, read_from, write_to
from spikedaq.interchange.spikelab import from_spikelab, is_spikedata, to_spikelab
from spikedaq.model import ArgumentError, ArgumentTypeError

# What unpickling raises on files that are damaged, or of packages that are not there.
_UNPICKLING_ERRORS = (
    *(pickle.UnpicklingError, EOFError, ImportError, AttributeError),
    *(IndexError, KeyError, ValueError, TypeError, MemoryError),
)
_SHOWN = 8


def export_to_pickle(
    obj: Any,
    filepath: PathOrUrl,
    *,
    protocol: int | None = None,
    s3_upload: bool = False,
    aws_access_key_id: str | None = None,
    aws_secret_access_key: str | None = None,
    aws_session_token: str | None = None,
    region_name: str | None = None,
    as_spikelab: bool = False,
    overwrite: bool = False,
) -> str:
    """Write spike trains as a pickle.

    Parameters
    ----------
    obj : SpikeTrains, or an object of SpikeLab
    filepath : path or URL
        Folders above a file are made.
    protocol : int, optional
        Of pickle.
    s3_upload : bool
        Says that ``filepath`` is an S3 URL, which is seen without it, too.
    aws_access_key_id, aws_secret_access_key, aws_session_token, region_name : str, optional
        For an S3 URL; default: as the AWS tools find them.
    as_spikelab : bool
        Write a SpikeData, which SpikeLab's own loader asks for; it needs SpikeLab.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    str
        Where it was written.

    Raises
    ------
    ArgumentTypeError
        Something else than spike trains (a TypeError, too).
    ArgumentError
        ``s3_upload`` of a local file, or an unknown protocol.
    StoreError
        The file exists, or cannot be written.
    """
    if not isinstance(obj, SpikeTrains) and not type(obj).__module__.startswith("spikelab."):
        raise ArgumentTypeError(f"{type(obj).__name__} is nothing of ours or of SpikeLab; give SpikeTrains")
    if s3_upload and not is_url(filepath):
        raise ArgumentError(f"s3_upload is set, and {filepath} is no s3:// URL; give one, or leave s3_upload out")
    if as_spikelab and isinstance(obj, SpikeTrains):
        obj = to_spikelab(obj)
    try:
        data = pickle.dumps(obj, protocol=pickle.HIGHEST_PROTOCOL if protocol is None else protocol)
    except (pickle.PicklingError, ValueError, TypeError, AttributeError) as error:
        raise ArgumentError(f"it cannot be pickled: {error}; look at its metadata and neuron_attributes") from error
    access = Access(aws_access_key_id, aws_secret_access_key, aws_session_token, region_name)
    if not is_url(filepath):
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
    with write_to(filepath, overwrite=overwrite, access=access) as path:
        path.write_bytes(data)
    return str(filepath)


def load_spikedata_from_pickle(
    filepath: PathOrUrl,
    *,
    allow_remote: bool = False,
    aws_access_key_id: str | None = None,
    aws_secret_access_key: str | None = None,
    aws_session_token: str | None = None,
    region_name: str | None = None,
    trust: bool = False,
) -> SpikeTrains:
    """Read spike trains of a pickle, ours or a SpikeData of SpikeLab.

    Parameters
    ----------
    filepath : path or URL
    allow_remote : bool
        Whether an S3 URL may be read; ``trust`` is needed, too.
    aws_access_key_id, aws_secret_access_key, aws_session_token, region_name : str, optional
        For an S3 URL; default: as the AWS tools find them.
    trust : bool
        Say that you know who made this file. Reading a pickle runs what its maker wanted to be run.

    Raises
    ------
    UntrustedError
        ``trust`` is not given; nothing was read of the pickle but which names it would import.
    ContentError
        It is damaged, or holds something else (ValueError, too).
    """
    access = Access(aws_access_key_id, aws_secret_access_key, aws_session_token, region_name)
    found = _load(filepath, allow_remote=allow_remote, access=access, trust=trust)
    if isinstance(found, SpikeTrains):
        return found
    if is_spikedata(found):
        return from_spikelab(found)
    raise ContentError(
        f"{filepath} holds a {type(found).__name__}, no spike trains; load_from_pickle gives it as it is"
    )


def load_from_pickle(
    filepath: PathOrUrl,
    *,
    allow_remote: bool = False,
    aws_access_key_id: str | None = None,
    aws_secret_access_key: str | None = None,
    aws_session_token: str | None = None,
    region_name: str | None = None,
    trust: bool = False,
) -> Any:
    """Read an object of ours or of SpikeLab; as `load_spikedata_from_pickle`.

    Raises
    ------
    UntrustedError, ContentError
        As there.
    """
    access = Access(aws_access_key_id, aws_secret_access_key, aws_session_token, region_name)
    found = _load(filepath, allow_remote=allow_remote, access=access, trust=trust)
    if not isinstance(found, SpikeTrains) and not type(found).__module__.startswith("spikelab."):
        raise ContentError(f"{filepath} holds a {type(found).__name__}, nothing of ours or of SpikeLab")
    return found


def refuse_untrusted(place: str, names: list[str]) -> UntrustedError:
    """Return the error for what is not to be unpickled, with what it would import."""
    shown = ", ".join(names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")
    return UntrustedError(
        f"{place} is pickled, and reading it can run code{': it imports ' + shown if shown else ''}; if you know who "
        "made it, give trust=True (--trust)"
    )


def imported_names(data: bytes) -> list[str]:
    """Return what a pickle would import while it is read, without reading it; what can be told of it."""
    names: dict[str, None] = {}
    texts: list[str] = []
    memo: dict[int, str] = {}
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL":
                names[str(argument).replace(" ", ".")] = None
            elif opcode.name == "STACK_GLOBAL":
                names[".".join(texts[-2:])] = None
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = texts[-1] if texts else ""
            elif opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
                memo[int(str(argument))] = texts[-1] if texts else ""
            elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
                texts.append(memo.get(int(str(argument)), ""))
            elif isinstance(argument, str):
                texts.append(argument)
    except (ValueError, IndexError, UnicodeDecodeError):
        pass
    return list(names)


def _load(filepath: PathOrUrl, *, allow_remote: bool, access: Access, trust: bool) -> Any:
    if is_url(filepath):
        if not allow_remote:
            raise ArgumentError(f"{filepath} is on another computer, and a pickle can run code; give allow_remote=True")
        warnings.warn(f"{filepath} is a pickle of another computer; reading it can run code", UserWarning, stacklevel=3)
    with read_from(filepath, access=access) as path:
        data = path.read_bytes()
        if not trust:
            raise refuse_untrusted(str(filepath), imported_names(data))
        try:
            return pickle.loads(data)  # noqa: S301 - the caller trusts it
        except _UNPICKLING_ERRORS as error:
            raise ContentError(
                f"{filepath} cannot be unpickled: {type(error).__name__}: {error}; it is damaged, or of a package that "
                "is not installed here"
            ) from error
