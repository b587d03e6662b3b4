"""Why rows were rejected, over all files."""

from collections.abc import Collection

import polars as pl

from escalation.incidents import Provenance


def reasons(rejected: pl.DataFrame, provenance: Provenance) -> pl.DataFrame:
    """How many rows of all files were rejected, by column and reason, the most first.

    Parameters
    ----------
    rejected : polars.DataFrame
        In the columns of ``REJECTED``; of several files, the name of each follows the reason.
    provenance : Provenance
        Of the same files.

    Returns
    -------
    polars.DataFrame
        Columns: column, reason, rows.
    """
    files = {name for name, _ in provenance.files}
    plain = {each: without_file(each, files) for each in rejected["reason"].unique()}
    rows = rejected.with_columns(pl.col("reason").replace(plain))
    counted = rows.group_by("column", "reason").agg(pl.len().alias("rows"))
    return counted.sort("rows", "column", "reason", descending=[True, False, False])


def without_file(reason: str, files: Collection[str]) -> str:
    """The reason alone, where the name of its file follows in brackets."""
    at = len(reason)
    while (at := reason.rfind(" (", 0, at)) >= 0:
        if reason[at + 2 : -1] in files:
            return reason[:at]
    return reason
