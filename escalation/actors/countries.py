"""Countries by any of their names and codes, so that places and homes can be compared."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

Coding = Literal["name", "iso", "fips", "gleditsch-ward", "cameo"]

CODINGS: tuple[Coding, ...] = ("name", "iso", "fips", "gleditsch-ward", "cameo")


def folded(name: str) -> str:
    """Fold a name for comparison: case and runs of spaces do not count."""
    return " ".join(name.split()).casefold()


@dataclass(frozen=True)
class Country:
    """A country, or a territory with codes of its own.

    Parameters
    ----------
    name : str
        The short English name that this package shows.
    alpha2, alpha3, numeric : str
        ISO 3166-1; "" for a former state.
    fips : tuple of str
        FIPS 10-4, which GDELT's geography uses.
    gleditsch_ward : tuple of str
        Numbers of Gleditsch and Ward, which UCDP's ``country_id`` and ``gwnoa`` use.
    cameo : tuple of str
        CAMEO's codes where they are not ISO's alpha-3.
    ucdp_government : str
        UCDP's id of its government as an actor, "" if not known here.
    other_names : tuple of str
        Official and older names, and the spellings of UCDP, ACLED, ICEWS, GTD and GDELT.
    """

    name: str
    alpha2: str
    alpha3: str
    numeric: str
    fips: tuple[str, ...] = ()
    gleditsch_ward: tuple[str, ...] = ()
    cameo: tuple[str, ...] = ()
    ucdp_government: str = ""
    other_names: tuple[str, ...] = ()


@cache
def countries() -> tuple[Country, ...]:
    """All countries of the table, in order of their names.

    ISO 3166-1 and FIPS 10-4 after GeoNames, checked against ISO's own list; Gleditsch-Ward
    numbers after Gleditsch and Ward (1999); UCDP's actor ids after the UCDP Actor Dataset 22.1,
    where governments have 2 (Hyderabad, not here) to 159; one that UCDP took up later has none.
    """
    import csv
    from importlib.resources import files

    text = files("escalation.actors").joinpath("countries.csv").read_text("utf-8")

    def words(cell: str) -> tuple[str, ...]:
        return tuple(each for each in cell.split(";") if each)

    return tuple(
        Country(
            row["name"],
            row["alpha2"],
            row["alpha3"],
            row["numeric"],
            words(row["fips"]),
            words(row["gleditsch_ward"]),
            words(row["cameo"]),
            row["ucdp_government"],
            words(row["other_names"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


_KEYS: dict[Coding, Callable[[Country], tuple[str, ...]]] = {
    "name": lambda each: (each.name, *each.other_names),
    "iso": lambda each: (each.alpha2, each.alpha3, each.numeric),
    "fips": lambda each: each.fips,
    "gleditsch-ward": lambda each: each.gleditsch_ward,
    "cameo": lambda each: (each.alpha3, *each.cameo),
}


@cache
def _index(coding: Coding) -> dict[str, Country]:
    return {folded(key): each for each in countries() for key in _KEYS[coding](each) if key}


def country(text: str, coding: Coding | None = None) -> Country | None:
    """The country of a name or code, or None.

    Parameters
    ----------
    text : str
        Case and runs of spaces do not count, nor "the" before a name; a number may lack its
        leading zeros.
    coding : {"name", "iso", "fips", "gleditsch-ward", "cameo"}, optional
        What it is. The codings contradict each other ("CH" is Switzerland in ISO and China in
        FIPS): if not said, it is a name, else an ISO code, else one of CAMEO's.

    Raises
    ------
    ValueError
        If there is no such coding.

    Examples
    --------
    >>> country("PAK").name, country("CH").name, country("CH", "fips").name
    ('Pakistan', 'Switzerland', 'China')
    >>> country("Yemen (North Yemen)").name, country("678", "gleditsch-ward").name
    ('Yemen', 'Yemen')
    """
    if coding is None:
        return country(text, "name") or country(text, "iso") or country(text, "cameo")
    if coding not in CODINGS:
        raise ValueError(f"coding must be one of {', '.join(CODINGS)}, got {coding!r}")
    key = folded(text)
    if coding == "iso" and key.isdecimal():
        key = key.zfill(3)
    found = _index(coding).get(key)
    if found is None and coding == "name" and key.startswith("the "):
        return _index(coding).get(key[4:])
    return found


@cache
@lru_cache(maxsize=100_000)
def country_key(text: str) -> str:
    """What a country's spellings and codes share, to compare by; else the folded text itself.

    Examples
    --------
    >>> country_key("Burma") == country_key("MMR"), country_key("Ruritania")
    (True, 'ruritania')
    """
    found = country(text)
    return found.name.casefold() if found else folded(text)


def same_country(first: str | None, second: str | None) -> bool | None:
    """Whether two names or codes mean the same country; None if either is not given.

    Examples
    --------
    >>> same_country("Russian Federation", "RUS"), same_country("India", None)
    (True, None)
    """
    if not first or not second:
        return None
    return country_key(first) == country_key(second)


def names_by(coding: Coding) -> dict[str, str]:
    """Code = short name of the country, for readers.

    Examples
    --------
    >>> names_by("fips")["PK"], names_by("cameo")["ROM"]
    ('Pakistan', 'Romania')
    """
    return {key: each.name for each in countries() for key in _KEYS[coding](each) if key}
