"""What a fitted endemic-epidemic model answers: reproduction, shares, responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from escalation.dynamics import Dynamics, count_responses
from escalation.fit import Fit
from escalation.parameters import FloatArray
from escalation.window import PERIOD_DAYS

if TYPE_CHECKING:
    from escalation.counts.additive import Additive
    from escalation.counts.endemic_epidemic import EndemicEpidemic
    from escalation.counts.latent import Latent

#: Periods that responses reach.
REACH = 26


def dynamics_of(
    model: EndemicEpidemic | Latent, fit: Fit, parts: Callable[[FloatArray], Additive]
) -> Dynamics:
    """Reproduction, shares and responses; R is its mean over the used periods of the last era.

    Parameters
    ----------
    model : EndemicEpidemic or Latent
    fit : Fit
    parts : callable
        Draws (n, p) -> the parts of the mean over the fitted periods.
    """
    series, theta = fit.series, fit.theta
    used = model.used(series)
    moving = parts(theta).moving
    last = used & (moving.era == moving.era[used].max())
    reproduction = np.array(moving.base[:, -1]) if moving.constant else moving.mean(last)
    kernel = theta[
        :, theta.shape[1] - sum(p.size for p in model.kernel.parameters(series.period)) :
    ]
    weights = model.lag_draws(theta, series)
    days = PERIOD_DAYS[series.period]
    whole = model.kernel.within(float(len(series.counts)))
    median = 1 + (np.cumsum(weights, axis=1) < 0.5 - 1e-12).sum(axis=1)
    return Dynamics(
        reproduction=reproduction,
        shares=_shares(model, fit, parts),
        responses=count_responses(reproduction, weights, REACH),
        response_days=days * np.arange(1.0, REACH + 1),
        names=series.names,
        unit=f"offspring in later {series.period}s",
        arrows=model.mask(series.n_streams),
        delay_median=days * median.astype(float),
        same_period=np.broadcast_to(whole.same_period(kernel), (len(kernel),)).copy(),
        moving=None if moving.constant else moving,
    )


def _shares(
    model: EndemicEpidemic | Latent, fit: Fit, parts: Callable[[FloatArray], Additive]
) -> FloatArray:
    """Shares (n, K, 3) of each stream's expected incidents: background, own past, others'."""
    series, theta = fit.series, fit.theta
    used = model.used(series)
    scale = series.scale[used]
    out = np.empty((len(theta), series.n_streams, 3))
    # A block of draws at a time: the parts have an entry a period.
    for rows in np.array_split(np.arange(len(theta)), len(theta) // 200 + 1):
        additive = parts(theta[rows])
        own, cross = additive.moving.offspring(model.past(theta[rows], series))
        terms = [one[:, used] for one in (additive.background, own, cross)]
        out[rows] = np.stack([np.einsum("ntk,t->nk", part, scale) for part in terms], axis=2)
    return np.asarray(out / out.sum(axis=2, keepdims=True))
