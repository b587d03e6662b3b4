"""Stream: which incidents count as "A acts on B"."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import reduce
from operator import and_

import polars as pl

from escalation.actors import Actors, country_key, folded
from escalation.codes import CERTAINTIES, FAMILIES, INCIDENT_CLASSES, class_words
from escalation.incidents import Incidents, nearest
from escalation.streams.borders import Columns, crosses_border


@dataclass(frozen=True)
class Stream:
    """Which incidents count as "A acts on B", or as fighting between A and B.

    Each filter is a tuple of names of which one must match, compared without case and after
    aliases; an empty one lets all pass; all filters must pass. A side has two filters that count
    as one: who acts is named in ``source`` or at home in one of ``source_homes``, so that
    ``source=("TTP",), source_homes=("Afghanistan",)`` is "by the TTP or from Afghan soil".

    Parameters
    ----------
    name : str
    source, target : tuple of str
        Who acts, and on whom. With ``directed`` false the two may stand in either order.
    dyad : tuple of str
        Names of dyads as the source writes them ("Government of Pakistan - TTP").
    classes : tuple of str
        Common classes of incidents or families of them (`escalation.codes.FAMILIES`), or the
        words of the source's own classes.
    countries, certainty : tuple of str
        Country where it happened, in any spelling or code, and how sure it is.
    directed : bool
        That the source side is known to have acted. It is the analyst's word: where the data do
        not tell who attacked (``Incidents.summary``, column *undirected*), say False.
    codes : tuple of str
        The source's codes; a star stands for any ending (``"19*"``).
    source_homes, target_homes : tuple of str
        Countries in which those who act, or are acted on, are at home: by the study's actors, the
        nationality that the source codes, or the actor's name (`home_countries`). A home is not
        the place from which an attack was launched, which few sources tell.

    Examples
    --------
    >>> Stream("strikes", source=("A",), target=("B",)).label
    'A → B'
    >>> Stream("fighting", dyad=("A - B",), directed=False).label
    'between A - B'
    >>> Stream("raids", source=("TTP",), source_homes=("Afghanistan",)).label
    'TTP or others from Afghanistan → anyone'
    """

    name: str
    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    dyad: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    certainty: tuple[str, ...] = ()
    directed: bool = True
    codes: tuple[str, ...] = ()
    source_homes: tuple[str, ...] = ()
    target_homes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a stream needs a name")
        for each in fields(self):
            if each.name in ("name", "directed"):
                continue
            value = getattr(self, each.name)
            if isinstance(value, str):
                raise ValueError(
                    f"stream {self.name!r}: {each.name} must be a tuple of names, got {value!r}"
                )
            object.__setattr__(self, each.name, tuple(value))
        odd = [word for word in self.certainty if word not in CERTAINTIES]
        if odd:
            raise ValueError(
                f"stream {self.name!r}: certainty must be among {', '.join(CERTAINTIES)}, "
                f"got {odd[0]!r}"
            )

    def select(self, incidents: Incidents, actors: Actors | None = None) -> Incidents:
        """The incidents of this stream, over the same window.

        `select_each` does it for several streams at less cost.
        """
        columns = Columns(incidents.table, Actors() if actors is None else actors)
        return _where(incidents, self.matches(columns))

    def matches(self, columns: Columns) -> pl.Series | None:
        """Whether each incident of a table belongs to the stream; None if all do."""
        known = columns.actors

        def land(name: str) -> str:
            return country_key(known.canonical(name))

        words = [word for name in self.classes for word in class_words(name)]
        filters = [
            _among(columns, "dyad", self.dyad, known.key),
            _among(columns, "incident_class", words, folded),
            _among(columns, "country", self.countries, land),
            _among(columns, "certainty", self.certainty, folded),
            _coded(columns, self.codes),
        ]
        acting = self._acting(columns, "source", "target")
        if not self.directed and acting is not None:
            other = self._acting(columns, "target", "source")
            acting = acting | other if other is not None else None
        wanted = [each for each in (acting, *filters) if each is not None]
        return reduce(and_, wanted) if wanted else None

    def _acting(self, columns: Columns, source: str, target: str) -> pl.Series | None:
        """Whether the stream's source side stands in one column, its target side in the other."""
        sides = (
            _on_side(columns, source, self.source, self.source_homes),
            _on_side(columns, target, self.target, self.target_homes),
        )
        wanted = [side for side in sides if side is not None]
        return wanted[0] & wanted[-1] if wanted else None

    def unmatched(
        self, incidents: Incidents, actors: Actors | None = None
    ) -> dict[str, str | None]:
        """Names that occur nowhere in the incidents, each with the nearest that does, or None.

        A misspelt actor gives a stream of zeros without any error: look here first. A class
        counts by the words it stands for, a code by its star, a country by its spellings; a home
        that nobody has is unmatched too.
        """
        known = Actors() if actors is None else actors
        columns = Columns(incidents.table, known)
        missing: dict[str, str | None] = {}

        def look(
            names: tuple[str, ...], present: Iterable[str], key: Callable[[str], str] = folded
        ) -> None:
            listed = sorted(present) if names else []
            found = {key(known.canonical(each)) for each in listed}
            for name in names:
                if key(known.canonical(name)) not in found:
                    missing[name] = nearest(name, listed)

        def values(*names: str) -> set[str]:
            return {each for name in names for each in columns.values(name)}

        look(self.source + self.target, values("source", "target"))
        look(self.dyad, values("dyad"))
        look(self.countries, values("country"), country_key)
        classes = values("incident_class") if self.classes else set()
        present = {folded(each) for each in classes}
        for name in self.classes:
            if present.isdisjoint(class_words(name)):
                others = {*INCIDENT_CLASSES, *FAMILIES} - {folded(name)}
                missing[name] = nearest(name, sorted(classes)) or nearest(name, sorted(others))
        codes = values("code") if self.codes else set()
        for pattern in self.codes:
            if not _matching((pattern,), codes):
                missing[pattern] = nearest(pattern, sorted(codes))
        homes = self.source_homes + self.target_homes
        if homes:
            both = (columns.homes(side).drop_nulls().unique() for side in ("source", "target"))
            look(homes, {each for side in both for each in side}, country_key)
        return missing

    def crosses_border(self, actors: Actors | None = None) -> bool | None:
        """Whether those who act are at home elsewhere than where they act.

        Where they act is the stream's countries, or else the homes of its targets. Without
        direction both sides act: then it crosses a border if either side is not at home there.
        `crossings` counts over the incidents themselves.

        Returns
        -------
        bool or None
            None if a home is unknown, or some cross the border and others do not.
        """
        known = Actors() if actors is None else actors

        def homes(names: tuple[str, ...], lands: tuple[str, ...]) -> set[str]:
            found = [*(known.home(name) for name in names), *lands]
            return {country_key(home or "") for home in found}

        source = homes(self.source, self.source_homes)
        target = homes(self.target, self.target_homes)
        acting = source if self.directed else source | target
        places = {country_key(place) for place in self.countries} or target
        if not (acting and places) or "" in acting | places:
            return None
        if not self.directed:
            abroad = acting - places if self.countries else len(acting) > 1
            return True if abroad else (False if source and target else None)
        if acting.isdisjoint(places):
            return True
        return False if acting == places and len(places) == 1 else None

    def crossings(self, incidents: Incidents, actors: Actors | None = None) -> pl.DataFrame:
        """How many of the stream's incidents cross a border.

        Returns
        -------
        polars.DataFrame
            One row. Columns: stream, incidents, across (who acted is at home elsewhere), at home,
            unknown (a home or the country is not known).
        """
        crossing = crosses_border(self.select(incidents, actors), actors)
        across = int(crossing.sum())
        unknown = crossing.null_count()
        return pl.DataFrame(
            {
                "stream": [self.name],
                "incidents": [len(crossing)],
                "across": [across],
                "at home": [len(crossing) - across - unknown],
                "unknown": [unknown],
            }
        )

    @property
    def label(self) -> str:
        """Who acts on whom, in a few words: "A → B", or "between A and B" without direction."""
        source = _named(self.source, self.source_homes)
        target = _named(self.target, self.target_homes)
        if self.directed:
            if source or target:
                return f"{source or 'anyone'} → {target or 'anyone'}"
            return " or ".join(self.dyad) or self.name
        if source and target:
            return f"between {source} and {target}"
        sides = source or target
        return f"between {' or '.join(self.dyad) or (f'{sides} and others' if sides else 'any')}"


def _named(names: tuple[str, ...], homes: tuple[str, ...]) -> str:
    whoever = "others" if names else "anyone"
    return " or ".join([*names, *([f"{whoever} from {' or '.join(homes)}"] if homes else [])])


def _where(incidents: Incidents, wanted: pl.Series | None) -> Incidents:
    return incidents if wanted is None else incidents.where(pl.lit(wanted))


def _on_side(
    columns: Columns, side: str, names: tuple[str, ...], homes: tuple[str, ...]
) -> pl.Series | None:
    """Whether the actor on a side is named or at home there; None if anyone will do."""
    named = _among(columns, side, names, columns.actors.key)
    if not homes:
        return named
    lands = [country_key(home) for home in homes]
    at_home = columns.homes(side).is_in(lands).fill_null(False)
    return at_home if named is None else named | at_home


def _among(
    columns: Columns, column: str, names: Collection[str], key: Callable[[str], str]
) -> pl.Series | None:
    """Whether each value is one of the names, compared by a key; None without any name."""
    if not names:
        return None
    wanted = {key(name) for name in names}
    present = [each for each in columns.values(column) if key(each) in wanted]
    return columns.table[column].is_in(present).fill_null(False)


def _coded(columns: Columns, patterns: tuple[str, ...]) -> pl.Series | None:
    if not patterns:
        return None
    present = _matching(patterns, columns.values("code"))
    return columns.table["code"].is_in(present).fill_null(False)


def _matching(patterns: tuple[str, ...], codes: Iterable[str]) -> list[str]:
    """The codes that one of the patterns stands for."""
    wanted = [pattern.strip().casefold() for pattern in patterns]
    return [code for code in codes if any(fnmatchcase(code.casefold(), each) for each in wanted)]


def select_each(
    streams: Iterable[Stream], incidents: Incidents, actors: Actors | None = None
) -> list[Incidents]:
    """The incidents of each stream, the table being looked at once for all.

    Examples
    --------
    >>> from datetime import date
    >>> import polars as pl
    >>> from escalation import Window, read
    >>> rows = pl.DataFrame({"date": ["2020-01-07"], "source": ["A"], "target": ["B"]})
    >>> incidents = read(rows, Window(date(2020, 1, 1), date(2021, 1, 1)))
    >>> by_a, by_b = Stream("by A", source=("A",)), Stream("by B", source=("B",))
    >>> [len(chosen) for chosen in select_each([by_a, by_b], incidents)]
    [1, 0]
    """
    columns = Columns(incidents.table, Actors() if actors is None else actors)
    return [_where(incidents, stream.matches(columns)) for stream in streams]
