"""`spikedaq scope`: the web page of one or several benches."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path
from typing import Any

from spikedaq.cli.common import add_json_option, print_json
from spikedaq.cli.qr import qr_lines
from spikedaq.daemon.log_setup import set_up_logging
from spikedaq.inlet import control_url
from spikedaq.model import ConfigError, SpikedaqError

DEFAULT_LISTEN = "127.0.0.1:5580"


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser("scope", help="a web page that shows live devices, and lets you drive them")
    parser.add_argument(
        "--url",
        action="append",
        help="a daemon's control endpoint; may be given several times (default: $SPIKEDAQ_URL, "
        "else tcp://127.0.0.1:5571)",
    )
    parser.add_argument("--key", metavar="FILE", help="the key of this page, where a daemon demands one")
    parser.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT", help=f"default: {DEFAULT_LISTEN}")
    add_page_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_scope)


def add_page_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run_scope` knows beside where to listen and which benches; whoever serves a page has all of it."""
    parser.add_argument("--viewer-token", metavar="TEXT", help="who has it may watch; made where it is needed")
    parser.add_argument("--controller-token", metavar="TEXT", help="who has it may do everything")
    parser.add_argument("--read-only", action="store_true", help="viewers only: nobody may change anything with it")
    parser.add_argument(
        "--imaging-folder",
        type=Path,
        metavar="DIR",
        help="where imaging goes that is recorded beside no recording (default: imaging in the data folder of a daemon "
        "on this computer)",
    )
    parser.add_argument("--open", action="store_true", help="open it in this computer's browser")
    parser.add_argument("--no-qr", action="store_true", help="print no QR code")
    parser.set_defaults(words=("viewers", "controllers"), needs_token=False, on_served=lambda _: None)


def split_listen(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``:PORT`` or ``PORT``.

    Raises
    ------
    ConfigError
        Not of that form.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal()) or len(port) > 5 or int(port) > 65535:
        raise ConfigError(f"--listen {text!r} is not HOST:PORT; write for example {DEFAULT_LISTEN}")
    return host.strip("[]") or "127.0.0.1", int(port)


def run_scope(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    try:
        from spikedaq.scope.access import Access, is_loopback, new_token  # noqa: PLC0415 - an extra
        from spikedaq.scope.app import make_app  # noqa: PLC0415
        from spikedaq.scope.hub import Hub  # noqa: PLC0415
        from spikedaq.scope.server import PageServer, address_of, bind, own_address_of  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f"the page needs {error.name}, which is not installed: pip install 'spikedaq[scope]'"
        ) from error
    host, port = split_listen(arguments.listen)
    viewer, controller = arguments.viewer_token, arguments.controller_token
    if arguments.read_only and controller:
        raise ConfigError("--read-only has no controllers; leave it or --controller-token out")
    if viewer or controller or arguments.needs_token or arguments.read_only or not is_loopback(host):
        viewer = viewer or new_token()
        controller = None if arguments.read_only else controller or new_token()
    access = Access(host, viewer_token=viewer, controller_token=controller)
    hub = Hub(arguments.url or [control_url()], key=arguments.key)
    listening = bind(host, port)
    address, own_address = address_of(listening), own_address_of(listening)

    def started() -> None:
        addresses = {"page": address}
        if access.needs_token:
            addresses = {"viewers": f"{address}?token={viewer}"}
            if controller is not None:
                addresses["controllers"] = f"{own_address}?token={controller}"
        arguments.on_served(addresses)
        if controller is not None and not access.is_local:
            print(f"note: {_readable_text(is_own=own_address != address)}", file=sys.stderr)
        if arguments.json:
            print_json(addresses)
        else:
            _print(addresses, arguments.words, with_qr=not arguments.no_qr and access.needs_token)
        if arguments.open:
            webbrowser.open(addresses.get("controllers", addresses.get("viewers", address)))

    log = set_up_logging()  # to stderr: with --json a program reads stdout
    try:
        app = make_app(hub, access, imaging_folder=arguments.imaging_folder)
        server = PageServer(app, hub, started=started, is_needed=app.state.trials.is_running)
        server.run(sockets=[listening])
    finally:
        log.close()
    if hub.failure:
        raise SpikedaqError(f"the page ended because of a defect of its own, {hub.failure}; please report its log")
    return 0


def _readable_text(*, is_own: bool) -> str:
    """Say who can read the controllers' token; ``is_own`` where their address is for this computer's browser."""
    if is_own:
        return (
            "the page is not encrypted: open the controllers' address on this computer, or through an SSH tunnel; "
            "under the other name its token crosses the network, where others can read it"
        )
    return (
        "the page is not encrypted: whoever can read this network's traffic learns the controllers' token as it is "
        "used, and may then change everything; listen at 0.0.0.0, which keeps it on this computer, or use --read-only"
    )


def _print(addresses: dict[str, str], words: tuple[str, str], *, with_qr: bool) -> None:
    named = dict(zip(("viewers", "controllers"), words, strict=True))
    for what, address in addresses.items():
        print(f"{named.get(what, what)}: {address}", flush=True)
    if with_qr:
        for line in qr_lines(addresses["viewers"]):
            print(line)
    print("Ctrl-C ends it; the benches and their recordings go on.", flush=True)
