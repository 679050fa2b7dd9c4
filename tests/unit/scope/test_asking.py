"""What a page may ask a bench for: by role, and by who has the lease."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from spikedaq.model import CommandRejected
from spikedaq.scope.access import WebRole
from spikedaq.scope.asking import CHANGING, READING, Asker, Leaseholders


class Answering(Asker):
    """Asks nobody: notes what would be asked."""

    asked: list[tuple[str, dict[str, Any]]]

    def _call(self, url: str, op: str, args: dict[str, Any]) -> Any:
        self.asked.append((op, args))
        return {"op": op}


def asker(name: str = "mia#1", role: WebRole = WebRole.CONTROLLER, leases: Leaseholders | None = None) -> Answering:
    made = Answering(name, role, {"lab": "tcp://127.0.0.1:1"}, leases or Leaseholders(), None)
    made.asked = []
    return made


def ask(who: Asker, op: str, bench: str = "lab", **args: Any) -> Any:
    return asyncio.run(who.ask(bench, op, args))


def refusal(who: Asker, op: str, bench: str = "lab", **args: Any) -> str:
    with pytest.raises(CommandRejected) as caught:
        ask(who, op, bench, **args)
    return str(caught.value.code)


@pytest.mark.parametrize("op", sorted(CHANGING))
def test_a_viewer_changes_nothing(op: str) -> None:
    who = asker(role=WebRole.VIEWER)
    assert refusal(who, op, device="alpha") == "not_allowed"
    assert refusal(who, op, device="alpha", force=True) == "not_allowed"
    assert who.asked == []


@pytest.mark.parametrize("op", sorted(READING))
def test_a_viewer_reads(op: str) -> None:
    assert ask(asker(role=WebRole.VIEWER), op) == {"op": op}


@pytest.mark.parametrize("op", ["shutdown", "reload", "derive", "", "set ", "__class__"])
def test_what_is_not_listed_is_not_offered(op: str) -> None:
    """Ending the daemon is left to who runs it."""
    who = asker()
    assert refusal(who, op, device="alpha") == "unknown_op"
    assert who.asked == []


def test_an_unknown_bench() -> None:
    assert refusal(asker(), "list", bench="nowhere") == "unknown_bench"


def test_what_writes_to_a_device_names_one() -> None:
    """None or a list would otherwise pass for the bench, which no lease of a device covers."""
    assert refusal(asker(), "set", values={}) == "bad_arguments"
    assert refusal(asker(), "set", device=["alpha"], values={}) == "bad_arguments"


def test_a_lease_keeps_the_other_pages_out() -> None:
    """To the daemon all pages may be one client: the page's server tells them apart."""
    leases = Leaseholders()
    mia, tom = asker("mia#1", leases=leases), asker("tom#2", leases=leases)
    ask(mia, "lease_take", device="alpha")
    assert refusal(tom, "set", device="alpha", values={}) == "leased"
    assert refusal(tom, "lease_take", device=None) == "leased"
    ask(tom, "set", device="beta", values={})
    ask(mia, "set", device="alpha", values={})
    ask(tom, "lease_take", device="alpha", force=True)
    assert refusal(mia, "set", device="alpha", values={}) == "leased"
    ask(tom, "lease_release", device="alpha")
    ask(mia, "set", device="alpha", values={})


def test_a_lease_of_the_bench_covers_every_device_and_ends_when_the_daemon_says_so() -> None:
    leases = Leaseholders()
    mia, tom = asker("mia#1", leases=leases), asker("tom#2", leases=leases)
    ask(mia, "lease_take", device=None)
    assert refusal(tom, "set", device="beta", values={}) == "leased"
    leases.keep("other", set())
    assert refusal(tom, "set", device="beta", values={}) == "leased"
    leases.keep("lab", set())
    ask(tom, "set", device="beta", values={})


def test_a_lease_outlives_its_page_until_the_daemon_ends_it() -> None:
    """A page that is loaded anew is the same viewer; meanwhile nobody else gets in who uses the same key."""
    leases = Leaseholders()
    mia, tom = asker("mia#1", leases=leases), asker("tom#2", leases=leases)
    ask(mia, "lease_take", device="alpha")
    mia.close()
    assert refusal(tom, "set", device="alpha", values={}) == "leased"
    ask(asker("mia#1", leases=leases), "set", device="alpha", values={})
    leases.keep("lab", set())
    ask(tom, "set", device="alpha", values={})


def test_a_lease_that_was_taken_while_the_daemon_was_asked_is_kept() -> None:
    """The answer is older than the lease, and would otherwise end it for everybody but the daemon."""
    now_s = 5.0
    leases = Leaseholders(lambda: now_s)
    mia, tom = asker("mia#1", leases=leases), asker("tom#2", leases=leases)
    ask(mia, "lease_take", device="alpha")
    leases.keep("lab", set(), asked_s=4.9)
    assert refusal(tom, "set", device="alpha", values={}) == "leased"
    leases.keep("lab", {"alpha"}, asked_s=5.1)
    assert refusal(tom, "set", device="alpha", values={}) == "leased"
    leases.keep("lab", set(), asked_s=6.1)
    ask(tom, "set", device="alpha", values={})
