"""A recording as a block of Neo."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

from spikedaq.model import ConfigError, require
from spikedaq.objects.contents import Marks, SegmentContents, segment_contents, tells_spikes
from spikedaq.objects.units import is_known, quantity_unit
from spikedaq.recording import Recording

MAX_BLOCK_BYTES = 2 << 30
"""What the signals of one block may take; beyond it a computer of a classroom swaps."""
SignalsBy = Literal["unit", "channel"]
TimesAs = Literal["regular", "exact"]


def to_neo(recording: Recording, *, signals: SignalsBy = "unit", times: TimesAs = "regular") -> Any:
    """Return a recording as a ``neo.Block``, with one Segment per segment that has samples.

    Parameters
    ----------
    recording : Recording
    signals : {"unit", "channel"}
        One AnalogSignal of all channels of one unit, named by them all and with array annotations ``channel_names``
        and ``channel_ids``, or one of each channel.
    times : {"regular", "exact"}
        Regular: ``AnalogSignal`` with the rate by which the last sample of a segment comes at its time, which is the
        nominal one where that is true to half a sample. Exact: ``IrregularlySampledSignal`` with every time.

    Returns
    -------
    neo.Block
        Times are seconds since the recording's reference time, which is the block's ``rec_datetime``.

    Raises
    ------
    MissingExtraError
        Neo is not installed.
    ConfigError
        ``signals`` or ``times`` is none of these, or it would take more than 2 GiB.
    """
    if signals not in ("unit", "channel"):
        raise ConfigError(f"signals cannot be by {signals!r}; say 'unit' or 'channel'")
    if times not in ("regular", "exact"):
        raise ConfigError(f"times cannot be {times!r}; say 'regular' or 'exact'")
    neo = require("neo", "neo")
    n_bytes = recording.num_frames * recording.num_channels * 8
    if n_bytes > MAX_BLOCK_BYTES:
        raise ConfigError(
            f"{recording.name} would take {n_bytes / 2**30:.1f} GiB as a block of Neo, and at most "
            f"{MAX_BLOCK_BYTES / 2**30:.0f} GiB are allowed; take a time_slice or a channel_slice, or let Neo read "
            "lazily: spikedaq.objects.SpikedaqIO(path).read(lazy=True)"
        )
    found, n_outside = segment_contents(recording)
    block = neo.Block(name=recording.name, description=str(recording), rec_datetime=reference_datetime(recording))
    block.annotate(spikes_in_gaps=n_outside, **describing(recording))
    groups, has_spikes = _groups(recording, signals), tells_spikes(recording)
    for contents in found:
        segment = neo.Segment(name=f"segment {contents.index}", index=contents.index)
        segment.annotate(boot_id=recording.segments[contents.index].boot_id)
        for columns in groups:
            _add_signal(segment, recording, contents, columns, exact=times == "exact")
        if has_spikes:
            segment.spiketrains.append(_spike_train(neo, contents))
        for marks in contents.marks:
            _add_marks(neo, segment, marks)
        block.segments.append(segment)
    block.check_relationships()
    return block


def reference_datetime(recording: Recording) -> Any:
    """Return a recording's reference time as Neo has it: UTC without a zone; None where it is not known."""
    if recording.reference_utc_ns is None:
        return None
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=recording.reference_utc_ns // 1000)
    return whole.replace(tzinfo=None)


def describing(recording: Recording) -> dict[str, Any]:
    """Return what is known of a recording as annotations that Neo takes."""
    names = ("session", "bench", "device", "reference_utc_ns")
    known = {name: value for name in names if (value := getattr(recording, name, None)) is not None}
    info = recording.device_info
    if info is not None:
        known |= {"unique_id": info.unique_id, "board": info.board, "firmware_version": info.firmware_version}
    if recording.flags:
        known["flags"] = list(recording.flags)
    plain = (str, int, float, bool, list, tuple, dict, np.ndarray)
    return {**{k: v for k, v in recording.annotations.items() if isinstance(v, plain)}, **known}


def _groups(recording: Recording, signals: SignalsBy) -> list[list[int]]:
    if signals == "channel":
        return [[k] for k in range(recording.num_channels)]
    units = [channel.unit for channel in recording.channels]
    return [[k for k, unit in enumerate(units) if unit == one] for one in dict.fromkeys(units)]


def _add_signal(
    segment: Any, recording: Recording, contents: SegmentContents, columns: Sequence[int], *, exact: bool
) -> None:
    neo, pq = require("neo", "neo"), require("quantities", "neo")
    channels = [recording.channels[k] for k in columns]
    ids = [recording.channel_ids[k] for k in columns]
    values = recording.get_traces(contents.index, channel_ids=ids, return_in_units=True)
    unit = channels[0].unit
    about: dict[str, Any] = {
        "name": ", ".join(channel.name for channel in channels),
        "array_annotations": {"channel_names": np.array([c.name for c in channels]), "channel_ids": np.array(ids)},
    }
    if not is_known(unit):
        about["unit"] = unit
    if exact:
        at_s = recording.get_times(contents.index)
        signal = neo.IrregularlySampledSignal(
            at_s, values, units=quantity_unit(unit), time_units="s", dtype=float, **about
        )
        segment.irregularlysampledsignals.append(signal)
        return
    first_s = float(recording.get_times(contents.index, 0, 1)[0])
    signal = neo.AnalogSignal(
        values, units=quantity_unit(unit), sampling_rate=contents.rate_hz * pq.Hz, t_start=first_s * pq.s, **about
    )
    segment.analogsignals.append(signal)


def _spike_train(neo: Any, contents: SegmentContents) -> Any:
    return neo.SpikeTrain(
        contents.spikes_s,
        units="s",
        t_start=contents.t_start_s,
        t_stop=contents.t_stop_s,
        name="spikes",
        array_annotations={"v_mv": contents.spikes_mv},
    )


def _add_marks(neo: Any, segment: Any, marks: Marks) -> None:
    if not marks.labels:
        return
    labels = np.array(marks.labels, dtype="U")
    if marks.durations_s is None:
        segment.events.append(neo.Event(marks.times_s, labels=labels, units="s", name=marks.name))
    else:
        segment.epochs.append(
            neo.Epoch(marks.times_s, durations=marks.durations_s, labels=labels, units="s", name=marks.name)
        )
