"""Sensitivity of a posterior to its prior and to its likelihood, by power-scaling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import polars as pl

from escalation.checks.finding import Finding
from escalation.checks.predictive import PRIOR
from escalation.engines import MaximumLikelihood
from escalation.engines.loo import jensen_shannon, power_weights
from escalation.fit import Fit
from escalation.parameters import FloatArray, Layout

#: The powers to which prior and likelihood are raised.
ALPHAS = (0.8, 1.25)
#: Sensitivity from which on a quantity counts as sensitive (Kallioinen et al. 2023, section 3.3).
SENSITIVE = 0.05
#: Pareto shape above which the weights, and so the figures, cannot be trusted.
UNTRUSTED = 0.7
CONFLICT = "prior-data conflict"
STRONG = "strong prior or weak likelihood"


@dataclass(frozen=True, eq=False)
class Sensitivity:
    r"""How a posterior answers to a stronger or weaker prior, and likelihood.

    Each quantity's law is compared with that under :math:`p(\theta)^\alpha p(y\mid\theta)` and
    under :math:`p(\theta) p(y\mid\theta)^\alpha` at α = 0.8 and 1.25, reached by importance weights
    with smoothed tails. The sensitivity is the cumulative Jensen–Shannon distance a doubling of the
    power. Sensitive (0.05 or more) to both prior and likelihood: a conflict is possible, they may
    pull against each other. Sensitive to the prior alone: the prior is strong, or the data say
    little. Short series show both; look at where `moved` points.

    Attributes
    ----------
    names : tuple of str
        The q quantities.
    prior, likelihood : ndarray (q,)
        Sensitivities.
    shapes : dict of float
        Pareto shape k of each set of weights, by component and power; above 0.7 the figures are
        rough.
    moved : ndarray (2, q)
        Mean of each quantity under the prior to the powers 0.8 and 1.25, minus the mean, in
        posterior standard deviations.
    scaled : str
        Which priors were scaled, in words.
    noise : float
        Sensitivity that chance alone gives with so many draws: the 95th percentile of what is found
        after the draws of a quantity are shuffled against the weights. Nothing below it counts.

    References
    ----------
    Kallioinen, Paananen, Bürkner & Vehtari (2023), Statistics and Computing 34, 57.
    """

    names: tuple[str, ...]
    prior: FloatArray
    likelihood: FloatArray
    shapes: Mapping[str, float]
    moved: FloatArray
    scaled: str
    noise: float = 0.0

    @property
    def threshold(self) -> float:
        """Sensitivity from which on a quantity counts: 0.05, or the noise if that is larger."""
        return max(SENSITIVE, self.noise)

    @property
    def diagnoses(self) -> tuple[str, ...]:
        """What each quantity's pair of sensitivities says; "" for nothing."""
        return tuple(
            "" if prior < self.threshold else CONFLICT if likelihood >= self.threshold else STRONG
            for prior, likelihood in zip(self.prior, self.likelihood, strict=True)
        )

    def table(self) -> pl.DataFrame:
        """A row a quantity: sensitivities, how far its mean moves (in sd), diagnosis."""
        return pl.DataFrame(
            {
                "quantity": self.names,
                "prior": self.prior,
                "likelihood": self.likelihood,
                "weaker prior": self.moved[0],
                "stronger prior": self.moved[1],
                "diagnosis": self.diagnoses,
            }
        ).sort("prior", descending=True)

    def finding(self) -> Finding:
        """Whether prior and data pull against each other anywhere."""
        name, table = "Prior sensitivity", self.table()
        rough = max(self.shapes.values(), default=-np.inf)
        told = f" The weights are uneven (k {rough:.2f}): rough." if rough > UNTRUSTED else ""
        if self.noise > SENSITIVE:
            told += f" Too few draws to see less than {self.noise:.2f}: take more."
        conflict = table.filter(pl.col("diagnosis") == CONFLICT)["quantity"].to_list()
        strong = table.filter(pl.col("diagnosis") == STRONG)["quantity"].to_list()
        if conflict:
            text = (
                f"Prior and data both move {_listed(conflict)}: either they pull against each "
                "other, or the data alone would say little."
            )
            return Finding(name, "warned", text + told, table)
        if strong:
            text = f"What is said of {_listed(strong)} leans on the prior; the data say little."
            return Finding(name, "warned", text + told, table)
        text = "No quantity leans on its prior: powers of 0.8 and 1.25 of it change little."
        return Finding(name, "warned" if told else "passed", text + told, table)

    def __repr__(self) -> str:
        """Say how many quantities are sensitive."""
        found = self.diagnoses
        return (
            f"Sensitivity({len(self.names)} quantities, {self.scaled} scaled: "
            f"{found.count(CONFLICT)} in conflict, {found.count(STRONG)} with a strong prior)"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table()._repr_html_()}"


def sensitivity(fit: Fit, priors: Sequence[str] | None = None) -> Sensitivity:
    """Power-scale the prior and the likelihood of a fit, for every scalar and the branching ratio.

    Nothing is fitted again.

    Parameters
    ----------
    fit : Fit
        By NUTS, or by Laplace (whose approximation the figures share), of a model with a likelihood
        of single periods.
    priors : sequence of str, optional
        Names of the parameters whose priors are scaled; all of them, and the joint prior, if not
        given.

    Raises
    ------
    ValueError
        For a maximum-likelihood fit, which has no prior, or an unknown parameter.
    """
    if fit.engine in (MaximumLikelihood.name, PRIOR):
        raise ValueError(f"prior sensitivity needs a posterior, this fit is by {fit.engine}")
    layout, theta = fit.model.problem(fit.series).layout, fit.theta
    quantities = dict(zip(fit.summary()["parameter"], theta[:, layout.free].T, strict=True))
    if getattr(fit.model, "additive", True):
        quantities["branching ratio"] = fit.dynamics().branching_ratio
    return power_scaling(
        quantities,
        log_prior(layout, theta, priors),
        np.nansum(fit.model.pointwise(fit, theta), axis=(1, 2)),
        "all priors" if priors is None else f"priors of {', '.join(priors)}",
    )


def power_scaling(
    quantities: Mapping[str, FloatArray],
    prior: FloatArray,
    likelihood: FloatArray,
    scaled: str = "all priors",
) -> Sensitivity:
    """Sensitivities from draws and the log-densities at them.

    Parameters
    ----------
    quantities : mapping of str to ndarray (n,)
        Draws of scalars.
    prior, likelihood : ndarray (n,)
        Log-densities at the draws, up to constants.
    scaled : str
        Which priors `prior` holds, in words.
    """
    shapes, senses, chance = {}, {}, []
    moved = np.zeros((len(ALPHAS), len(quantities)))
    rng = np.random.default_rng(0)
    shuffled = {name: rng.permutation(draws) for name, draws in quantities.items()}
    for component, density in (("prior", prior), ("likelihood", likelihood)):
        total, by_chance = np.zeros(len(quantities)), np.zeros(len(quantities))
        for a, alpha in enumerate(ALPHAS):
            weights, shape = power_weights(density, alpha)
            shapes[f"{component} to the power {alpha:g}"] = shape
            doubling = len(ALPHAS) * abs(np.log2(alpha))
            total += _distances(quantities, weights) / doubling
            by_chance += _distances(shuffled, weights) / doubling
            if component == "prior":
                moved[a] = [_shift(draws, weights) for draws in quantities.values()]
        senses[component] = total
        chance.append(by_chance)
    return Sensitivity(
        names=tuple(quantities),
        prior=senses["prior"],
        likelihood=senses["likelihood"],
        shapes=shapes,
        moved=moved,
        scaled=scaled,
        noise=float(np.quantile(chance, 0.95)),
    )


def _distances(quantities: Mapping[str, FloatArray], log_weights: FloatArray) -> FloatArray:
    return np.array([jensen_shannon(draws, log_weights) for draws in quantities.values()])


def log_prior(layout: Layout, theta: FloatArray, names: Sequence[str] | None = None) -> FloatArray:
    """Log-density (n,) of the priors at draws theta (n, p), on the parameters' own scale.

    Parameters
    ----------
    layout : Layout
    theta : ndarray (n, p)
    names : sequence of str, optional
        Parameters to take; all of them and the joint prior if not given. The joint prior belongs
        to the parameter that it is about.
    """
    known = [p.name for p in layout.parameters]
    wanted = known if names is None else list(names)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"no parameter {unknown[0]!r}; the parameters are {', '.join(known)}")
    values, out = layout.unpack(theta), np.zeros(len(theta))
    for p in layout.parameters:
        if p.name in wanted:
            out += p.prior.at(p.mask).log_density(values[p.name][:, p.mask]).sum(axis=-1)
    joint = layout.joint
    if joint is not None and joint.name in wanted:
        out += joint.log_density(values[joint.name]).reshape(len(theta), -1).sum(axis=1)
    return out


def _shift(draws: FloatArray, log_weights: FloatArray) -> float:
    spread = draws.std()
    if spread == 0:
        return 0.0
    weights = np.exp(log_weights)
    return float((weights @ draws / weights.sum() - draws.mean()) / spread)


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
