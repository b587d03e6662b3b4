"""Which records of two sources may tell of one incident: a stated rule, a score, a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from escalation.actors import Actors, country_key, folded
from escalation.codes import FAMILY_OF, SOURCE_WORDS
from escalation.incidents import Incidents
from escalation.merging.blocking import Pairs, near_pairs
from escalation.merging.matches import CRITERIA, MATCHES, SHOWN, Matches
from escalation.window import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Matching:
    """A rule by which records of two sources are compared.

    Records no more than ``days`` and ``kilometres`` apart are compared by four criteria, each
    between 0 and 1, and null where one of the two does not tell:

    - days: 1 where the spans of dates share a day, down by 1 / (days + 1) for each day between;
    - distance: 1 at the same point, 0 at ``kilometres``;
    - actors: the mean over both sides of 1 for the same actor, one half for another of the same
      country, 0 else; sides without direction are compared in both orders, the better counts;
    - kind: 1 for the same class, one half for another class of the same family, 0 else.

    The score is the mean of the criteria that both tell, by their weights. A record may be the
    best match of one record only: of all pairs the highest score is taken first (ties: the fewest
    days, then km apart, then the order of the rows), both records are set aside, and so on.

    Parameters
    ----------
    days : int
    kilometres : float
    actors : Actors
        Aliases under which both sources name an actor, and homes of actors.
    classes : mapping
        Word of a source for a class = common word; others are compared as they are.
    must_agree : tuple of str
        Criteria in which a pair with 0 is no candidate at all.
    weights : mapping
        Criterion = weight; 1 for those that are not named.
    unnamed : tuple of str
        Names that stand for nobody known: such a side tells nothing.

    Raises
    ------
    ValueError
        If a limit or weight is negative, or there is no such criterion.

    References
    ----------
    Donnay, K., Dunford, E., McGrath, E., Backer, D. and Cunningham, D. (2019). Integrating
    Conflict Event Data. Journal of Conflict Resolution 63(5): candidates within a window of time
    and space, compared in steps from fine to coarse. The score here is a mean, not a lexical
    order, and every match is open to review.
    """

    days: int = 1
    kilometres: float = 25.0
    actors: Actors = field(default_factory=Actors)
    classes: Mapping[str, str] = field(default_factory=dict)
    must_agree: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    unnamed: tuple[str, ...] = ("unknown", "nobody named", "unidentified armed group")

    def __post_init__(self) -> None:
        if self.days < 0 or self.days != int(self.days):
            raise ValueError(f"days must be a whole number, at least 0, got {self.days!r}")
        if not 0 < self.kilometres < 1000:
            raise ValueError(f"kilometres must lie between 0 and 1,000, got {self.kilometres!r}")
        for name in (*self.must_agree, *self.weights):
            if name not in CRITERIA:
                raise ValueError(f"no criterion {name!r}; they are {', '.join(CRITERIA)}")
        if any(weight < 0 for weight in self.weights.values()) or not sum(self._weights()) > 0:
            raise ValueError(f"weights must be positive, got {dict(self.weights)!r}")

    def _weights(self) -> list[float]:
        return [float(self.weights.get(name, 1.0)) for name in CRITERIA]

    def match(self, first: Incidents, second: Incidents) -> Matches:
        """Compare the records of two sources; nothing is merged.

        Parameters
        ----------
        first, second : Incidents
            Each with ids that stand once.

        Raises
        ------
        ValueError
            If an id is missing or stands twice.
        """
        for given in (first, second):
            ids = given.table["id"]
            if ids.has_nulls() or ids.n_unique() < len(ids):
                raise ValueError(f"the ids of {given.provenance.source} must be there and differ")
        pairs = near_pairs(first.table, second.table, self.days, self.kilometres)
        criteria = np.stack([
            1 - pairs.apart / (self.days + 1),
            np.maximum(1 - pairs.kilometres / self.kilometres, 0.0),
            self._sides(first.table, second.table, pairs),
            self._kinds(first.table, second.table, pairs),
        ])  # fmt: skip
        good = np.ones(len(pairs.first), bool)
        for name in self.must_agree:
            good &= ~(criteria[CRITERIA.index(name)] == 0)
        pairs = Pairs(*(getattr(pairs, name)[good] for name in pairs.__dataclass_fields__))
        return Matches(self._ranked(first.table, second.table, pairs, criteria[:, good]))

    def _ranked(
        self, first: pl.DataFrame, second: pl.DataFrame, pairs: Pairs, criteria: FloatArray
    ) -> pl.DataFrame:
        """The table of matches, the highest score first, from the criteria ``(4, n)``."""
        known = np.isfinite(criteria)
        weights = np.array(self._weights())[:, None] * known
        score = np.where(known, criteria * weights, 0).sum(0) / np.maximum(weights.sum(0), 1e-12)
        away = np.where(np.isnan(pairs.kilometres), np.inf, pairs.kilometres)
        order = np.lexsort((pairs.second, pairs.first, away, pairs.apart, -score))
        rows = pl.DataFrame({
            "score": score,
            "best": one_to_one(pairs.first, pairs.second, order),
            "lead": score - np.maximum(
                best_other(pairs.first, score), best_other(pairs.second, score)
            ),
            "accepted": pl.repeat(None, len(score), dtype=pl.Boolean, eager=True),
            "criteria": known.sum(axis=0),
            "days apart": pairs.apart,
            "km apart": pl.Series(pairs.kilometres, nan_to_null=True),
            **{
                name: pl.Series(value, nan_to_null=True)
                for name, value in zip(CRITERIA, criteria, strict=True)
            },
        })  # fmt: skip
        sides = ((first, pairs.first, "first"), (second, pairs.second, "second"))
        shown = [
            table.select(pl.col(name).alias(f"{name} {which}") for name in SHOWN)[at[order]]
            for table, at, which in sides
        ]
        table = pl.concat([rows[order], *shown], how="horizontal")
        return table.select(pl.col(name).cast(kind) for name, kind in MATCHES.items())

    def _sides(self, first: pl.DataFrame, second: pl.DataFrame, pairs: Pairs) -> FloatArray:
        """How far the actors agree, shape ``(n,)``; NaN where neither side can be compared."""
        names = pl.concat([one[side] for one in (first, second) for side in ("source", "target")])
        who, home, known = self._known_as(names.unique())

        def of(table: pl.DataFrame, side: str, rows: IntArray) -> list[IntArray]:
            codes = _codes(table[side], known)[rows]
            return [who[codes], home[codes]]

        mine = [of(first, side, pairs.first) for side in ("source", "target")]
        theirs = [of(second, side, pairs.second) for side in ("source", "target")]
        straight = _mean([_alike(*both) for both in zip(mine, theirs, strict=True)])
        turned = _mean([_alike(*both) for both in zip(mine, theirs[::-1], strict=True)])
        open_ = ~(first["directed"].to_numpy()[pairs.first]
                  & second["directed"].to_numpy()[pairs.second])  # fmt: skip
        return np.where(open_, np.fmax(straight, turned), straight)

    def _known_as(self, names: pl.Series) -> tuple[IntArray, IntArray, pl.Series]:
        """Number of the actor and of its country for each name; -1 for nobody, and no country."""
        nobody = {folded(name) for name in self.unnamed}
        canonical = [folded(self.actors.canonical(name)) for name in names]
        who = ["" if any(name.startswith(one) for one in nobody) else name for name in canonical]
        home = [country_key(self.actors.home(name) or "") or "" for name in names]
        return _numbered(who), _numbered(home), names

    def _kinds(self, first: pl.DataFrame, second: pl.DataFrame, pairs: Pairs) -> FloatArray:
        """How far the classes agree, shape ``(n,)``; NaN where one is not given."""
        words = {folded(word): folded(common) for word, common in self.classes.items()}

        def common(word: str) -> str:
            fold = words.get(folded(word), folded(word))
            return SOURCE_WORDS.get(fold, fold)

        series = [one["incident_class"].fill_null("") for one in (first, second)]
        known = pl.concat(series).unique()
        fine = _numbered([common(word) for word in known])
        coarse = _numbered([FAMILY_OF.get(common(word), "") for word in known])
        mine, theirs = (
            _codes(one, known)[rows]
            for one, rows in zip(series, (pairs.first, pairs.second), strict=True)
        )
        return _alike([fine[mine], coarse[mine]], [fine[theirs], coarse[theirs]])


def one_to_one(first: IntArray, second: IntArray, order: IntArray) -> BoolArray:
    """Which pairs are taken where the first in order goes first and each record counts once.

    Pairs that come first for both of their records are taken together, until none is left.
    """
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    taken = np.zeros(len(order), bool)
    left = np.arange(len(order))
    while left.size:
        ahead = [np.full(of.max() + 1, len(order)) for of in (first[left], second[left])]
        for early, of in zip(ahead, (first[left], second[left]), strict=True):
            np.minimum.at(early, of, place[left])
        now = left[(ahead[0][first[left]] == place[left]) & (ahead[1][second[left]] == place[left])]
        taken[now] = True
        left = left[~(np.isin(first[left], first[now]) | np.isin(second[left], second[now]))]
    return taken


def best_other(record: IntArray, score: FloatArray) -> FloatArray:
    """The highest score of the other pairs with the same record, 0 where there is none."""
    if not len(record):
        return score
    order = np.lexsort((-score, record))
    sorted_, starts = record[order], np.empty(len(record), bool)
    starts[0], starts[1:] = True, sorted_[1:] != sorted_[:-1]
    first = np.flatnonzero(starts)
    size = np.diff(np.append(first, len(record)))
    highest, second = score[order][first], np.zeros(len(first))
    several = size > 1
    second[several] = score[order][first[several] + 1]
    other = np.repeat(highest, size)
    other[first] = second
    found = np.empty(len(record))
    found[order] = other
    return found


def _alike(one: Sequence[IntArray], other: Sequence[IntArray]) -> FloatArray:
    """1 where the fine words agree, one half where the coarse ones do, NaN where unknown."""
    fine = (one[0] == other[0]) & (one[0] >= 0)
    coarse = (one[1] == other[1]) & (one[1] >= 0)
    known = (one[0] >= 0) & (other[0] >= 0)
    return np.where(known, np.where(fine, 1.0, np.where(coarse, 0.5, 0.0)), np.nan)


def _mean(values: Sequence[FloatArray]) -> FloatArray:
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    number = known.sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _codes(words: pl.Series, known: pl.Series) -> IntArray:
    """Place of each word among those that are known."""
    places = words.replace_strict(known, np.arange(len(known)), return_dtype=pl.Int64)
    return np.asarray(places.to_numpy(), np.int64)


def _numbered(words: Sequence[str]) -> IntArray:
    """A number for each different word, -1 for none."""
    codes = {word: number for number, word in enumerate(sorted({*words} - {""}))}
    return np.array([codes.get(word, -1) for word in words], np.int64)
