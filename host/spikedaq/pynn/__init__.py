"""Sessions and benches, handled as PyNN handles populations: record, reset, get_data, write_data, Figure and Panel."""

from spikedaq.pynn.assembly import Assembly
from spikedaq.pynn.opening import connect_assembly as connect
from spikedaq.pynn.opening import open_assembly as open  # noqa: A004  as spikedaq.open is called
from spikedaq.pynn.plotting import Figure, Panel, plot
from spikedaq.pynn.population import Population

__all__ = ["Assembly", "Figure", "Panel", "Population", "connect", "open", "plot"]
