"""Any table of incidents, by a map of its columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from escalation.incidents import SCHEMA, nearest
from escalation.sources.base import Source, lacking
from escalation.sources.delimited import Sheet
from escalation.sources.faults import DataError
from escalation.sources.likeness import provider_of
from escalation.sources.stack import found_in


@dataclass(frozen=True)
class Table(Source):
    """Any table of incidents, read by a map of its columns.

    Where the map is silent, a column of our own name is taken if the table has it: date, source
    and target must be found in one way or the other. Case and blanks around a name do not count.
    Dates are written YYYY-MM-DD, with a time of day or without. A row without a certainty is
    "reported", without ``directed`` it is true, and without ``date_latest`` its day is known.

    Parameters
    ----------
    names : mapping
        Our column (see ``escalation.incidents.SCHEMA``) = the column in the file.

    Raises
    ------
    ValueError
        If the map names a column that is none of ours.

    Examples
    --------
    >>> import polars as pl
    >>> from datetime import date
    >>> from escalation.window import Window
    >>> rows = pl.DataFrame({"day": ["2020-01-07"], "who": ["A"], "whom": ["B"]})
    >>> Table({"date": "day", "source": "who", "target": "whom"}).read(
    ...     rows, Window(date(2020, 1, 1), date(2021, 1, 1))
    ... )
    Incidents(1 from table, 2020-01-01 to 2020-12-31 (366 days))
    """

    names: Mapping[str, str] = field(default_factory=dict)

    name: ClassVar[str] = "table"
    licence: ClassVar[str] = "not stated"
    citation: ClassVar[str] = "not stated"
    columns: ClassVar = {"date": ("date",), "source": ("source",), "target": ("target",)}
    specimen: ClassVar[str] = (
        "id,date,date_latest,source,target,incident_class,country,latitude,longitude,"
        "deaths_low,deaths_best,deaths_high,certainty,place\n"
        'a1,2020-01-07,2020-01-07,A,B,attack,North,30.5,-70.25,0,1,2,confirmed,"Mill, the old"\n'
        "a2,2020-01-09,2020-01-12,B,A,shelling,South,,,,,,alleged,\n"
        "a3,2020-02-01 00:00:00,,A,B,attack,South,31,-71,3,3,3,reported,Ford\n"
    )

    def __post_init__(self) -> None:
        for ours in self.names:
            if ours not in SCHEMA:
                near = nearest(ours, SCHEMA)
                hint = f", the nearest is {near!r}" if near else ""
                raise ValueError(f"incidents have no column {ours!r}{hint}")

    def matched(self, sheet: Sheet) -> dict[str, str]:
        """Find the mapped columns, and those of our own names.

        Raises
        ------
        DataError
            If one is missing; or if the file is plainly a provider's, and the map does not say
            where date, source and target stand: ACLED's column "source" holds newspapers.
        """
        wanted = {ours: (ours,) for ours in self.columns}
        wanted |= {ours: (theirs,) for ours, theirs in self.names.items()}
        found = found_in(sheet, wanted)
        missing = [theirs for ours, (theirs,) in wanted.items() if ours not in found]
        unsaid = [ours for ours in self.columns if ours not in self.names]
        like = provider_of(sheet) if unsaid else None
        if like is not None and (missing or like.share == 1):
            raise DataError(
                f"{sheet.label}: it looks like {like.name} (it has {like.told}): say source = "
                f'"{like.word}"; to read it as any other table, the map of columns must name '
                f"{', '.join(unsaid)}"
            )
        if missing:
            spare = [name for name in sheet.header if name not in found.values()]
            raise DataError(f"{sheet.label}: {lacking(missing, spare)}")
        return self._own(sheet) | found

    def mended(self, sheet: Sheet) -> Sheet:
        """The sheet, with a remark on columns that are taken though nobody named them so."""
        taken = [
            f"{theirs!r} as {ours}"
            for ours, theirs in self._own(sheet).items()
            if theirs.strip() != ours or (self.names and ours in self.columns)
        ]
        if not taken:
            return sheet
        remark = f"read by its own name: column {', '.join(taken)}"
        return replace(sheet, remarks=(*sheet.remarks, remark))

    def _own(self, sheet: Sheet) -> dict[str, str]:
        """Columns of our own names, where the map is silent."""
        return found_in(sheet, {ours: (ours,) for ours in SCHEMA if ours not in self.names})
