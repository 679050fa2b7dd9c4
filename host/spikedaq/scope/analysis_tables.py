"""The tables that the analysis page offers: those that `spikedaq spikes` and `spikedaq average` write, by name."""

from __future__ import annotations

from spikedaq.analysis import Table
from spikedaq.analysis.tables import fi_table
from spikedaq.formats.found_spikes import NEURON_CHANNELS, STEP_UNITS, Found, curve_of, find_in, spike_tables
from spikedaq.formats.loop_averages import (
    Averaged,
    average_over,
    average_tables,
    before_table,
    left_out,
    loops_of,
    stimulus_before,
)
from spikedaq.formats.samples import Samples
from spikedaq.model import ConfigError
from spikedaq.scope.analysis_loaded import Loaded
from spikedaq.scope.analysis_look import Look


def table(loaded: Loaded, look: Look, name: str) -> Table:
    """Return one of the tables that `table_names` names: the same that `spikedaq spikes` and `spikedaq average` write.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    found = find_in(loaded.samples, channel_in(loaded.samples, look), look.rule)
    with_loops = name.startswith(("averages", "loops")) or name.endswith(("_means.csv", "_rasterplot.csv"))
    tables = spike_tables(found)
    if with_loops:
        averaged, why_not = averaged_in(found, look)
        if averaged is None:
            raise ConfigError(why_not)
        tables = average_tables(averaged)
    elif name.startswith("spike_triggered_average") and "stimulus" in found.samples.channels:
        tables = [before_table(found, stimulus_before(found, look.sta_ms))]
    elif name.startswith("fi_curve") and look.fi in found.samples.channels:
        tables = [fi_table(curve_of(found, look.fi), unit=STEP_UNITS[look.fi])]
    chosen = next((one for one in tables if one.name == name), None)
    if chosen is None:
        raise ConfigError(f"there is no table {name[:80]!r} of this recording")
    return chosen


def channel_in(samples: Samples, look: Look) -> str:
    """Return the channel that is looked at; ConfigError where the samples do not have it."""
    if look.channel in samples.channels:
        return look.channel
    has = [name for name in NEURON_CHANNELS if name in samples.channels]
    raise ConfigError(
        f"{samples.name} has no channel {look.channel} with values in it"
        + (f"; it has {', '.join(has)}" if has else "")
    )


def averaged_in(found: Found, look: Look) -> tuple[Averaged | None, str]:
    """Return the averages over loops; where there can be none, why not."""
    samples = found.samples
    if "trigger" not in samples.channels:
        return None, "there is no channel trigger with values in it, so loops cannot be told; record with a stimulus"
    loops = loops_of(samples, look.loops)
    if not len(loops.starts):
        return None, f"there is no whole stimulus loop to average ({left_out(loops)})"
    return average_over(found, loops), ""


def table_names(found: Found, averaged: Averaged | None, look: Look) -> list[str]:
    """Return the names of the tables that there are of what was found."""
    stem = found.neuron.replace(" ", "")
    names = [f"{stem}_spike.csv", f"{stem}_spikerate.csv", f"spikes{found.suffix}.csv"]
    if averaged is not None:
        names += [f"{stem}_means.csv", f"{stem}_rasterplot.csv", f"averages{found.suffix}.csv"]
        names += ["loops.csv"] if found.channel == "vm" else []
    if "stimulus" in found.samples.channels:
        names.append(f"spike_triggered_average{found.suffix}.csv")
    if look.fi in found.samples.channels:
        names.append("fi_curve.csv")
    return names
