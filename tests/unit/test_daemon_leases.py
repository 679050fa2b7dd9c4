"""Leases: one writer of a device at a time, for a while."""

from __future__ import annotations

import pytest

from spikedaq.daemon.leases import BENCH, MAX_TTL_S, Lease, Leases
from spikedaq.model import CommandRejected


class Clock:
    def __init__(self) -> None:
        self.now_ns = 5_000_000_000

    def __call__(self) -> int:
        return self.now_ns

    def later(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


class Rig:
    def __init__(self) -> None:
        self.clock = Clock()
        self.leases = Leases(self.clock)
        self.told: list[tuple[str, str, str]] = []
        self.leases.listeners.append(lambda what, lease: self.told.append((what, lease.device, lease.holder)))

    def take(self, device: str, holder: str, ttl_s: float = 60.0, *, force: bool = False) -> Lease:
        return self.leases.take(device, holder, f"{holder}@here", ttl_s, force=force)

    def may(self, device: str, holder: str) -> bool:
        try:
            self.leases.check(device, holder)
        except CommandRejected as error:
            assert error.code == "leased"
            return False
        return True


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_without_a_lease_everybody_may_write(rig: Rig) -> None:
    assert all(rig.may(device, holder) for device in ("alpha", BENCH) for holder in ("anna", "ben"))
    assert rig.told == []


def test_the_holder_alone_may_write_and_others_learn_who_it_is(rig: Rig) -> None:
    rig.take("alpha", "anna")
    assert rig.may("alpha", "anna")
    with pytest.raises(CommandRejected, match=r"alpha is leased by anna@here for 60 s more.*lease take --force alpha"):
        rig.leases.check("alpha", "ben")
    assert rig.may("beta", "ben")
    assert rig.may(BENCH, "ben"), "the lease of one device leaves the bench to others"


def test_the_bench_covers_its_devices(rig: Rig) -> None:
    rig.take(BENCH, "anna")
    assert not rig.may("alpha", "ben")
    assert not rig.may(BENCH, "ben")
    assert rig.may("alpha", "anna")
    with pytest.raises(CommandRejected, match="the bench is leased by anna"):
        rig.take("alpha", "ben")


def test_the_bench_cannot_be_taken_while_others_hold_a_device(rig: Rig) -> None:
    rig.take("alpha", "anna")
    rig.take("beta", "ben")
    with pytest.raises(CommandRejected, match="beta is leased by ben"):
        rig.take(BENCH, "anna")
    rig.take(BENCH, "anna", force=True)
    assert [lease.device for lease in rig.leases.standing()] == ["alpha", BENCH]
    assert ("taken_over", "beta", "ben") in rig.told


def test_it_runs_out_unless_it_is_used(rig: Rig) -> None:
    rig.take("alpha", "anna", 10)
    for _ in range(5):
        rig.clock.later(9)
        assert rig.may("alpha", "anna")
    rig.clock.later(9.9)
    assert not rig.may("alpha", "ben")
    rig.clock.later(0.1)
    assert rig.may("alpha", "ben")
    assert rig.told == [("taken", "alpha", "anna"), ("expired", "alpha", "anna")]


def test_what_others_try_renews_nothing(rig: Rig) -> None:
    rig.take("alpha", "anna", 10)
    rig.clock.later(9)
    assert not rig.may("alpha", "ben")
    rig.clock.later(1)
    assert rig.leases.of("alpha") is None


def test_renewing_releasing_and_taking_over(rig: Rig) -> None:
    rig.take("alpha", "anna", 10)
    assert rig.leases.renew("alpha", "anna", 100).ttl_s == 100
    assert rig.leases.renew("alpha", "anna").ttl_s == 100
    for action in (rig.leases.renew, rig.leases.release):
        with pytest.raises(CommandRejected, match="leased by anna") as caught:
            action("alpha", "ben")
        assert caught.value.code == "leased"
    rig.take("alpha", "ben", force=True)
    assert not rig.may("alpha", "anna")
    rig.leases.release("alpha", "ben")
    with pytest.raises(CommandRejected, match="no lease of alpha") as caught:
        rig.leases.release("alpha", "ben")
    assert caught.value.code == "not_leased"
    assert [what for what, _, _ in rig.told] == ["taken", "taken_over", "taken", "released"]


@pytest.mark.parametrize("ttl_s", [0, 0.9, -1, MAX_TTL_S + 1, float("inf"), float("nan")])
def test_times_that_cannot_be_are_refused_and_change_nothing(rig: Rig, ttl_s: float) -> None:
    rig.take("alpha", "anna", 10)
    for holder, force in (("anna", False), ("ben", True)):
        with pytest.raises(CommandRejected) as caught:
            rig.take("alpha", holder, ttl_s, force=force)
        assert caught.value.code == "bad_arguments"
    (lease,) = rig.leases.standing()
    assert (lease.holder, lease.ttl_s) == ("anna", 10)


def test_it_is_told_with_the_time_that_is_left(rig: Rig) -> None:
    told = rig.take("alpha", "anna", 10).to_map(rig.clock.now_ns + 4_000_000_000, 1_000)
    assert told == {
        "device": "alpha", "holder": "anna@here", "ttl_s": 10, "left_s": 6.0, "until_utc_ns": 6_000_001_000,
    }  # fmt: skip
    assert rig.take(BENCH, "anna").to_map(0, 0)["device"] is None
