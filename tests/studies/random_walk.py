"""How a random walk of the level and R compete, by the engine that fits them.

    python tests/studies/random_walk.py [--seeds 9] [--nuts] [--engine Laplace]

Simulates 312 weeks of one stream (walk with steps of 28 days and scale 0.3, R 0.2, Poisson) and
prints for each seed and engine the scale, the share of weeks in which the 90 % band of the log
background holds the true path, and R.
"""

from __future__ import annotations

import argparse
from datetime import date

import numpy as np

from escalation.counts import Component, EndemicEpidemic, RandomWalk
from escalation.counts.additive import Additive
from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.engines.base import Engine
from escalation.kernels import OneLag
from escalation.parameters import Layout
from escalation.series import CountSeries


def main() -> None:
    """Print a row a seed and engine, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=9)
    parser.add_argument("--nuts", action="store_true")
    parser.add_argument("--engine", help="one engine alone, by its name")
    asked = parser.parse_args()
    engines: list[Engine] = [MaximumLikelihood(draws=400), Laplace(draws=400)]
    engines += [NUTS()] if asked.nuts else []
    engines = [one for one in engines if asked.engine in (None, one.name)]
    blank = CountSeries.from_counts(np.zeros((312, 1)), date(2001, 1, 1), "week")
    walk = Component(0, walk=RandomWalk(28.0))
    model = EndemicEpidemic(OneLag(), walk, lags=1, distribution="poisson")
    layout = Layout(model.parameters(blank))
    shape = next(p for p in layout.parameters if p.name == "walk").shape
    rows: dict[str, list[list[float]]] = {engine.name: [] for engine in engines}
    for seed in range(asked.seeds):
        rng = np.random.default_rng(seed)
        truth = {
            "level": np.array([1.5]),
            "walk": rng.normal(size=shape),
            "walk_scale": np.array(0.3),
            "reproduction": np.array([[0.2]]),
        }
        series = model.simulate(truth, blank, rng)
        theta = layout.pack(truth)[None]
        path = Additive.of(model.structure, layout, theta, series, series.edges).background
        for engine in engines:
            fit = model.fit(series, engine)
            found = fit.model.additive(fit, fit.theta).background[:, :, 0]  # type: ignore[attr-defined]
            low, high = np.quantile(found, [0.05, 0.95], axis=0)
            inside = ((low < path[0, :, 0]) & (path[0, :, 0] < high)).mean()
            chosen = fit.diagnostics.get("random_scales", fit.estimate)["walk_scale"]
            row = [float(chosen), float(inside), float(fit.estimate["reproduction"][0, 0])]
            rows[engine.name].append(row)
            print(f"seed {seed}, {engine.name}: scale {row[0]:.2f}, covered {row[1]:.2f}, "
                  f"R {row[2]:.2f}", flush=True)  # fmt: skip
    for name, values in rows.items():
        scale, inside, middle = np.mean(values, axis=0)
        print(f"{name}: scale {scale:.2f}, covered {inside:.2f}, R {middle:.2f}")


if __name__ == "__main__":
    main()
