"""A recording made into CSV for the page ends, however it ends, and leaves nothing on the disk."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from spikedaq.model import CommandRejected
from spikedaq.scope.conversions import KEPT_S, MAX_JOBS, Conversions, Job, Wanted

WANTED = Wanted("lab", "s1", "/d", None)


class Libraries:
    """A bench that does what is asked for in a thread, as the real one."""

    async def ask(self, _: str, work: Callable[[Any], Any]) -> Any:
        return await asyncio.to_thread(work, None)


def run(
    test: Callable[[Conversions], Awaitable[None]], monkeypatch: pytest.MonkeyPatch, child: str, now_s: Any = None
) -> None:
    """Convert with a child of the test's own."""
    fetched: list[Path] = []

    def fetch(self: Conversions, job: Job, _: Any) -> Path:
        (job.folder / "nwb").mkdir(parents=True)
        fetched.append(job.folder)
        return job.folder / "nwb"

    real = asyncio.create_subprocess_exec

    async def begin(*command: str, **more: Any) -> Any:
        return await real(sys.executable, "-c", child, command[-1], **more)

    monkeypatch.setattr(Conversions, "_fetched", fetch)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", begin)

    async def both() -> None:
        made = Conversions(Libraries(), now_s or asyncio.get_running_loop().time)  # type: ignore[arg-type]
        async with asyncio.timeout(60):
            await test(made)
            await made.close()

    asyncio.run(both())
    assert fetched
    assert not any(folder.exists() for folder in fetched)


GOOD = "import sys; open(sys.argv[1] + '/a.csv', 'w').write('1'); print('{\"rows\": 1}')"


def test_one_that_goes_well(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(made: Conversions) -> None:
        job = made.begin(WANTED)
        assert made.begin(WANTED) is job
        await job.task  # type: ignore[misc]
        told = made.job(job.id).to_map()
        assert (told["state"], told["files"]) == ("ready", [{"name": "a.csv", "n_bytes": 1}])

    run(test, monkeypatch, GOOD)


@pytest.mark.parametrize(
    "child",
    ["print('junk')", "print('[]')", "print('7')", "print('{\"done\": \"many\"}')", "print('x' * 1000000)",
     "print('{\"done\": []}')", "print('{}'); raise SystemExit(3)", "", "import os; os.kill(os.getpid(), 9)"],
)  # fmt: skip
def test_a_child_that_says_junk_fails_and_can_be_tried_again(child: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, it was under way for ever, and whoever asked again was given the dead one."""

    async def test(made: Conversions) -> None:
        job = made.begin(WANTED)
        await asyncio.wait([job.task])  # type: ignore[list-item]
        assert job.state == "failed"
        assert job.text
        assert not job.folder.exists()
        assert made.begin(WANTED) is not job

    run(test, monkeypatch, child)


def test_files_that_nobody_fetched_go_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only once somebody asks for another: gigabytes would stay for as long as the page is served."""

    async def test(made: Conversions) -> None:
        loop = asyncio.get_running_loop()
        later: list[tuple[float, Any]] = []
        monkeypatch.setattr(loop, "call_later", lambda after_s, do, *_: later.append((after_s, do)))
        job = made.begin(WANTED)
        await job.task  # type: ignore[misc]
        monkeypatch.undo()
        assert job.state == "ready"
        ((after_s, do),) = [each for each in later if each[0] > KEPT_S]
        now[0] += after_s
        do()
        with pytest.raises(CommandRejected, match="not kept any more"):
            made.job(job.id)

    now = [100.0]
    run(test, monkeypatch, GOOD, lambda: now[0])


def test_one_that_is_dropped_while_it_is_fetched_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread goes on for a while, and writes into the folder that was removed."""
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def fetch(self: Conversions, job: Job, _: Any) -> Path:
        begun.set()
        go_on.wait(20)
        (job.folder / "nwb").mkdir(parents=True)
        return job.folder

    monkeypatch.setattr(Conversions, "_fetched", fetch)

    class Noticing(Libraries):
        async def ask(self, _: str, work: Callable[[Any], Any]) -> Any:
            def noticed() -> Any:
                try:
                    return work(None)
                finally:
                    ended.set()

            return await asyncio.to_thread(noticed)

    async def test() -> None:
        made = Conversions(Noticing())  # type: ignore[arg-type]
        job = made.begin(WANTED)
        await asyncio.to_thread(begun.wait, 20)
        await made.drop(job)
        go_on.set()
        await asyncio.to_thread(ended.wait, 20)
        assert not job.folder.exists()
        await made.close()

    asyncio.run(test())


def test_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(made: Conversions) -> None:
        for k in range(MAX_JOBS):
            made.begin(Wanted("lab", f"s{k}", "/d", None))
        with pytest.raises(CommandRejected) as caught:
            made.begin(Wanted("lab", "one more", "/d", None))
        assert caught.value.code == "busy"
        await asyncio.sleep(0)
        await asyncio.wait([next(iter(made._jobs.values())).task])  # type: ignore[list-item]

    run(test, monkeypatch, GOOD)
