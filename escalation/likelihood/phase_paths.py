"""Phases given the counts, draw by draw: filtered, smoothed, the likeliest path, random paths."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import assign
from escalation.likelihood.phase_chain import both_ways, stationary, transitions
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def chains(
    theta: FloatArray, stay: int, up: int, jump: int, phases: int
) -> tuple[FloatArray, FloatArray]:
    """Stationary laws (n, S) and transition matrices (n, S, S) of draws theta (n, p)."""
    begin = np.empty((len(theta), phases))
    matrix = np.empty((len(theta), phases, phases))
    for n in range(len(theta)):
        own = transitions(theta[n], stay, up, jump, phases)
        assign(begin[n], stationary(own))
        for s in range(phases):
            assign(matrix[n, s], own[s])
    return begin, matrix


@njit(cache=True, nogil=True, error_model="numpy")
def passes(
    begin: FloatArray, matrix: FloatArray, terms: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Filtered and smoothed probabilities, and log-densities of the periods given those before.

    Parameters
    ----------
    begin, matrix : ndarray (n, S), (n, S, S)
    terms : ndarray (n, S, T)
        Log-probability of what was seen in each period, by phase; 0 where nothing was.

    Returns
    -------
    filtered, smoothed : ndarray (n, S, T)
    density : ndarray (n, T)
    """
    draws, phases, periods = terms.shape
    filtered = np.empty(terms.shape)
    smoothed = np.empty(terms.shape)
    density = np.empty((draws, periods))
    seen = np.empty((phases, periods))
    for n in range(draws):
        for t in range(periods):
            top = -np.inf
            for s in range(phases):
                top = max(top, terms[n, s, t])
            density[n, t] = top
            for s in range(phases):
                seen[s, t] = np.exp(terms[n, s, t] - top)
        ahead, later, scale = both_ways(begin[n], matrix[n], seen)
        for s in range(phases):
            assign(filtered[n, s], ahead[s])
        for t in range(periods):
            density[n, t] += np.log(scale[t])
            total = 0.0
            for s in range(phases):
                total += ahead[s, t] * later[s, t]
            for s in range(phases):
                smoothed[n, s, t] = ahead[s, t] * later[s, t] / total
    return filtered, smoothed, density


@njit(cache=True, nogil=True, error_model="numpy")
def likeliest(begin: FloatArray, matrix: FloatArray, terms: FloatArray) -> IntArray:
    """The most likely path (T,) of phases given everything (Viterbi), of one draw.

    Parameters
    ----------
    begin, matrix : ndarray (S,), (S, S)
    terms : ndarray (S, T)
        As `passes` takes them.
    """
    phases, periods = terms.shape
    best = np.log(begin) + terms[:, 0]
    came = np.zeros((periods, phases), np.int64)
    after = np.empty(phases)
    for t in range(1, periods):
        for b in range(phases):
            after[b] = -np.inf
            for a in range(phases):
                value = best[a] + np.log(matrix[a, b])
                if value > after[b]:
                    after[b] = value
                    came[t, b] = a
            after[b] += terms[b, t]
        assign(best, after)
    path = np.zeros(periods, np.int64)
    path[-1] = np.argmax(best)
    for t in range(periods - 1, 0, -1):
        path[t - 1] = came[t, path[t]]
    return path


@njit(cache=True, nogil=True, error_model="numpy")
def walks(law: FloatArray, matrix: FloatArray, uniform: FloatArray) -> IntArray:
    """Random paths (n, H) of phases, the first of a given law.

    Parameters
    ----------
    law : ndarray (n, S)
        Of the first phase.
    matrix : ndarray (n, S, S)
    uniform : ndarray (n, H)
        Uniform random numbers.
    """
    draws, horizon = uniform.shape
    phases = law.shape[1]
    out = np.zeros((draws, horizon), np.int64)
    for n in range(draws):
        row = law[n]
        for h in range(horizon):
            s = 0
            passed = row[0]
            while s < phases - 1 and uniform[n, h] > passed:
                s += 1
                passed += row[s]
            out[n, h] = s
            row = matrix[n, s]
    return out
