"""Export of recordings made by the store's writer: every row, every gap, nothing half done."""

import csv
import hashlib
import json

import numpy as np
import pytest

from helpers.formats_recordings import Maker, device_info, spiking
from spikedaq.formats import export as export_module
from spikedaq.formats import export_csv
from spikedaq.model import ClampMode, ConfigError, GapCause, StoreError


def read(path):
    """Header and rows of a CSV, as floats."""
    with path.open(newline="") as file:
        lines = list(csv.reader(file))
    return lines[0], np.array(lines[1:], dtype=float)


def as_units(samples):
    """What the eight value columns must say of raw samples."""
    samples = np.asarray(samples, dtype=float)
    values = samples / [100, 1, 100, 100, 100, 100, 100, 1]
    for k in (3, 5):
        values[:, k] = np.sign(values[:, k]) * np.floor(np.abs(values[:, k]) + 0.5)
    return values


def description(exported):
    return json.loads(exported.description.read_text("utf-8"))


def test_rolled_files_become_one_csv_with_every_sample(tmp_path):
    """Three files, one gap within and one between two: rows, times and values are those of the samples."""
    maker = Maker(tmp_path / "demo")
    first, second, third = spiking(1000), spiking(450), spiking(300)
    maker.open().samples(1000, first).gap(2000, 50).samples(2050, second).close()
    maker.open().samples(2500, third).close()
    maker.open().gap(2800, 200, GapCause.OVERRUN).samples(3000, third).close()

    (exported,) = export_csv(tmp_path / "demo")

    header, rows = read(exported.csv)
    steps = np.r_[1000:2000, 2050:2800, 3000:3300] - 1000
    assert exported.csv == tmp_path / "demo" / "alpha" / "demo_alpha.csv"
    assert header[0] == "Time (ms)"
    assert exported.n_rows == len(rows) == 2050
    np.testing.assert_array_equal(rows[:, 0], steps / 10)
    np.testing.assert_array_equal(rows[:, 1:], as_units(np.concatenate([first, second, third, third])))
    assert exported.missing == {"lost": 50, "overrun": 200, "dropped": 0, "stopped": 0, "outside": 0}


def test_the_text_has_line_feeds_no_mark_and_clean_times(tmp_path):
    """LF, UTF-8 without a byte order mark, times without float noise, a line feed at the end."""
    maker = Maker(tmp_path / "demo").open().samples(10**9, spiking(120)).close()
    (exported,) = export_csv(maker.paths[0])
    data = exported.csv.read_bytes()
    assert data.startswith(b"Time (ms),")
    assert b"\r" not in data
    assert data.endswith(b"\n")
    assert [line.split(b",")[0] for line in data.splitlines()[1:]] == [repr(k / 10).encode() for k in range(120)]


def test_chunks_do_not_show(tmp_path, monkeypatch):
    """The text is the same whatever the size of the pieces that it is made in."""
    maker = Maker(tmp_path / "demo").open().samples(5, spiking(1000)).gap(1005, 7).samples(1012, spiking(100)).close()
    whole = export_csv(maker.paths[0])[0].csv.read_bytes()
    monkeypatch.setattr(export_module, "CHUNK_ROWS", 37)
    assert export_csv(maker.paths[0], overwrite=True)[0].csv.read_bytes() == whole


def test_wall_time_is_seconds_under_a_header_that_says_so(tmp_path):
    """Real seconds since the session's reference time, to a microsecond of the stored timestamps."""
    maker = Maker(tmp_path / "demo").open().samples(20000, spiking(200)).gap(20200, 100).samples(20300, spiking(100))
    maker.close()
    (exported,) = export_csv(maker.paths[0], time="wall")
    header, rows = read(exported.csv)
    assert header[0] == "Time (s)"
    assert len(header) == 9
    np.testing.assert_allclose(rows[:, 0], np.r_[20000:20200, 20300:20400] * 1e-4, rtol=0, atol=1.5e-6)
    column = description(exported)["time_column"]
    assert column["header"] == "Time (s)"
    assert column["wall_zero_utc"] == "2026-05-01T09:34:56.000000Z"
    assert description(exported)["gaps"][0]["time"] == pytest.approx(2.02, abs=2e-6)


def test_a_reboot_starts_another_csv(tmp_path):
    """Steps start again with a boot, so its rows cannot stand in the same time column."""
    maker = Maker(tmp_path / "demo").open().samples(5000, spiking(200)).close()
    maker.open(device_info(boot_id=8)).samples(0, spiking(100)).close()
    maker.open().samples(100, spiking(100)).close()
    one, two = export_csv(tmp_path / "demo")
    assert [one.csv.name, two.csv.name] == ["demo_alpha.csv", "demo_alpha_boot2.csv"]
    assert [one.boot_id, two.boot_id] == [7, 8]
    assert [one.n_rows, two.n_rows] == [200, 200]
    assert read(two.csv)[1][0, 0] == 0.0
    assert description(two)["device"]["boot_id"] == 8
    assert description(two)["n_rows"] == 200


def test_several_devices_each_get_their_csv(tmp_path):
    """A session folder gives one per device; --device picks; one name for several is refused."""
    for device in ("alpha", "beta"):
        Maker(tmp_path / "demo", device=device).open().samples(0, spiking(100)).close()
    (tmp_path / "out").mkdir()
    both = export_csv(tmp_path / "demo", tmp_path / "out")
    assert [e.csv.name for e in both] == ["demo_alpha.csv", "demo_beta.csv"]
    (one,) = export_csv(tmp_path / "demo", tmp_path / "mine.csv", device="beta")
    assert (one.csv, one.description) == (tmp_path / "mine.csv", tmp_path / "mine.json")
    (from_folder,) = export_csv(tmp_path / "demo" / "beta", tmp_path / "out" / "b.csv")
    assert from_folder.device == "beta"
    with pytest.raises(StoreError, match=r"two\.csv is one file, but the recording has alpha, beta"):
        export_csv(tmp_path / "demo", tmp_path / "two.csv")
    with pytest.raises(StoreError, match="no recording of gamma; it has alpha, beta"):
        export_csv(tmp_path / "demo", device="gamma")


def test_an_existing_file_is_refused_before_anything_is_written(tmp_path):
    """Neither a CSV nor a description is replaced unasked, and the other devices' files are not begun."""
    for device in ("alpha", "beta"):
        Maker(tmp_path / "demo", device=device).open().samples(0, spiking(100)).close()
    kept = tmp_path / "demo" / "beta" / "demo_beta.json"
    kept.write_text("mine")
    with pytest.raises(StoreError, match=r"demo_beta\.json exists; .*--overwrite"):
        export_csv(tmp_path / "demo")
    assert kept.read_text() == "mine"
    assert not (tmp_path / "demo" / "alpha" / "demo_alpha.csv").exists()
    export_csv(tmp_path / "demo", overwrite=True)
    assert json.loads(kept.read_text())["device"]["name"] == "beta"


@pytest.mark.parametrize("error", [KeyboardInterrupt, StoreError("the disk broke"), RuntimeError("a defect")])
def test_a_half_done_file_is_removed(tmp_path, error):
    """Ctrl-C or an error while rows are written leaves no file and no temporary file, and keeps what was there."""
    maker = Maker(tmp_path / "demo").open().samples(0, spiking(300)).close()
    target = tmp_path / "out.csv"
    target.write_text("the old one")

    def stop(done, total):
        assert list(tmp_path.glob(".out.csv*.partial")), "rows must go to a temporary name first"
        raise error

    with pytest.raises(error if error is KeyboardInterrupt else type(error)):
        export_csv(maker.paths[0], target, overwrite=True, progress=stop)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["demo", "out.csv"]
    assert target.read_text() == "the old one"


def test_progress_counts_rows_up_to_the_total(tmp_path, monkeypatch):
    """Rises over all devices and files, and ends at the total."""
    monkeypatch.setattr(export_module, "CHUNK_ROWS", 100)
    for device in ("alpha", "beta"):
        maker = Maker(tmp_path / "demo", device=device).open().samples(0, spiking(250)).close()
        maker.open().samples(250, spiking(50)).close()
    calls = []
    export_csv(tmp_path / "demo", progress=lambda done, total: calls.append((done, total)))
    assert calls == [(n, 600) for n in (100, 200, 250, 300, 400, 500, 550, 600)]


def test_a_growing_file_exports_what_is_readable(tmp_path):
    """A file that its writer still has open: whole blocks are exported, its checksum is not known."""
    maker = Maker(tmp_path / "demo").open().samples(0, spiking(250))
    maker.writer.flush(force=True)
    (exported,) = export_csv(tmp_path / "demo")
    assert exported.n_rows == 250
    (source,) = description(exported)["sources"]
    assert source["sha256"] == "unknown"
    assert source["state"] == "open"
    maker.close()


def test_the_description_names_sources_gaps_and_saturated_stretches(tmp_path):
    """What was read, with checksums; what is missing and why; which blocks were cut at the limit."""
    maker = Maker(tmp_path / "demo").open().samples(1000, spiking(200)).samples(1200, spiking(200), flags=1)
    maker.gap(1400, 30, GapCause.DROPPED).samples(1430, spiking(100), flags=1).close("session stopped")
    (exported,) = export_csv(tmp_path / "demo")
    got = description(exported)
    assert got["csv"] == "demo_alpha.csv"
    assert got["sources"] == [
        {
            "file": maker.paths[0].name,
            "sha256": hashlib.sha256(maker.paths[0].read_bytes()).hexdigest(),
            "state": "closed",
            "closed_because": "session stopped",
            "n_samples": 500,
            "first_step": 1000,
            "last_step": 1529,
        }
    ]
    assert got["missing_samples"] == {"lost": 0, "overrun": 0, "dropped": 30, "stopped": 0, "outside": 0}
    assert [(g["time"], g["first_step"], g["n_samples"], g["cause"]) for g in got["gaps"]] == [
        (40.0, 1400, 30, "dropped")
    ]
    assert got["saturated"] == {
        "blocks": 3,
        "stretches": [{"first_step": 1200, "last_step": 1399}, {"first_step": 1430, "last_step": 1529}],
    }
    assert got["time_column"]["first_step"] == 1000
    assert got["device"]["unique_id"] == "00112233445566ff"


def test_samples_out_of_order_are_refused(tmp_path):
    """Two files that hold the same steps would double rows."""
    maker = Maker(tmp_path / "demo").open().samples(0, spiking(200)).close()
    maker.open().samples(100, spiking(200)).close()
    with pytest.raises(StoreError, match=r"_0001\.nwb: the steps of its samples do not rise"):
        export_csv(tmp_path / "demo")
    assert not list((tmp_path / "demo" / "alpha").glob("*.csv"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "nothing", "does not exist"),
        (lambda p: p, "holds no recording"),
        (lambda p: p / "text.nwb", "text.nwb"),
    ],
)
def test_a_source_that_is_no_recording_is_named(tmp_path, make, message):
    """Absent, empty, and not HDF5: one message that names it."""
    (tmp_path / "text.nwb").write_text("hello")
    with pytest.raises(StoreError, match=message):
        export_csv(make(tmp_path))


def test_a_session_without_a_sample_is_refused(tmp_path):
    """There is nothing to export, and no empty CSV appears."""
    Maker(tmp_path / "demo").open().close()
    with pytest.raises(StoreError, match="holds no sample"):
        export_csv(tmp_path / "demo")
    assert not list((tmp_path / "demo").rglob("*.csv"))


def test_out_must_be_a_folder_or_a_csv(tmp_path):
    """A place that is neither is refused with what to do; so is another name for the time column."""
    maker = Maker(tmp_path / "demo").open().samples(0, spiking(100)).close()
    for out in (tmp_path / "new", tmp_path / "new" / "x.csv"):
        with pytest.raises(StoreError, match="create it first"):
            export_csv(maker.paths[0], out)
    with pytest.raises(ConfigError, match="one of model, wall, arrival, stock"):
        export_csv(maker.paths[0], time="ms")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    """The system's reason comes with the path."""
    maker = Maker(tmp_path / "demo").open().samples(0, spiking(100)).close()
    # Too long for a name, and too long once the temporary name's additions are there.
    for n, message in [(252, r"cannot look at .*x\.csv: "), (246, r"cannot write .*x\.csv: ")]:
        with pytest.raises(StoreError, match=message):
            export_csv(maker.paths[0], tmp_path / ("x" * n + ".csv"))
    assert [p.name for p in tmp_path.iterdir()] == ["demo"]


def test_a_device_without_a_stock_channel_is_refused(tmp_path):
    """No column is invented, and no file is left."""
    info = device_info(channels=device_info().channels[:7])
    maker = Maker(tmp_path / "demo", info=info).open().samples(0, spiking(100)[:, :7]).close()
    with pytest.raises(StoreError, match="alpha: the recording has no channel trigger"):
        export_csv(maker.paths[0])
    assert [p.name for p in maker.folder.iterdir()] == [maker.paths[0].name]


def clamped(n):
    """Raw samples in voltage clamp: a command of -40.00 and -39.50 mV by turns, an output of some a.u."""
    samples = spiking(n)
    samples[:, 1] = np.where(np.arange(n) % 2, -3950, -4000)
    samples[:, 2] = -12345 + np.arange(n)
    return samples


def in_both_modes(tmp_path):
    maker = Maker(tmp_path / "demo")
    maker.open().samples(1000, spiking(300)).close()
    maker.open(mode=ClampMode.VOLTAGE).samples(1300, clamped(250)).close()
    maker.open(mode=ClampMode.VOLTAGE).samples(1550, clamped(150)).close()
    maker.open().samples(1700, spiking(200)).close()
    maker.open(device_info(boot_id=8)).samples(0, spiking(100)).close()
    maker.open(mode=ClampMode.VOLTAGE).samples(100, clamped(100)).close()
    return tmp_path / "demo"


def test_each_stretch_of_one_clamp_mode_is_a_csv_with_its_own_header(tmp_path):
    """Millivolts are never headed as per cent; names say boot and part; rolled files of one mode stay together."""
    exported = export_csv(in_both_modes(tmp_path))
    names = ["demo_alpha", "demo_alpha_part2", "demo_alpha_part3", "demo_alpha_boot2", "demo_alpha_boot2_part2"]
    assert [e.csv.stem for e in exported] == names
    modes = ["current", "voltage", "current", "current", "voltage"]
    assert [e.mode for e in exported] == modes
    assert [e.warning for e in exported] == [None] * 5
    assert [description(e)["clamp_mode"] for e in exported] == modes
    assert [e.n_rows for e in exported] == [300, 400, 200, 100, 100]
    for one in exported:
        header, rows = read(one.csv)
        if one.mode == "voltage":
            assert header[2:4] == ["Command (mV)", "Clamp Output (a.u.)"]
            assert rows[:4, 2].tolist() == [-40.0, -39.5, -40.0, -39.5]
            assert rows[:2, 3].tolist() == [-123.45, -123.44]
        else:
            assert header[2:4] == ["Stimulus (%)", "Total Current Input (a.u.)"]
            assert rows[0, 2] == 20.0
        assert header[:2] + header[4:] == [
            "Time (ms)", "Spikeling Vm (mV)", "Synapse 1 Vm (mV)", "Synapse 1 Input (a.u.)", "Synapse 2 Vm (mV)",
            "Synapse 2 Input (a.u.)", "Trigger",
        ]  # fmt: skip
        assert rows[0, 0] == 0
        assert "warning" not in description(one)
    assert description(exported[1])["time_column"]["first_step"] == 1300


def test_the_stock_header_on_request_warns(tmp_path):
    """As the stock software has it: whole millivolts under per cent, and both CSV and JSON are told of."""
    exported = export_csv(in_both_modes(tmp_path), as_stock=True)
    for one in exported:
        header, rows = read(one.csv)
        assert header[2:4] == ["Stimulus (%)", "Total Current Input (a.u.)"]
        if one.mode == "voltage":
            assert rows[:2, 2].tolist() == [-40.0, -40.0]  # half away from zero
            assert rows[0, 3] == -123.45
            assert "holds the command in mV" in one.warning
            assert description(one)["warning"] == one.warning
        else:
            assert one.warning is None


def test_one_name_for_all_parts(tmp_path):
    """A name given for the CSV gets the same endings."""
    exported = export_csv(in_both_modes(tmp_path), tmp_path / "x.csv")
    assert [e.csv.name for e in exported] == [
        "x.csv", "x_part2.csv", "x_part3.csv", "x_boot2.csv", "x_boot2_part2.csv",
    ]  # fmt: skip
