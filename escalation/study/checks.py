"""What no single key can say: that the tables of a study agree."""

from glob import has_magic
from typing import Any

from escalation.incidents import SCHEMA
from escalation.sources import SOURCES, Layout, options_of, source_of
from escalation.study.parsing import unknown
from escalation.study.sections import (
    BacktestSection,
    DataSection,
    ModelSection,
    NowcastSection,
    SeveritySection,
    Truth,
)
from escalation.window import Window


def check_data(data: DataSection) -> None:
    """Fail where the window, its gaps or the columns make no sense."""
    if data.end <= data.start:
        raise ValueError(
            f"key 'data.end': expected a day after data.start ({data.start}), got {data.end}"
        )
    try:
        Window(data.start, data.end, data.gaps)
    except ValueError as fault:
        raise ValueError(f"key 'data.gaps': {fault}") from None
    if data.source not in SOURCES:
        unknown("value", data.source, "data.source", SOURCES)
    if not data.path:
        raise ValueError("key 'data.path': expected at least one file, got none")
    if data.columns and data.source != "table":
        raise ValueError(
            f"key 'data.columns': goes with data.source = 'table', got '{data.source}'"
        )
    for key in data.columns:
        if key not in SCHEMA:
            unknown("key", key, f"data.columns.{key}", SCHEMA)
    _check_reading(data)


def _check_reading(data: DataSection) -> None:
    """Fail where the source has no such option, or a file cannot be written so."""
    for key in data.options:
        known = options_of(data.source)
        if key not in known:
            unknown("key", key, f"data.options.{key}", known or ("none",))
    try:
        source_of(data.source, data.columns, data.options)
    except ValueError as fault:
        raise ValueError(f"key 'data.options': {fault}") from None
    try:
        Layout(data.encoding, data.separator, data.decimal, data.dates, data.sheet)
    except ValueError as fault:
        key, _, wanted = str(fault).partition(" must be ")
        raise ValueError(f"key 'data.{key}': expected {wanted}") from None


def check_streams(names: tuple[str, ...]) -> None:
    """Fail where there is no stream, or two share a name."""
    if not names:
        raise ValueError("key 'streams': expected at least one stream, got none")
    for place, name in enumerate(names, start=1):
        if name in names[: place - 1]:
            raise ValueError(f"key 'streams[{place}].name': '{name}' is already taken")


def check_model(chosen: ModelSection, names: tuple[str, ...]) -> None:
    """Fail where the model names streams that are not there."""
    for place, pair in enumerate(chosen.no_arrows, start=1):
        for name in pair:
            if name not in names:
                unknown("value", name, f"model.no_arrows[{place}]", names)
    if isinstance(chosen.harmonics, tuple) and len(chosen.harmonics) != len(names):
        raise ValueError(
            f"key 'model.harmonics': expected one number or {len(names)} (one a stream), "
            f"got {len(chosen.harmonics)}"
        )


def check_backtest(chosen: BacktestSection, data: DataSection) -> None:
    """Fail where the first origin lies outside the window."""
    if chosen.start is not None and not data.start < chosen.start < data.end:
        raise ValueError(
            f"key 'backtest.start': expected a day between {data.start} and {data.end}, "
            f"got {chosen.start}"
        )


def check_severity(chosen: SeveritySection) -> None:
    """Fail where a key goes without another, or streams are pooled by an engine that cannot."""
    if chosen.streams == "partial" and chosen.engine != "nuts":
        raise ValueError(
            "key 'severity.engine': severity.streams = 'partial' wants 'nuts', "
            f"got '{chosen.engine}'"
        )
    if chosen.tail == "none" and chosen.threshold is not None:
        raise ValueError("key 'severity.threshold': goes with severity.tail = 'pareto'")
    if chosen.tails == "stream" and (chosen.tail == "none" or chosen.streams == "shared"):
        raise ValueError(
            "key 'severity.tails': 'stream' goes with severity.tail = 'pareto' and laws that "
            f"differ, got severity.tail = '{chosen.tail}' and severity.streams = "
            f"'{chosen.streams}'"
        )
    numbers = list(chosen.at_least)
    if numbers != sorted(set(numbers)):
        raise ValueError(f"key 'severity.at_least': expected rising numbers, got {numbers}")


def check_nowcast(chosen: NowcastSection, model: ModelSection, data: DataSection) -> None:
    """Fail where the dates of reports come from two places, or a key goes without another."""
    _check_reports(chosen, data)
    if chosen.weekday and model.period != "day":
        raise ValueError(
            f"key 'nowcast.weekday': goes with model.period = 'day', got '{model.period}'"
        )
    if chosen.periods <= chosen.longest:
        raise ValueError(
            f"key 'nowcast.periods': expected more than nowcast.longest ({chosen.longest}), "
            f"got {chosen.periods}"
        )
    if not chosen.complete and chosen.fits != NowcastSection.fits:
        raise ValueError("key 'nowcast.fits': goes with nowcast.complete = true")


def _check_reports(chosen: NowcastSection, data: DataSection) -> None:
    """Fail where the dates of reports come from two places, or none that a source has."""
    days = [each.day for each in chosen.releases]
    if chosen.reports is not None and days:
        raise ValueError("key 'nowcast.releases': goes without nowcast.reports")
    if days and (len(days) < 2 or days != sorted(set(days))):
        raise ValueError(
            "key 'nowcast.releases': expected two or more, each of a later day than the one "
            f"before, got {', '.join(map(str, days))}"
        )
    for place, day in enumerate(days, start=1):
        if not data.start < day < data.end:
            raise ValueError(
                f"key 'nowcast.releases[{place}].day': expected a day between {data.start} and "
                f"{data.end}, got {day}"
            )
    usual = NowcastSection()
    if chosen.reports is None:
        for key in ("event", "stream"):
            if getattr(chosen, key) != getattr(usual, key):
                raise ValueError(f"key 'nowcast.{key}': goes with nowcast.reports")
    if days and chosen.report != usual.report:
        raise ValueError("key 'nowcast.report': goes without nowcast.releases")
    if (
        chosen.reports is None
        and not days
        and (not isinstance(data.path, str) or has_magic(data.path))
    ):
        raise ValueError(
            "missing key 'nowcast.reports' or 'nowcast.releases': a column of reports is read of "
            "one file of incidents only"
        )
    if chosen.reports is None and not days and data.source != "table":
        raise ValueError(
            f"missing key 'nowcast.reports' or 'nowcast.releases': incidents of source "
            f"'{data.source}' have no dates of reports"
        )


def check_truth(truth: Truth, chosen: ModelSection, n_streams: int) -> None:
    """Fail where the truth has not the numbers that the model asks for."""
    harmonics = chosen.harmonics
    if isinstance(harmonics, tuple):
        harmonics = max(harmonics)
    shapes: dict[str, tuple[Any, tuple[int, ...]]] = {
        "reproduction": (truth.reproduction, (n_streams, n_streams)),
        "level": (truth.level, (n_streams,)),
    }
    if harmonics:
        shapes["season"] = (truth.season, (n_streams, 2 * harmonics))
    if chosen.distribution == "negative binomial":
        expected = n_streams if chosen.dispersion == "stream" else 1
        shapes["dispersion"] = (truth.dispersion, (expected,))
    for key, (value, shape) in shapes.items():
        found = {(len(value), *((len(row),) if isinstance(row, tuple) else ())) for row in value}
        if found != {shape}:
            wanted = " x ".join(map(str, shape))
            came = " or ".join(" x ".join(map(str, each)) for each in sorted(found)) or "nothing"
            raise ValueError(f"key 'truth.{key}': expected {wanted} numbers, got {came}")
    if chosen.kernel == "exponential" and truth.decay is None:
        raise ValueError("missing key 'truth.decay' (the exponential kernel needs it)")
