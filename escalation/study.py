"""Study: everything one TOML file says about data, streams, model, forecast and report."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NoReturn,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from escalation.actors import Actor, Actors
from escalation.incidents import SCHEMA, nearest
from escalation.streams import Stream
from escalation.window import Window

if TYPE_CHECKING:
    from escalation.counts.endemic_epidemic import EndemicEpidemic
    from escalation.engines import Engine

Count = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]

_TOML_WORDS = {"object": "table", "int": "integer", "str": "text", "bool": "true or false"}


class StudyError(ValueError):
    """A fault of a study file, told in one line that names the file and the key."""


@dataclass(frozen=True)
class DataSection:
    """``[data]``: which file is read, by which source, and which days were watched.

    ``columns`` maps our column names to those of the file (``source = "table"`` only).
    """

    path: str
    start: date
    end: date
    source: Literal["table", "ucdp"] = "table"
    gaps: tuple[tuple[date, date], ...] = ()
    simulated: bool = False
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ActorSection:
    """``[actors."NAME"]``: other spellings of an actor, and the country it is at home in."""

    aliases: tuple[str, ...] = ()
    home: str | None = None


@dataclass(frozen=True)
class ModelSection:
    """``[model]``: the family, its terms, and the engine of the headline fit."""

    family: Literal["endemic-epidemic"] = "endemic-epidemic"
    period: Literal["day", "week", "month"] = "week"
    distribution: Literal["negative binomial", "poisson"] = "negative binomial"
    dispersion: Literal["stream", "shared"] = "stream"
    harmonics: Natural | tuple[Natural, ...] = 1
    season_length: Positive = 365.25
    kernel: Literal["exponential", "one lag"] = "exponential"
    lags: Count = 12
    no_arrows: tuple[tuple[str, str], ...] = ()
    engine: Literal["nuts", "maximum likelihood"] = "nuts"
    draws: Count = 1000
    tune: Count = 500
    chains: Count = 4


@dataclass(frozen=True)
class ForecastSection:
    """``[forecast]``: how many periods ahead, how many draws, and which counts matter."""

    horizon: Count = 12
    draws: Count = 4000
    thresholds: tuple[Count, ...] = (5, 10)


@dataclass(frozen=True)
class BacktestSection:
    """``[backtest]``: first origin, periods between origins, horizon and draws.

    Without ``start`` the first origin lies after two thirds of the window.
    """

    start: date | None = None
    every: Count = 8
    horizon: Count = 12
    draws: Count = 500


@dataclass(frozen=True)
class Era:
    """One of ``[[eras]]``: a named day that figures mark."""

    name: str
    start: date


@dataclass(frozen=True)
class ReportSection:
    """``[report]``: what the author adds in words."""

    note: str = ""


@dataclass(frozen=True)
class Truth:
    """``[truth]``: what a simulated study was made from.

    Attributes
    ----------
    reproduction : tuple of tuple of float
        (K, K), receiver by source, offspring in later periods, in the order of the streams.
    level : tuple of float
        (K,) log expected background incidents a period.
    season : tuple of tuple of float
        (K, 2 harmonics): sine and cosine coefficients on the log scale.
    decay : float
        Rate per period at which the delay density falls (exponential kernel).
    dispersion : tuple of float
        (K,) size of the negative binomial: variance = mean + mean² / dispersion.
    imprecise : float
        Share of incidents recorded with a span of days instead of one.
    deaths_scale, deaths_tail : float
        P(deaths >= x) = (1 + x / scale) ** -tail for x = 0, 1, 2, …
    """

    reproduction: tuple[tuple[Annotated[float, msgspec.Meta(ge=0)], ...], ...]
    level: tuple[float, ...]
    season: tuple[tuple[float, ...], ...] = ()
    decay: Positive | None = None
    dispersion: tuple[Positive, ...] = ()
    imprecise: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    deaths_scale: Positive = 2.0
    deaths_tail: Positive = 1.8


_SECTIONS: dict[str, Any] = {
    "title": str,
    "seed": Natural,
    "data": DataSection,
    "actors": dict[str, ActorSection],
    "streams": tuple[Stream, ...],
    "model": ModelSection,
    "forecast": ForecastSection,
    "backtest": BacktestSection,
    "eras": tuple[Era, ...],
    "report": ReportSection,
    "truth": Truth,
}
_REQUIRED = ("title", "data", "streams")


@dataclass(frozen=True)
class Study:
    """One study: where incidents come from, what is modelled, and what is asked.

    Usually read with `from_toml`. ``specification`` is the file's ``[model]`` table;
    `model` makes the model noun of it.

    Raises
    ------
    ValueError
        Where sections contradict each other (`StudyError` when read from a file).
    """

    title: str
    data: DataSection
    streams: tuple[Stream, ...]
    seed: int = 0
    actors: Actors = field(default_factory=lambda: Actors(()))
    specification: ModelSection = ModelSection()
    forecast: ForecastSection = ForecastSection()
    backtest: BacktestSection = BacktestSection()
    eras: tuple[Era, ...] = ()
    report: ReportSection = ReportSection()
    truth: Truth | None = None
    path: Path | None = None

    def __post_init__(self) -> None:
        """Check what no single key can say: that the sections agree."""
        _check_data(self.data)
        _check_streams(self.names)
        _check_model(self.specification, self.names)
        _check_backtest(self)
        if self.truth is not None:
            _check_truth(self.truth, self.specification, len(self.streams))

    @classmethod
    def from_toml(cls, path: str | Path) -> Study:
        """Read a study file.

        Raises
        ------
        StudyError
            In one line: the file, the dotted key, and what was wanted (for a misspelt key the
            nearest valid one; for a TOML fault the line).
        """
        file = Path(path)
        tree = _read(file)
        try:
            parsed = _parse(tree)
            parsed["specification"] = parsed.pop("model", ModelSection())
            parsed["actors"] = _actors(parsed.pop("actors", {}))
            return cls(**parsed, path=file)
        except ValueError as fault:
            raise StudyError(f"{file}: {' '.join(str(fault).split())}") from None

    @property
    def names(self) -> tuple[str, ...]:
        """The streams' names, in order."""
        return tuple(stream.name for stream in self.streams)

    @property
    def window(self) -> Window:
        """The days that were watched."""
        return Window(self.data.start, self.data.end, self.data.gaps)

    @property
    def incidents_path(self) -> Path:
        """Where the incidents lie unless another file is put in: relative to the study file."""
        folder = self.path.parent if self.path is not None else Path()
        return folder / self.data.path

    @property
    def backtest_start(self) -> date:
        """First forecast origin of the backtest."""
        if self.backtest.start is not None:
            return self.backtest.start
        return self.data.start + (self.data.end - self.data.start) * 2 // 3

    @property
    def arrows(self) -> tuple[tuple[bool, ...], ...] | None:
        """(K, K) receiver by source: False where the study rules an arrow out; None if nowhere."""
        forbidden = {(target, source) for source, target in self.specification.no_arrows}
        if not forbidden:
            return None
        return tuple(
            tuple((target, source) not in forbidden for source in self.names)
            for target in self.names
        )

    def model(self) -> EndemicEpidemic:
        """Make the model that the study specifies."""
        from escalation.background import Background
        from escalation.counts.endemic_epidemic import EndemicEpidemic
        from escalation.kernels import Exponential, OneLag

        chosen = self.specification
        return EndemicEpidemic(
            kernel=Exponential() if chosen.kernel == "exponential" else OneLag(),
            background=Background(harmonics=chosen.harmonics, season_length=chosen.season_length),
            distribution=chosen.distribution,
            dispersion=chosen.dispersion,
            arrows=self.arrows,
            lags=chosen.lags,
        )

    def engine(self) -> Engine:
        """Make the engine of the headline fit."""
        from escalation.engines import NUTS, MaximumLikelihood

        chosen = self.specification
        if chosen.engine == "nuts":
            return NUTS(draws=chosen.draws, tune=chosen.tune, chains=chosen.chains)
        return MaximumLikelihood(draws=chosen.draws)

    def hash(self) -> str:
        """SHA-256 of what the study says; layout, comments and the file's place do not count."""
        said = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "path"}
        return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise StudyError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise StudyError(f"{file}: is a directory, not a study file") from None
    except OSError as fault:
        raise StudyError(f"{file}: cannot be read ({fault.strerror})") from None
    except UnicodeDecodeError:
        raise StudyError(f"{file}: is not UTF-8 text, so not a study file") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        message, _, place = str(fault).partition(" (at ")
        found = re.search(r"line (\d+)", place)
        line = int(found.group(1)) if found else text.count("\n") + 1
        raise StudyError(f"{file}: line {line}: not valid TOML: {message}") from None


def _parse(tree: dict[str, Any]) -> dict[str, Any]:
    for key in tree:
        if key not in _SECTIONS:
            _unknown("key", key, key, _SECTIONS)
    for key in _REQUIRED:
        if key not in tree:
            raise ValueError(f"missing key '{key}'")
    for key, value in tree.items():
        _check_keys(value, _SECTIONS[key], key)
    return {key: _convert(value, _SECTIONS[key], key) for key, value in tree.items()}


def _actors(sections: dict[str, ActorSection]) -> Actors:
    try:
        return Actors(
            Actor(name, section.aliases, section.home) for name, section in sections.items()
        )
    except ValueError as fault:
        raise ValueError(f"key 'actors': {fault}") from None


def _check_keys(value: Any, kind: Any, where: str) -> None:
    """Walk tables and arrays beside their types; fail on the first unknown key or choice."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(value, dict):
        hints = get_type_hints(kind, include_extras=True)
        known = [item.name for item in fields(kind) if item.init]
        for key, inner in value.items():
            if key not in known:
                _unknown("key", key, f"{where}.{key}", known)
            _check_keys(inner, hints[key], f"{where}.{key}")
    elif origin is dict and isinstance(value, dict):
        for key, inner in value.items():
            _check_keys(inner, arguments[1], f"{where}.{key}")
    elif origin is tuple and isinstance(value, list):
        for place, inner in enumerate(value, start=1):
            _check_keys(inner, arguments[0], f"{where}[{place}]")
    elif origin is Literal and isinstance(value, str) and value not in arguments:
        _unknown("value", value, where, arguments)


def _unknown(what: str, word: str, where: str, known: Any) -> NoReturn:
    """Raise with the nearest valid word, or all of them where none is near."""
    near = nearest(word, known)
    prefix = where.removesuffix(word) if what == "key" else ""
    hint = f"did you mean '{prefix}{near}'?" if near else f"known: {', '.join(known)}"
    if what == "key":
        raise ValueError(f"unknown key '{where}' ({hint})")
    raise ValueError(f"unknown value '{word}' for key '{where}' ({hint})")


def _convert(value: Any, kind: Any, where: str) -> Any:
    """Convert with the types checked; say the key, what was wanted and what came."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as fault:
        message, _, place = str(fault).partition(" - at ")
        steps = re.findall(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]", place)
        found: Any = value
        key = where
        for name, index in steps:
            if name:
                key += f".{name}"
                found = found.get(name) if isinstance(found, Mapping) else None
            elif index == "...":
                found = None
            else:
                key += f"[{int(index) + 1}]"
                found = found[int(index)] if isinstance(found, list) else None
        missing = re.fullmatch(r"Object missing required field `(.*)`", message)
        if missing:
            raise ValueError(f"missing key '{key}.{missing.group(1)}'") from None
        message = re.sub(r"`(\w+)`", lambda m: _TOML_WORDS.get(m[1], m[1]), message)
        message = re.sub(r", got .*", "", message)
        message = message[0].lower() + message[1:]
        came = f", got {found!r}" if isinstance(found, str | int | float | date) else ""
        raise ValueError(f"key '{key}': {message}{came}") from None


def _check_data(data: DataSection) -> None:
    if data.end <= data.start:
        raise ValueError(
            f"key 'data.end': expected a day after data.start ({data.start}), got {data.end}"
        )
    try:
        Window(data.start, data.end, data.gaps)
    except ValueError as fault:
        raise ValueError(f"key 'data.gaps': {fault}") from None
    if data.columns and data.source != "table":
        raise ValueError(
            f"key 'data.columns': goes with data.source = 'table', got '{data.source}'"
        )
    for key in data.columns:
        if key not in SCHEMA:
            _unknown("key", key, f"data.columns.{key}", SCHEMA)


def _check_streams(names: tuple[str, ...]) -> None:
    if not names:
        raise ValueError("key 'streams': expected at least one stream, got none")
    for place, name in enumerate(names, start=1):
        if name in names[: place - 1]:
            raise ValueError(f"key 'streams[{place}].name': '{name}' is already taken")


def _check_model(chosen: ModelSection, names: tuple[str, ...]) -> None:
    for place, pair in enumerate(chosen.no_arrows, start=1):
        for name in pair:
            if name not in names:
                _unknown("value", name, f"model.no_arrows[{place}]", names)
    if isinstance(chosen.harmonics, tuple) and len(chosen.harmonics) != len(names):
        raise ValueError(
            f"key 'model.harmonics': expected one number or {len(names)} (one a stream), "
            f"got {len(chosen.harmonics)}"
        )


def _check_backtest(study: Study) -> None:
    start = study.backtest.start
    if start is not None and not study.data.start < start < study.data.end:
        raise ValueError(
            f"key 'backtest.start': expected a day between {study.data.start} and "
            f"{study.data.end}, got {start}"
        )


def _check_truth(truth: Truth, chosen: ModelSection, n_streams: int) -> None:
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
