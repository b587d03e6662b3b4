"""Run a study, from incidents to results, with a cache."""

from escalation.run.alternatives import backgrounds
from escalation.run.cache import default_cache
from escalation.run.counting import count
from escalation.run.reading import cleaned, incidents_of
from escalation.run.refits import origins, track_record, workers
from escalation.run.simulation import simulate
from escalation.run.whole import run

__all__ = [
    "backgrounds",
    "cleaned",
    "count",
    "default_cache",
    "incidents_of",
    "origins",
    "run",
    "simulate",
    "track_record",
    "workers",
]
