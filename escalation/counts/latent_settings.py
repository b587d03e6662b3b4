"""What a latent log-rate may be: settings of its process."""

from __future__ import annotations

from dataclasses import dataclass

from escalation.counts.component import RandomWalk


@dataclass(frozen=True)
class Autoregression:
    r"""A stationary log-rate that returns to its level: AR(1) in steps of some days.

    .. math:: f_b = \phi f_{b-1} + \sigma\sqrt{1 - \phi^2}\, z_b, \qquad f_1 = \sigma z_1

    Attributes
    ----------
    step : float
        Days between two moves.
    scale : float or None
        :math:`\sigma`, the standard deviation of the log rate; None lets the data choose it.
    persistence : float or None
        :math:`\phi`, the correlation of two steps that follow each other; None: by the data.
    prior_scale : float
        Scale of the half-normal prior where the scale is not given.
    """

    step: float = 28.0
    scale: float | None = None
    persistence: float | None = None
    prior_scale: float = 0.7

    def __post_init__(self) -> None:
        _check_positive(self, "step", "prior_scale", "scale")
        if self.persistence is not None and not 0 < self.persistence < 1:
            raise ValueError(f"persistence must be between 0 and 1, got {self.persistence}")


@dataclass(frozen=True)
class GaussianProcess:
    r"""A smooth log-rate: a Gaussian process with a Matérn covariance of order 3/2.

    .. math:: \mathrm{cov}(f_s, f_t) = \sigma^2 (1 + r) e^{-r}, \qquad r = \sqrt 3\,|s - t|/\ell

    Within the window it is a sum of sine waves whose variances are the spectral density at their
    frequencies, on a domain `margin` times as wide as the window.

    Attributes
    ----------
    length : float or None
        :math:`\ell` in days; None lets the data choose it.
    scale : float or None
        :math:`\sigma`; None lets the data choose it.
    prior_length : float
        Median of the log-normal prior of the length (sd of the log 0.5).
    prior_scale : float
        Scale of the half-normal prior of the scale.
    margin : float or None
        Width of the domain, in windows. None: by the rule of the reference, 4.5 × `prior_length` /
        half the window, and at least 1.4.
    waves : int or None
        Number of waves. None: enough for lengths down to half of `prior_length`, by the rule of
        the reference: 3.42 × margin × half the window / length.

    References
    ----------
    Solin & Särkkä (2020), Statistics and Computing 30; Riutort-Mayol, Bürkner, Andersen, Solin &
    Vehtari (2022), Statistics and Computing 33, section 4.
    """

    length: float | None = None
    scale: float | None = None
    prior_length: float = 365.0
    prior_scale: float = 0.7
    margin: float | None = None
    waves: int | None = None

    def __post_init__(self) -> None:
        _check_positive(self, "length", "scale", "prior_length", "prior_scale")
        share = 1.0 if self.length is None else self.length / self.prior_length
        if self.waves is None and not 0.5 <= share <= 4:
            raise ValueError(
                "length must be within half and four times prior_length, for which the waves are "
                f"chosen; got {self.length} with a prior_length of {self.prior_length}"
            )
        if self.margin is not None and not self.margin > 1:
            raise ValueError(f"margin must be above 1, got {self.margin}")
        if self.waves is not None and self.waves < 1:
            raise ValueError(f"waves must be at least 1, got {self.waves}")


PathSetting = RandomWalk | Autoregression | GaussianProcess


def _check_positive(setting: PathSetting, *names: str) -> None:
    for name in names:
        value = getattr(setting, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name} of {type(setting).__name__} must be positive, got {value}")
