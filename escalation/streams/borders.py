"""Whether those who act are at home elsewhere than where they act."""

import polars as pl

from escalation.actors import Actors, country_key
from escalation.incidents import Incidents


class Columns:
    """The text in the columns of a table, looked at once for all streams that ask.

    Parameters
    ----------
    table : polars.DataFrame
        Columns as in ``Incidents.table``.
    actors : Actors
    """

    def __init__(self, table: pl.DataFrame, actors: Actors) -> None:
        self.table, self.actors = table, actors
        self._values: dict[str, list[str]] = {}
        self._homes: dict[str, pl.Series] = {}

    def values(self, column: str) -> list[str]:
        """Each text that stands in a column, once."""
        if column not in self._values:
            self._values[column] = self.table[column].drop_nulls().unique().to_list()
        return self._values[column]

    def homes(self, side: str) -> pl.Series:
        """See `home_countries`."""
        if side not in self._homes:
            told = self.table[f"{side}_country"]
            said: dict[str, str] = {}
            guessed: dict[str, str] = {}
            for name in self.values(side):
                home, declared = self.actors.home_key(name)
                if home is not None:
                    (said if declared else guessed)[name] = home
            coded = {text: country_key(text) for text in self.values(f"{side}_country")}
            names = self.table[side]
            homes = (_mapped(names, said), _mapped(told, coded), _mapped(names, guessed))
            self._homes[side] = pl.select(pl.coalesce(*homes).alias(f"{side}_home")).to_series()
        return self._homes[side]


def home_countries(table: pl.DataFrame, side: str, actors: Actors | None = None) -> pl.Series:
    """The country in which each incident's source, or target, is at home.

    What the study says of the actor goes first, then the nationality that the data source codes
    (``source_country``, ``target_country``), then what the actor's name tells.

    Parameters
    ----------
    table : polars.DataFrame
        Columns as in ``Incidents.table``.
    side : {"source", "target"}
    actors : Actors, optional

    Returns
    -------
    polars.Series
        Text, one an incident; countries alike in any spelling or code have one text. Null where
        the home is not known.
    """
    return Columns(table, Actors() if actors is None else actors).homes(side)


def _mapped(column: pl.Series, words: dict[str, str]) -> pl.Series:
    if not words:
        return pl.repeat(None, len(column), dtype=pl.String, eager=True)
    return column.replace_strict(words, default=None, return_dtype=pl.String)


def place_countries(table: pl.DataFrame) -> pl.Series:
    """The country in which each incident happened, in the text of `home_countries`."""
    places = table["country"]
    keys = {text: country_key(text) for text in places.drop_nulls().unique()}
    return _mapped(places, keys).alias("country")


def crosses_border(incidents: Incidents, actors: Actors | None = None) -> pl.Series:
    """Whether who acted is at home elsewhere than where it happened, for each incident.

    Without direction both sides act: then it crosses a border if either side is at home
    elsewhere, and does not if both are at home there.

    Returns
    -------
    polars.Series
        Boolean, in the order of ``incidents.table``; null where a home, or the country, is not
        known.

    Examples
    --------
    >>> from datetime import date
    >>> import polars as pl
    >>> from escalation import Window, read
    >>> rows = pl.DataFrame({
    ...     "date": ["2020-01-07", "2020-01-08"], "country": ["PAK", "Pakistan"],
    ...     "source": ["AFGMIL", "Police (Pakistan)"], "target": ["PAKMIL", "unknown"],
    ... })
    >>> crosses_border(read(rows, Window(date(2020, 1, 1), date(2021, 1, 1)))).to_list()
    [True, False]
    """
    table = incidents.table
    place = place_countries(table)
    source = home_countries(table, "source", actors) != place
    target = home_countries(table, "target", actors) != place
    both = source | target  # Kleene: true if either is, null if none is and one is not known
    return (
        pl.select(pl.when(table["directed"]).then(source).otherwise(both))
        .to_series()
        .alias("crosses_border")
    )
