"""The coding schemes of the field's event data, by the word that sources go by."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from escalation.codes.scheme import CodeScheme
from escalation.codes.spelling import nearest

if TYPE_CHECKING:
    import polars as pl

OWN = "this package (docs/codes.md)"

CAMEO = CodeScheme(
    name="CAMEO",
    source=(
        "Codes, names and scores as ICEWS lists them; six more of CAMEO 1.1b3 (Schrodt 2012, "
        "CAMEO Conflict and Mediation Event Observations codebook) without a score"
    ),
    mappings={
        "score": "Goldstein (1992), carried over to CAMEO, as ICEWS and GDELT give it",
        "PLOVER": "CAMEO to PLOVER conversion table of 17 September 2021 (Open Event Data "
        "Alliance, CC BY-SA 4.0); a root by the manual 0.8, table of cue categories; "
        "155, 176, 1834, 1951, 1952: " + OWN,
        "quad class": "CAMEO root: 01-05, 06-08, 09-13, 14-20, as the R package icews has it "
        "(Beger); GDELT's own, which differ for roots 09 and 14, are in GDELT_QUADS",
        "class": OWN,
    },
    file="cameo.csv",
)
"""CAMEO: twenty roots, three- and four-digit codes."""

GDELT_QUADS: dict[str, int] = {
    f"{root:02d}": 1 if root <= 5 else 2 if root <= 9 else 3 if root <= 14 else 4
    for root in range(1, 21)
}
"""CAMEO root = the quad class in GDELT's files.

GDELT counts investigations (09) as material cooperation and protests (14) as verbal conflict;
ICEWS users and PLOVER count them as verbal and as material conflict, as ``Code.quad`` does.
"""

PLOVER = CodeScheme(
    name="PLOVER",
    source=(
        "PLOVER manual, draft 0.8 (Open Event Data Alliance 2021, CC BY-SA 4.0): event types and "
        "modes; later modes as POLECAT has them. The words that explain them are ours"
    ),
    mappings={
        "score": "PLOVER manual 0.8, table of conflict-cooperation scores",
        "quad class": "PLOVER manual 0.8, the line of each event type (the summary table there "
        "puts SANCTION among verbal conflict, its own section among material conflict)",
        "class": OWN,
    },
    file="plover.csv",
)
"""PLOVER: sixteen event types (DEMAND is the older name of REQUEST), most of them with modes.

A mode is written behind its type: ``"ASSAULT/firearms"``.
"""

ACLED = CodeScheme(
    name="ACLED",
    source="ACLED codebook: event types and sub-event types, also those in use before 2019",
    mappings={"quad class": OWN, "class": OWN},
    file="acled.csv",
)
"""ACLED: sub-event types under their event types, each under its own name."""

UCDP = CodeScheme(
    name="UCDP",
    source="UCDP GED codebook: type_of_violence",
    mappings={"quad class": OWN, "class": OWN},
    file="ucdp.csv",
)
"""UCDP: the three types of organised violence."""

GTD = CodeScheme(
    name="GTD",
    source="GTD codebook (START, University of Maryland): attacktype1",
    mappings={"quad class": OWN, "class": OWN},
    file="gtd.csv",
)
"""GTD: the nine types of attack."""

SCHEMES: dict[str, CodeScheme] = {
    "ucdp": UCDP,
    "acled": ACLED,
    "gdelt": CAMEO,
    "icews": CAMEO,
    "polecat": PLOVER,
    "gtd": GTD,
}
"""The scheme of ``Incidents.table["code"]`` by the word of its source in ``SOURCES``."""


def unknown_codes(codes: "Iterable[str | None] | pl.Series", source: str) -> "pl.DataFrame":
    """List the codes of a source's incidents that its scheme does not know.

    Such an incident is kept, without a class.

    Parameters
    ----------
    codes : iterable of str or None, or polars.Series
        The column ``code`` of ``Incidents.table``.
    source : str
        The source's word, a key of ``escalation.sources.SOURCES``; "table" has no scheme, and
        the list is empty.

    Returns
    -------
    polars.DataFrame
        Columns: code (null: no code at all), incidents, nearest; the most frequent first.

    Raises
    ------
    ValueError
        If there is no such source.

    Examples
    --------
    >>> unknown_codes(["Armed clash", "Armed clsh"], "acled").rows()
    [('Armed clsh', 1, 'Armed clash')]
    """
    if source in SCHEMES:
        return SCHEMES[source].unknown(codes)
    if source == "table":
        return CAMEO.unknown([])
    near = nearest(source, SCHEMES)
    hint = f", the nearest is {near!r}" if near else ""
    raise ValueError(f"no coding scheme belongs to source {source!r}{hint}")
