"""Results: everything a study found, saved in one file and loaded back equal."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from escalation.actors import Actor, Actors
from escalation.background import Background
from escalation.backtest import Backtest
from escalation.checks import Finding, Findings
from escalation.cleaning import Cleaning
from escalation.counts import EndemicEpidemic
from escalation.dynamics import Dynamics
from escalation.fit import Fit
from escalation.forecast import Forecast
from escalation.incidents import Incidents, Provenance
from escalation.kernels import Exponential, OneLag
from escalation.nowcast import Nowcast, NowcastFit, ReportingTriangle
from escalation.results.archive import decode, encode
from escalation.series import CountSeries
from escalation.severity import DeathRecords, Severity, SeverityFit
from escalation.streams import Stream
from escalation.study import (
    BacktestSection,
    DataSection,
    Era,
    ForecastSection,
    ModelSection,
    NowcastSection,
    Release,
    ReportSection,
    SeveritySection,
    Study,
    Truth,
)
from escalation.window import Window

FORMAT = 1
_TREE = "results.json"
DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, PolarsError,
    AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What reading a file ends in that was cut, changed, or written by another version."""


@dataclass(frozen=True)
class RunInfo:
    """How a run can be repeated.

    Attributes
    ----------
    version : str
        Version of this package.
    versions : dict
        Versions of Python and of the packages that did the numerical work.
    seed : int
        The study's seed.
    data_hash, study_hash : str
        SHA-256 of the incidents file and of what the study file says.
    command : str
        The command that repeats the run.
    files : dict
        SHA-256 of each other file that was read, by its name in the study.
    """

    version: str
    versions: dict[str, str]
    seed: int
    data_hash: str
    study_hash: str
    command: str
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SeverityResults:
    """What a study with ``[severity]`` found of deaths.

    Attributes
    ----------
    fit : SeverityFit
        The law of deaths per incident, of the last ``memory`` days.
    forecast : Forecast
        Deaths after the window's end: the forecast of incidents, compounded.
    last_forecast : Forecast
        Deaths as they were to be expected one horizon before the end, by what was known then.
    last_observed : array (3, H, K)
        What came, by low, best and high figures.
    readings : polars.DataFrame
        How much hangs on the figures. A row each way to read them ("interval", "low", "best",
        "high"): ``figures``; ``recorded`` (deaths in the records that the law is of; null for
        "interval"); ``tail index``; ``median``, ``lower``, ``upper`` of the deaths of all streams
        over the horizon, 80 %.
    exceedances : polars.DataFrame
        Points of the law, learned anew at each origin of the backtest, against the incidents up to
        the next; see `severity.exceedances`.
    """

    fit: SeverityFit
    forecast: Forecast
    last_forecast: Forecast
    last_observed: NDArray[np.int64]
    readings: pl.DataFrame
    exceedances: pl.DataFrame


@dataclass(frozen=True, eq=False)
class NowcastResults:
    """What a study with ``[nowcast]`` found of the last periods.

    Attributes
    ----------
    fit : NowcastFit
        Rates and delays, and the triangle of what was reported when.
    totals : array (n, D, K)
        Draws of what the last D periods will have, of which reports may still come.
    origin : str
        Where the dates of reports come from, in words.
    recorded : CountSeries
        The counts as they were recorded: not the series that was modelled where that is completed.
    """

    fit: NowcastFit
    totals: NDArray[np.int64]
    origin: str
    recorded: CountSeries


@dataclass(frozen=True, eq=False)
class Results:
    """What a study found, from the incidents read to the checks.

    Attributes
    ----------
    study, incidents, series
        What was asked, what was read, and the counts that were modelled.
    fit, dynamics
        The headline fit and its reproduction matrix, shares and responses.
    alternatives : dict of str to Dynamics
        The same model under a "constant", a "seasonal" and a "trend" background, each by
        maximum likelihood.
    identified : bool
        False if the branching ratio moves between those backgrounds by more than half the width
        of the headline's 90 % interval.
    forecast : Forecast
        What is expected after the window's end.
    last_forecast, last_observed : Forecast, (H, K) array
        The forecast made ``horizon`` periods before the end, and the incidents that came.
    backtest : Backtest
        Past forecasts of the model and the baselines, scored.
    findings : Findings
        The checks, passed and failed.
    truth : dict or None
        Of a simulated study: ``reproduction`` (K, K), ``branching_ratio`` and what else was fixed.
    run : RunInfo
        Versions, seed, hashes and command.
    severity : SeverityResults or None
        Deaths; None unless the study has ``[severity]``.
    nowcast : NowcastResults or None
        The last periods, with what is not reported yet; None unless the study has ``[nowcast]``.
        Where that asks for completed series, ``series``, ``fit`` and ``forecast`` are of them.
    cleaning : polars.DataFrame or None
        What each step of the study's ``[cleaning]`` did (``Cleaned.report``); ``incidents`` are
        those that it left.
    """

    study: Study
    incidents: Incidents
    series: CountSeries
    fit: Fit
    dynamics: Dynamics
    alternatives: dict[str, Dynamics]
    identified: bool
    forecast: Forecast
    last_forecast: Forecast
    last_observed: NDArray[np.int64]
    backtest: Backtest
    findings: Findings
    truth: dict[str, Any] | None
    run: RunInfo
    severity: SeverityResults | None = None
    nowcast: NowcastResults | None = None
    cleaning: pl.DataFrame | None = None

    @property
    def recorded(self) -> CountSeries:
        """The counts as recorded: the series itself unless a nowcast completes it."""
        return self.series if self.nowcast is None else self.nowcast.recorded

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Results):
            return NotImplemented
        return _pack(self) == _pack(other)

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: str | Path) -> Path:
        """Write everything to one zip file of JSON, ``.npy`` and Parquet, whole or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
                for name, content in _pack(self).items():
                    archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
            os.replace(draft, target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        return target

    @classmethod
    def load(cls, path: str | Path) -> Results:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file is no saved results, damaged, or of another format or version.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                parts = {name: archive.read(name) for name in archive.namelist()}
            tree = json.loads(parts[_TREE])
            made = tree.get("format")
        except DAMAGED as fault:
            raise ValueError(f"{path}: no saved results ({fault})") from None
        if made != FORMAT:
            raise ValueError(f"{path}: format {made}, this version reads {FORMAT}")
        try:
            loaded = decode(tree["results"], parts, NOUNS)
        except DAMAGED as fault:
            raise ValueError(f"{path}: damaged, or of another version ({fault})") from None
        if not isinstance(loaded, cls):
            raise ValueError(f"{path}: holds {type(loaded).__name__}, not results")
        return loaded


NOUNS: dict[str, type] = {
    noun.__name__: noun
    for noun in (
        Actor,
        Actors,
        Background,
        Backtest,
        BacktestSection,
        Cleaning,
        CountSeries,
        DataSection,
        DeathRecords,
        Dynamics,
        EndemicEpidemic,
        Era,
        Exponential,
        Finding,
        Findings,
        Fit,
        Forecast,
        ForecastSection,
        Incidents,
        ModelSection,
        Nowcast,
        NowcastFit,
        NowcastResults,
        NowcastSection,
        OneLag,
        Provenance,
        Release,
        ReportSection,
        ReportingTriangle,
        Results,
        RunInfo,
        Severity,
        SeverityFit,
        SeverityResults,
        SeveritySection,
        Stream,
        Study,
        Truth,
        Window,
    )
}
"""Every noun that a results file may hold. A new one is added here, or saving says so."""


def _pack(results: Results) -> dict[str, bytes]:
    """Turn results into named parts: one JSON tree that points to arrays and tables."""
    parts: dict[str, bytes] = {}
    tree = {"format": FORMAT, "results": encode(results, parts, NOUNS)}
    return {_TREE: json.dumps(tree, allow_nan=False, indent=1).encode(), **parts}
