"""A page that does not keep up is sent no backlog, and what must come comes in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from spikedaq.scope.access import WebRole
from spikedaq.scope.viewer import HELD_BACK_S, MAX_FRAMES, MAX_ON_THE_WAY, MAX_TEXT_CHARS, MAX_TEXTS, Viewer


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def viewer(clock: Clock | None = None) -> Viewer:
    return Viewer("mia#1", WebRole.VIEWER, clock or Clock())


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(bounded())


def test_texts_come_before_frames() -> None:
    async def test() -> None:
        page = viewer()
        page.show(b"frame")
        page.tell("text")
        assert [await page.next(), await page.next()] == ["text", b"frame"]

    run(test)


def test_nothing_is_queued_for_a_page_that_confirmed_nothing_for_long() -> None:
    """Neither a byte more nor less than HELD_BACK_S counts; a confirmation opens the way again."""

    async def test() -> None:
        clock = Clock()
        page = viewer(clock)
        assert page.show(b"1")
        assert await page.next() == b"1"
        clock.now_s += HELD_BACK_S
        assert page.show(b"2"), "held back only behind the bound"
        clock.now_s += 0.001
        assert not page.show(b"3")
        assert page.skipped == 1
        page.confirm(1)
        assert page.show(b"4")
        assert [await page.next(), await page.next()] == [b"2", b"4"]

    run(test)


def test_a_confirmation_of_frames_never_sent_harms_nothing() -> None:
    async def test() -> None:
        page = viewer()
        page.confirm(10**18)
        page.confirm(-5)
        assert page.show(b"1")
        assert await page.next() == b"1"
        page.confirm(0)
        assert page.show(b"2")

    run(test)


def test_queues_are_bounded() -> None:
    """Of texts the oldest give way, of frames the newest."""

    async def test() -> None:
        page = viewer()
        for k in range(MAX_TEXTS + 7):
            page.tell(str(k))
        for k in range(MAX_FRAMES + 7):
            page.show(b"%d" % k)
        assert (page.texts_dropped, page.skipped) == (7, 7)
        assert await page.next() == "7"

    run(test)


def test_the_past_waits_for_room_and_its_end_comes_behind_it() -> None:
    """The text that ends a part of the past does not overtake its frames, as other texts do."""

    async def test() -> None:
        page = viewer()

        async def send() -> None:
            for k in range(MAX_ON_THE_WAY + 3):
                await page.show_all(b"%d" % k)
            await page.show_all("end")

        sending = asyncio.create_task(send())
        got: list[str | bytes] = []
        for _ in range(MAX_ON_THE_WAY):
            got.append(await page.next())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not sending.done(), "it goes on though nothing was confirmed"
        page.tell("news")
        assert await page.next() == "news"
        page.confirm(MAX_ON_THE_WAY)
        for _ in range(4):
            got.append(await page.next())
        await sending
        assert got == [*(b"%d" % k for k in range(MAX_ON_THE_WAY + 3)), "end"]

    run(test)


def test_texts_are_bounded_by_their_length_too() -> None:
    """Five hundred texts of a mebibyte each would be half a gigabyte for one page that reads nothing."""

    async def test() -> None:
        page = viewer()
        for k in range(20):
            page.tell(str(k % 10) * (MAX_TEXT_CHARS // 4))
        assert page.texts_dropped == 16
        page.tell("x" * (2 * MAX_TEXT_CHARS))
        assert page.texts_dropped == 20, "one that is longer than all may be is told all the same"
        assert (await page.next())[0] == "x"
        assert not page.has_news
        for k in range(4):
            page.tell(str(k) * (MAX_TEXT_CHARS // 4))
        assert page.texts_dropped == 20, "what was sent counts no more"

    run(test)


def test_live_frames_of_many_devices_do_not_keep_the_past_waiting() -> None:
    """Twelve tiles over a slow network have more than that many live frames on their way at any time."""

    async def test() -> None:
        page = viewer()
        for k in range(3 * MAX_ON_THE_WAY):
            page.show(b"live %d" % k)
            await page.next()
        await asyncio.wait_for(page.show_all(b"past"), 5)
        assert await page.next() == b"past"

    run(test)


def test_the_past_that_was_confirmed_makes_room_for_as_much() -> None:
    async def test() -> None:
        page = viewer()
        for k in range(3 * MAX_ON_THE_WAY):
            await asyncio.wait_for(page.show_all(b"%d" % k), 5)
            assert await page.next() == b"%d" % k
            await asyncio.wait_for(page.show_all("a text"), 5)
            assert await page.next() == "a text"
            page.confirm(k + 1)

    run(test)
