"""What a section of the report is made of: blocks of text, tables, figures and notes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from escalation.results import Results


@dataclass(frozen=True)
class Text:
    """Paragraphs, each with an optional lead that stands beside it in bold.

    Attributes
    ----------
    paragraphs : tuple of (str, str)
        Lead ("" for none) and sentence.
    heading : str
        Heading above the paragraphs, "" for none.
    small : bool
        Set in the small grey of sources and notes.
    """

    paragraphs: tuple[tuple[str, str], ...]
    heading: str = ""
    small: bool = False

    @classmethod
    def of(cls, *sentences: str, heading: str = "", small: bool = False) -> Text:
        """Text of paragraphs without leads."""
        return cls(tuple(("", sentence) for sentence in sentences), heading, small)


@dataclass(frozen=True)
class Table:
    """A table with its caption above and its source line below.

    Attributes
    ----------
    caption : str
        A sentence that says what to see.
    header : tuple of str
    rows : tuple of tuple of str
        Cells as they are to be read; all rows as long as ``header``.
    widths : tuple of float
        Share of the text width a column takes; 0 for as wide as its longest cell.
    align : str
        One letter a column: ``l`` or ``r``.
    marks : tuple of str
        One a row, or empty: "" plain, "failed" in red, "strong" in bold.
    source : str
        Small grey line below.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    align: str
    marks: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        """Check that every row fits the header."""
        wanted = len(self.header)
        for row in (*self.rows, self.widths, self.align):
            if len(row) != wanted:
                raise ValueError(f"table {self.caption!r}: {wanted} columns wanted, got {row!r}")


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption above, its source line below, and its words for who cannot see it.

    Attributes
    ----------
    caption : str
        A sentence that says what to see, with numbers.
    drawing : matplotlib.figure.Figure
    alternative : str
        What the figure shows, in words (PDF/UA asks for it).
    source : str
        Small grey line below.
    """

    caption: str
    drawing: Drawing
    alternative: str
    source: str = ""


@dataclass(frozen=True)
class Note:
    """Something that must not be missed, set apart from the text.

    Attributes
    ----------
    kind : {"box", "limits", "warning", "equation"}
        A row of headline figures, one quiet line, a line in a frame, or one of the template's own
        equations.
    text : str
        The line; for an equation its name in the template.
    figures : tuple of (str, str, str)
        For a box: value, what it is, its interval or remark.
    """

    kind: Literal["box", "limits", "warning", "equation"]
    text: str = ""
    figures: tuple[tuple[str, str, str], ...] = ()


Block = Text | Table | Figure | Note


class Section(ABC):
    """One part of the report; it starts a page.

    Attributes
    ----------
    title : str
        Heading of the section.
    place : int
        Where it stands among the sections.
    """

    title: ClassVar[str]
    place: ClassVar[int]

    @abstractmethod
    def blocks(self, results: Results) -> list[Block]:
        """Say what the section shows of the results, from top to bottom.

        Nothing where the study does not ask for it: then the section is left out.
        """
