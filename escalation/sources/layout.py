"""How a file of incidents is written, as far as it does not say so itself."""

from dataclasses import dataclass
from datetime import date

WORDS = {
    "day first": ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y"),
    "month first": ("%m/%d/%Y", "%m.%d.%Y", "%m-%d-%Y"),
}
"""Forms of dates that a word stands for."""


@dataclass(frozen=True)
class Layout:
    """How a file is written, where that cannot be known from the file.

    Parameters
    ----------
    encoding : str
        Of text. Without one, UTF-8, or UTF-16 if the file begins with its mark: an encoding of
        one byte a letter cannot be told from another, so it is never guessed.
    separator : str
        Between fields. Without one, the likeliest of comma, semicolon, tab and bar.
    decimal : {".", ","}
        The mark before the decimals.
    dates : str
        "day first" or "month first" (31/12/2020, 31.12.2020, 31-12-2020), or a form as
        ``datetime.strptime`` writes it, such as "%d %B %Y". Dates as ISO 8601 writes them are
        read in any case; without ``dates`` no others are.
    sheet : str
        Of an Excel file with several; without one, it must have one alone.

    Raises
    ------
    ValueError
        If one of them is unknown.
    """

    encoding: str = ""
    separator: str = ""
    decimal: str = "."
    dates: str = ""
    sheet: str = ""

    def __post_init__(self) -> None:
        if self.encoding:
            try:
                "".encode(self.encoding)
            except LookupError:
                raise ValueError(
                    f"encoding must be one such as 'cp1252' or 'utf-16', got {self.encoding!r}"
                ) from None
        if len(self.separator) > 1 or self.separator in ('"', "\n", "\r"):
            raise ValueError(f"separator must be one character, got {self.separator!r}")
        if self.decimal not in (".", ","):
            raise ValueError(f"decimal must be '.' or ',', got {self.decimal!r}")
        for form in self.date_forms:
            _check(form)

    @property
    def date_forms(self) -> tuple[str, ...]:
        """The forms of dates, besides those of ISO 8601."""
        return WORDS.get(self.dates, (self.dates,)) if self.dates else ()


def _check(form: str) -> None:
    """Fail unless a form says the year with four digits, the month and the day."""
    try:
        kept = date(2011, 12, 23).strftime(form)
    except ValueError:
        kept = ""
    asked = [("%Y", "2011"), ("%m or %B or %b", ("12", "December", "Dec")), ("%d", "23")]
    for wanted, shown in asked:
        if not any(each in kept for each in ((shown,) if isinstance(shown, str) else shown)):
            raise ValueError(
                f"dates must be 'day first', 'month first' or a form with {wanted}, got {form!r}"
            )
