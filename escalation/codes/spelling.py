"""The known word that a misspelt one may stand for."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like the given one, or None if none is near."""
    by_fold = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(word.casefold(), by_fold, n=1)
    return by_fold[close[0]] if close else None
