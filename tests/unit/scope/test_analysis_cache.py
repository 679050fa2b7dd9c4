"""What pages have open to analyse: shared, bounded, and never two processes that write the same arrays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from spikedaq.model import StoreError
from spikedaq.scope import analysis_cache, analysis_loaded, analysis_room
from spikedaq.scope.analysis_cache import AnalysisCache
from spikedaq.scope.analysis_loaded import Loaded
from spikedaq.scope.analysis_source import Source


def leave_arrays(out: Path) -> None:
    out.mkdir()
    (out / "steps.npy").write_bytes(b"x")


class Reader:
    """Stands in for the process: keeps what it is asked for, writes a file, and waits to be let go."""

    def __init__(self) -> None:
        self.loads: list[dict[str, Any]] = []
        self.ended: list[str] = []
        self.go = asyncio.Event()
        self.fails = False

    async def __call__(self, request: dict[str, Any], **_: Any) -> dict[str, Any]:
        if request["do"] == "inspect":
            if self.fails:
                raise StoreError("it is damaged")
            return {"parts": [{"name": "p", "n_samples": 10}]}
        self.loads.append(request)
        leave_arrays(Path(request["out"]))
        try:
            await self.go.wait()
        finally:
            self.ended.append(request["out"])
        return {"n_samples": 10}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], None]:
    """Run a test with a cache of 1000 bytes and a `Reader`, and look that nothing is left."""

    def of(test: Callable[..., Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            reader = Reader()
            monkeypatch.setattr(analysis_cache, "read_in_child", reader)
            monkeypatch.setattr(analysis_cache, "loaded", lambda out: (out, None))
            monkeypatch.setattr(analysis_room, "MIN_FREE_BYTES", 0)
            monkeypatch.setattr("spikedaq.scope.analysis_source._ROW_BYTES", 1)
            cache = AnalysisCache(max_bytes=1000, parent=tmp_path)
            async with asyncio.timeout(30):
                await test(cache, reader)
                await cache.close()
            assert len(asyncio.all_tasks()) == 1, "no task is left"

        asyncio.run(whole())
        assert not list(tmp_path.iterdir())

    return of


def bring(n_bytes: int, fails: str = "") -> Any:
    async def fill(source: Source) -> None:
        (source.folder / "file.nwb").write_bytes(bytes(n_bytes))
        if fails:
            raise StoreError(fails)

    return fill


async def ready(cache: AnalysisCache, handle: str) -> Source:
    source = cache.get(handle)
    assert source is not None and source.task is not None
    await asyncio.wait([source.task])
    return source


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until something holds; the whole test has a limit."""
    while not condition():  # noqa: ASYNC110 - what is waited for sets no event
        await asyncio.sleep(0)


def test_a_window_that_two_ask_for_at_once_is_read_once(run: Any) -> None:
    """Also where another one has to be put away first: two processes would write the arrays that a page has mapped."""

    async def test(cache: AnalysisCache, reader: Reader) -> None:
        handle = cache.open(["a"], "a", Path("file.nwb"), bring(10))
        source = await ready(cache, handle)
        reader.go.set()
        await cache.load(source, handle, ("p", None, None))
        both = await asyncio.gather(*(cache.load(source, handle, ("p", 1.0, 2.0)) for _ in range(2)))
        assert len(reader.loads) == 2
        assert both[0] is both[1]

    run(test)


def test_a_window_that_is_asked_for_again_is_not_removed_under_its_reader(run: Any) -> None:
    """From one window to another and back at once: each reading has a folder of its own."""

    async def test(cache: AnalysisCache, reader: Reader) -> None:
        handle = cache.open(["a"], "a", Path("file.nwb"), bring(10))
        source = await ready(cache, handle)
        windows = [("p", 0.0, 1.0), ("p", 1.0, 2.0), ("p", 0.0, 1.0)]
        asked = [asyncio.create_task(cache.load(source, handle, windows[0]))]
        await until(lambda: len(reader.loads) == 1)
        asked += [asyncio.create_task(cache.load(source, handle, window)) for window in windows[1:]]
        await until(lambda: any(request["out"] not in reader.ended for request in reader.loads[1:]))
        reader.go.set()
        first, second, third = await asyncio.gather(*asked, return_exceptions=True)
        for given_up in (first, second):
            assert isinstance(given_up, StoreError)
            assert "something else was chosen" in str(given_up)
        assert isinstance(third, Loaded)
        assert (Path(str(third.samples)) / "steps.npy").is_file()
        outs = [request["out"] for request in reader.loads]
        assert len(set(outs)) == len(outs)
        assert [str(path) for path in source.folder.glob("window-*")] == [str(third.samples)]

    run(test)


def test_what_no_page_looks_at_is_given_up_also_where_others_have_it_open(run: Any) -> None:
    """A page that leafs through a recording leaves one reading behind, not one per window."""

    async def test(cache: AnalysisCache, reader: Reader) -> None:
        mine, other = (cache.open(["a"], "a", Path("file.nwb"), bring(10)) for _ in range(2))
        source = await ready(cache, mine)
        assert await ready(cache, other) is source
        theirs = asyncio.create_task(cache.load(source, other, ("p", None, None)))
        await until(lambda: len(reader.loads) == 1)
        leafed = [asyncio.create_task(cache.load(source, mine, ("p", float(k), k + 1.0))) for k in range(6)]
        await until(lambda: sum(task.done() for task in leafed) == 5)
        assert len(source.windows) == 2
        cache.close_one(mine)
        given_up = await asyncio.gather(*leafed, return_exceptions=True)
        assert {str(each) for each in given_up} == {"a is not read any more: something else was chosen"}
        reader.go.set()
        assert isinstance(await theirs, Loaded)

    run(test)


def test_room_that_was_promised_is_not_given_twice(run: Any) -> None:
    """Two that come at once and fit one by one do not fit together; after the first there is room again."""

    async def test(cache: AnalysisCache, _: Reader) -> None:
        async def take(name: str) -> None:
            async with cache.room(cache.folder / name, 600):
                await asyncio.sleep(0.01)

        told = await asyncio.gather(take("a"), take("b"), return_exceptions=True)
        assert [type(each) for each in told].count(StoreError) == 1
        await take("c")

    run(test)


def test_a_promise_is_not_counted_beside_what_has_come_of_it(run: Any) -> None:
    async def test(cache: AnalysisCache, _: Reader) -> None:
        half = cache.new_folder()
        async with cache.room(half, 500):
            (half / "part").write_bytes(bytes(400))
            async with cache.room(cache.folder / "other", 500):
                pass
            with pytest.raises(StoreError, match="choose fewer files"):
                async with cache.room(cache.folder / "other", 501):
                    pass

    run(test)


def test_what_failed_takes_no_room(run: Any) -> None:
    """What had come of it is removed at once, and the reason stays."""

    async def test(cache: AnalysisCache, reader: Reader) -> None:
        reader.fails = True
        handle = cache.open(["a"], "a", Path("file.nwb"), bring(900))
        source = await ready(cache, handle)
        assert (source.state, source.text) == ("failed", "it is damaged")
        assert not source.folder.exists()
        async with cache.room(cache.folder / "next", 900):
            pass
        assert cache.get(handle) is source

    run(test)


def test_closing_what_failed_leaves_alone_what_was_opened_again(run: Any) -> None:
    """The same recording, which could be read the second time, stays in the cache's books."""

    async def test(cache: AnalysisCache, reader: Reader) -> None:
        first = cache.open(["a"], "a", Path("file.nwb"), bring(10, "the bench is away"))
        assert (await ready(cache, first)).state == "failed"
        second = cache.open(["a"], "a", Path("file.nwb"), bring(10))
        source = await ready(cache, second)
        cache.close_one(first)
        third = cache.open(["a"], "a", Path("file.nwb"), bring(10))
        assert cache.get(third) is source
        assert source.state == "ready"

    run(test)


def test_an_upload_goes_with_its_page(run: Any) -> None:
    """Nobody can open it again; a recording of a bench stays for the next."""

    async def test(cache: AnalysisCache, _: Reader) -> None:
        folder = cache.new_folder()
        (folder / "up.csv").write_text("x")
        uploaded = cache.take(folder, "up.csv", folder / "up.csv")
        opened = cache.open(["a"], "a", Path("file.nwb"), bring(10))
        kept = await ready(cache, opened)
        await ready(cache, uploaded)
        cache.close_one(uploaded)
        cache.close_one(opened)
        await until(lambda: not folder.exists())
        assert kept.path.exists()

    run(test)


def test_of_too_many_that_used_longest_ago_is_closed(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis_cache, "MAX_OPEN", 2)

    async def test(cache: AnalysisCache, _: Reader) -> None:
        handles = [cache.open(["a"], "a", Path("file.nwb"), bring(10)) for _ in range(2)]
        await ready(cache, handles[0])
        handles.append(cache.open(["a"], "a", Path("file.nwb"), bring(10)))
        assert [cache.get(handle) is not None for handle in handles] == [True, False, True]

    run(test)


def test_figures_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page may ask for a phase plane with any bound; that used longest ago is made again."""
    monkeypatch.setattr(analysis_loaded, "MAX_KEPT", 2)
    made: list[int] = []
    one = Loaded(None, None)  # type: ignore[arg-type]

    def make(k: int) -> int:
        made.append(k)
        return k

    for k in (1, 2, 1, 3, 1, 2):
        assert one.once(("phase", k), lambda k=k: make(k)) == k  # type: ignore[misc]
    assert made == [1, 2, 3, 2]
    assert len(one.kept) == 2
