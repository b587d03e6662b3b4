"""The country that an actor's name tells of."""

import re
from functools import lru_cache

from escalation.actors.cameo import cameo_actor
from escalation.actors.countries import country

_YEARS = re.compile(r"\s*\(\d{4}\s*-\s*(\d{4})?\)")
_BEHIND = re.compile(r"\(([^()]+)\)$")
_FORCES = re.compile(
    r"^(?:government|military forces|police forces|armed forces|security forces|military|police"
    r"|army|navy|air force|civilians|citizens|protesters|rioters)(?: and [a-z ]+)? of (.+)$",
    re.IGNORECASE,
)


@lru_cache(maxsize=100_000)
def country_in_name(name: str) -> str | None:
    """The country that an actor's name tells of, or None.

    Told by "Government of …" and the like (UCDP, ACLED), a country in brackets at the end (ICEWS,
    ACLED), a CAMEO actor code with a known role, or a name that is a country's.

    Examples
    --------
    >>> country_in_name("Military Forces of Pakistan (2018-2022) Frontier Corps")
    'Pakistan'
    >>> country_in_name("Police (India)"), country_in_name("AFGMIL"), country_in_name("TTP")
    ('India', 'Afghanistan', None)
    """
    text = " ".join(name.split())
    found = country(text, "name") or country(text, "cameo" if text.isupper() else "name")
    if found is None:
        dated = _YEARS.split(text, maxsplit=1)
        plain = dated[0].strip()
        of = _FORCES.match(plain)
        inside = _BEHIND.search(text if len(dated) == 1 else _YEARS.sub("", text))
        found = country(of[1], "name") if of else None
        found = found or (country(inside[1], "name") if inside else None)
    if found is None:
        coded = cameo_actor(text)
        return coded.country if coded else None
    return found.name
