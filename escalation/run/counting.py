"""The counts of a study's streams, from files larger than memory."""

from typing import Any

from escalation.run.tasks import Tell, silent
from escalation.study import Study
from escalation.tally import Tally, count_streams

MEGABYTE = 1_000_000


def count(
    study: Study,
    given: Any = None,
    *,
    period: str | None = None,
    uncleaned: bool = False,
    progress: Tell | None = None,
) -> Tally:
    """Count the incidents of a study's streams in the memory of a few batches.

    Parameters
    ----------
    study : Study
        Its window, streams, actors, and how its files are read.
    given : path, table, or a sequence of these, optional
        Other incidents than the study names; a path may be a pattern.
    period : {"day", "week", "month"}, optional
        Another than that of the study's model.
    uncleaned : bool
        Whether to count without the steps of ``[cleaning]``, which want all incidents at once.
    progress : callable, optional
        Called with (label, megabytes read, megabytes of all files).

    Raises
    ------
    DataError
        If a file cannot be read.
    ValueError
        If the study cleans its incidents, and is not to be counted without.
    """
    if study.cleaning.steps and not uncleaned:
        raise ValueError(
            "key 'cleaning': its steps want all incidents at once, and here they are counted in "
            "parts; take the table out, or ask to count uncleaned (--uncleaned)"
        )
    tell = progress or silent

    def told(name: str, done: int, total: int) -> None:
        tell("Counting, MB", done // MEGABYTE, max(total // MEGABYTE, 1))

    return count_streams(
        study.incidents_path if given is None else given,
        study.window,
        study.streams,
        period or study.specification.period,
        study.source,
        study.actors,
        layout=study.data.layout,
        progress=told,
    )
