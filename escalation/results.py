"""Results: everything a study found, saved in one file and loaded back equal."""

from __future__ import annotations

import io
import json
import math
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.actors import Actor, Actors
from escalation.background import Background
from escalation.backtest import Backtest
from escalation.checks import Finding, Findings
from escalation.counts import EndemicEpidemic
from escalation.dynamics import Dynamics
from escalation.fit import Fit
from escalation.forecast import Forecast
from escalation.incidents import Incidents, Provenance
from escalation.kernels import Exponential, OneLag
from escalation.series import CountSeries
from escalation.streams import Stream
from escalation.study import (
    BacktestSection,
    DataSection,
    Era,
    ForecastSection,
    ModelSection,
    ReportSection,
    Study,
    Truth,
)
from escalation.window import Window

FORMAT = 1
_TREE = "results.json"


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
    """

    version: str
    versions: dict[str, str]
    seed: int
    data_hash: str
    study_hash: str
    command: str


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
            If the file is no saved results, or of another format.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                parts = {name: archive.read(name) for name in archive.namelist()}
            tree = json.loads(parts[_TREE])
        except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as fault:
            raise ValueError(f"{path}: no saved results ({fault})") from None
        if tree.get("format") != FORMAT:
            raise ValueError(f"{path}: format {tree.get('format')}, this version reads {FORMAT}")
        loaded = _decode(tree["results"], parts)
        if not isinstance(loaded, cls):
            raise ValueError(f"{path}: holds {type(loaded).__name__}, not results")
        return loaded


_NOUNS: dict[str, type] = {
    noun.__name__: noun
    for noun in (
        Actor,
        Actors,
        Background,
        Backtest,
        BacktestSection,
        CountSeries,
        DataSection,
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
        OneLag,
        Provenance,
        ReportSection,
        Results,
        RunInfo,
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
    tree = {"format": FORMAT, "results": _encode(results, parts)}
    return {_TREE: json.dumps(tree, allow_nan=False, indent=1).encode(), **parts}


def _encode(value: Any, parts: dict[str, bytes]) -> Any:
    """Encode as JSON; what JSON has no word for becomes ``{"$kind": content}``."""
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, Path):
        return {"$path": value.as_posix()}
    if isinstance(value, list):
        return [_encode(item, parts) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [_encode(item, parts) for item in value]}
    if isinstance(value, Mapping):
        return {
            "$dict": [[_encode(key, parts), _encode(item, parts)] for key, item in value.items()]
        }
    if isinstance(value, np.ndarray):
        name = f"{len(parts):04d}.npy"
        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=False)
        parts[name] = buffer.getvalue()
        return {"$array": name}
    if isinstance(value, pl.DataFrame):
        name = f"{len(parts):04d}.parquet"
        buffer = io.BytesIO()
        value.rechunk().write_parquet(buffer, statistics=False)
        parts[name] = buffer.getvalue()
        return {"$frame": name}
    if is_dataclass(value) and _NOUNS.get(type(value).__name__) is type(value):
        content = {
            item.name: _encode(getattr(value, item.name), parts)
            for item in fields(value)
            if item.init
        }
        return {"$noun": type(value).__name__, **content}
    raise TypeError(f"a results file cannot hold {type(value).__name__}: add it to the nouns")


def _decode(tree: Any, parts: Mapping[str, bytes]) -> Any:
    if isinstance(tree, list):
        return [_decode(item, parts) for item in tree]
    if not isinstance(tree, dict):
        return tree
    (kind, content), *rest = tree.items()
    if kind == "$float":
        return float(content)
    if kind == "$date":
        return date.fromisoformat(content)
    if kind == "$path":
        return Path(content)
    if kind == "$tuple":
        return tuple(_decode(item, parts) for item in content)
    if kind == "$dict":
        return {_decode(key, parts): _decode(item, parts) for key, item in content}
    if kind == "$array":
        array = np.load(io.BytesIO(parts[content]), allow_pickle=False)
        array.setflags(write=False)
        return array
    if kind == "$frame":
        return pl.read_parquet(io.BytesIO(parts[content]))
    if kind == "$noun" and content in _NOUNS:
        return _NOUNS[content](**{name: _decode(item, parts) for name, item in rest})
    raise ValueError(f"a results file with an unknown part: {kind} {content!r}")
