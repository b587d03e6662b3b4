"""The codebook that goes with a template: columns, words and codes, as Markdown."""

from collections.abc import Sequence

from escalation.codes import CAMEO, FAMILIES, PLOVER, QUADS
from escalation.coding.columns import CERTAINTY_MEANS, COLUMNS, DEATHS_MEAN, PRECISION_MEANS

RULES = """\
# Codebook

How incidents are coded by hand. Take it over, and add what the study needs: which texts, which days
were watched, which actors. Every choice that is made more than once belongs here, so that a second
coder makes the same one from this page alone.

## One row

One row is one act of one source on one target: one kind of act, one day or span of days, one place.

- A stated number of like acts is that many rows; an unstated number is one row with `clarity` 2.
- An act and its mirror (a visit made, a visit received) are one row, by the side that acted.
- That a side confirms or denies an act is no row of its own: it goes into `certainty`.
- A text that tells of an accusation gives two things: the accusation, an act of words that took
  place, and the act that it alleges, whose `certainty` is *alleged*.
- Habits, intentions and background without a day are not coded.

A number of deaths for several rows together is divided among them: best as evenly as whole numbers
go, low 0, high the whole number.
"""

AUTHOR = """
The word is about who did it, not about what was said: an accusation made in public is itself
confirmed. Where it is alleged or denied, `claimed_by` tells who says so.
"""

CODES = "All CAMEO codes, with what PLOVER makes of them: `escalation.codes.CAMEO.table()`."


def codebook() -> str:
    """The codebook as Markdown: rules for a row, columns, words, deaths, and the CAMEO roots."""
    columns = _table(
        ("column", "what it means", "what stands there", "needed"),
        [(f"`{c.name}`", c.meaning, c.expected, "yes" if c.needed else "") for c in COLUMNS],
    )
    certainty = _table(("`certainty`", "when"), list(CERTAINTY_MEANS.items()))
    precision = _table(("`place_precision`", "what is known"), list(PRECISION_MEANS.items()))
    deaths = _table(("the text says", "low", "best", "high"), DEATHS_MEAN)
    classes = _table(
        ("family", "`incident_class`", "what it means"),
        [
            (family, name, means)
            for family, members in FAMILIES.items()
            for name, means in members.items()
        ],
    )
    roots = _table(
        ("CAMEO", "name", "quad class", "PLOVER"),
        [
            (code.code, code.name.capitalize(), QUADS.get(code.quad or 0, ""), _types(code.code))
            for code in CAMEO.roots
        ],
    )
    modes = _table(("PLOVER type", "modes"), _modes())
    return "\n".join(
        (
            RULES,
            f"## Columns\n\n{columns}",
            f"## How sure it is that the source did it\n\n{certainty}{AUTHOR}",
            f"## How exactly the place is known\n\n{precision}",
            f"## Deaths\n\n{deaths}",
            f"## Classes\n\n{classes}",
            f"## Codes\n\n{CODES}\n\n{roots}",
            modes,
        )
    )


def _types(root: str) -> str:
    """The PLOVER event types that the codes under a root become."""
    found = [code.plover.event_type for code in CAMEO.find(f"{root}*") if code.plover]
    return ", ".join(dict.fromkeys(found))


def _modes() -> list[tuple[str, str]]:
    roots = [code for code in PLOVER if code.parent is None]
    return [
        (root.code, ", ".join(each.code.partition("/")[2] for each in PLOVER.children(root.code)))
        for root in roots
    ]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines) + "\n"
