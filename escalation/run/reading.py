"""The incidents of a study: read as its ``[data]`` says, cleaned as its ``[cleaning]`` says."""

import hashlib
from dataclasses import replace
from typing import Any

from escalation.checks import Finding
from escalation.cleaning import Cleaned
from escalation.incidents import Incidents
from escalation.run.tasks import generator
from escalation.sources import DataError
from escalation.study import Study
from escalation.window import Window

MANY = 0.25
"""Share of incidents that cleaning may leave out without a warning."""


def incidents_of(
    study: Study, given: Any = None, *, window: Window | None = None, strict: bool = False
) -> Cleaned:
    """Read and clean the incidents of a study.

    Parameters
    ----------
    study : Study
    given : path, table, or a sequence of these, optional
        Other incidents than the study names.
    window : Window, optional
        Another than that of the study.
    strict : bool
        Whether the first bad row is an error.

    Raises
    ------
    DataError
        If they, or the outlines that the cleaning asks for, cannot be read.
    """
    incidents = study.read(study.incidents_path if given is None else given, window, strict=strict)
    return cleaned(study, incidents)


def cleaned(study: Study, incidents: Incidents) -> Cleaned:
    """Clean incidents as the study asks for."""
    asked = study.cleaning
    if asked.outlines:
        asked = replace(asked, outlines=str(study.beside(asked.outlines)))
    return asked.apply(incidents, generator(study, "cleaning"))


def outline_files(study: Study) -> dict[str, str]:
    """SHA-256 of the file of outlines that the cleaning reads, if any."""
    name = study.cleaning.outlines
    if not name:
        return {}
    path = study.beside(name)
    try:
        return {name: hashlib.sha256(path.read_bytes()).hexdigest()}
    except OSError as fault:
        raise DataError(f"{path}: cannot be read ({fault.strerror or fault})") from None


def cleaning_finding(done: Cleaned, before: int) -> Finding:
    """What cleaning left out and changed."""
    steps, dropped, changed = len(done.report), len(done.dropped), len(done.changed)
    text = (
        f"{steps} step{'s' if steps > 1 else ''} of cleaning left out {dropped:,} of {before:,} "
        f"incidents and replaced {changed:,} values"
    )
    if dropped > MANY * before:
        return Finding("Cleaning", "warned", f"{text}: is that what was meant?", done.report)
    return Finding("Cleaning", "passed", f"{text}.", done.report)
