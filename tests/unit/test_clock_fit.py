"""The fit and the map on simulated devices: seeded jitter, drifting clocks, no real time."""

import itertools
import random

import numpy as np
import pytest

from spikedaq.clock import ClockFit
from spikedaq.model import LocalProtocolError

SECOND = 10**9
HOUR = 3600 * SECOND


def uniform(rng):
    """Up to 10 ms each way, every delay as likely as any other: worse than real USB."""
    return rng.random() * 10e6


def usb(rng):
    """Within a millisecond as a rule, one in ten up to 10 ms."""
    return rng.random() * (1e6 if rng.random() > 0.1 else 10e6)


class Device:
    """A device clock that is some ppm off and warms up for two hours, behind a link; the host's clock is manual."""

    def __init__(self, *, ppm, jitter, seed, ppm_per_hour=20.0, tick0=0, floor_ns=50_000):
        self.rng = random.Random(seed)
        self.ppm, self.ppm_per_hour, self.tick0 = ppm, ppm_per_hour, tick0
        self.jitter, self.floor_ns = jitter, floor_ns
        self.t_ns = self.start_ns = 123 * HOUR

    def tick(self, t_ns):
        age = t_ns - self.start_ns
        hours = age / HOUR
        warming = self.ppm_per_hour * (hours / 2 if hours < 2 else 2 - 2 / hours)
        return self.tick0 + int(age * (1 + (self.ppm + warming) * 1e-6)) // 1000

    def ping(self, fit):
        there = self.floor_ns + self.jitter(self.rng)
        back = self.floor_ns + self.jitter(self.rng)
        read = int(self.t_ns + there)
        fit.add(self.t_ns, int(self.t_ns + there + back), self.tick(read))
        return self.tick(read)


def run(device, hours, period_ns=SECOND, boot_id=7, settle_s=60, every=1):
    """Ping as a device room does; give the maps and, every second after the settling, error and stated uncertainty."""
    fit = ClockFit(boot_id)
    maps, errors, uncertainties = [], [], []
    end = device.t_ns + int(hours * HOUR)
    n = 0
    while device.t_ns < end:
        newest = device.ping(fit)
        n += 1
        piece = fit.next_map(newest)
        if piece:
            maps.append(piece)
        device.t_ns += 20_000_000 if n < 8 else int(period_ns * (0.9 + 0.2 * device.rng.random()))
        if maps and device.t_ns - device.start_ns > settle_s * SECOND:
            errors.append(maps[-1].host_ns(device.tick(device.t_ns)) - device.t_ns)
            uncertainties.append(maps[-1].uncertainty_ns)
    return maps, np.abs(errors), np.array(uncertainties)


def assert_continuous(maps):
    """Every piece starts where the one before it stands then, later, and runs forward."""
    for before, after in itertools.pairwise(maps):
        assert after.tick0 > before.tick0
        assert abs(after.t_host0_ns - before.host_ns(after.tick0)) <= 1
        assert after.t_host0_ns > before.t_host0_ns
    for piece in maps:
        assert 900 < piece.ns_per_tick < 1100
        assert piece.uncertainty_ns > 0


@pytest.mark.parametrize("ppm", [100, -100])
@pytest.mark.parametrize(("jitter", "p99_us"), [(uniform, 300), (usb, 150)])
def test_residual(ppm, jitter, p99_us):
    """With ±100 ppm, a temperature ramp and 10 ms of jitter the map is far inside 0.5 ms, and says how far."""
    maps, errors, uncertainties = run(Device(ppm=ppm, jitter=jitter, seed=1), 0.3)
    assert np.percentile(errors, 99) < p99_us * 1000
    assert (errors <= uncertainties).mean() > 0.97
    assert np.median(uncertainties) < 500_000
    assert_continuous(maps)


def test_a_day():
    """Over 24 h, with the tick wrapping 20 times in its low word, p99 stays below 0.5 ms and nothing steps."""
    device = Device(ppm=100, jitter=usb, seed=2, tick0=2**32 - 10**6)
    maps, errors, uncertainties = run(device, 24, period_ns=30 * SECOND)
    assert np.percentile(errors, 99) < 500_000
    assert (errors <= uncertainties).mean() > 0.97
    assert_continuous(maps)


def test_two_devices_agree():
    """The same instant on two devices is the same instant on the host, to a millisecond."""
    instants = [123 * HOUR + 200 * SECOND + k * SECOND for k in range(60)]
    found = []
    for seed, ppm in ((3, 100), (4, -100)):
        device = Device(ppm=ppm, jitter=uniform, seed=seed)
        maps, _, _ = run(device, 0.1)
        ticks = [device.tick(t) for t in instants]
        found.append([[m for m in maps if m.tick0 <= tick][-1].host_ns(tick) for tick in ticks])
    assert np.abs(np.subtract(*found)).max() < 1_000_000


def test_quiet_link_is_exact():
    """Without jitter the fit is right to a few microseconds and the slope to a fraction of a ppm."""
    device = Device(ppm=-80, jitter=lambda _rng: 0.0, seed=1, ppm_per_hour=0)
    fit = ClockFit(7)
    for _ in range(200):
        device.ping(fit)
        device.t_ns += SECOND
    estimate = fit.estimate()
    assert abs(estimate.ns_per_tick - 1000 / (1 - 80e-6)) < 1e-3
    device.t_ns += SECOND
    assert abs(estimate.host_ns(device.tick(device.t_ns)) - device.t_ns) < 20_000
    assert estimate.best_round_trip_ns == 100_000
    assert 40_000 < estimate.uncertainty_ns < 120_000


def test_ceramic_resonator():
    """A board half a percent off is followed, too."""
    maps, errors, _ = run(Device(ppm=-5000, jitter=usb, seed=5), 0.1)
    assert errors.max() < 1_000_000
    assert_continuous(maps)


def test_asymmetric_link_stays_inside_its_uncertainty():
    """A way out that is always 4 ms longer cannot be seen by pings; the stated uncertainty holds it all the same."""
    device = Device(ppm=50, jitter=lambda _rng: 0.0, seed=1, ppm_per_hour=0)
    fit = ClockFit(7)
    for _ in range(60):
        fit.add(device.t_ns, device.t_ns + 4_200_000, device.tick(device.t_ns + 4_100_000))
        device.t_ns += SECOND
    estimate = fit.estimate()
    error = abs(estimate.host_ns(device.tick(device.t_ns)) - device.t_ns)
    assert error > 1_500_000
    assert error <= estimate.uncertainty_ns


def test_not_before_four_pings():
    """Three pings make no map."""
    device, fit = Device(ppm=0, jitter=usb, seed=1), ClockFit(7)
    for n in range(1, 5):
        newest = device.ping(fit)
        device.t_ns += 20_000_000
        assert fit.n_pings == n
        assert (fit.estimate() is None) == (n < 4)
        assert (fit.next_map(newest) is None) == (n < 4)


@pytest.mark.parametrize("ppm", [-4000, -100, 100, 4000])
def test_first_map_knows_how_little_it_knows(ppm):
    """After four pings within 60 ms the speed is a guess; a second later the truth is still inside the uncertainty."""
    device, fit = Device(ppm=ppm, jitter=lambda _rng: 0.0, seed=1, ppm_per_hour=0), ClockFit(7)
    for _ in range(4):
        newest = device.ping(fit)
        device.t_ns += 20_000_000
    piece = fit.next_map(newest)
    device.t_ns += SECOND - 20_000_000
    assert abs(piece.host_ns(device.tick(device.t_ns)) - device.t_ns) <= piece.uncertainty_ns


def test_no_new_map_without_need():
    """Once the map agrees with the fit, and no ping comes, nothing changes; a tick already mapped gives nothing."""
    device, fit = Device(ppm=10, jitter=lambda _rng: 0.0, seed=1, ppm_per_hour=0), ClockFit(7)
    for _ in range(100):
        newest = device.ping(fit)
        fit.next_map(newest)
        device.t_ns += SECOND
    assert [fit.next_map(newest + k * 10**6) for k in range(1, 60)].count(None) >= 55
    assert fit.next_map(newest) is None
    assert fit.next_map(0) is None


def test_slew_ends_without_pings():
    """A correction under way is ended even when no ping comes any more, so that it does not overshoot."""
    fit = lopsided_fit()
    first = fit.next_map(4 * 10**4)
    t = 5 * HOUR + SECOND
    fit.add(t - 1000, t + 1000, 10**6)
    pieces = [fit.next_map(k * 10**6) for k in range(1, 60)]
    assert pieces[0].ns_per_tick > first.ns_per_tick
    last = [piece for piece in pieces if piece][-1]
    assert abs(last.host_ns(60 * 10**6) - fit.estimate().host_ns(60 * 10**6)) < 100_000


@pytest.mark.parametrize("period_s", [1, 5, 12, 30, 100])
def test_seldom_asked(period_s):
    """However seldom the map is asked for, corrections do not swing."""
    fit = lopsided_fit()
    errors = []
    fit.next_map(4 * 10**4)
    for k in range(1, 60):
        tick = k * period_s * 10**6
        fit.add(5 * HOUR + tick * 1000 - 1000, 5 * HOUR + tick * 1000 + 1000, tick)
        fit.next_map(tick)
        errors.append(abs(fit._map.host_ns(tick) - 5 * HOUR - tick * 1000))
    assert all(later <= earlier + 2000 for earlier, later in itertools.pairwise(errors[2:]))
    assert errors[-1] < 20_000


def lopsided_fit():
    """A fit of a perfect clock whose first four pings took 10 ms on the way out and none back: 5 ms off."""
    fit = ClockFit(7)
    for k in range(4):
        t = 5 * HOUR + k * 10**7
        fit.add(t, t + 10**7, (k + 1) * 10**4)
    return fit


def test_large_initial_error_is_slewed_away():
    """A first map milliseconds off is led back within a minute, without a step and never by more than 0.1 %."""
    fit, start = lopsided_fit(), 5 * HOUR
    maps = [fit.next_map(4 * 10**4)]
    for k in range(1, 60):
        t = start + k * SECOND
        fit.add(t - 1000, t + 1000, k * 10**6)
        piece = fit.next_map(k * 10**6)
        maps += [piece] if piece else []
    assert abs(maps[0].host_ns(10**6) - (start + SECOND)) > 4_000_000
    assert abs(maps[-1].host_ns(60 * 10**6) - (start + 60 * SECOND)) < 20_000
    assert max(abs(m.ns_per_tick - 1000) for m in maps) < 1.2
    assert_continuous(maps)


def test_bogus_ping_is_left_out():
    """One pong with a nonsense tick changes nothing."""
    device, fit = Device(ppm=10, jitter=usb, seed=1), ClockFit(7)
    for _ in range(60):
        device.ping(fit)
        device.t_ns += SECOND
    before = fit.estimate()
    fit.add(device.t_ns, device.t_ns + 10**6, 5)
    assert fit.estimate() == before
    assert fit.n_outliers == 1


def test_counter_that_jumped():
    """If pings keep saying that the counter has jumped, they are believed; the map still does not step back."""
    device, fit = Device(ppm=10, jitter=usb, seed=1), ClockFit(7)
    for _ in range(60):
        newest = device.ping(fit)
        before = fit.next_map(newest) or fit._map
        device.t_ns += SECOND
    device.tick0 += 10**6
    for _ in range(10):
        newest = device.ping(fit)
        fit.next_map(newest)
        device.t_ns += SECOND
    estimate = fit.estimate()
    assert abs(estimate.host_ns(device.tick(device.t_ns)) - device.t_ns) < 2_000_000
    assert fit._map.t_host0_ns > before.t_host0_ns
    assert fit._map.uncertainty_ns > 500_000_000


def test_host_suspended():
    """After an hour of silence (CLOCK_BOOTTIME goes on) the fit is right again at once."""
    device, fit = Device(ppm=60, jitter=usb, seed=1), ClockFit(7)
    maps = []
    for k in range(240):
        newest = device.ping(fit)
        piece = fit.next_map(newest)
        maps += [piece] if piece else []
        device.t_ns += HOUR if k == 120 else SECOND
    assert abs(maps[-1].host_ns(device.tick(device.t_ns)) - device.t_ns) < 500_000
    assert_continuous(maps)


def test_memory_is_bounded():
    """A hundred pings a second for an hour are thinned out."""
    device, fit = Device(ppm=10, jitter=usb, seed=1), ClockFit(7)
    for _ in range(36_000):
        device.ping(fit)
        device.t_ns += SECOND // 10
    assert sum(len(pings) for _, pings in fit._buckets) < 400
    assert fit.n_pings == 36_000


def test_pong_before_its_ping():
    """Times the wrong way round are a mistake of this side."""
    with pytest.raises(LocalProtocolError, match="pair pongs with pings"):
        ClockFit(7).add(10, 9, 0)
