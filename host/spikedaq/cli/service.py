"""`spikedaq service show|install`: the daemon as a service of systemd."""

from __future__ import annotations

import argparse
import getpass
import os
import shutil
from pathlib import Path
from typing import Any

from spikedaq.cli.service_unit import UNIT_NAME, ServiceSetup, unit_text
from spikedaq.daemon import load_config
from spikedaq.durable import replaced
from spikedaq.model import ConfigError, StoreError

SYSTEM_CONFIG = Path("/etc/spikedaq/spikedaq.toml")
SYSTEM_UNITS = Path("/etc/systemd/system")


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "service",
        help="run spikedaqd as a service of systemd",
        description="Makes the unit file of a service that runs spikedaqd with a configuration file, from the start of "
        "the computer on. See docs/how-to/run-as-a-service.md.",
    )
    parser.add_argument("action", choices=("show", "install"), help="print the unit file, or put it into its place")
    parser.add_argument(
        "--user", action="store_true", help="for your own systemd instead of the computer's; needs no rights"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"configuration (default: {SYSTEM_CONFIG})")
    parser.add_argument("--run-as", metavar="NAME", help="user of the service (default: you; root has to say whom)")
    parser.add_argument(
        "--writable", type=Path, action="append", default=[], metavar="DIR", help="record there, too (again for more)"
    )
    parser.add_argument("--force", action="store_true", help="replace a unit file that is there and different")
    parser.set_defaults(run=run_service)


def run_service(arguments: argparse.Namespace) -> int:
    """Show or install the unit."""
    setup = setup_from(arguments)
    unit = unit_text(setup)
    if arguments.action == "show":
        print(unit, end="")
        return 0
    folder = user_units() if arguments.user else SYSTEM_UNITS
    path = folder / UNIT_NAME
    _make_folders(setup)
    _install(path, unit, force=arguments.force)
    manager = "systemctl --user" if arguments.user else "sudo systemctl"
    print(f"{path} is written. Now:")
    print(f"  {manager} daemon-reload")
    print(f"  {manager} enable --now spikedaqd")
    if arguments.user:
        print(f"  loginctl enable-linger {getpass.getuser()}    # so that it runs while you are not logged in")
    return 0


def setup_from(arguments: argparse.Namespace) -> ServiceSetup:
    """Return what the arguments and the configuration say.

    Raises
    ------
    ConfigError
        The configuration is missing or cannot be used, or the service would run as root unasked.
    """
    config = (arguments.config or (user_config() if arguments.user else SYSTEM_CONFIG)).absolute()
    if not config.exists():
        raise ConfigError(f"{config} does not exist; write it first, or name another with --config FILE")
    found = load_config(config)
    endpoints = (found.control, found.publish)
    return ServiceSetup(
        is_user=arguments.user,
        run_as=arguments.run_as or _caller(is_user=arguments.user),
        config=config,
        writable=[found.data.absolute(), *(path.absolute() for path in arguments.writable)],
        shares_tmp=any(endpoint.startswith("ipc:///tmp") for endpoint in endpoints),
    )


def _caller(*, is_user: bool) -> str:
    """Return who calls; under sudo it is the caller's boards and folders that are meant."""
    if os.geteuid() != 0 or is_user:
        return getpass.getuser()
    caller = os.environ.get("SUDO_USER", "root")
    if caller == "root":
        raise ConfigError(
            "nobody but root is here to run the service, and as root it would have far more rights than it needs; name "
            "a user with --run-as NAME (or --run-as root, if it has to be)"
        )
    return caller


def user_config() -> Path:
    """Where a user's own configuration is."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "spikedaq" / "spikedaq.toml"


def user_units() -> Path:
    """Where a user's own units are."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _make_folders(setup: ServiceSetup) -> None:
    """Make the folders that the service may write to: systemd refuses to start it without them."""
    for folder in setup.writable:
        try:
            if not folder.exists():
                folder.mkdir(parents=True)
                if not setup.is_user and os.geteuid() == 0:
                    shutil.chown(folder, setup.run_as)
        except (OSError, LookupError) as error:
            raise StoreError(f"the folder {folder} cannot be made ({error}); make it, for {setup.run_as}") from error


def _install(path: Path, unit: str, *, force: bool) -> None:
    try:
        if path.exists() and path.read_text("utf-8") != unit and not force:
            raise StoreError(f"{path} exists already and is different; look at it, and replace it with --force")
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as file:
            file.write(unit)
    except OSError as error:
        hint = "use sudo, or --user" if isinstance(error, PermissionError) else "check its folder"
        raise StoreError(f"{path} cannot be written ({error.strerror}); {hint}") from error
