"""Names of actors that may be one actor under two spellings."""

import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np

from escalation.actors.homes import country_in_name

if TYPE_CHECKING:
    import polars as pl

FILLERS = frozenset("a al and da de e el for i in o of the u ul und wa wal y".split())
"""Words that tell no two actors apart."""


def _plain(name: str) -> str:
    """Without accents, case and punctuation."""
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    return " ".join(re.findall(r"[a-z0-9]+", bare)) or name.casefold()


def _own_part(name: str) -> str:
    """Without a country in brackets at the end: "Police (India)" is told apart by "Police"."""
    part, bracket, _ = name.rpartition(" (")
    return part if bracket and country_in_name(name) else name


def _initials(plain: str) -> set[str]:
    words = plain.split()
    kept = [word for word in words if word not in FILLERS]
    return {"".join(word[0] for word in some) for some in (words, kept) if len(some) > 2}


def near_duplicates(names: Iterable[str], similarity: float = 0.85) -> "pl.DataFrame":
    """Pairs of names that may mean the same actor, the likeliest first.

    Five rules, the first that holds counts: the same words in another order or with other
    punctuation; one is made of the other's initials; one is either half of the other ("TTP:
    Tehreek-i-Taliban Pakistan", as ACLED writes); the same but for a country in brackets that one
    of them lacks; the spelling is near. Spelling is compared without such brackets, by the
    cosine of letter triples weighted by their rarity, which finds the candidates (so that not all
    pairs are looked at), then by difflib's ratio. Pairs whose names tell of different
    countries, and pairs that differ only in a number, are two actors and not listed.

    Parameters
    ----------
    names : iterable of str
        Repeated ones count once.
    similarity : float
        The least ratio for the last rule, between 0 and 1.

    Returns
    -------
    polars.DataFrame
        Columns: name, other, similarity (0 to 1), why.

    Raises
    ------
    ValueError
        If ``similarity`` is not in (0, 1].

    Examples
    --------
    >>> near_duplicates(["Tehrik-i-Taliban Pakistan", "TTP", "Tehreek-e-Taliban", "LeJ"]).rows()
    [('TTP', 'Tehrik-i-Taliban Pakistan', 1.0, 'initials')]
    >>> near_duplicates(["Taliban", "Taleban"]).rows()
    [('Taleban', 'Taliban', 0.857, 'spelling')]
    """
    import polars as pl

    if not 0 < similarity <= 1:
        raise ValueError(f"similarity must be above 0 and at most 1, got {similarity}")
    known = sorted({" ".join(name.split()) for name in names if name.strip()})
    plain = [_plain(name) for name in known]
    own = [_plain(_own_part(name)) for name in known]
    found: dict[tuple[int, int], tuple[float, str]] = {}
    for one, two in _same_words(plain):
        found[one, two] = (1.0, "the same words")
    for one, two in _abbreviated(known, plain):
        found.setdefault((one, two), (1.0, "initials"))  # the short name first
    for one, two in _halves(known, plain):
        found.setdefault((one, two), (1.0, "a half of it"))
    for one, two in _near_spelling(own):
        if (one, two) not in found and (two, one) not in found:
            alike = SequenceMatcher(None, own[one], own[two], autojunk=False)
            if alike.real_quick_ratio() >= similarity and alike.ratio() >= similarity:
                why = "spelling" if own[one] != own[two] else "but for the country"
                found[one, two] = (round(alike.ratio(), 3), why)
    rows = [
        (known[one], known[two], ratio, why)
        for (one, two), (ratio, why) in found.items()
        if _may_be_one(known[one], known[two], why)
    ]
    rows.sort(key=lambda row: (-row[2], row[0], row[1]))
    schema = {"name": pl.String, "other": pl.String, "similarity": pl.Float64, "why": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _same_words(plain: list[str]) -> Iterable[tuple[int, int]]:
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, name in enumerate(plain):
        words = tuple(sorted(word for word in name.split() if word not in FILLERS))
        groups.setdefault(words or (name,), []).append(index)
    for group in groups.values():
        yield from ((group[0], other) for other in group[1:])


def _abbreviated(known: list[str], plain: list[str]) -> Iterable[tuple[int, int]]:
    short: dict[str, list[int]] = {}
    for index, name in enumerate(known):
        if len(name) > 2 and " " not in name and sum(letter.isupper() for letter in name) > 1:
            short.setdefault(plain[index], []).append(index)
    for index, name in enumerate(plain):
        for letters in _initials(name):
            yield from ((other, index) for other in short.get(letters, ()) if other != index)


def _halves(known: list[str], plain: list[str]) -> Iterable[tuple[int, int]]:
    places: dict[str, list[int]] = {}
    for index, name in enumerate(plain):
        places.setdefault(name, []).append(index)
    for index, name in enumerate(known):
        short, colon, long = name.partition(": ")
        for half in (short, long) if colon else ():
            yield from ((other, index) for other in places.get(_plain(half), ()))


def _near_spelling(plain: list[str], least: float = 0.3) -> Iterable[tuple[int, int]]:
    """Pairs of names whose letter triples have at least that cosine."""
    from scipy.sparse import csr_array, triu

    triples: dict[str, int] = {}
    rows, columns = [], []
    for row, name in enumerate(plain):
        padded = f"  {name} "
        for triple in {padded[at : at + 3] for at in range(len(padded) - 2)}:
            rows.append(row)
            columns.append(triples.setdefault(triple, len(triples)))
    if not rows:
        return
    column = np.array(columns)
    often = np.bincount(column)
    # A triple that many names share finds no candidates, and would make the product dense.
    weight = np.log1p(len(plain) / often)
    weight[often > max(50, len(plain) // 20)] = 0
    matrix = csr_array((weight[column], (rows, column)), shape=(len(plain), len(triples)))
    norm = np.sqrt((matrix * matrix).sum(axis=1))
    scaled = csr_array(matrix.multiply((1 / np.where(norm > 0, norm, 1))[:, None]))
    pairs = triu(scaled @ scaled.T, k=1).tocoo()
    near = pairs.data >= least
    yield from zip(pairs.row[near].tolist(), pairs.col[near].tolist(), strict=True)


def _may_be_one(one: str, two: str, why: str) -> bool:
    homes = country_in_name(one), country_in_name(two)
    if None not in homes and homes[0] != homes[1]:
        return False
    if why != "spelling":
        return True
    brackets = [re.findall(r"\(([^()\d]+)\)$", each.casefold()) for each in (one, two)]
    if all(brackets) and brackets[0] != brackets[1]:
        return False
    first, second = (re.sub(r"\d+", "#", _plain(each)) for each in (one, two))
    return first != second
