"""How the report writes numbers, dates and lists: the same on every page."""

import math
import textwrap
from collections.abc import Sequence
from datetime import date, timedelta
from typing import SupportsFloat

import numpy as np

NO_BREAK = "\u00a0"
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def decimals(value: float, ceiling: float | None = None) -> int:
    """Decimals that give ``value`` two significant digits, at most two once ``ceiling`` >= 0.1."""
    if not math.isfinite(value) or value == 0:
        return 2
    needed = max(0, 1 - math.floor(math.log10(abs(value)) + 1e-9))
    reach = abs(value) if ceiling is None or not math.isfinite(ceiling) else abs(ceiling)
    return min(needed, 2) if reach >= 0.1 else min(needed, 4)


def rate(value: float) -> str:
    """A rate or share with two significant digits: 0.47, 1.2, 13; ``without bound`` if infinite."""
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "without bound"
    return _fixed(value, decimals(value))


def between(lower: float, upper: float) -> str:
    """An interval of rates, ``0.31 to 0.58``, both ends with the decimals of the upper one."""
    if math.isnan(lower) or math.isnan(upper):
        return "unknown"
    places = decimals(upper)
    return f"{_fixed(lower, places)} to {_fixed(upper, places)}"


def estimate(value: float, lower: float, upper: float) -> str:
    """An estimate and its interval: ``0.45 (0.31 to 0.58)``."""
    if math.isnan(value):
        return "unknown"
    places = decimals(value, ceiling=upper)
    low, high = _fixed(lower, places), _fixed(upper, places)
    return f"{_fixed(value, places)} ({low} to {high})"


def count(number: SupportsFloat) -> str:
    """A whole number with thousands: 1,234."""
    value = float(number)
    if math.isnan(value):
        return "unknown"
    return "without bound" if math.isinf(value) else f"{round(value):,}"


def counts_between(lower: SupportsFloat, upper: SupportsFloat) -> str:
    """An interval of counts: ``3 to 9``, or ``3`` if both ends are the same."""
    return count(lower) if lower == upper else f"{count(lower)} to {count(upper)}"


def percent(share: float) -> str:
    """A probability as per cent without decimals; ``under 1 %`` and ``over 99 %`` at the ends."""
    if math.isnan(share):
        return "unknown"
    if 0 < share < 0.01 or share == 0:
        return f"under{NO_BREAK}1{NO_BREAK}%"
    if share > 0.99:
        return f"over{NO_BREAK}99{NO_BREAK}%"
    return f"{share * 100:.0f}{NO_BREAK}%"


def portion(share: float) -> str:
    """A share that was counted, as per cent: 0 % and 100 % are possible here."""
    if 0 < share < 0.01 or 0.99 < share < 1:
        return percent(share)
    return "unknown" if math.isnan(share) else f"{share * 100:.0f}{NO_BREAK}%"


def day(when: date | np.datetime64) -> str:
    """A day in full: 5 January 2023."""
    when = as_date(when)
    return f"{when.day}{NO_BREAK}{when:%B} {when.year}"


def short_day(when: date | np.datetime64) -> str:
    """A day in short: 5 Jan 2023."""
    when = as_date(when)
    return f"{when.day}{NO_BREAK}{when:%b}{NO_BREAK}{when.year}"


def last_day(end: date | np.datetime64) -> date:
    """The last day of a half-open span that ends before ``end``."""
    return as_date(end) - timedelta(days=1)


def as_date(when: date | np.datetime64) -> date:
    """The calendar day of a NumPy or Python date."""
    if isinstance(when, np.datetime64):
        converted: date = when.astype("datetime64[D]").item()
        return converted
    return when


def number_word(number: int) -> str:
    """A count in words up to ten, in digits above."""
    return NUMBER_WORDS[number] if 0 <= number < len(NUMBER_WORDS) else f"{number:,}"


def some(number: int, noun: str, plural: str = "") -> str:
    """A number and its noun: one incident, four streams, 1,234 incidents."""
    return f"{number_word(number)}{NO_BREAK}{noun if number == 1 else plural or noun + 's'}"


def short(name: str, length: int = 44) -> str:
    """A name for use inside a sentence: cut at a word, with an ellipsis, if it is very long."""
    words = " ".join(name.split())
    return (
        textwrap.shorten(words, length, placeholder=" …")
        if " " in words[:length]
        else (words if len(words) <= length else words[: length - 1] + "…")
    )


def joined(words: Sequence[str]) -> str:
    """A list in words: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _fixed(value: float, places: int) -> str:
    if math.isinf(value):
        return "without bound"
    return f"{value:,.{places}f}".replace("-", "−")
