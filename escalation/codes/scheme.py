"""A coding scheme: its codes, how they hang together, and what each is mapped to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from escalation.codes.spelling import nearest

if TYPE_CHECKING:
    import polars as pl

QUADS = {
    1: "verbal cooperation",
    2: "material cooperation",
    3: "verbal conflict",
    4: "material conflict",
}
"""The quad classes by the number that GDELT and PLOVER give them."""


class Plover(NamedTuple):
    """Event type, mode and contexts of a PLOVER record; mode "" where none is said."""

    event_type: str
    mode: str = ""
    contexts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Code:
    """One code of a scheme.

    Parameters
    ----------
    code, name : str
    parent : str or None
        The code one level up; None for a root.
    incident_class : str
        The common class it is mapped to, one of ``INCIDENT_CLASSES``.
    quad : int or None
        Number of its quad class, a key of ``QUADS``.
    score : float or None
        On the scale from conflict (-10) to cooperation (10).
    plover : Plover or None
        What it is in PLOVER.
    listed_in : str
        Where the scheme lists it, if not everywhere.
    """

    code: str
    name: str
    parent: str | None
    incident_class: str
    quad: int | None = None
    score: float | None = None
    plover: Plover | None = None
    listed_in: str = ""


@dataclass(frozen=True)
class CodeScheme:
    """The codes of one source, with their names, their tree and what they are mapped to.

    Parameters
    ----------
    name : str
    source : str
        Where the codes and names come from.
    mappings : mapping
        What the codes are mapped to = where that mapping comes from.
    file : str
        The table in this package that holds them.

    Examples
    --------
    >>> from escalation.codes import CAMEO
    >>> CAMEO["195"].name, CAMEO["195"].incident_class, CAMEO["195"].score
    ('Employ aerial weapons', 'air or drone strike', -10.0)
    >>> [code.code for code in CAMEO.find("18*")][:4]
    ['18', '180', '181', '182']
    """

    name: str
    source: str
    mappings: Mapping[str, str]
    file: str

    @cached_property
    def codes(self) -> dict[str, Code]:
        """All codes, in the order of the codebook."""
        import csv
        from importlib.resources import files

        text = files("escalation.codes").joinpath(self.file).read_text("utf-8")
        return {row["code"]: _code(row) for row in csv.DictReader(text.splitlines())}

    @cached_property
    def classes(self) -> dict[str, str]:
        """Code = its common class, for readers."""
        return {code.code: code.incident_class for code in self}

    @cached_property
    def roots(self) -> tuple[Code, ...]:
        """The codes that have no parent."""
        return tuple(code for code in self if code.parent is None)

    def __getitem__(self, code: str) -> Code:
        found = self.get(code)
        if found is None:
            near = self.nearest(code)
            hint = f", the nearest is {near!r}" if near else ""
            raise ValueError(f"{self.name} has no code {code!r}{hint}")
        return found

    def get(self, code: str) -> Code | None:
        """The code of that text, or None; case and spaces around it do not count."""
        key = code.strip()
        return self.codes.get(key) or self._folded.get(key.casefold())

    @cached_property
    def _folded(self) -> dict[str, Code]:
        return {code.code.casefold(): code for code in self}

    def find(self, pattern: str) -> tuple[Code, ...]:
        """The codes that a pattern stands for, without any if there are none.

        Parameters
        ----------
        pattern : str
            A code, or its beginning and a star: ``"190"`` is that code alone, ``"19*"`` all codes
            that start with 19. Case does not count.
        """
        wanted = pattern.strip().casefold()
        return tuple(code for code in self if fnmatchcase(code.code.casefold(), wanted))

    def parent(self, code: str) -> Code | None:
        """The code one level up, or None for a root."""
        above = self[code].parent
        return self.codes[above] if above else None

    def children(self, code: str) -> tuple[Code, ...]:
        """The codes one level down."""
        above = self[code].code
        return tuple(each for each in self if each.parent == above)

    def nearest(self, code: str) -> str | None:
        """The code that an unknown one may stand for, or None.

        The code with the zeros before it that a spreadsheet drops, else the longest known beginning
        of it, else the code, or the code of the name, most like it.
        """
        key = code.strip()
        for width in range(len(key) + 1, 5):
            if key.isdecimal() and key.zfill(width) in self.codes:
                return key.zfill(width)
        for length in range(len(key) - 1, 1, -1):
            if key[:length] in self.codes:
                return key[:length]
        names = {each.name: each.code for each in self}
        close = nearest(key, self.codes) or nearest(key, names)
        return names.get(close, close) if close else None

    def unknown(self, codes: "Iterable[str | None] | pl.Series") -> "pl.DataFrame":
        """List the codes that the scheme does not know, the most frequent first.

        Parameters
        ----------
        codes : iterable of str or None, or polars.Series
            One an incident, as the column ``code`` of ``Incidents.table``.

        Returns
        -------
        polars.DataFrame
            Columns: code (null: no code at all), incidents, nearest.

        Examples
        --------
        >>> from escalation.codes import CAMEO
        >>> CAMEO.unknown(["190", "1909", "1909", None]).rows()
        [('1909', 2, '190'), (None, 1, None)]
        """
        import polars as pl

        series = codes if isinstance(codes, pl.Series) else pl.Series(list(codes), dtype=pl.String)
        counts = series.cast(pl.String).alias("code").to_frame().group_by("code").len("incidents")
        known = [code for code in counts["code"].drop_nulls() if code in self]
        odd = counts.filter(~pl.col("code").is_in(known).fill_null(False))
        near = [None if code is None else self.nearest(code) for code in odd["code"]]
        return odd.select(
            "code", pl.col("incidents").cast(pl.Int64), pl.Series("nearest", near, pl.String)
        ).sort("incidents", "code", descending=[True, False], nulls_last=True)

    def table(self) -> "pl.DataFrame":
        """One row a code.

        Columns: code, name, parent, class, quad, score, PLOVER type, mode, contexts, listed in;
        null where the scheme has no such mapping.
        """
        import polars as pl

        plover = [code.plover or Plover("") for code in self]
        columns: dict[str, list[str | float | None]] = {
            "code": [code.code for code in self],
            "name": [code.name for code in self],
            "parent": [code.parent for code in self],
            "class": [code.incident_class for code in self],
            "quad": [QUADS.get(code.quad or 0) for code in self],
            "score": [code.score for code in self],
            "PLOVER type": [each.event_type or None for each in plover],
            "PLOVER mode": [each.mode or None for each in plover],
            "PLOVER contexts": ["; ".join(each.contexts) or None for each in plover],
            "listed in": [code.listed_in or None for code in self],
        }
        text = {name: pl.String() for name in columns if name != "score"}
        return pl.DataFrame(columns, schema_overrides={**text, "score": pl.Float64()})

    def __contains__(self, code: object) -> bool:
        return isinstance(code, str) and self.get(code) is not None

    def __iter__(self) -> Iterator[Code]:
        return iter(self.codes.values())

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"CodeScheme({self.name}: {len(self)} codes, {len(self.roots)} at the root)"

    def _repr_html_(self) -> str:
        sources = "".join(
            f"<li>{escape(to)}: {escape(source)}</li>" for to, source in self.mappings.items()
        )
        return (
            f"<p><b>{escape(self.name)}</b>: {len(self)} codes. {escape(self.source)}</p>"
            f"<p>Mapped to</p><ul>{sources}</ul>{self.table()._repr_html_()}"
        )


def _code(row: Mapping[str, str]) -> Code:
    event_type = row.get("plover_type")
    contexts = tuple(each for each in row.get("plover_contexts", "").split(";") if each)
    quad, score = row.get("quad"), row.get("score")
    return Code(
        code=row["code"],
        name=row["name"],
        parent=row["parent"] or None,
        incident_class=row["incident_class"],
        quad=int(quad) if quad else None,
        score=float(score) if score else None,
        plover=Plover(event_type, row["plover_mode"], contexts) if event_type else None,
        listed_in=row.get("listed_in", ""),
    )
