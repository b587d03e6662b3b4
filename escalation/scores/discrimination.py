"""How well probabilities tell events from non-events: ROC, precision and recall, net benefit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from escalation.window import FloatArray


def roc_curve(
    probability: ArrayLike, outcome: ArrayLike, weights: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Share of false alarms and of hits as the threshold of an alarm falls.

    Parameters
    ----------
    probability, outcome
        (N,) probabilities, and outcomes, 0 or 1.
    weights
        (N,) how often each case counts; once unless given.

    Returns
    -------
    false_alarms, hits, threshold : numpy.ndarray (m + 1,)
        An alarm is a probability of at least the threshold, which takes every value that occurs;
        the first threshold is infinite: no alarm. NaN where nothing, or everything, happened.

    References
    ----------
    Fawcett (2006), Pattern Recognition Letters 27, section 4.

    Examples
    --------
    >>> false_alarms, hits, _ = roc_curve([0.9, 0.6, 0.6, 0.1], [1, 1, 0, 0])
    >>> false_alarms.tolist(), hits.tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0])
    """
    true, false, threshold = _alarms(probability, outcome, weights)
    with np.errstate(invalid="ignore"):
        return false / false[-1], true / true[-1], threshold


def roc_area(probability: ArrayLike, outcome: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Probability that an event had the higher probability than a non-event, ties counted half.

    Parameters
    ----------
    probability, outcome
        (N,) probabilities, and outcomes, 0 or 1.
    weights
        (N,) how often each case counts; once unless given.

    Returns
    -------
    float
        0.5 without any skill, 1 where every event had the higher probability; NaN where nothing,
        or everything, happened.

    References
    ----------
    Hanley & McNeil (1982), Radiology 143.

    Examples
    --------
    >>> roc_area([0.9, 0.6, 0.6, 0.1], [1, 1, 0, 0])
    0.875
    """
    false, true, _ = roc_curve(probability, outcome, weights)
    return float(np.trapezoid(true, false))


def precision_recall(
    probability: ArrayLike, outcome: ArrayLike, weights: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Share of alarms that were right, and of events that had one, as the threshold falls.

    Parameters
    ----------
    probability, outcome
        (N,) probabilities, and outcomes, 0 or 1.
    weights
        (N,) how often each case counts; once unless given.

    Returns
    -------
    precision, recall, threshold : numpy.ndarray (m,)
        One for each value of the probability, the highest first; recall is NaN where nothing
        happened.

    Examples
    --------
    >>> precision, recall, _ = precision_recall([0.9, 0.6, 0.6, 0.1], [1, 1, 0, 0])
    >>> precision.round(2).tolist(), recall.tolist()
    ([1.0, 0.67, 0.5], [0.5, 1.0, 1.0])
    """
    true, false, threshold = (part[1:] for part in _alarms(probability, outcome, weights))
    with np.errstate(invalid="ignore"):
        return true / (true + false), true / true[-1:], threshold


def average_precision(
    probability: ArrayLike, outcome: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Mean precision over the events: the area under the steps of precision against recall.

    Without skill it is the share of events. Steps, since between two points the curve is no line.

    Parameters
    ----------
    probability, outcome
        (N,) probabilities, and outcomes, 0 or 1.
    weights
        (N,) how often each case counts; once unless given.

    Returns
    -------
    float
        NaN where nothing happened.

    References
    ----------
    Davis & Goadrich (2006), ICML 23; Boyd, Eng & Page (2013), ECML PKDD.

    Examples
    --------
    >>> round(average_precision([0.9, 0.6, 0.6, 0.1], [1, 1, 0, 0]), 4)
    0.8333
    """
    precision, recall, _ = precision_recall(probability, outcome, weights)
    gain = np.diff(recall, prepend=0.0)
    # A threshold that finds no event adds nothing, whatever its precision.
    found = gain != 0
    return float(gain[found] @ precision[found])


def net_benefit(
    probability: ArrayLike,
    outcome: ArrayLike,
    threshold: ArrayLike,
    weights: ArrayLike | None = None,
) -> FloatArray:
    r"""Benefit of acting on alarms, in events found, for each threshold of the probability.

    Who acts from a probability :math:`t` on holds :math:`(1 - t) / t` false alarms to be as bad as
    one event missed. The benefit is hits less false alarms in that currency, a case:
    :math:`(\mathrm{TP} - \mathrm{FP}\, t / (1 - t)) / N`.

    Parameters
    ----------
    probability, outcome
        (N,) probabilities, and outcomes, 0 or 1.
    threshold
        (m,) between 0 and 1. Costs of acting and of an event not acted on that stand as 1 to c
        mean a threshold of 1 / c.
    weights
        (N,) how often each case counts; once unless given.

    Returns
    -------
    numpy.ndarray
        (m,). Never acting has 0; always acting is ``net_benefit(np.ones(N), outcome, threshold)``.

    Raises
    ------
    ValueError
        For a threshold that is not between 0 and 1.

    References
    ----------
    Vickers & Elkin (2006), Medical Decision Making 26.

    Examples
    --------
    >>> net_benefit([0.9, 0.6, 0.6, 0.1], [1, 1, 0, 0], [0.5]).tolist()
    [0.25]
    """
    p, y, w = _cases(probability, outcome, weights)
    t = np.asarray(threshold, dtype=np.float64)
    if not np.all((t > 0) & (t < 1)):
        raise ValueError(f"thresholds must lie between 0 and 1, not {t.min()} to {t.max()}")
    order = np.argsort(p)
    below = np.searchsorted(p[order], t, side="left")
    true, every = (
        part.sum() - np.concatenate([[0.0], np.cumsum(part[order])])[below] for part in (w * y, w)
    )
    return np.asarray((true - (every - true) * t / (1 - t)) / w.sum())


def _alarms(
    probability: ArrayLike, outcome: ArrayLike, weights: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """True and false alarms at no alarm and at each distinct probability, the highest first."""
    p, y, w = _cases(probability, outcome, weights)
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    true, false = (np.cumsum(part[order])[last] for part in (w * y, w * (1 - y)))
    zero, none = np.zeros(1), np.full(1, np.inf)
    return (
        np.concatenate([zero, true]),
        np.concatenate([zero, false]),
        np.concatenate([none, p[order][last]]),
    )


def _cases(
    probability: ArrayLike, outcome: ArrayLike, weights: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    w = np.ones(p.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape or p.shape != w.shape or not p.size:
        raise ValueError(
            f"probabilities, outcomes and weights must be (N,), not {p.shape}, {y.shape}, {w.shape}"
        )
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"probabilities must lie in [0, 1], not {p.min()} to {p.max()}")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("outcomes must be 0 or 1")
    if not np.all(w >= 0):
        raise ValueError("weights must not be negative")
    return p, y, w
