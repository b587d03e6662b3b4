"""Filters by the grades a source gives, by deaths, by the width of a date, and by where it was."""

import numpy as np
import polars as pl

from escalation.cleaning.geometry import distance, inside
from escalation.cleaning.outlines import Outlines, Rings
from escalation.cleaning.steps import Outcome, plain, sift
from escalation.incidents import PLACE_PRECISIONS
from escalation.window import BoolArray, FloatArray

Vertices = tuple[tuple[float, float], ...]


def exact_places(table: pl.DataFrame, least: str, unknown: str) -> Outcome:
    """Keep incidents whose place is known at least so exactly."""
    coarse = PLACE_PRECISIONS[PLACE_PRECISIONS.index(least) + 1 :]
    grade = pl.col("place_precision")
    faults = [(grade.is_in(coarse), f"its place is known less exactly than to the {least}")]
    return _graded("place_precision", table, grade, faults, f"to the {least} or better", unknown)


def clear(table: pl.DataFrame, worst: int, unknown: str) -> Outcome:
    """Keep incidents of that grade of clarity or better (1 is the best)."""
    grade = pl.col("clarity")
    faults = [(grade > worst, f"its clarity is worse than {worst}")]
    return _graded("clarity", table, grade, faults, f"clarity {worst} or better", unknown)


def no_summaries(table: pl.DataFrame) -> Outcome:
    """Drop the records that sum up several events."""
    faults = [(pl.col("clarity") > 1, "it sums up several events (clarity 2 or more)")]
    return sift("summaries", table, faults, "single events only")


def reported_often(table: pl.DataFrame, least: int, unknown: str) -> Outcome:
    """Keep incidents with so many reports."""
    grade = pl.col("reports")
    faults = [(grade < least, f"it rests on fewer reports than {least}")]
    return _graded("reports", table, grade, faults, f"{least} reports or more", unknown)


def deadly(table: pl.DataFrame, least: int, unknown: str) -> Outcome:
    """Keep incidents with so many deaths: the best figure, else the high one, else the low one."""
    grade = pl.coalesce("deaths_best", "deaths_high", "deaths_low")
    faults = [(grade < least, f"fewer deaths than {least}")]
    return _graded("least_deaths", table, grade, faults, f"{least} deaths or more", unknown)


def narrow_dates(table: pl.DataFrame, widest: int) -> Outcome:
    """Drop incidents that may have happened on more days than that."""
    days = (pl.col("date_latest") - pl.col("date")).dt.total_days() + 1
    faults = [(days > widest, f"its date spans more than {widest} day{'s' * (widest > 1)}")]
    return sift("widest_span", table, faults, f"dates of {widest} day{'s' * (widest > 1)} at most")


def in_box(table: pl.DataFrame, box: tuple[float, ...]) -> Outcome:
    """Keep incidents in a box: west, south, east, north; west above east crosses 180 degrees."""
    west, south, east, north = box
    longitude, latitude = pl.col("longitude"), pl.col("latitude")
    across = (longitude >= west) | (longitude <= east)
    wide = longitude.is_between(west, east) if west <= east else across
    words = f"the box {west:g}, {south:g}, {east:g}, {north:g}"
    return _where("box", table, wide & latitude.is_between(south, north), words)


def in_polygon(table: pl.DataFrame, polygon: Vertices) -> Outcome:
    """Keep incidents inside a polygon, given by longitude and latitude of its vertices."""
    chosen = _inside(table, [np.array(polygon, np.float64)])
    return _where("polygon", table, pl.lit(pl.Series(chosen)), "the polygon")


def inside_any(table: pl.DataFrame, outlines: Outlines, names: tuple[str, ...]) -> Outcome:
    """Keep incidents inside any of the named outlines."""
    chosen = _inside(table, outlines.rings(names[0]))
    for name in names[1:]:
        chosen |= _inside(table, outlines.rings(name))
    return _where("within", table, pl.lit(pl.Series(chosen)), f"the outline of {plain(names)}")


def near_border(
    table: pl.DataFrame, outlines: Outlines, names: tuple[str, ...], furthest: float
) -> Outcome:
    """Keep incidents no further from the line that two outlines share, in km."""
    longitude, latitude = _coordinates(table)
    apart = distance(longitude, latitude, outlines.border(*names))
    chosen = pl.lit(pl.Series(apart <= furthest))
    words = f"{furthest:g} km of the border of {names[0]} and {names[1]}"
    return _where("border", table, chosen, words)


def _coordinates(table: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    longitude, latitude = (table[name].to_numpy() for name in ("longitude", "latitude"))
    return longitude.astype(np.float64), latitude.astype(np.float64)


def _inside(table: pl.DataFrame, rings: Rings) -> BoolArray:
    longitude, latitude = _coordinates(table)
    return inside(longitude, latitude, rings)


def _where(step: str, table: pl.DataFrame, chosen: pl.Expr, words: str) -> Outcome:
    nowhere = pl.col("longitude").is_null() | pl.col("latitude").is_null()
    faults = [(nowhere, "it has no coordinates"), (~chosen, f"it lies outside {words}")]
    return sift(step, table, faults, f"in {words}; without coordinates dropped")


def _graded(
    step: str,
    table: pl.DataFrame,
    grade: pl.Expr,
    faults: list[tuple[pl.Expr, str]],
    why: str,
    unknown: str,
) -> Outcome:
    missing = table.select(grade.is_null().sum()).item()
    if unknown == "drop":
        faults = [*faults, (grade.is_null(), f"its {step} is not known")]
    kept = "dropped" if unknown == "drop" else "kept"
    return sift(step, table, faults, f"{why}; {missing:,} of unknown {step} {kept}")
