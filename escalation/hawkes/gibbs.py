"""Exact posterior of the parameters of day-coded streams, by sampling the times within days.

The filter over days is approximate; this is the check of it. It is slower, knows the exponential
kernel without marks only, and takes the process as empty before the window.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


def gibbs(
    counts: IntArray,
    design: FloatArray,
    start: FloatArray,
    covariance: FloatArray,
    sweeps: int,
    rng: np.random.Generator,
    moves: int = 4,
    log_prior: Callable[[FloatArray], float] | None = None,
) -> FloatArray:
    r"""Draws from the posterior given daily counts, times within days integrated out by sampling.

    A sweep draws who set off whom given the times (multinomial), the times given that (truncated
    exponentials), and then moves the parameters by random-walk Metropolis steps on the likelihood
    of the times, with the parents summed out.

    Parameters
    ----------
    counts : ndarray of int (D, K)
        Every day watched.
    design : ndarray (D, P)
        Rows at the days' middles; :math:`\log b_k(d) = x_d' c_k`.
    start : ndarray (K P + K K + 1,)
        Background coefficients stream by stream, log R[target, source] and log decay, all on the
        scale that is sampled. Entries of minus infinity stay (no arrow).
    covariance : ndarray (q, q)
        Of the filter's estimate on that scale; proposals have (1.7 / sqrt(q))**2 times it.
    sweeps : int
    rng : numpy.random.Generator
    moves : int
        Metropolis steps a sweep.
    log_prior : callable, optional
        Log-density of the same vector; flat by default.

    Returns
    -------
    ndarray (sweeps, q)

    Raises
    ------
    ValueError
        For arrays that do not fit, or a start outside the support.

    References
    ----------
    Shlomovich, Cohen & Adams (2022), Statistics and Computing 32, treat the same target by Monte
    Carlo EM.
    """
    from escalation.likelihood.gibbs import exact_likelihood, sweep_times

    days, streams = counts.shape
    columns = design.shape[1]
    size = streams * columns + streams**2 + 1
    if start.shape != (size,) or covariance.shape != (size, size) or len(design) != days:
        raise ValueError(
            f"{streams} streams and {columns} columns over {days} days want a start of {size}, got "
            f"start {start.shape}, covariance {covariance.shape}, design {design.shape}"
        )
    free = np.isfinite(start)
    root = np.linalg.cholesky(covariance[np.ix_(free, free)])
    root = root * 1.7 / np.sqrt(free.sum())

    def parts(x: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        level = x[: streams * columns].reshape(streams, columns)
        reach = np.exp(x[streams * columns : -1]).reshape(streams, streams)
        return np.exp(design @ level.T), reach, float(np.exp(x[-1]))

    stream = np.repeat(np.tile(np.arange(streams), days), counts.ravel()).astype(np.int64)
    day = np.repeat(np.arange(days), counts.sum(axis=1))
    times = day + rng.random(len(day))
    order = np.argsort(times)
    times, stream = times[order], stream[order]

    def target(x: FloatArray) -> float:
        prior = 0.0 if log_prior is None else log_prior(x)
        return float(exact_likelihood(times, stream, *parts(x)) + prior)

    x = start.astype(float).copy()
    if not np.isfinite(target(x)):
        raise ValueError("the start has no finite posterior density")
    out = np.empty((sweeps, size))
    for sweep in range(sweeps):
        sweep_times(times, stream, *parts(x), rng)
        value = target(x)
        for _ in range(moves):
            trial = x.copy()
            trial[free] += root @ rng.standard_normal(int(free.sum()))
            new = target(trial)
            if np.log1p(-rng.random()) < new - value:
                x, value = trial, new
        out[sweep] = x
    return out
