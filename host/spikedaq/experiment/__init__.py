"""Whole experiments on a live bench, for command line, web page and scripts alike."""

from spikedaq.experiment.naming import existing_sessions, mode_part, suggest_session_name
from spikedaq.experiment.run import record_trial
from spikedaq.experiment.trial import Phase, Progress, Trial, TrialCancelled, TrialError, TrialResult

__all__ = [
    "Phase",
    "Progress",
    "Trial",
    "TrialCancelled",
    "TrialError",
    "TrialResult",
    "existing_sessions",
    "mode_part",
    "record_trial",
    "suggest_session_name",
]
