"""The files of a simulation: a pair per boot, growing or whole, never in the way of others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikedaq.analysis.imaging import Imager
from spikedaq.analysis.imaging_settings import ImagingSettings
from spikedaq.formats.imaging_csv import read_imaging_csv
from spikedaq.formats.imaging_files import ImagingFiles, Outputs
from spikedaq.formats.imaging_source import SourceBlock
from spikedaq.model import StoreError
from spikedaq.store import ImagingMeta, open_imaging

META = ImagingMeta(
    bench="bench", device="alpha", unique_id="", board="native", boot_id=0, reference_utc_ns=10**18, time="host",
    first_step=0, pitch_steps=100, step_us=100, seed=0, settings={}, source="a test",
)  # fmt: skip


def block(boot_id: int, first_step: int, n: int) -> SourceBlock:
    vm = np.full((n, 3), -70.0)
    return SourceBlock(boot_id, first_step, vm, np.zeros(n), np.zeros(n), np.arange(n) * 1e-4 + first_step * 1e-4)


def files(outputs: Outputs) -> ImagingFiles:
    return ImagingFiles(outputs, lambda boot_id, first_step: replace(META, boot_id=boot_id, first_step=first_step))


def feed(into: ImagingFiles, imager: Imager, *blocks: SourceBlock) -> None:
    for each in blocks:
        into.take(imager.feed(each.boot_id, each.first_step, each.vm_mv), each)


@pytest.mark.parametrize("whole", [True, False])
def test_each_boot_has_files_of_its_own(tmp_path: Path, whole: bool) -> None:
    """Steps begin again after a reboot, and so do the files."""
    outputs = Outputs(tmp_path / "x.nwb", tmp_path / "x.csv", whole=whole)
    into, imager = files(outputs), Imager(ImagingSettings())
    feed(into, imager, block(1, 1000, 500), block(1, 1500, 250), block(2, 50, 300), block(3, 7, 10))
    into.close("stopped")
    names = ["x.nwb", "x.csv", "x_boot2.nwb", "x_boot2.csv", "x_boot3.nwb", "x_boot3.csv"]
    assert [path.name for path in into.written] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert [(t.boot_id, t.first_step, t.n_samples, t.n_frames) for t in into.tallies] == [
        (1, 1000, 750, 8), (2, 50, 300, 3), (3, 7, 10, 0),
    ]  # fmt: skip
    for number, (n_samples, n_frames, reason) in enumerate(
        [(750, 8, "rebooted"), (300, 3, "rebooted"), (10, 0, "stopped")], 1
    ):
        path = tmp_path / ("x.nwb" if number == 1 else f"x_boot{number}.nwb")
        with open_imaging(path) as file:
            assert (file.n_frames, file.ending, file.meta.boot_id) == (n_frames, reason, number)
        rows = read_imaging_csv(path.with_suffix(".csv"))
        assert len(rows.time_ms) == n_samples and rows.time_ms[0] == 0.0


def test_growing_files_are_there_at_once_and_whole_ones_at_the_end(tmp_path: Path) -> None:
    imager = Imager(ImagingSettings())
    growing = files(Outputs(None, tmp_path / "g.csv", whole=False))
    feed(growing, imager, block(1, 0, 40))
    assert len(read_imaging_csv(tmp_path / "g.csv").time_ms) == 40, "what was computed can be read"
    whole = files(Outputs(None, tmp_path / "w.csv"))
    feed(whole, Imager(ImagingSettings()), block(1, 0, 40))
    assert not (tmp_path / "w.csv").exists()
    whole.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["g.csv"], "given up, nothing is left of it"
    growing.abandon()
    assert len(read_imaging_csv(tmp_path / "g.csv").time_ms) == 40


def test_a_file_in_the_way_stays(tmp_path: Path) -> None:
    mine = tmp_path / "x_boot2.csv"
    mine.write_text("mine")
    into, imager = files(Outputs(None, tmp_path / "x.csv", whole=False)), Imager(ImagingSettings())
    feed(into, imager, block(1, 0, 40))
    with pytest.raises(StoreError, match=r"x_boot2\.csv exists"):
        feed(into, imager, block(2, 0, 40))
    assert mine.read_text() == "mine"
    into = files(Outputs(None, tmp_path / "x_boot2.csv", overwrite=True, whole=False))
    feed(into, Imager(ImagingSettings()), block(1, 0, 40))
    into.close("stopped")
    assert len(read_imaging_csv(mine).time_ms) == 40


def test_without_a_place_nothing_is_written(tmp_path: Path) -> None:
    into = files(Outputs(None, None))
    feed(into, Imager(ImagingSettings()), block(1, 0, 400))
    into.close("stopped")
    assert into.written == [] and into.tallies[0].n_frames == 4
    with pytest.raises(StoreError, match="is not a folder"):
        files(Outputs(tmp_path / "none" / "x.nwb", None))
