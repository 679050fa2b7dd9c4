"""Options that make a session's name by the convention ``YYYY-MM-DD_group_condition_mode_protocol_run``."""

from __future__ import annotations

import argparse
from datetime import date

from spikedaq.inlet import Bench
from spikedaq.model import ConfigError, session_name

NEXT = "next"
_PARTS = ("group", "condition", "mode", "protocol", "run")


def add_name_options(parser: argparse.ArgumentParser, *, prefix: str = "", note: str = "") -> None:
    """Add ``--group`` to ``--run``; ``prefix`` goes before their names in the namespace."""
    add = parser.add_argument_group(
        f"name by the convention YYYY-MM-DD_group_condition_mode_protocol_run{note}"
    ).add_argument  # fmt: skip
    add("--group", dest=f"{prefix}name_group", metavar="TEXT", help="may be left out")
    add("--condition", dest=f"{prefix}name_condition", metavar="TEXT", help="may be left out")
    add("--mode", dest=f"{prefix}name_mode", metavar="TEXT", help="what the neuron is, such as tonic-spiking")
    add("--protocol", dest=f"{prefix}name_protocol", metavar="TEXT", help="what is done to it, such as sine20")
    add(
        "--run", dest=f"{prefix}name_run", type=run_number, metavar="N|next", help="next: the one after those there are"
    )


def run_number(text: str) -> int | str:
    """Read a run number, or ``next``."""
    if text == NEXT:
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number such as 1, nor 'next'") from None


def given_parts(arguments: argparse.Namespace, *, prefix: str = "") -> dict[str, str | int]:
    """Return the parts of a name that the options give."""
    values = {name: getattr(arguments, f"{prefix}name_{name}") for name in _PARTS}
    return {name: value for name, value in values.items() if value is not None}


def name_from_parts(parts: dict[str, str | int], bench: Bench | None, *, today: date) -> str:
    """Return the name that the parts make.

    Parameters
    ----------
    parts : map
        As `given_parts`; ``run`` may be `NEXT`.
    bench : Bench or None
        Asked for the runs there are, where that is needed.

    Raises
    ------
    ConfigError
        A part is missing or cannot be; the text says which and why.
    CommandRejected
        Which runs there are cannot be told.
    """
    from spikedaq.experiment import suggest_session_name  # noqa: PLC0415 - numpy takes 0.2 s to load

    run = parts.get("run")
    if run is None:
        raise ConfigError("the run is missing; give --run N, or --run next for the one after those that there are")
    texts = {name: str(parts.get(name, "")) for name in _PARTS if name != "run"}
    if isinstance(run, int) or bench is None:
        return session_name(day=today, run=run, **texts)  # type: ignore[arg-type]
    return suggest_session_name(bench, day=today, **texts)  # type: ignore[arg-type]
