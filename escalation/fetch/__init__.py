"""Asking the providers' servers for files that ``escalation.read`` reads."""

from escalation.fetch.acled import AcledRequest
from escalation.fetch.errors import (
    AnswerError,
    FetchError,
    MissingError,
    RefusedError,
    UnreachableError,
)
from escalation.fetch.files import Fetched, Manifest, Part
from escalation.fetch.gdelt import GdeltRequest
from escalation.fetch.policy import Policy
from escalation.fetch.request import Estimate
from escalation.fetch.ucdp import UcdpRequest

__all__ = [
    "AcledRequest",
    "AnswerError",
    "Estimate",
    "FetchError",
    "Fetched",
    "GdeltRequest",
    "Manifest",
    "MissingError",
    "Part",
    "Policy",
    "RefusedError",
    "UcdpRequest",
    "UnreachableError",
]
