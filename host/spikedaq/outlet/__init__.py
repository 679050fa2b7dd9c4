"""The publishing end of the bus, and the socket that takes commands."""

from spikedaq.outlet.arguments import check_arguments
from spikedaq.outlet.control import ControlServer
from spikedaq.outlet.endpoint import check_endpoint, held
from spikedaq.outlet.gate import Gate
from spikedaq.outlet.peer import Peer
from spikedaq.outlet.publisher import Publisher

__all__ = ["ControlServer", "Gate", "Peer", "Publisher", "check_arguments", "check_endpoint", "held"]
