"""Finished forecasts kept on disk, so that an interrupted backtest goes on where it stopped."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from escalation.series import CountSeries


@dataclass(frozen=True)
class Task:
    """One forecast to make: by which model, from when, how."""

    name: str
    position: int
    origin: date
    horizon: int
    seed: int
    draws: int


class Store:
    """Finished forecasts in a folder, one Parquet file each, under a key of all that made them."""

    def __init__(self, folder: Path, models: Mapping[str, object], series: CountSeries) -> None:
        self.folder = folder
        self.settings = {name: repr(model) for name, model in models.items()}
        for name, settings in self.settings.items():
            if re.search(r" at 0x[0-9a-f]+", settings):
                raise ValueError(
                    f"model {name!r} cannot be kept in a store: its repr, {settings}, "
                    f"does not tell its settings"
                )
        digest = hashlib.sha256()
        for array in (series.counts, series.exposure, series.edges.astype(np.int64)):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr((series.names, series.window, series.period)).encode())
        self.data = digest.hexdigest()
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, task: Task) -> pl.DataFrame | None:
        """The kept scores of a task, if there."""
        path = self._path(task)
        return (
            pl.read_parquet(path).with_columns(model=pl.lit(task.name)) if path.exists() else None
        )

    def save(self, task: Task, table: pl.DataFrame) -> None:
        """Keep the scores of a task, whole or not at all."""
        handle, draft = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".draft")
        os.close(handle)
        try:
            table.write_parquet(draft)
            os.replace(draft, self._path(task))
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise

    def _path(self, task: Task) -> Path:
        what: dict[str, Any] = {
            "version": _version(),
            "model": self.settings[task.name],
            "data": self.data,
            "task": [task.position, str(task.origin), task.horizon, task.seed, task.draws],
        }
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{key[:32]}.parquet"


def _version() -> str:
    try:
        return version("escalation")
    except PackageNotFoundError:
        return "not installed"
