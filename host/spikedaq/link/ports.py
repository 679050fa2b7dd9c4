"""Serial ports and pseudo-terminals: opened for this process alone, with errors that say what to do.

pyserial opens and sets up a port; its descriptor is then read here. pyserial-asyncio's own transport reads 1024 bytes
at a time (two wake-ups per block where one does), cannot say when a read happened, buffers writes without bound, and
when it closes waits in the event loop for the output to drain, which takes forever with a board that hangs.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import grp
import os
import stat
import termios
import tty
from dataclasses import dataclass
from pathlib import Path

import serial
from serial.tools import list_ports

from spikedaq.link.base import FdLink
from spikedaq.link.url import AUTO, LinkUrl
from spikedaq.model import LinkOpenError

DEFAULT_BAUD = 500000
"""The baud rate of the stock ESP32 firmware's GUI."""

_BUSY = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)


async def open_serial(url: LinkUrl) -> FdLink:
    """Open ``serial:/dev/ttyUSB0?baud=500000``, in a thread: some drivers take their time.

    Raises
    ------
    LinkOpenError
        Absent, busy, not permitted, not a serial port, or the port refuses the baud rate.
    """
    port = await asyncio.to_thread(_open_port, url)
    return SerialLink(url, port)


class SerialLink(FdLink):
    """A serial port, whose baud rate may be changed while it is open.

    Closing and opening would do, too, but pulls the lines that reset most boards, which then are silent for seconds.
    """

    def __init__(self, url: LinkUrl, port: serial.Serial) -> None:
        super().__init__(
            url.text,
            port.fileno(),
            detail=_describe(url.target),
            closer=port.close,
            remedy="check the cable; it is opened again as soon as it is back",
        )
        self._port = port

    @property
    def baud(self) -> int:
        """Present baud rate."""
        return int(self._port.baudrate)

    def set_baud(self, baud: int) -> None:
        """Go on at another baud rate; what was received and not read is discarded.

        Raises
        ------
        LinkOpenError
            The port does not do it.
        """
        try:
            self._port.baudrate = baud
            self._port.reset_input_buffer()
        except (OSError, ValueError, OverflowError, termios.error) as error:
            raise LinkOpenError(f"{self.url} does not do {baud} baud ({error})", url=self.url) from error


async def open_pty(url: LinkUrl) -> FdLink:
    """Open ``pty:/dev/pts/5``, the terminal side of a pseudo-terminal.

    Raises
    ------
    LinkOpenError
        Absent, busy, not permitted, or not a terminal.
    """
    fd = open_pty_fd(url.target, url.text)
    return FdLink(
        url.text,
        fd,
        detail=f"pseudo-terminal {url.target}",
        closer=lambda: os.close(fd),
        remedy="start the program on its other side again",
    )


def open_pty_fd(path: str, url: str) -> int:
    """Open a pseudo-terminal for this process alone, raw, and return its descriptor."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _open_error(path, url, error.errno or 0, error.strerror) from error
    try:
        if not os.isatty(fd):
            raise _open_error(path, url, errno.ENOTTY, "")
        # The lock pyserial takes as well, so that two daemons exclude each other whatever they call the port. Not
        # TIOCEXCL: on a pseudo-terminal it outlives a killed daemon for as long as the other side stays open.
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        tty.setraw(fd, termios.TCSANOW)
    except LinkOpenError:
        os.close(fd)
        raise
    except OSError as error:
        os.close(fd)
        raise _open_error(path, url, error.errno or 0, error.strerror) from error
    except termios.error as error:
        os.close(fd)
        raise _open_error(path, url, error.args[0], str(error.args[1])) from error
    return fd


def _open_port(url: LinkUrl) -> serial.Serial:
    path = url.target
    # pyserial reports a plain file or a folder with errno of its own making; say what it is.
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise _open_error(path, url.text, error.errno or 0, error.strerror) from error
    if not stat.S_ISCHR(mode):
        raise _open_error(path, url.text, errno.ENOTTY, "")
    baud_option = url.option("baud", AUTO)
    baud = DEFAULT_BAUD if baud_option == AUTO else int(baud_option)
    try:
        port = serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True)
    except serial.SerialException as error:
        code = error.errno or getattr(error.__context__, "errno", None) or _termios_code(error.__context__) or 0
        raise _open_error(path, url.text, code, str(error)) from error
    except (ValueError, OverflowError, termios.error) as error:
        message = f"serial port {path} does not do {baud} baud ({error}); give one it does, as in {path}?baud=500000"
        raise LinkOpenError(message, url=url.text) from error
    try:
        # Keeps out programs that do not look at the lock. Ends with the last close, so also when we are killed.
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    except OSError:
        port.close()
        raise
    return port


def _termios_code(error: BaseException | None) -> int | None:
    return error.args[0] if isinstance(error, termios.error) and error.args else None


def _open_error(path: str, url: str, code: int, reason: str | None) -> LinkOpenError:
    if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        present = ", ".join(sorted(port.device for port in list_ports.comports()))
        found = f"serial ports found: {present}" if present else "no serial port is plugged in"
        text = f"{path} does not exist; plug the board in or correct the name ({found})"
    elif code in (errno.EACCES, errno.EPERM):
        group = _group_of(path)
        text = f"no permission to open {path}; run: sudo usermod -aG {group} $USER, then log out and in again"
    elif code in _BUSY:
        text = f"{path} is in use by another program; close it (another spikedaqd? the GUI?), `fuser {path}` names it"
    elif code in (errno.ENOTTY, errno.EISDIR, errno.EINVAL):
        text = f"{path} is not a serial port or terminal; give the board's port, such as /dev/ttyUSB0"
    elif code == errno.EIO:
        text = f"{path} has nobody on its other side; start the device first, or replug it"
    else:
        text = f"{path} cannot be opened ({reason}); replug the board and try again"
    return LinkOpenError(text, url=url)


def _group_of(path: str) -> str:
    try:
        name = grp.getgrgid(Path(path).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"
    return name if name not in ("root", "tty") else "dialout"


@dataclass(frozen=True, slots=True)
class PortIdentity:
    """What tells one port's board from another's.

    Attributes
    ----------
    text : str
        The same for the same board: its USB ids and serial number, or, where it has none, the port it is on.
    usb_vendor : int or None
    """

    text: str
    usb_vendor: int | None


def port_identity(url: LinkUrl) -> PortIdentity:
    """Look up who is on a port, without opening it."""
    known = None
    if url.scheme == "serial":
        real = os.path.realpath(url.target)
        known = next((port for port in list_ports.comports() if port.device in (url.target, real)), None)
    if known is None or known.vid is None:
        return PortIdentity(f"{url.scheme}:{url.target}", None)
    # Many bridges come with the same "0001"; only a longer number is one of its own.
    if len(known.serial_number or "") >= _LEAST_SERIAL_CHARACTERS:
        return PortIdentity(f"usb:{known.vid:04x}:{known.pid or 0:04x}:{known.serial_number}", known.vid)
    return PortIdentity(f"{url.scheme}:{url.target}", known.vid)


_LEAST_SERIAL_CHARACTERS = 6


def _describe(path: str) -> str:
    known = next((port for port in list_ports.comports() if port.device == path), None)
    return f"serial port {path}" + (f", {known.description}" if known and known.description not in ("n/a", "") else "")
