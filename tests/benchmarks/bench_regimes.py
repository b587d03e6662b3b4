"""Speed of the model with phases. Never asserts.

    python tests/benchmarks/bench_regimes.py [gradient] [waits]

`gradient`: processor time of a log-likelihood with its gradient beside that of the
endemic-epidemic model, in turns within one run, on the series of `bench_counts` (four weekly
streams of ten years). `waits`: a default fit by NUTS of three phases to a series of that size with
phases, in a fresh process with nothing compiled before, then with everything compiled.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from bench_counts import processor, weekly

ROUNDS, CALLS = 15, 300
CHILD = """
import sys, time
sys.path.insert(0, {folder!r})
from bench_regimes import switching
from escalation import NUTS, Regimes
series = switching()
start, spent = time.perf_counter(), time.process_time()
told = Regimes().fit(series, NUTS()).diagnostics
took, spent = time.perf_counter() - start, time.process_time() - spent
print(f"{{took:.1f}} s of the wall, {{spent:.1f}} CPU s; "
      f"R-hat {{told['r_hat']:.4f}}, least effective draws {{told['ess']:.0f}}, "
      f"{{told['divergences']}} divergences, "
      f"{{told['leapfrogs'] + told['leapfrogs_of_warm_up']:,}} gradients")
"""


def switching():
    """Four weekly streams of ten years with three phases."""
    from datetime import date

    from escalation import CountSeries, Regimes

    like = CountSeries.from_counts(np.zeros((520, 4)), date(2007, 1, 1), "week")
    truth = {
        "level": np.log([0.5, 0.8, 0.3, 1.0]),
        "season": np.full((4, 2), 0.1),
        "rise": np.array([1.0, 1.0]),
        "departure": np.array([[0.3, -0.2, 0.1], [0.0, 0.1, -0.1]]),
        "stay": np.array([0.97, 0.93, 0.9]),
        "up": np.array([0.5]),
        "jump": np.array([[0.1], [0.0], [0.2]]),
        "dispersion": np.full(4, 0.3),
    }
    return Regimes().simulate(truth, like, np.random.default_rng(0))


def prepared(model, series):
    """A call of the compiled likelihood at the first start, compiled already."""
    problem = model.problem(series)
    theta = problem.starts[0]
    values = problem.kernels(theta)[0]
    arrays = (*problem.data.values(), *problem.structure)
    problem.core(theta, values, *arrays)
    return lambda: problem.core(theta, values, *arrays)


def gradient():
    """Ratios to the endemic-epidemic gradient, of processor time, in turns."""
    from escalation import LogLinear, Regimes

    series, model = weekly()
    tasks = {
        "endemic-epidemic": model,
        "log-linear": LogLinear(),
        "two phases": Regimes(("quiet", "escalated")),
        "three phases": Regimes(),
        "three phases, influence": Regimes(influence=True),
        "three phases, Poisson": Regimes(distribution="poisson"),
        "four phases": Regimes(tuple("abcd")),
    }
    calls = {name: prepared(one, series) for name, one in tasks.items()}
    took = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.process_time()
            for _ in range(CALLS):
                call()
            took[name].append((time.process_time() - start) / CALLS * 1e6)
    base = np.array(took["endemic-epidemic"])
    print(f"Log-likelihood and gradient, T = {len(series)}, K = {series.n_streams}")
    for name, one in took.items():
        print(f"  {name:26} {np.median(one):7.1f} us   {np.median(one / base):5.2f}")


def waits():
    """Fresh processes with empty and with filled caches of compiled code."""
    with tempfile.TemporaryDirectory() as folder:
        own = {"NUMBA_CACHE_DIR": f"{folder}/numba", "XDG_CACHE_HOME": f"{folder}/cache"}
        for label in ("nothing compiled before", "compiled before"):
            spent = processor()
            code = CHILD.format(folder=str(Path(__file__).parent))
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", code],
                env=os.environ | own, check=True, capture_output=True, text=True,
            )  # fmt: skip
            whole = processor() - spent
            print(
                f"  {label:24} fit {done.stdout.strip()}; the process {whole:.1f} CPU s", flush=True
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=("gradient", "waits"))
    parts = parser.parse_args().parts
    if "gradient" in parts:
        gradient()
    if "waits" in parts:
        waits()


if __name__ == "__main__":
    main()
