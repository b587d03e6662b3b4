"""Run a study, from incidents to results, with a cache."""

from escalation.run.alternatives import backgrounds
from escalation.run.cache import default_cache
from escalation.run.refits import origins, track_record, workers
from escalation.run.simulation import simulate
from escalation.run.whole import run

__all__ = [
    "backgrounds",
    "default_cache",
    "origins",
    "run",
    "simulate",
    "track_record",
    "workers",
]
