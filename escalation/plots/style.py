"""The look of every figure: one hue a stream, tints for bands, grey for the past."""

import functools
import io
import textwrap
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

# Okabe & Ito (2008), Color Universal Design; yellow is left out (unreadable on white), and
# vermilion comes last because red is for failed checks only.
STREAM_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
TOTAL_COLOUR = "#33527A"
INK = "#22272E"
GREY = "#8A9099"
PAST = "#B4B9C0"
HAIR = "#D9DCE0"
RED = "#B3261E"
WIDTH = 6.5
"""Width of a full figure in inches: the report's text column."""

# STIXGeneral comes with matplotlib and has nearly the widths of the report's text face, which
# takes its place when the figure is set in a page (`svg`).
FONTS = ("STIXGeneral", "DejaVu Sans")
REPORT_FONT = "Libertinus Serif"
FONT_FOLDER = Path(mpl.get_data_path()) / "fonts" / "ttf"
STYLE: Any = {
    "font.family": list(FONTS),
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 1.6,
    "xtick.minor.width": 0.4,
    "lines.linewidth": 1.2,
    "lines.solid_capstyle": "butt",
    "hatch.linewidth": 0.4,
    "hatch.color": GREY,
    "svg.fonttype": "none",
    "svg.hashsalt": "escalation",
    "figure.facecolor": "white",
}
MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240)


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style inside this block, and leave matplotlib's settings alone."""
    with mpl.rc_context(STYLE):
        yield


def figure(
    height: float, rows: int = 1, columns: int = 1, *, width: float = WIDTH, **subplots: Any
) -> tuple[Figure, NDArray[Any]]:
    """Make a figure of ``width`` by ``height`` inches with a (rows, columns) array of axes.

    Call it, and draw, inside `style`; ``subplots`` goes to `Figure.subplots`.
    """
    made = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.04))
    return made, made.subplots(rows, columns, squeeze=False, **subplots)


def svg(drawn: Figure) -> str:
    """Write a figure as SVG, its letters as text in the report's face; the same bytes each time."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue().replace(f"'{FONTS[0]}'", f"'{REPORT_FONT}'")


def colour(stream: int) -> str:
    """Hue of the stream at this place in the study; after six the hues come again, darker."""
    hue = STREAM_COLOURS[stream % len(STREAM_COLOURS)]
    return hue if stream < len(STREAM_COLOURS) else tint(hue, 0.62, towards="black")


def tint(hue: str, strength: float, towards: str = "white") -> str:
    """Mix ``hue`` with another colour; ``strength`` 1 is the hue itself. Opaque, so bands stack."""
    pure, other = np.array(to_rgb(hue)), np.array(to_rgb(towards))
    return str(to_hex(tuple((strength * pure + (1 - strength) * other).tolist())))


def ink_on(face: str) -> str:
    """Dark or white letters, whichever is easier to read on this colour (WCAG 2 luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(face)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return INK if luminance > 0.22 else "white"


def legible(text: str) -> str:
    """Spell out the characters that no font of ours has: ``[U+4E2D]``.

    PDF/UA forbids a missing glyph, and a name must not vanish.
    """
    odd = {c for c in set(text) - {"\n", "\t"} if ord(c) not in _characters()}
    return text.translate({ord(c): f"[U+{ord(c):04X}]" for c in odd}) if odd else text


@functools.cache
def _characters() -> frozenset[int]:
    found = FT2Font(str(FONT_FOLDER / "DejaVuSans.ttf")).get_charmap()
    return frozenset(c for c in found if unicodedata.category(chr(c))[0] != "C")


def wrapped(name: str, width: int = 22, lines: int = 3) -> str:
    """Break a long name over at most ``lines`` lines; what is left over ends in an ellipsis."""
    words = " ".join(legible(name).split())
    return "\n".join(
        textwrap.wrap(words, width, max_lines=lines, placeholder=" …", break_long_words=True)
    )


def say(ax: Axes, text: str) -> Axes:
    """Write a sentence in the middle of an otherwise empty panel."""
    ax.text(
        0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=GREY,
        style="italic", parse_math=False, zorder=5,
        bbox={"facecolor": "white", "linewidth": 0, "pad": 2},
    )  # fmt: skip
    return ax


def days(dates: Any) -> NDArray[np.float64]:
    """Day numbers of dates, as matplotlib counts them: since 1970-01-01."""
    since = np.asarray(dates, dtype="datetime64[D]") - np.datetime64("1970-01-01")
    return np.asarray(since / np.timedelta64(1, "D"), dtype=np.float64)


def calendar(ax: Axes, start: Any, end: Any, ticks: int = 8) -> None:
    """Span the time axis from ``start`` to ``end``, at most ``ticks`` labels at calendar months."""
    first, last = (np.datetime64(x, "D").astype("datetime64[M]") for x in (start, end))
    months = int((last - first).astype(int)) + 1
    step = next((s for s in MONTH_STEPS if months / s <= ticks), 240)
    every = np.arange(first, last + np.timedelta64(2, "M"))
    since = every.astype(int)
    major = every[since % step == 0] if step <= 12 else every[since % 12 == 0]
    if step > 12:
        major = major[(major.astype(int) // 12 + 1970) % (step // 12) == 0]
    within = days(np.array([start, end], dtype="datetime64[D]"))
    major = major[(days(major) >= within[0]) & (days(major) <= within[1])]
    ax.set_xticks(days(major), [_tick(m, step, n == 0) for n, m in enumerate(major)])
    small = every[since % (1 if step <= 3 else 3 if step <= 12 else 12) == 0]
    if months / max(1, len(small)) and len(small) <= 120:
        ax.set_xticks(days(small), minor=True)
    ax.set_xlim(*within)


def _tick(month: np.datetime64, step: int, first: bool) -> str:
    when: date = month.astype("datetime64[D]").item()
    if step >= 12:
        return f"{when.year}"
    # The empty second line keeps all months on one base line.
    return f"{when:%b}\n{when.year}" if first or when.month == 1 else f"{when:%b}\n "


def whole(ax: Axes, top: float, ticks: int = 4) -> None:
    """Give the count axis whole numbers from zero to a little above ``top``."""
    ax.set_ylim(0, max(1.0, top) * 1.06)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=ticks, integer=True))
