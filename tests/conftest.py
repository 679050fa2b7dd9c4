"""For every test."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Much is asserted there on behalf of tests/fault/test_injected_failures.py.
pytest.register_assert_rewrite("helpers.failures")

# How long an example takes says how busy the computer is; what is too slow is for the benchmarks.
settings.register_profile("spikedaq", deadline=None)
settings.load_profile("spikedaq")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Fail what is skipped where SPIKEDAQ_NO_SKIPS is set: nobody reads the list of skips of a run that is green."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if os.environ.get("SPIKEDAQ_NO_SKIPS") and report.skipped and not hasattr(report, "wasxfail"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} is skipped, and SPIKEDAQ_NO_SKIPS is set: {why}"
