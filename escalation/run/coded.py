"""Whether the codes of a study's incidents are known."""

from escalation.checks import Finding
from escalation.codes import SCHEMES, unknown_codes
from escalation.incidents import Incidents
from escalation.study import Study

NAMED = 3
"""How many unknown codes a finding names; its table has all."""


def codes_finding(study: Study, incidents: Incidents) -> tuple[Finding, ...]:
    """Which codes the scheme of the source lacks; nothing for a source without one.

    Nothing for UCDP either, whose reader rejects a row with a type of violence that does not exist.
    """
    word = study.data.source
    if word not in SCHEMES or word == "ucdp":
        return ()
    unknown = unknown_codes(incidents.table["code"], word)
    scheme, total = SCHEMES[word], int(unknown["incidents"].sum())
    if not total:
        return (Finding("Codes", "passed", f"{scheme.name} knows every code of the incidents."),)
    named = [
        ("no code" if code is None else repr(code))
        + (f" (the nearest is {near!r})" if near else "")
        + f", {count:,} of them"
        for code, count, near in unknown.head(NAMED).iter_rows()
    ]
    more = f"; and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
    text = (
        f"{total:,} of {len(incidents):,} incidents have a code that {scheme.name} lacks, and so "
        f"no class: {'; '.join(named)}{more}."
    )
    return (Finding("Codes", "warned", text, unknown),)
