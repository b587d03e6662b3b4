"""Study: everything one TOML file says about data, streams, model, forecast and report."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from escalation.actors import Actor, Actors
from escalation.cleaning import Cleaning
from escalation.incidents import Incidents
from escalation.sources import Source, source_of
from escalation.streams import Stream
from escalation.study.checks import (
    check_backtest,
    check_data,
    check_model,
    check_nowcast,
    check_severity,
    check_streams,
    check_truth,
)
from escalation.study.parsing import StudyError, parse, read
from escalation.study.sections import (
    ActorSection,
    BacktestSection,
    DataSection,
    Era,
    ForecastSection,
    ModelSection,
    NowcastSection,
    ReportSection,
    SeveritySection,
    Truth,
)
from escalation.window import Window

if TYPE_CHECKING:
    from escalation.counts.endemic_epidemic import EndemicEpidemic
    from escalation.engines import Engine


@dataclass(frozen=True)
class Study:
    """One study: where incidents come from, what is modelled, and what is asked.

    Usually read with `from_toml`. ``specification`` is the file's ``[model]`` table;
    `model` makes the model noun of it. Without ``severity`` and ``nowcast`` nothing is said of
    deaths to come and of incidents that are not reported yet.

    Raises
    ------
    ValueError
        Where sections contradict each other (`StudyError` when read from a file).
    """

    title: str
    data: DataSection
    streams: tuple[Stream, ...]
    seed: int = 0
    actors: Actors = field(default_factory=Actors)
    cleaning: Cleaning = field(default_factory=Cleaning)
    specification: ModelSection = field(default_factory=ModelSection)
    forecast: ForecastSection = field(default_factory=ForecastSection)
    backtest: BacktestSection = field(default_factory=BacktestSection)
    severity: SeveritySection | None = None
    nowcast: NowcastSection | None = None
    eras: tuple[Era, ...] = ()
    report: ReportSection = field(default_factory=ReportSection)
    truth: Truth | None = None
    path: Path | None = None

    def __post_init__(self) -> None:
        """Check what no single key can say: that the sections agree."""
        check_data(self.data)
        check_streams(self.names)
        check_model(self.specification, self.names)
        check_backtest(self.backtest, self.data)
        if self.severity is not None:
            check_severity(self.severity)
        if self.nowcast is not None:
            check_nowcast(self.nowcast, self.specification, self.data)
            if not self.nowcast.releases and "spread" in (
                self.cleaning.spans, self.cleaning.summaries
            ):  # fmt: skip
                raise ValueError(
                    "key 'cleaning.spans': one incident is several when it is spread, so that the "
                    "nowcast wants releases"
                )
        if self.truth is not None:
            check_truth(self.truth, self.specification, len(self.streams))

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
        tree = read(file)
        try:
            parsed = parse(tree)
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
    def incidents_path(self) -> Path | tuple[Path, ...]:
        """Where the incidents lie unless another file is put in: relative to the study file."""
        if isinstance(self.data.path, str):
            return self.beside(self.data.path)
        return tuple(map(self.beside, self.data.path))

    @property
    def source(self) -> Source:
        """The reader of its files."""
        return source_of(self.data.source, self.data.columns, self.data.options)

    def read(self, given: Any, window: Window | None = None, *, strict: bool = False) -> Incidents:
        """Read incidents as ``[data]`` says they are written, without any cleaning.

        Parameters
        ----------
        given : path, or polars, pandas or Arrow table, or a sequence of these
        window : Window, optional
            Another than that of the study.
        strict : bool
            Whether the first row with a fault is an error.

        Raises
        ------
        DataError
            See ``Source.read``.
        """
        layout = self.data.layout
        return self.source.read(given, window or self.window, strict=strict, layout=layout)

    def beside(self, path: str) -> Path:
        """Where a file lies that the study names: relative to the study file."""
        folder = self.path.parent if self.path is not None else Path()
        return folder / path

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

    def engine(
        self, section: ModelSection | SeveritySection | NowcastSection | None = None
    ) -> Engine:
        """Make the engine of a fit: of the headline's, or of the section's that is given."""
        from escalation.engines import NUTS, Laplace, MaximumLikelihood

        chosen = section or self.specification
        if chosen.engine == "nuts":
            model = self.specification
            return NUTS(draws=chosen.draws, tune=model.tune, chains=model.chains)
        if chosen.engine == "laplace":
            return Laplace(draws=chosen.draws)
        return MaximumLikelihood(draws=chosen.draws)

    def quick_engine(self, section: SeveritySection | None = None) -> Engine:
        """Make the engine of refits: with the priors if the fit has them."""
        chosen = section or self.specification
        if chosen.engine == "nuts":
            chosen = replace(chosen, engine="laplace")
        return self.engine(chosen)

    def hash(self) -> str:
        """SHA-256 of what the study says; layout, comments and the file's place do not count."""
        said = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "path"}
        return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def _actors(sections: dict[str, ActorSection]) -> Actors:
    try:
        return Actors(
            tuple(
                Actor(name, each.aliases, each.home, each.codes) for name, each in sections.items()
            )
        )
    except ValueError as fault:
        raise ValueError(f"key 'actors': {fault}") from None
