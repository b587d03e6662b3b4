"""What the parts of a CAMEO actor code mean, in words."""

import csv
from functools import cache, lru_cache
from importlib.resources import files

from escalation.actors.cameo import ROLES
from escalation.actors.countries import country


@lru_cache(maxsize=100_000)
def cameo_meaning(code: str) -> str:
    """Say in words what a CAMEO actor code means, "" where its first part is not known.

    Each three letters are a country, a role, a region, a religion or a group; of small letters,
    an ethnic group, which is not named here. A part that is not known stands as it is.

    Examples
    --------
    >>> cameo_meaning("PAKMIL"), cameo_meaning("AFGINSTAL")
    ('Pakistan, military', 'Afghanistan, insurgents, Taliban')
    >>> cameo_meaning("IGOEUREEC"), cameo_meaning("kur"), cameo_meaning("PRESIDENT")
    ('intergovernmental organisation, Europe, European Union', 'ethnic group kur', '')
    """
    if not (code.isascii() and code.isalnum()) or len(code) % 3:
        return ""
    parts = [code[at : at + 3] for at in range(0, len(code), 3)]
    words = [_part(part, first=at == 0) for at, part in enumerate(parts)]
    if not words or not words[0]:
        return ""
    known = (word or part for word, part in zip(words, parts, strict=True))
    return ", ".join(dict.fromkeys(known))


def _part(part: str, first: bool) -> str:
    if part.islower():
        return f"ethnic group {part}"
    land = country(part, "cameo")
    # "MED" means another thing in PLOVER, which is told behind a semicolon.
    role = ROLES.get(part, "").partition(";")[0]
    # A country stands first in a code, or behind a role. "SUN" was a country, and is a religion.
    words = [land.name if land else "", role, _groups().get(part, "")]
    return next(filter(None, words if first else [*words[1:], words[0]]), "")


@cache
def _groups() -> dict[str, str]:
    """Regions, religions and groups (CAMEO codebook 1.1b3, chapters 3, 7 and 8; words ours)."""
    text = files("escalation.actors").joinpath("cameo_groups.csv").read_text("utf-8")
    return {row["code"]: row["name"] for row in csv.DictReader(text.splitlines())}
