"""How a latent path is best sampled: innovations, or what they add up to, and how many of them.

``python tests/studies/latent_sampling.py --periods 200 --streams 2`` simulates counts with a latent
random walk and samples its posterior in three coordinates: innovations z (not centred), z times the
scale (centred), and z times the root of the scale, each with moves of four and of one week, by
nutpie in coordinates that the curvature at a conditional mode standardises. Leapfrogs and
effective draws do not depend on how busy the machine is.
"""

import argparse
import os
from collections.abc import Callable
from datetime import date

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import arviz
import numpy as np
import nutpie
from nutpie.compiled_pyfunc import from_pyfunc

from escalation.background import Background
from escalation.counts import Latent, RandomWalk
from escalation.engines.base import Problem
from escalation.engines.coordinates import Coordinates
from escalation.engines.density import Density, Metric, climb, covariance_at
from escalation.series import CountSeries

WEEKLY_SCALE = 0.1


class Shifted:
    """A log-posterior whose innovations are multiplied by a power of their scale."""

    def __init__(self, problem: Problem, share: float) -> None:
        layout, self.share = problem.layout, share
        self.coordinates = Coordinates.of(problem)
        self.density = Density(problem, self.coordinates)
        first = self.coordinates.rows + self.coordinates.splits
        place = self.coordinates.arrays[5][:, 0]
        width, begin = layout.start("path_scale"), layout.start("path")
        self.scale = first + int(np.flatnonzero(place == width)[0])
        size = next(p.size for p in layout.parameters if p.name == "path")
        self.moves = first + np.flatnonzero((place >= begin) & (place < begin + size))

    def plain(self, y: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient."""
        x = y.copy()
        factor = np.exp(-self.share * y[self.scale])
        x[self.moves] *= factor
        value, slope = self.density.plain(x)
        out = slope.copy()
        out[self.moves] *= factor
        number = self.share * len(self.moves)
        out[self.scale] -= self.share * float(slope[self.moves] @ x[self.moves]) + number
        return value - number * y[self.scale], out

    def held(self, y: np.ndarray) -> tuple[float, np.ndarray]:
        """The same with the scale held: its joint mode with the innovations means nothing."""
        value, slope = self.plain(y)
        slope[self.scale] = 0.0
        return value, slope


def sampled(problem: Problem, share: float, start: np.ndarray, draws: int) -> str:
    """What a run of two chains says of itself."""
    shifted = Shifted(problem, share)
    y = shifted.coordinates.to(start)
    y[shifted.moves] *= np.exp(share * y[shifted.scale])
    mode, _ = climb(shifted.held, y)
    metric = Metric.of(mode, covariance_at(shifted, mode))  # type: ignore[arg-type]

    def make() -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        own = Shifted(problem, share)
        wide = len(metric.root) > 1

        def log_posterior(z: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = own.plain(metric.to_x(z))
            return value, slope @ metric.root if wide else slope * metric.root[0]

        return log_posterior

    size = len(mode)
    compiled = from_pyfunc(
        size, make, lambda *seeds: lambda z: {"z": z}, [np.dtype("float64")], [(size,)], ["z"],
        make_initial_point_fn=lambda seed: np.random.default_rng(seed).normal(0.0, 0.3, size),
    )  # fmt: skip
    trace = nutpie.sample(compiled, draws=draws, tune=300, chains=2, seed=1, progress_bar=False)
    x = metric.to_x(np.asarray(trace.posterior["z"].values, float))
    found = arviz.from_dict({"posterior": {"scale": x[..., shifted.scale], "x": x}})
    ess = arviz.ess(found)
    leaps = int(trace.sample_stats["n_steps"].values.sum())
    least = float(min(ess["scale"].values, ess["x"].values.min()))
    diverged = int(np.asarray(trace.sample_stats["diverging"].values).sum())
    worst = float(arviz.rhat(found)["x"].values.max())
    return (
        f"{size} | {leaps / (2 * draws):.1f} | {float(ess['scale'].values):.0f} | {least:.0f} | "
        f"{1000 * least / leaps:.1f} | {worst:.3f} | {diverged}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--periods", type=int, default=200)
    parser.add_argument("--streams", type=int, default=2)
    parser.add_argument("--draws", type=int, default=500)
    asked = parser.parse_args()
    shape = (asked.periods, asked.streams)
    like = CountSeries.from_counts(np.zeros(shape), date(2010, 1, 4), "week")
    print("| counts a week | weeks a move | coordinate | parameters | leapfrogs a draw |"
          " ess of the scale | least | ess per 1000 gradients | R-hat | divergences |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for rate in (0.5, 4.0):
        truth = Latent(RandomWalk(7.0, prior_scale=0.1), background=Background(harmonics=0))
        rng = np.random.default_rng(0)
        values = {
            "level": np.full(asked.streams, np.log(rate)),
            "path": rng.standard_normal((asked.streams, asked.periods - 1)),
            "path_scale": np.array(WEEKLY_SCALE),
            "dispersion": np.full(asked.streams, 0.1),
        }
        series = truth.simulate(values, like, rng)
        for weeks in (4, 1):
            walk = RandomWalk(7.0 * weeks, prior_scale=0.1 * np.sqrt(weeks))
            problem = Latent(walk, background=Background(harmonics=0)).problem(series)
            start = problem.starts[0].copy()
            start[problem.layout.start("path_scale")] = WEEKLY_SCALE * np.sqrt(weeks)
            for name, share in (("z", 0.0), ("half", 0.5), ("scale × z", 1.0)):
                told = sampled(problem, share, start, asked.draws)
                print(f"| {rate} | {weeks} | {name} | {told} |", flush=True)


if __name__ == "__main__":
    main()
