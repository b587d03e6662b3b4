"""Finished forecasts kept on disk, so that an interrupted backtest goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from escalation.backtest.tasks import Task
from escalation.backtest.vintages import Vintages
from escalation.forecast import Forecast
from escalation.forecast.files import write_whole
from escalation.series import CountSeries, PanelSeries


class Store:
    """Finished forecasts in a folder: scores in one Parquet file each, under a key of all inputs.

    Parameters
    ----------
    folder : Path
    models : mapping of str to model
    data : mapping of str to CountSeries or Vintages
    judged : str
        By which vintage forecasts are judged.
    keep_draws : bool
        Whether the draws are kept as well, beside the scores.

    Raises
    ------
    ValueError
        When a model's `repr` does not tell its settings.
    """

    def __init__(
        self,
        folder: Path,
        models: Mapping[str, object],
        data: Mapping[str, CountSeries | Vintages],
        judged: str = "latest",
        keep_draws: bool = False,
    ) -> None:
        self.folder, self.judged, self.keep_draws = folder, judged, keep_draws
        self.settings = {name: _told(model) for name, model in models.items()}
        for name, settings in self.settings.items():
            if re.search(r" at 0x[0-9a-f]+", settings):
                raise ValueError(
                    f"model {name!r} cannot be kept in a store: its repr, {settings}, "
                    f"does not tell its settings"
                )
        self.data = {name: fingerprint(one) for name, one in data.items()}
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, task: Task) -> pl.DataFrame | None:
        """The kept scores of a task, if there."""
        path = self._path(task)
        if not path.exists() or (self.keep_draws and not path.with_suffix(".npz").exists()):
            return None
        names = {"model": pl.lit(task.name), "series": pl.lit(task.series)}
        return pl.read_parquet(path).with_columns(**names)

    def save(self, task: Task, table: pl.DataFrame, forecast: Forecast | None = None) -> None:
        """Keep the scores of a task, and its draws where they are wanted; whole or not at all."""
        path = self._path(task)
        if self.keep_draws and forecast is not None:
            draws = forecast.draws
            whole = np.isfinite(draws).all() and draws.max(initial=0) < 2**31
            kept = draws.astype(np.int32) if whole else draws
            write_whole(path.with_suffix(".npz"), lambda draft: _compressed(draft, kept))
        write_whole(path, table.write_parquet)

    def draws(self, task: Task) -> np.ndarray:
        """The kept draws (n, H, K) of a task.

        Raises
        ------
        ValueError
            Where there are none.
        """
        path = self._path(task).with_suffix(".npz")
        if not path.exists():
            raise ValueError(f"no draws of {task.name} from {task.origin} are kept in the store")
        with np.load(path) as kept:
            return np.asarray(kept["draws"], dtype=np.float64)

    def _path(self, task: Task) -> Path:
        what: dict[str, Any] = {
            "version": _version(),
            "model": self.settings[task.name],
            "data": self.data[task.series],
            "task": [task.position, str(task.origin), task.horizon, task.seed, task.draws],
            "more": [task.place, str(task.fitted_on), task.blocks, task.window, self.judged],
            "warnings": [task.against, task.factor],
        }
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{key[:32]}.parquet"


def fingerprint(data: CountSeries | Vintages) -> str:
    """What tells one series, or the vintages of one, from every other."""
    if isinstance(data, Vintages):
        parts = [f"{day} {fingerprint(series)}" for day, series in data.series.items()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    digest = hashlib.sha256()
    for array in (data.counts, data.exposure, data.edges.astype(np.int64)):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(repr((data.names, data.window, data.period)).encode())
    if isinstance(data, PanelSeries):
        digest.update(np.ascontiguousarray(data.shares).tobytes())
        digest.update(repr((data.units, data.kinds)).encode())
    return digest.hexdigest()


def _told(model: object) -> str:
    """A model's `repr`, with every element of its arrays and every digit of each."""
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        return repr(model)


def _compressed(draft: str, draws: np.ndarray) -> None:
    with open(draft, "wb") as file:
        np.savez_compressed(file, draws=draws)


def _version() -> str:
    try:
        return version("escalation")
    except PackageNotFoundError:
        return "not installed"
