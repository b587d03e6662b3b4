"""Paths and values of latent models by plain loops, for their tests."""

import numpy as np

from escalation.background import Background
from escalation.counts import (
    Autoregression,
    GaussianProcess,
    RandomWalk,
)
from escalation.fit import Fit

FLAT = Background(harmonics=0)
PATHS = (RandomWalk(), Autoregression(), GaussianProcess(prior_length=200.0))


def some_values(model, series, rng):
    """Values drawn from the priors, with levels that make counts."""
    values = {k: v[0] for k, v in model.layout(series).sample_prior(rng, 1).items()}
    return values | {"level": values["level"] / 4}


def known(model, series, values, draws=1):
    """A fit that knows the parameters."""
    point = {name: np.array(value) for name, value in values.items()}
    copies = {name: np.repeat(value[None], draws, axis=0) for name, value in point.items()}
    return Fit(model, series, copies, point, 0.0, {"converged": True}, "known")


def naive_path(setting, values, weeks_seen, days):
    """Paths (T, K) by loops, in the words of the classes."""
    times = 7.0 * np.arange(weeks_seen)
    sigma = values["path_scale"]
    out = np.zeros((weeks_seen, len(values["path"])))
    for k, z in enumerate(values["path"]):
        if isinstance(setting, GaussianProcess):
            ell, width = values["length"], 9 * setting.prior_length
            for m, one in enumerate(z, start=1):
                omega = m * np.pi / width
                density = 12 * np.sqrt(3) / ell**3 / (3 / ell**2 + omega**2) ** 2
                wave = np.sqrt(2 / width) * np.sin(omega * (times + (width - days) / 2))
                out[:, k] += sigma * np.sqrt(density) * wave * one
            continue
        state, states = 0.0, []
        for b, one in enumerate(z):
            if isinstance(setting, RandomWalk):
                states.append(state)
                state = state + sigma * one
            else:
                phi = values["persistence"]
                state = sigma * one if b == 0 else phi * state + sigma * np.sqrt(1 - phi**2) * one
                states.append(state)
        states.append(state)
        out[:, k] = [states[int(t // 28)] for t in times]
    if isinstance(setting, RandomWalk):
        out -= out.mean(axis=0)
    return out
