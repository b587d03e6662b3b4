"""Stream: which incidents count as "A acts on B"."""

from dataclasses import dataclass, fields

import polars as pl

from escalation.actors import Actors, folded
from escalation.codes import CERTAINTIES
from escalation.incidents import Incidents, nearest


@dataclass(frozen=True)
class Stream:
    """Which incidents count as "A acts on B", or as fighting between A and B.

    Each filter is a tuple of names of which one must match, compared without case and after
    aliases; an empty one lets all pass; all filters must pass.

    Parameters
    ----------
    name : str
    source, target : tuple of str
        Who acts, and on whom. With ``directed`` false the two may stand in either order.
    dyad : tuple of str
        Names of dyads as the source writes them ("Government of Pakistan - TTP").
    classes, countries, certainty : tuple of str
        Class of incident in words, country where it happened, and how sure it is.
    directed : bool
        That the source side is known to have acted. It is the analyst's word: where the data do
        not tell who attacked (``Incidents.summary``, column *undirected*), say False.

    Examples
    --------
    >>> Stream("strikes", source=("A",), target=("B",)).label
    'A → B'
    >>> Stream("fighting", dyad=("A - B",), directed=False).label
    'between A - B'
    """

    name: str
    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    dyad: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    certainty: tuple[str, ...] = ()
    directed: bool = True

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a stream needs a name")
        for each in fields(self)[1:-1]:
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
        """The incidents of this stream, over the same window."""
        table, known = incidents.table, actors or Actors()

        def among(column: str, names: tuple[str, ...]) -> pl.Series:
            if not names:
                return pl.repeat(True, len(table), eager=True)
            wanted = {folded(known.canonical(name)) for name in names}
            present = table[column].drop_nulls().unique()
            matching = [name for name in present if folded(known.canonical(name)) in wanted]
            return table[column].is_in(matching).fill_null(False)

        actor = among("source", self.source) & among("target", self.target)
        if not self.directed:
            actor |= among("source", self.target) & among("target", self.source)
        return incidents.where(
            pl.lit(actor),
            pl.lit(among("dyad", self.dyad)),
            pl.lit(among("incident_class", self.classes)),
            pl.lit(among("country", self.countries)),
            pl.lit(among("certainty", self.certainty)),
        )

    def unmatched(
        self, incidents: Incidents, actors: Actors | None = None
    ) -> dict[str, str | None]:
        """Names that occur nowhere in the incidents, each with the nearest that does, or None.

        A misspelt actor gives a stream of zeros without any error: look here first.
        """
        known, table = actors or Actors(), incidents.table
        looked_up = {
            "source": (self.source + self.target, ("source", "target")),
            "dyad": (self.dyad, ("dyad",)),
            "classes": (self.classes, ("incident_class",)),
            "countries": (self.countries, ("country",)),
        }
        missing: dict[str, str | None] = {}
        for names, columns in looked_up.values():
            present = {name for column in columns for name in table[column].drop_nulls().unique()}
            found = {folded(known.canonical(name)) for name in present}
            for name in names:
                if folded(known.canonical(name)) not in found:
                    missing[name] = nearest(name, sorted(present))
        return missing

    def crosses_border(self, actors: Actors | None = None) -> bool | None:
        """Whether those who act are at home elsewhere than where they act.

        Where they act is the stream's countries, or else the homes of its targets. Without
        direction both sides act: then it crosses a border if either side is not at home there.

        Returns
        -------
        bool or None
            None if a home is unknown, or some cross the border and others do not.
        """
        known = actors or Actors()
        source = [known.home(name) for name in self.source]
        target = [known.home(name) for name in self.target]
        acting = {folded(home or "") for home in (source if self.directed else source + target)}
        places = {folded(place or "") for place in (self.countries or target)}
        if not (acting and places) or "" in acting | places:
            return None
        if not self.directed:
            abroad = acting - places if self.countries else len(acting) > 1
            return True if abroad else (False if source and target else None)
        if acting.isdisjoint(places):
            return True
        return False if acting == places and len(places) == 1 else None

    @property
    def label(self) -> str:
        """Who acts on whom, in a few words: "A → B", or "between A and B" without direction."""
        source, target = " or ".join(self.source), " or ".join(self.target)
        if self.directed:
            if source or target:
                return f"{source or 'anyone'} → {target or 'anyone'}"
            return " or ".join(self.dyad) or self.name
        if source and target:
            return f"between {source} and {target}"
        sides = source or target
        return f"between {' or '.join(self.dyad) or (f'{sides} and others' if sides else 'any')}"
