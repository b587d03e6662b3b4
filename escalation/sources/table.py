"""Any table of incidents, by a map of its columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from escalation.incidents import SCHEMA, nearest
from escalation.sources.base import Source, lacking
from escalation.sources.delimited import Sheet
from escalation.sources.faults import DataError


@dataclass(frozen=True)
class Table(Source):
    """Any table of incidents, read by a map of its columns.

    Where the map is silent, a column of our own name is taken if the table has it: date, source
    and target must be found in one way or the other. Dates are written YYYY-MM-DD, with a time of
    day or without. A row without a certainty is "reported", without ``directed`` it is true, and
    without ``date_latest`` its day is known.

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
        """Find the mapped columns, and those of our own names."""
        own = {ours: ours for ours in SCHEMA if ours in sheet.header}
        wanted = {ours: ours for ours in self.columns} | dict(self.names)
        missing = [theirs for theirs in wanted.values() if theirs not in sheet.header]
        if missing:
            spare = [name for name in sheet.header if name not in wanted.values()]
            raise DataError(f"{sheet.label}: {lacking(missing, spare)}")
        return own | wanted
