"""CAMEO actor codes: a country and roles, three letters each."""

from dataclasses import dataclass

from escalation.actors.countries import country

ROLES: dict[str, str] = {
    "GOV": "government",
    "MIL": "military",
    "COP": "police",
    "SPY": "intelligence service",
    "JUD": "judiciary",
    "LEG": "legislature",
    "PTY": "political party",
    "OPP": "opposition",
    "REB": "rebels",
    "INS": "insurgents",
    "SEP": "separatists",
    "PRM": "paramilitary",
    "RAD": "radicals",
    "UAF": "unidentified armed forces",
    "CVL": "civilians",
    "CRM": "criminals",
    "REF": "refugees",
    "BUS": "business",
    "MNC": "multinational company",
    "LAB": "labour",
    "AGR": "agriculture",
    "DEV": "development",
    "EDU": "education",
    "ELI": "elites",
    "ENV": "environment",
    "HLH": "health",
    "HRI": "human rights",
    "JRN": "journalists",
    "MED": "media; health in PLOVER",
    "MOD": "moderates",
    "REL": "religious bodies",
    "SET": "settlers",
    "SOC": "civil society",
    "IGO": "intergovernmental organisation",
    "IMG": "international militarised group",
    "INT": "international",
    "ISM": "international social movement",
    "NGM": "non-governmental movement",
    "NGO": "non-governmental organisation",
    "UIS": "unidentified state",
}
"""Role = what it is (CAMEO codebook 1.1b3, chapter 3, and PLOVER manual 0.8; words ours)."""


@dataclass(frozen=True)
class CameoActor:
    """What a CAMEO actor code says.

    Parameters
    ----------
    country : str or None
        Short name of the country; None for an actor of no country.
    roles : tuple of str
        In words.
    others : tuple of str
        Three-letter parts that are neither: known groups, religions, ethnic groups.
    """

    country: str | None
    roles: tuple[str, ...]
    others: tuple[str, ...]


def cameo_actor(code: str) -> CameoActor | None:
    """Read a CAMEO actor code, or None if the text is none.

    A code is capital letters in groups of three: a country, or a country and a role in either
    order, or roles, and then what else is said. Other words in capitals are no codes.

    Examples
    --------
    >>> cameo_actor("PAKMIL")
    CameoActor(country='Pakistan', roles=('military',), others=())
    >>> cameo_actor("MNCUSA").country, cameo_actor("COMMUNIST")
    ('United States', None)
    """
    if not (code.isascii() and code.isalpha() and code.isupper()) or len(code) % 3:
        return None
    first, *rest = (code[at : at + 3] for at in range(0, len(code), 3))
    land = country(first, "cameo")
    if land is None and first not in ROLES:
        return None
    if rest and rest[0] not in ROLES:
        land = None if land else country(rest[0], "cameo")
        if land is None:
            return None
        rest = [first, *rest[1:]]
    parts = rest if land else [first, *rest]
    return CameoActor(
        country=land.name if land else None,
        roles=tuple(ROLES[part] for part in parts if part in ROLES),
        others=tuple(part for part in parts if part not in ROLES),
    )
