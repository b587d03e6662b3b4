"""Compiled functions of the exponential kernels; apart, so that listing one compiles nothing."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.kernels.base import Values
from escalation.parameters import FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def geometric_weights(theta: FloatArray, constants: FloatArray) -> Values:
    """Weights proportional to exp(-decay (l - 1)) and their derivative by the decay."""
    lags = int(constants[0])
    weights = np.empty(lags)
    total = 0.0
    mean = 0.0
    for lag in range(lags):
        weights[lag] = np.exp(-theta[0] * lag)
        total += weights[lag]
        mean += weights[lag] * lag
    mean /= total
    jacobian = np.empty((lags, 1))
    for lag in range(lags):
        weights[lag] /= total
        jacobian[lag, 0] = weights[lag] * (mean - lag)
    return weights, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def next_period(theta: FloatArray, constants: FloatArray) -> Values:
    """All weight on the first lag."""
    lags = int(constants[0])
    weights = np.zeros(lags)
    weights[0] = 1.0
    return weights, np.zeros((lags, theta.size))


@njit(cache=True, nogil=True, error_model="numpy")
def one_exponential(theta: FloatArray, constants: FloatArray) -> Values:
    """A single exponential: weight one, rate the decay."""
    values = np.array([1.0, theta[0]])
    jacobian = np.array([[0.0], [1.0]])
    return values, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def stick_weights(
    sticks: FloatArray, values: FloatArray, jacobian: FloatArray, column: int
) -> None:
    """Write weights into `values`, and their derivatives by the sticks from a column on.

    The logit of each stick is shifted so that zeros give equal weights.
    """
    terms = sticks.size + 1
    left = 1.0
    for m in range(terms):
        share = 1.0
        if m < terms - 1:
            share = 1.0 / (1.0 + (terms - 1 - m) * np.exp(-sticks[m]))
        values[m] = left * share
        for i in range(m):
            broken = 1.0 / (1.0 + (terms - 1 - i) * np.exp(-sticks[i]))
            jacobian[m, column + i] = -values[m] * broken
        if m < terms - 1:
            jacobian[m, column + m] = values[m] * (1.0 - share)
        left *= 1.0 - share


@njit(cache=True, nogil=True, error_model="numpy")
def given_mixture(theta: FloatArray, constants: FloatArray) -> Values:
    """Exponentials of given rates, the constants; the sticks are learned."""
    terms = constants.size
    values = np.empty(2 * terms)
    jacobian = np.zeros((2 * terms, theta.size))
    stick_weights(theta, values, jacobian, 0)
    values[terms:] = constants
    return values, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def learned_mixture(theta: FloatArray, constants: FloatArray) -> Values:
    """Exponentials by the fastest rate, the logs of the ratios down from it, and the sticks."""
    terms = (theta.size + 1) // 2
    values = np.empty(2 * terms)
    jacobian = np.zeros((2 * terms, theta.size))
    stick_weights(theta[terms:], values, jacobian, terms)
    fall = 0.0
    for m in range(terms):
        if m > 0:
            # Far below any use, but no rate may vanish.
            fall = min(fall + theta[m], 200.0)
        ratio = np.exp(-fall)
        rate = theta[0] * ratio
        values[terms + m] = rate
        jacobian[terms + m, 0] = ratio
        for i in range(1, m + 1):
            jacobian[terms + m, i] = -rate
    return values, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def chain(by_values: FloatArray, jacobian: FloatArray) -> FloatArray:
    """Matrix product; in plain loops, so that no linear algebra is linked in."""
    rows, inner = by_values.shape
    out = np.zeros((rows, jacobian.shape[1]))
    for i in range(rows):
        for m in range(inner):
            for q in range(jacobian.shape[1]):
                out[i, q] += by_values[i, m] * jacobian[m, q]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def normalise(weights: FloatArray, jacobian: FloatArray) -> None:
    """Divide weights by their sum, in place, with their Jacobian.

    Where all of them underflow, the delays are beyond the last lag: it takes all weight.
    """
    total = weights.sum()
    if not total > 0.0:
        weights[-1] = 1.0
        jacobian[:] = 0.0
        return
    for q in range(jacobian.shape[1]):
        slope = 0.0
        for lag in range(weights.size):
            slope += jacobian[lag, q]
        for lag in range(weights.size):
            jacobian[lag, q] = (jacobian[lag, q] - weights[lag] / total * slope) / total
    for lag in range(weights.size):
        weights[lag] /= total


@njit(cache=True, nogil=True, error_model="numpy")
def lags_of_exponentials(mixture: FloatArray, jacobian: FloatArray, lags: int) -> Values:
    r"""Lag weights of a mixture: sums of :math:`w e^{-b(l-1)}(1-e^{-b})^2/b`, renormalised."""
    terms = mixture.size // 2
    weights = np.zeros(lags)
    by_values = np.empty((lags, 2 * terms))
    for m in range(terms):
        w, b = mixture[m], mixture[terms + m]
        gone = -np.expm1(-b)
        for lag in range(lags):
            each = np.exp(-b * lag) * gone * gone / b
            weights[lag] += w * each
            by_values[lag, m] = each
            by_values[lag, terms + m] = w * each * (2.0 * (1.0 - gone) / gone - lag - 1.0 / b)
    by_theta = chain(by_values, jacobian)
    normalise(weights, by_theta)
    return weights, by_theta


@njit(cache=True, nogil=True, error_model="numpy")
def given_mixture_lags(theta: FloatArray, constants: FloatArray) -> Values:
    """Lag weights of a mixture of given rates; the constants are the lags, then the rates."""
    mixture, jacobian = given_mixture(theta, constants[1:])
    out: Values = lags_of_exponentials(mixture, jacobian, int(constants[0]))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def learned_mixture_lags(theta: FloatArray, constants: FloatArray) -> Values:
    """Lag weights of a mixture whose rates are learned."""
    mixture, jacobian = learned_mixture(theta, constants)
    out: Values = lags_of_exponentials(mixture, jacobian, int(constants[0]))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def pairs_of_exponentials(
    mixture: FloatArray, jacobian: FloatArray, constants: FloatArray
) -> Values:
    """Densities, then probabilities, of a mixture at the ages among the constants."""
    terms = mixture.size // 2
    columns = jacobian.shape[1]
    densities = int(constants[0])
    number = densities + int(constants[1])
    values = np.zeros(number)
    by_theta = np.zeros((number, columns))
    for i in range(number):
        age = constants[2 + i]
        for m in range(terms):
            w, b = mixture[m], mixture[terms + m]
            fade = np.exp(-b * age)
            if i < densities:
                by_weight = b * fade
                by_rate = w * fade * (1.0 - b * age)
            else:
                by_weight = -np.expm1(-b * age)
                by_rate = w * age * fade
            values[i] += w * by_weight
            for q in range(columns):
                by_theta[i, q] += by_weight * jacobian[m, q] + by_rate * jacobian[terms + m, q]
    return values, by_theta


@njit(cache=True, nogil=True, error_model="numpy")
def one_exponential_pairs(theta: FloatArray, constants: FloatArray) -> Values:
    """Densities and probabilities of one exponential."""
    mixture, jacobian = one_exponential(theta, constants)
    out: Values = pairs_of_exponentials(mixture, jacobian, constants)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def given_mixture_pairs(theta: FloatArray, constants: FloatArray) -> Values:
    """Densities and probabilities of a mixture; the rates are the last of the constants."""
    own = 2 + int(constants[0]) + int(constants[1])
    mixture, jacobian = given_mixture(theta, constants[own:])
    out: Values = pairs_of_exponentials(mixture, jacobian, constants)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def learned_mixture_pairs(theta: FloatArray, constants: FloatArray) -> Values:
    """Densities and probabilities of a mixture whose rates are learned."""
    mixture, jacobian = learned_mixture(theta, constants)
    out: Values = pairs_of_exponentials(mixture, jacobian, constants)
    return out
