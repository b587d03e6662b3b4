r"""Sine waves on a domain wider than the window: a Gaussian process by its spectral density.

.. math:: f(t) \approx \sigma \sum_{m=1}^{M} \sqrt{S(\omega_m)}\, \phi_m(t)\, z_m, \qquad
          \phi_m(t) = \sqrt{2/W} \sin\{\omega_m (t + a)\}, \qquad \omega_m = m\pi/W

on a domain of width W that begins a = (W - days)/2 before the window. Source: Solin & Särkkä
(2020), Statistics and Computing 30, equations 5 and 8; Riutort-Mayol et al. (2022), equation 9.
"""

from __future__ import annotations

import numpy as np

from escalation.parameters import FloatArray


def wave_numbers(domain: float, waves: int) -> FloatArray:
    """Frequencies (M,) of the waves, in radians a day."""
    return np.asarray(np.pi / domain * np.arange(1, waves + 1))


def basis_rows(
    times: FloatArray, days: float, domain: float, waves: int, *, slope: bool = False
) -> FloatArray:
    """Waves (M, T) at times (T,) in days from the window's start, or their slopes a day."""
    frequency = wave_numbers(domain, waves)[:, None]
    angle = frequency * (times + (domain - days) / 2)
    out = frequency * np.cos(angle) if slope else np.sin(angle)
    return np.ascontiguousarray(np.sqrt(2 / domain) * out)


def amplitudes(frequency: FloatArray, length: FloatArray) -> FloatArray:
    r"""Square roots (n, M) of the spectral density of a Matérn 3/2 process of unit variance.

    .. math:: S(\omega) = \frac{12\sqrt 3}{\ell^3} \Big(\frac{3}{\ell^2} + \omega^2\Big)^{-2}

    Parameters
    ----------
    frequency : ndarray (M,)
    length : ndarray (n,)
        Length-scales in days.
    """
    ell = np.asarray(length)[:, None]
    return np.asarray(np.sqrt(12 * np.sqrt(3.0) / ell**3) / (3 / ell**2 + frequency**2))
