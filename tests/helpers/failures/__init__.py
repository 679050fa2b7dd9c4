"""Kinds of failure that are injected into real processes, and what each of them must raise."""

from helpers.failures import boards, computer, files, triggers  # noqa: F401  each adds its kinds
from helpers.failures.kinds import KINDS, Kind

__all__ = ["KINDS", "Kind"]
