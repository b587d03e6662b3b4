"""The sampler of count models against the same model written in plain PyMC. Never asserts.

    python tests/benchmarks/bench_counts.py [--seeds 5] [--draws 1000]
                                            [gradient] [posterior] [waits] [hawkes]

Four weekly streams of ten years, the invented border of data/border; both models have the same
posterior (means and standard deviations are shown). Every sampler keeps as many draws, after the
warm-up it has by default: 300 here, 400 nutpie, 1,000 PyMC. Run it on an idle machine. Seconds are
of the wall, "CPU" are processor seconds of the process and of its children.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).parents[2]
PARTS = ("gradient", "posterior", "waits", "hawkes")


def weekly():
    """The study's series and model."""
    from escalation import CountSeries, Study, read

    study = Study.from_toml(ROOT / "data" / "border" / "study.toml")
    incidents = read(study.incidents_path, study.window, columns=study.data.columns)
    return CountSeries.from_incidents(incidents, study.streams, "week", study.actors), study.model()


def processor() -> float:
    """Processor seconds so far, children included."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def timed(task, repeats):
    """Median microseconds of a call."""
    took = []
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(repeats):
            task()
        took.append((time.perf_counter() - start) / repeats)
    return median(took) * 1e6


def as_nutpie(compiled):
    """A call of the compiled function that nutpie calls, at zero."""
    size = compiled.n_dim
    point, slope, value = np.zeros(size), np.zeros(size), np.zeros(1)
    arrays = [one.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for one in (point, slope, value)]
    function, data = compiled.compiled_logp_func.ctypes, compiled.user_data.ctypes.data
    if function(size, *arrays, data) != 0 or not np.isfinite(value[0]):
        raise RuntimeError("the rival's log-density is not finite at zero")
    return lambda: function(size, *arrays, data)


def gradient():
    """Log-posterior with gradient: ours, and plain PyMC as nutpie and as PyMC call it."""
    import nutpie
    from plain_pymc import plain_model

    from escalation.engines.coordinates import Coordinates
    from escalation.engines.density import Density

    series, model = weekly()
    problem = model.problem(series)
    coordinates = Coordinates.of(problem)
    density = Density(problem, coordinates)
    x = coordinates.to(problem.starts[0])
    theta = coordinates.back(x)
    density(x)
    ours = timed(lambda: density(x), 400)
    likelihood = timed(lambda: problem.evaluate(theta), 400)
    plain = plain_model(series, model)
    compiled = nutpie.compile_pymc_model(plain)
    by_nutpie = timed(as_nutpie(compiled), 100)
    function = plain.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    flat = np.zeros(compiled.n_dim)
    by_pymc = timed(lambda: function(flat), 100)
    print(f"\nLog-density and gradient, T = {len(series)}, K = {series.n_streams}")
    for label, took in (
        ("ours: log-likelihood, called from Python", likelihood),
        ("ours: log-posterior in the sampler's coordinates", ours),
        ("plain PyMC, as nutpie calls it", by_nutpie),
        ("plain PyMC, as PyMC calls it", by_pymc),
    ):
        print(f"  {label:52} {took:8.1f} us   {took / ours:6.2f}")


def scalars(theta, layout):
    """Diagnostics (r_hat, bulk, tail) of draws (chains, n, size)."""
    import arviz

    data = arviz.from_dict({"posterior": {"x": theta[..., layout.free]}})
    return tuple(
        np.asarray(found["x"].values)
        for found in (arviz.rhat(data), arviz.ess(data), arviz.ess(data, method="tail"))
    )


def packed(trace, layout):
    """Draws (chains, n, size) of a trace with the model's names."""
    arrays = [np.asarray(trace.posterior[p.name].values, float) for p in layout.parameters]
    return np.concatenate([one.reshape(*one.shape[:2], -1) for one in arrays], axis=2)


def posterior(seeds, draws):
    """Effective draws a second of the slowest parameter, and the posteriors side by side."""
    import nutpie
    import pymc as pm
    from plain_pymc import plain_model

    from escalation import NUTS

    series, model = weekly()
    layout = model.problem(series).layout
    plain = plain_model(series, model)
    model.fit(series, NUTS(draws=10, tune=10))
    compiled = nutpie.compile_pymc_model(plain)
    settings = {"chains": 4, "progress_bar": False}

    def ours(seed):
        fit = model.fit(series, NUTS(draws=draws), np.random.default_rng(seed))
        chains = fit.diagnostics["chains"]
        theta = fit.theta.reshape(chains, -1, layout.size)
        leapfrogs = fit.diagnostics["leapfrogs"] + fit.diagnostics["leapfrogs_of_warm_up"]
        return theta, leapfrogs

    def under_nutpie(seed):
        trace = nutpie.sample(compiled, draws=draws, seed=seed, **settings)
        steps = trace.sample_stats.n_steps.values.sum()
        return packed(trace, layout), int(steps + trace.warmup_sample_stats.n_steps.values.sum())

    def under_pymc(seed):
        with plain:
            trace = pm.sample(
                draws, chains=4, cores=2, random_seed=seed,
                nuts_sampler="pymc",
                progressbar=False, compute_convergence_checks=False, discard_tuned_samples=False,
            )  # fmt: skip
        steps = trace.sample_stats.n_steps.values.sum()
        return packed(trace, layout), int(steps + trace.warmup_sample_stats.n_steps.values.sum())

    rows, found = {}, {}
    print(f"\nEffective draws of the slowest parameter, seeds 0 to {seeds - 1}, warm-up included")
    print(
        f"  {'':30} {'seed':>4} {'R-hat':>7} {'bulk':>6} {'tail':>6} {'seconds':>8} {'CPU':>7} "
        f"{'gradients':>9} {'bulk/s':>8} {'tail/s':>8} {'bulk/CPU s':>10} {'tail/CPU s':>10}"
    )
    for label, task in (
        ("ours", ours),
        ("plain PyMC under nutpie", under_nutpie),
        ("plain PyMC under pm.sample", under_pymc),
    ):
        for seed in range(seeds):
            start, spent = time.perf_counter(), processor()
            theta, gradients = task(seed)
            took, spent = time.perf_counter() - start, processor() - spent
            r_hat, bulk, tail = scalars(theta, layout)
            rates = [bulk.min() / took, tail.min() / took, bulk.min() / spent, tail.min() / spent]
            rows.setdefault(label, []).append(rates)
            found.setdefault(label, []).append(theta)
            print(
                f"  {label:30} {seed:4} {r_hat.max():7.4f} {bulk.min():6.0f} {tail.min():6.0f} "
                f"{took:8.2f} {spent:7.2f} {gradients:9,} {rates[0]:8.1f} {rates[1]:8.1f} "
                f"{rates[2]:10.1f} {rates[3]:10.1f}",
                flush=True,
            )
    print("  median (worst) a second and ratio of the medians, ours to the rival's")
    mine = np.median(rows["ours"], axis=0)
    for label, rates in rows.items():
        middle, worst = np.median(rates, axis=0), np.min(rates, axis=0)
        words = "  ".join(
            f"{name} {m:.1f} ({w:.1f}) x{r:.1f}"
            for name, m, w, r in zip(
                ("bulk/s", "tail/s", "bulk/CPU s", "tail/CPU s"), middle, worst, mine / middle,
                strict=True,
            )
        )  # fmt: skip
        print(f"  {label:30} {words}")
    print("\n  posterior: mean and sd of all seeds")
    pooled = {k: np.concatenate(v)[..., layout.free] for k, v in found.items()}
    print(f"  {'':24}" + "".join(f"{label:>30}" for label in pooled))
    for i, name in enumerate(layout.labels):
        cells = [f"{one[..., i].mean():.3f} ({one[..., i].std():.3f})" for one in pooled.values()]
        print(f"  {name:24}" + "".join(f"{cell:>30}" for cell in cells))


CHILD = """
import json, sys, time
sys.path.insert(0, {folder!r})
import bench_counts
print(json.dumps(bench_counts.{task}()))
"""


def counts_child():
    """Seconds since the epoch at the first draw and at the end of a fit, then those of a second."""
    series, model = weekly()
    return fits(model, series)


def hawkes_child():
    """The same for four streams of exact times with a season, read from where the parent put it."""
    from datetime import date

    from escalation import Background, EventSeries, Hawkes

    with np.load(os.environ["BENCH_SERIES"]) as stored:
        times = [stored[name] for name in stored.files]
    series = EventSeries.from_times(times, date(2014, 1, 1), date(2019, 1, 1))
    return fits(Hawkes(background=Background(harmonics=1)), series)


def fits(model, series):
    """Two default fits, with the time of the first state that the sampler hands over."""
    import nutpie.compiled_pyfunc as nutpie

    from escalation import NUTS

    given, first = nutpie.from_pyfunc, []

    def watched(size, log_density, expand, *rest, **settings):
        def chain(*seeds):
            inner = expand(*seeds)

            def draw(z):
                if not first:
                    first.append(time.time())
                return inner(z)

            return draw

        return given(size, log_density, chain, *rest, **settings)

    nutpie.from_pyfunc = watched
    out = []
    for _ in range(2):
        first.clear()
        begun, spent = time.time(), processor()
        fit = model.fit(series, NUTS())
        kept = {k: fit.diagnostics[k] for k in ("r_hat", "ess", "ess_of", "divergences")}
        kept |= {"lengthened": fit.diagnostics["lengthened"], "events": len(series)}
        out.append({"begun": begun, "first": first[0], "end": time.time(), **kept})
        out[-1]["cpu"] = processor() - spent
    return out


def waits(task, title):
    """Fresh processes with empty and with filled caches of compiled code."""
    print(f"\n{title}: seconds from starting Python (from calling fit, for a second fit)")
    with tempfile.TemporaryDirectory() as folder:
        own = {"NUMBA_CACHE_DIR": f"{folder}/numba", "XDG_CACHE_HOME": f"{folder}/cache"}
        own["PYTENSOR_FLAGS"] = f"base_compiledir={folder}/pytensor"
        for label in ("nothing compiled before", "compiled before"):
            started, spent = time.time(), processor()
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c",
                 CHILD.format(folder=str(Path(__file__).parent), task=task)],
                env=os.environ | own, check=True, capture_output=True, text=True, cwd=ROOT,
            )  # fmt: skip
            spent = processor() - spent
            first, again = json.loads(done.stdout.splitlines()[-1])
            for name, one, since in (
                (label, first, started),
                ("  second fit of that process", again, again["begun"]),
            ):
                print(
                    f"  {name:30} first draw {one['first'] - since:6.2f}, "
                    f"fit done {one['end'] - since:6.2f}; fit itself {one['cpu']:.2f} CPU s; "
                    f"R-hat {one['r_hat']:.4f}, least effective draws {one['ess']:.0f} "
                    f"({one['ess_of']}), {one['divergences']} divergences"
                )
            print(f"  {'':30} the whole process: {spent:.1f} CPU s", flush=True)


def hawkes_series(path):
    """Some 2,000 events of four streams in five years, with a season."""
    from datetime import date

    from escalation import Background, EventSeries, Hawkes

    model = Hawkes(background=Background(harmonics=1))
    like = EventSeries.from_times([[1.0]] * 4, date(2014, 1, 1), date(2019, 1, 1))
    truth = {
        "level": np.log(np.full(4, 0.09)),
        "season": np.full((4, 2), 0.3),
        "reproduction": np.array(
            [[0.35, 0.2, 0.1, 0.1], [0.3, 0.25, 0.1, 0.1], [0.05, 0.1, 0.25, 0.3],
             [0.1, 0, 0.25, 0.2]]
        ),
        "decay": np.array(1.0),
    }  # fmt: skip
    series = model.simulate(truth, like, np.random.default_rng(0))
    np.savez(path, *series.times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=PARTS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=1000)
    given = parser.parse_args()
    if "gradient" in given.parts:
        gradient()
    if "posterior" in given.parts:
        posterior(given.seeds, given.draws)
    if "waits" in given.parts:
        waits("counts_child", "Four weekly streams of ten years, default fit")
    if "hawkes" in given.parts:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["BENCH_SERIES"] = f"{folder}/series.npz"
            hawkes_series(os.environ["BENCH_SERIES"])
            waits("hawkes_child", "Four streams of exact times with a season, default fit")


if __name__ == "__main__":
    main()
