"""The systemd unit of spikedaqd, as text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

UNIT_NAME = "spikedaqd.service"
WATCHDOG_S = 30
"""The daemon gives a sign of life every 10 s; a memory card may hold up a write for longer than that."""


@dataclass(frozen=True, slots=True)
class ServiceSetup:
    """What a unit depends on.

    Attributes
    ----------
    is_user : bool
        For the systemd of one user, without rights over the computer.
    run_as : str
        User of a system service.
    config : Path
    writable : sequence of Path
        Where recordings and journals go.
    shares_tmp : bool
        Clients reach it through a socket in /tmp.
    """

    is_user: bool
    run_as: str
    config: Path
    writable: Sequence[Path]
    shares_tmp: bool = False


def unit_text(setup: ServiceSetup) -> str:
    """Return the unit file."""
    start = f"{_command()} --config {_quoted(setup.config)}"
    sections = [
        "# Made by 'spikedaq service'; make it again after the configuration names another data folder.",
        "[Unit]",
        "Description=spikedaqd, the recorder of a Spikeling bench",
        "Documentation=man:systemd.service(5)",
        # A week alone: it is started again however often it ends.
        "StartLimitIntervalSec=0",
    ]
    if not setup.is_user:
        # Times in files are tied to UTC once per session, so the clock should be right before one goes on.
        sections += ["After=local-fs.target time-sync.target", "Wants=time-sync.target"]
        sections += [f"RequiresMountsFor={' '.join(map(_quoted, setup.writable))}"]
    sections += [
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={start}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        f"WatchdogSec={WATCHDOG_S}",
        "# What was stuck then is in the log.",
        "Environment=PYTHONFAULTHANDLER=1",
        "Restart=on-failure",
        "RestartSec=1",
        "# A configuration that cannot be used does not become better by trying.",
        "RestartPreventExitStatus=2",
        "# The recorder is ended by the daemon, which closes the files first: 60 s for the largest.",
        "KillMode=mixed",
        "TimeoutStartSec=90",
        "TimeoutStopSec=90",
        "UMask=0027",
        "LimitNOFILE=4096",
        "NoNewPrivileges=yes",
    ]
    if not setup.is_user:
        sections += _system(setup)
    sections += ["", "[Install]", f"WantedBy={'default.target' if setup.is_user else 'multi-user.target'}", ""]
    return "\n".join(sections)


def _system(setup: ServiceSetup) -> list[str]:
    lines = [
        f"User={setup.run_as}",
        "# Serial ports belong to this group; it needs no other right.",
        "SupplementaryGroups=dialout",
        "Nice=-5",
        "OOMScoreAdjust=-500",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        f"ReadWritePaths={' '.join(map(_quoted, setup.writable))}",
    ]
    if not setup.shares_tmp:
        lines.append("PrivateTmp=yes")
    # No DeviceAllow: it knows only drivers that are loaded when the service starts, and boards are plugged in later.
    return [
        *lines,
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallErrorNumber=EPERM",
    ]


def _command() -> str:
    beside = Path(sys.executable).parent / "spikedaqd"
    return _quoted(beside) if beside.exists() else f"{_quoted(Path(sys.executable))} -m spikedaq.cli.daemon"


def _quoted(path: Path) -> str:
    """Return a path as a unit file takes it: systemd.syntax(7)."""
    text = str(path).replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if any(c in text for c in " \t'\\\"") else text
