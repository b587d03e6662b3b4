"""Which process a setting asks for: its parameters, and the numbers that are left to the data."""

from __future__ import annotations

import numpy as np

from escalation.counts.component import RandomWalk
from escalation.counts.latent_process import (
    PERSISTENCE,
    AutoregressionProcess,
    Process,
    WalkProcess,
)
from escalation.counts.latent_settings import Autoregression, GaussianProcess, PathSetting
from escalation.counts.latent_smooth import SmoothProcess
from escalation.counts.random_scales import GRID, FreeScale
from escalation.parameters import Parameter
from escalation.priors import HalfNormal, LogNormal, Normal


def process_of(setting: PathSetting, days: float) -> Process:
    """The process of a setting over a window of so many days."""
    if isinstance(setting, RandomWalk):
        return WalkProcess(setting, days)
    if isinstance(setting, Autoregression):
        return AutoregressionProcess(setting, days)
    if isinstance(setting, GaussianProcess):
        return SmoothProcess(setting, days)
    raise ValueError(
        "path must be a RandomWalk, an Autoregression or a GaussianProcess, "
        f"got {type(setting).__name__}"
    )


def path_parameters(process: Process, streams: int) -> tuple[Parameter, ...]:
    """Innovations of each stream, their scale, and the parameter beside it."""
    setting = process.setting
    out = [
        Parameter(
            "path", (streams, process.size), "real", Normal(0.0, 1.0),
            "innovations of the latent log rate, in units of their scale", "",
            ("stream", "move"), penalised=True,
        )
    ]  # fmt: skip
    if setting.scale is None:
        out.append(
            Parameter(
                "path_scale", (), "nonnegative", HalfNormal(setting.prior_scale),
                process.scale_meaning, "log ratio",
            )
        )  # fmt: skip
    shape = process.shape_parameter()
    if shape is not None and getattr(setting, process.shape) is None:
        name, support, prior, meaning, unit = shape
        out.append(Parameter(name, (), support, prior, meaning, unit))
    return tuple(out)


def free_of(setting: PathSetting) -> tuple[FreeScale, ...]:
    """Numbers of a process that are left to the data, and the values that are tried for them."""
    out = []
    if setting.scale is None:
        prior = HalfNormal(setting.prior_scale)
        out.append(FreeScale(("path", "scale"), "path_scale", prior, GRID * setting.prior_scale))
    if isinstance(setting, Autoregression) and setting.persistence is None:
        odds = np.exp(np.linspace(-1.5, 4.5, 9))
        out.append(
            FreeScale(
                ("path", "persistence"), "persistence", PERSISTENCE, odds / (1 + odds), unit=True
            )
        )  # fmt: skip
    if isinstance(setting, GaussianProcess) and setting.length is None:
        length = LogNormal(setting.prior_length, 0.5)
        grid = np.geomspace(0.5, 4.0, 9) * setting.prior_length
        out.append(FreeScale(("path", "length"), "length", length, grid))
    return tuple(out)
