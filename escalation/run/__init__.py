"""Run a study, from incidents to results, with a cache."""

from escalation.run.backgrounds import backgrounds
from escalation.run.cache import default_cache
from escalation.run.run import run
from escalation.run.simulation import simulate
from escalation.run.track_record import origins, track_record, workers

__all__ = [
    "backgrounds",
    "default_cache",
    "origins",
    "run",
    "simulate",
    "track_record",
    "workers",
]
