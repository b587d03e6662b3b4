"""Phases by plain loops: the chain, log-means and probabilities of counts, for their tests."""

import numpy as np
from scipy import stats

from escalation.background import Background
from escalation.fit import Fit
from hard import START

FLAT = Background(harmonics=0)
TWO = ("quiet", "escalated")
TRUTH = {
    "level": np.log([0.6, 0.3]),
    "rise": np.array([1.2, 1.0]),
    "departure": np.array([[0.3], [-0.2]]),
    "stay": np.array([0.95, 0.9, 0.92]),
    "up": np.array([0.4]),
    "jump": np.array([[0.2], [0.0], [0.3]]),
    "influence": np.array([[0.2, 0.0], [-0.1, 0.2]]),
    "dispersion": np.array([0.2, 0.4]),
    "season": np.array([[0.2, 0.1], [0.0, -0.2]]),
    "decay": np.array(0.7),
}


def known(model, series, values=None):
    """The values that the model has parameters for, cut to its shapes."""
    values = TRUTH | (values or {})
    out = {}
    for p in model.parameters(series):
        out[p.name] = values[p.name][tuple(slice(n) for n in p.shape)]
    return out


def as_fit(model, series, values):
    """A fit whose draws and estimate are known values."""
    draws = {name: np.array(value, float)[None] for name, value in values.items()}
    return Fit(model, series, draws, values, 0.0, {}, "known")


def chain(values, phases):
    """Transition matrix by the words of the class, phase by phase."""
    out = np.zeros((phases, phases))
    for a in range(phases):
        out[a, a] = values["stay"][a]
        rest = 1 - out[a, a]
        up = 1.0 if a == 0 else 0.0 if a == phases - 1 else values["up"][a - 1]
        for way, share in ((range(a + 1, phases), up), (range(a - 1, -1, -1), 1 - up)):
            left = rest * share
            for b in way:
                inner = 0 < b < phases - 1 and "jump" in values
                over = values["jump"][a, b - 1] if inner else 0.0
                out[a, b] = left * (1 - over)
                left *= over
    return out


def log_means(model, values, series):
    """Log-means (S, T, K) by plain loops."""
    phases, streams = len(model.phases), series.n_streams
    rise, departure = values["rise"], values.get("departure", np.zeros((phases - 1, 0)))
    moves = np.zeros((phases, streams))
    for s in range(1, phases):
        if streams == 1:
            own = np.array([rise[s - 1]])
        elif model.order is None:
            # Two streams: one contrast, of the prior's standard deviation in both.
            own = rise[s - 1] + np.array([1.0, -1.0]) * departure[s - 1, 0]
        else:
            first = series.names.index(model.order)
            own = np.full(streams, rise[s - 1])
            own[1 - first] += departure[s - 1, 0]
        moves[s] = moves[s - 1] + own
    times = 7.0 * np.arange(len(series))
    design = model.background.design(times, series.window.days, START, times + 7.0)
    season = values.get("season", np.zeros((streams, 0)))
    base = design @ np.concatenate([values["level"][:, None], season], axis=1).T
    base = base + np.log(np.maximum(series.scale, 1e-9))[:, None]
    if model.influence:
        logs = np.log1p(series.counts.astype(float))
        whole = series.scale > 1 - 1e-9
        logs[~whole] = logs[whole].mean(axis=0)
        weights = model.kernel.pmf(np.reshape(values.get("decay", np.zeros(0)), (-1,)), model.lags)
        for t in range(model.lags, len(series)):
            past = sum(w * logs[t - 1 - lag] for lag, w in enumerate(weights))
            base[t] += values["influence"] @ past
    return base + moves[:, None]


def emissions(model, values, series):
    """Log-probability (S, T) of what was seen in each period: nothing where it is not used."""
    exponent, used = log_means(model, values, series), model.used(series)
    if model.distribution == "poisson":
        term = stats.poisson.logpmf(series.counts, np.exp(exponent))
    else:
        size = 1 / np.broadcast_to(values["dispersion"], (series.n_streams,))
        term = stats.nbinom.logpmf(series.counts, size, size / (size + np.exp(exponent)))
    return np.where(used, term.sum(axis=2), 0.0)[:, model.reach :]


def stationary(matrix):
    values, vectors = np.linalg.eig(matrix.T)
    law = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    return law / law.sum()
