"""Components of a count model: predictors with sharing, offsets and random terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, override

from escalation.background import TERMS, Background, Covariates
from escalation.parameters import Parameter


@dataclass(frozen=True)
class RandomWalk:
    """A level that moves on at random, in steps of some days.

    The steps are normal with a common standard deviation: innovations with a standard normal prior
    times a scale (non-centred). Their sum is centred over the window, so that the level stays the
    window's mean; beyond its end a forecast lets the walk go on.

    Attributes
    ----------
    step : float
        Days between two moves.
    scale : float or None
        Standard deviation of a move of the log rate; None lets the data choose it.
    prior_scale : float
        Scale of the half-normal prior where it is not given.
    """

    step: float = 28.0
    scale: float | None = None
    prior_scale: float = 0.2

    def __post_init__(self) -> None:
        for name in ("step", "prior_scale"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} of a random walk must be positive")
        if self.scale is not None and not self.scale > 0:
            raise ValueError(f"scale of a random walk must be positive, got {self.scale}")


@dataclass(frozen=True)
class RandomIntercepts:
    """Levels of the streams around a common one: standard normal deviations times a spread.

    Attributes
    ----------
    scale : float or None
        Standard deviation of the levels; None lets the data choose it.
    prior_scale : float
        Scale of the half-normal prior where it is not given.
    """

    scale: float | None = None
    prior_scale: float = 1.0

    def __post_init__(self) -> None:
        if not self.prior_scale > 0:
            raise ValueError("prior_scale of random intercepts must be positive")
        if self.scale is not None and not self.scale > 0:
            raise ValueError(f"scale of random intercepts must be positive, got {self.scale}")


@dataclass(frozen=True)
class Component(Background):
    r"""The log-linear predictor of one component of a count model.

    As the background of `EndemicEpidemic` it says the log rate. As its `own` or `cross` component
    it says by what factor :math:`\exp(\eta_{tk})` the reproduction numbers of the receiving stream
    k are multiplied: R is then R(t).

    Beyond season, trend, weekday, covariates and interventions, as a `Background` has them (without
    a season unless asked for):

    Attributes
    ----------
    shared : bool or tuple of str
        Terms with one coefficient for all streams, of level, season, weekday, covariate,
        intervention, trend; true: all of them.
    offset : tuple of float or Covariates, optional
        Added as it is: one number a stream, the log of its population, say; or one column of
        daily values, of each stream or of all.
    intercepts : RandomIntercepts, optional
        The streams' levels vary at random around one.
    walk : RandomWalk, optional
        The level of each stream (of all, where the level is shared) moves on at random.

    Raises
    ------
    ValueError
        For an unknown term, or an offset with more than one column.

    Examples
    --------
    >>> Component(shared=("level",)).is_shared("level"), Component().is_shared("level")
    (True, False)
    """

    harmonics: int | tuple[int, ...] = 0
    shared: bool | tuple[str, ...] = ()
    offset: tuple[float, ...] | Covariates | None = None
    intercepts: RandomIntercepts | None = None
    walk: RandomWalk | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.shared, bool):
            for term in self.shared:
                if term not in TERMS:
                    raise ValueError(f"shared names {', '.join(TERMS)}, got {term!r}")
        if isinstance(self.offset, Covariates) and len(self.offset.names) != 1:
            raise ValueError(f"an offset is one column, got {len(self.offset.names)}")
        if self.intercepts is not None and self.is_shared("level"):
            raise ValueError("random intercepts are around a common level: do not share it too")
        if self.is_shared("season") and isinstance(self.harmonics, tuple):
            raise ValueError("a shared season wants one number of harmonics")

    @property
    def bare(self) -> bool:
        """Whether it has nothing that a background lacks."""
        extras = (self.offset, self.intercepts, self.walk)
        return not self.shared and all(extra is None for extra in extras)

    @override
    def parameters(self, streams: int, days: float, unit: str) -> tuple[Parameter, ...]:
        """Parameters of the background that it is to models without components.

        Raises
        ------
        ValueError
            If it is more than a background.
        """
        if not self.bare:
            raise ValueError(
                "this model takes a Background; shared terms, offsets, random intercepts and walks "
                "are for the components of EndemicEpidemic, Hurdle and Regimes"
            )
        return super().parameters(streams, days, unit)

    def is_shared(self, term: str) -> bool:
        """Whether all streams have one coefficient of a term."""
        return self.shared if isinstance(self.shared, bool) else term in self.shared


@dataclass(frozen=True)
class Neighbours:
    r"""What comes from neighbouring streams, weighted by how near they are.

    .. math:: R_{kj}(t) = e^{\eta_{tk}} w_{kj}, \quad k \ne j, \qquad
              w_{kj} \propto o_{kj}^{-d} \ \text{or}\ e^{\omega_{o_{kj}}}\ (\omega_1 = 0)

    for neighbourhood orders o up to `max_order`; :math:`R_{kk}(t) = \exp(\eta^{own}_{tk})`. The
    weights of each source j sum to one over its receivers k, unless told otherwise. Source: Meyer
    & Held (2014), Annals of Applied Statistics 8(3), for the power law; Bracher & Held (2017) for
    free weights.

    Attributes
    ----------
    order : tuple of tuples of float
        ``order[k][j]``: 1 where j is next to k, 2 where one lies between them, and so on; 0 on
        the diagonal. With given weights: the weights themselves.
    weights : {"adjacency", "power law", "order", "given"}
        Only direct neighbours; a power of the order; one free weight an order; as given.
    max_order : int
        No weight beyond.
    normalise : bool

    Raises
    ------
    ValueError
        For orders that are not a square matrix, or an unknown kind of weights.
    """

    order: tuple[tuple[float, ...], ...]
    weights: Literal["adjacency", "power law", "order", "given"] = "adjacency"
    max_order: int = 5
    normalise: bool = True

    def __post_init__(self) -> None:
        size = len(self.order)
        if size < 2 or any(len(row) != size for row in self.order):
            raise ValueError("order must be a square matrix with a row a stream")
        if self.weights not in ("adjacency", "power law", "order", "given"):
            raise ValueError(
                f"weights must be adjacency, power law, order or given, got {self.weights!r}"
            )
        entries = [value for row in self.order for value in row]
        if not all(value >= 0 for value in entries):
            raise ValueError("order must not be negative, nor missing")
        if self.weights != "given" and any(value != int(value) for value in entries):
            raise ValueError('orders are whole numbers; for weights say weights="given"')
        if self.weights == "order" and self.max_order < 2:
            raise ValueError("weights by order want max_order of 2 or more")
        if self.max_order < 1:
            raise ValueError(f"max_order must be at least 1, got {self.max_order}")
