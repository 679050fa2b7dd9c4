"""The daemon's log on stderr: for people where that is a terminal, one JSON object per line otherwise.

Where the journal of systemd takes stderr, each line begins with its level, ``<3>`` for an error (sd-daemon(3)).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog

from spikedaq.daemon.log_writer import LogWriter

# syslog(3)
_PRIORITIES = {"critical": 2, "exception": 3, "error": 3, "warning": 4, "info": 6, "debug": 7}


def set_up_logging(stream: TextIO | None = None, level: int = logging.INFO) -> LogWriter:
    """Set up structlog for this process; close what is returned at its end."""
    out = stream or sys.stderr
    people = out.isatty()
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if people:
        processors.append(structlog.dev.ConsoleRenderer())
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if is_journald(out, os.environ):
            processors.append(_with_level)
    writer = LogWriter(out)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(writer),  # type: ignore[arg-type]  # it needs write and flush only
        cache_logger_on_first_use=False,
    )
    return writer


def is_journald(out: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a stream goes to systemd's journal: JOURNAL_STREAM has its device and inode (systemd.exec(5))."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(out.fileno())
    except (OSError, ValueError):
        return False
    return (str(found.st_dev), str(found.st_ino)) == (device, inode)


def _with_level(_: object, method: str, line: object) -> str:
    return f"<{_PRIORITIES.get(method, 6)}>{line}"
