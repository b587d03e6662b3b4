"""Run one task in another library and print what it took as JSON.

Run by the peer's own interpreter, which may be as old as Python 3.8: this file imports nothing of
the package. ``python bench_hawkes_peer.py PEER TASK FILE REPEATS`` prints ``{"seconds": []}`` and
more; parameters learned come as ``level`` (K,), ``reproduction`` [target, source] and ``decay``.
"""

import json
import sys
import time

import numpy as np


def timed(task, repeats):
    """Durations of a task, after one call that is not counted, and its last result."""
    out = task(0)
    seconds = []
    for i in range(repeats):
        start = time.perf_counter()
        out = task(i + 1)
        seconds.append(time.perf_counter() - start)
    return seconds, out


def learned(level, reproduction, decay):
    """Parameters as plain lists."""
    parts = {"level": level, "reproduction": reproduction, "decay": decay}
    return {name: np.asarray(value, float).tolist() for name, value in parts.items()}


def split(data):
    """Times of each stream."""
    streams = int(data["streams"])
    return [np.ascontiguousarray(data["times"][data["stream"] == k]) for k in range(streams)]


class Tick:
    """A fixed decay: states are computed once, and its gradient is not given."""

    def gradient(self, data, repeats):
        from tick.hawkes import ModelHawkesExpKernLogLik

        model = ModelHawkesExpKernLogLik(float(data["decay"]), n_threads=1)
        model.fit([data["times"]], end_times=float(data["end"]))
        point = np.array([float(data["level"]), float(data["eta"])])

        def task(i):
            # A decay that was not seen before: the states are computed anew.
            model.decay = float(data["decay"]) * (1 + 1e-12 * i)
            return model.loss_and_grad(point)

        seconds, _ = timed(task, repeats)
        return {"seconds": seconds, "note": "no gradient by the decay"}

    def fit_fixed(self, data, repeats):
        from tick.hawkes import HawkesExpKern

        def task(i):
            learner = HawkesExpKern(
                float(data["decay"]), gofit="least-squares", penalty="none", solver="agd",
                max_iter=1000, tol=1e-8,
            )  # fmt: skip
            return learner.fit(split(data), start=0.1)

        seconds, found = timed(task, repeats)
        out = learned(found.baseline, found.adjacency, float(data["decay"]))
        return dict(out, seconds=seconds, note="least squares")

    def simulate(self, data, repeats):
        from tick.hawkes import SimuHawkesExpKernels

        def task(i):
            process = SimuHawkesExpKernels(
                data["reproduction"], float(data["decay"]), baseline=data["level"],
                end_time=float(data["end"]), seed=i, verbose=False,
            )  # fmt: skip
            process.simulate()
            return process.n_total_jumps

        seconds, number = timed(task, repeats)
        return {"seconds": seconds, "events": int(number)}


class Intensify:
    def gradient(self, data, repeats):
        from intensify import _libintensify

        evaluate = _libintensify.likelihood.uni_exp_neg_ll_with_grad
        point = [float(data[name]) for name in ("end", "level", "eta", "decay")]
        seconds, out = timed(lambda i: evaluate(data["times"], *point), repeats)
        return {"seconds": seconds, "value": -float(out[0])}

    def fit_one(self, data, repeats):
        import intensify

        times, end = data["times"], float(data["end"])

        def task(i):
            process = intensify.UnivariateHawkes(
                0.5 * len(times) / end, intensify.ExponentialKernel(0.5, 1.0)
            )
            return process.fit(times, end)

        seconds, found = timed(task, repeats)
        kernel = found.process.kernel
        note = "" if found.std_errors else "no standard errors"
        out = learned([found.process.mu], [[kernel.alpha]], kernel.beta)
        return dict(out, seconds=seconds, note=note)

    def _many(self, data, repeats, **options):
        import intensify

        times, end, streams = split(data), float(data["end"]), int(data["streams"])
        pairs, tolerance = options.pop("pairs"), options.pop("tolerance", None)
        decay = float(data["decay"]) if "decay" in data else 1.0

        def kernel():
            return intensify.ExponentialKernel(0.5 / streams, decay)

        def task(i):
            kernels = [[kernel() for _ in times] for _ in times] if pairs else kernel()
            rate = np.array([0.5 * len(own) / end for own in times])
            process = intensify.MultivariateHawkes(streams, rate, kernels)
            if tolerance is None:
                return process.fit(times, end, **options)
            return intensify.MLEInference(tol=tolerance).fit(process, times, end, **options)

        seconds, found = timed(task, repeats)
        process = found.process
        kernels = process.kernel_matrix if hasattr(process, "kernel_matrix") else process.kernels
        matrix = [[one.alpha for one in row] for row in kernels]
        decays = [[one.beta for one in row] for row in kernels]
        return dict(learned(process.mu, matrix, decays), seconds=seconds)

    def fit_pairs(self, data, repeats):
        return self._many(data, repeats, pairs=True)

    def fit_fixed(self, data, repeats):
        # At its usual tolerance it stops short of the maximum.
        usual = self._many(data, repeats, pairs=False, fit_decay=False)
        exact = self._many(data, repeats, pairs=False, tolerance=1e-12, fit_decay=False)
        took = 1e3 * float(np.median(usual["seconds"]))
        return dict(exact, note=f"tolerance 1e-12; as it comes {took:.0f} ms")

    def simulate(self, data, repeats):
        import intensify

        level, matrix, decay = data["level"], data["reproduction"], float(data["decay"])
        end = float(data["end"])
        if len(level) == 1:
            kernel = intensify.ExponentialKernel(float(matrix[0, 0]), decay)
            process = intensify.UnivariateHawkes(float(level[0]), kernel)
            seconds, out = timed(lambda i: process.simulate(end, seed=i), repeats)
            return {"seconds": seconds, "events": len(out)}
        kernels = [[intensify.ExponentialKernel(one, decay) for one in row] for row in matrix]
        process = intensify.MultivariateHawkes(len(level), level, kernels)
        seconds, out = timed(lambda i: process.simulate(end, seed=i), repeats)
        return {"seconds": seconds, "events": sum(len(one) for one in out)}


class Engine:
    """hawkes-engine; its jumps are reproduction times decay."""

    def gradient(self, data, repeats):
        import hawkes_engine

        types = np.zeros(len(data["times"]), np.int64)
        decay = float(data["decay"])
        point = [float(data["level"])], [[float(data["eta"]) * decay]], [[decay]]
        seconds, out = timed(
            lambda i: hawkes_engine.loglik(
                data["times"], types, *point, float(data["end"]), grad=True
            ),
            repeats,
        )
        return {"seconds": seconds, "value": float(out["value"])}

    def _fit(self, data, repeats, **options):
        import hawkes_engine

        streams = int(data["streams"]) if "streams" in data else 1
        stream = data["stream"] if "stream" in data else np.zeros(len(data["times"]), np.int64)
        seconds, out = timed(
            lambda i: hawkes_engine.fit(
                data["times"], stream, T=float(data["end"]), M=streams, seed=i, ridge_report=False,
                **options,
            ),
            repeats,
        )  # fmt: skip
        decay = np.asarray(out.beta)
        if decay.ndim == 1:
            decay = np.broadcast_to(decay, out.alpha.shape)
        note = "" if out.converged else "did not converge"
        return dict(learned(out.mu, out.alpha / decay, decay), seconds=seconds, note=note)

    def fit_one(self, data, repeats):
        return self._fit(data, repeats)

    def fit_pairs(self, data, repeats):
        return self._fit(data, repeats)

    def fit_fixed(self, data, repeats):
        streams = int(data["streams"])
        return self._fit(data, repeats, beta=np.full((streams, streams), float(data["decay"])))

    def simulate(self, data, repeats):
        import hawkes_engine

        decay = float(data["decay"])
        matrix = np.asarray(data["reproduction"])
        best = None
        for method in ("cluster", "thinning"):
            seconds, (times, _) = timed(
                lambda i, method=method: hawkes_engine.simulate(
                    data["level"], matrix * decay, np.full(matrix.shape, decay),
                    float(data["end"]), method=method, seed=i,
                ),
                repeats,
            )  # fmt: skip
            if best is None or min(seconds) < min(best["seconds"]):
                best = {"seconds": seconds, "events": len(times), "note": method}
        return best


class Rs:
    """hawkes-rs."""

    def gradient(self, data, repeats):
        from hawkes import univariate

        point = univariate.Parameters(
            float(data["level"]), float(data["eta"]), float(data["decay"])
        )
        evaluate = univariate.negative_log_likelihood_and_gradient
        seconds, out = timed(lambda i: evaluate(point, data["times"], float(data["end"])), repeats)
        return {"seconds": seconds, "value": -float(out[0])}

    def fit_one(self, data, repeats):
        from hawkes import univariate

        seconds, out = timed(lambda i: univariate.fit(data["times"], float(data["end"])), repeats)
        found = out.parameters
        return dict(
            learned([found.baseline], [[found.excitation]], found.decay),
            seconds=seconds, note="no standard errors",
        )  # fmt: skip

    def fit_shared(self, data, repeats):
        from hawkes import multivariate

        times = split(data)
        seconds, out = timed(lambda i: multivariate.fit(times, float(data["end"])), repeats)
        found = out.parameters
        return dict(learned(found.baseline, found.excitation, found.decay), seconds=seconds)

    def simulate(self, data, repeats):
        from hawkes import multivariate, univariate

        level, matrix, decay = data["level"], data["reproduction"], float(data["decay"])
        end = float(data["end"])
        if len(level) == 1:
            one = univariate.Parameters(float(level[0]), float(matrix[0, 0]), decay)
            seconds, out = timed(lambda i: univariate.simulate(one, end, i), repeats)
            return {"seconds": seconds, "events": len(out)}
        many = multivariate.Parameters(level, matrix, decay)
        seconds, out = timed(lambda i: multivariate.simulate(many, end, i), repeats)
        return {"seconds": seconds, "events": sum(len(one) for one in out)}


class Lib:
    """hawkeslib; value and gradient are two calls, and its matrix is [source, target]."""

    def gradient(self, data, repeats):
        from hawkeslib.model.c.c_uv_exp import uv_exp_ll, uv_exp_ll_grad

        point = [float(data[name]) for name in ("level", "eta", "decay", "end")]

        def task(i):
            return uv_exp_ll(data["times"], *point), uv_exp_ll_grad(data["times"], *point)

        seconds, out = timed(task, repeats)
        return {"seconds": seconds, "value": float(out[0])}

    def fit_one(self, data, repeats):
        import hawkeslib

        best = None
        for method in ("gd", "em"):
            process = hawkeslib.UnivariateExpHawkesProcess()
            seconds, _ = timed(
                lambda i, process=process, method=method: process.fit(
                    data["times"], float(data["end"]), method=method
                ),
                repeats,
            )
            level, eta, decay = process.get_params()
            if best is None or np.median(seconds) < np.median(best["seconds"]):
                best = dict(
                    learned([level], [[eta]], decay), seconds=seconds,
                    note=method + ", no standard errors",
                )  # fmt: skip
        return best

    def fit_shared(self, data, repeats):
        import hawkeslib

        process = hawkeslib.MultivariateExpHawkesProcess()
        seconds, _ = timed(
            lambda i: process.fit(data["times"], data["stream"], float(data["end"])), repeats
        )
        level, matrix, decay = process.get_params()
        return dict(learned(level, np.transpose(matrix), decay), seconds=seconds, note="EM")

    def simulate(self, data, repeats):
        import hawkeslib

        level, matrix, decay = data["level"], data["reproduction"], float(data["decay"])
        end = float(data["end"])
        if len(level) == 1:
            process = hawkeslib.UnivariateExpHawkesProcess()
            process.set_params(float(level[0]), float(matrix[0, 0]), decay)
            seconds, out = timed(lambda i: process.sample(end, method="branching"), repeats)
            return {"seconds": seconds, "events": len(out), "note": "branching"}
        process = hawkeslib.MultivariateExpHawkesProcess()
        process.set_params(level, np.ascontiguousarray(matrix.T), decay)
        seconds, out = timed(lambda i: process.sample(end), repeats)
        return {"seconds": seconds, "events": len(out[0])}


class PyLib:
    """HawkesPyLib; its third parameter is the mean delay."""

    def gradient(self, data, repeats):
        from HawkesPyLib.core.logll import uvhp_expo_logL, uvhp_expo_logL_grad

        point = np.array([float(data["level"]), float(data["eta"]), 1 / float(data["decay"])])
        times, end = data["times"], float(data["end"])
        seconds, out = timed(
            lambda i: (uvhp_expo_logL(point, times, end), uvhp_expo_logL_grad(point, times, end)),
            repeats,
        )
        return {"seconds": seconds, "value": -float(out[0])}

    def fit_one(self, data, repeats):
        from HawkesPyLib.inference import ExpHawkesProcessInference

        process = ExpHawkesProcessInference(rng=np.random.default_rng(0))
        seconds, _ = timed(lambda i: process.estimate(data["times"], float(data["end"])), repeats)
        level, eta, delay = process.get_params()
        return dict(
            learned([level], [[eta]], 1 / delay), seconds=seconds, note="no standard errors"
        )

    def simulate(self, data, repeats):
        from HawkesPyLib.simulation import ExpHawkesProcessSimulation

        if len(data["level"]) > 1:
            return {"error": "one stream only"}
        process = ExpHawkesProcessSimulation(
            float(data["level"][0]), float(data["reproduction"][0, 0]), 1 / float(data["decay"])
        )
        seconds, out = timed(lambda i: process.simulate(float(data["end"]), seed=i), repeats)
        return {"seconds": seconds, "events": len(out)}


class Sparklen:
    """A fixed decay, whose gradient is not given."""

    def gradient(self, data, repeats):
        from sparklen.hawkes.model import ModelHawkesExpLogLikelihood

        model = ModelHawkesExpLogLikelihood(float(data["decay"]))
        jump = float(data["eta"]) * float(data["decay"])
        point = np.array([[float(data["level"]), jump]])

        def task(i):
            # The states are computed when the data are set.
            model.set_data([[data["times"]]], float(data["end"]))
            return model.loss(point), model.grad(point)

        seconds, _ = timed(task, repeats)
        return {"seconds": seconds, "note": "no gradient by the decay"}

    def simulate(self, data, repeats):
        from sparklen.hawkes.simulation import SimuHawkesExp

        decay, end = float(data["decay"]), float(data["end"])

        def task(i):
            process = SimuHawkesExp(
                mu=np.asarray(data["level"]), alpha=np.asarray(data["reproduction"]), beta=decay,
                end_time=end, n_samples=1, random_state=i,
            )  # fmt: skip
            process.simulate()
            return sum(len(own) for own in process.timestamps[0])

        seconds, number = timed(task, repeats)
        return {"seconds": seconds, "events": int(number)}


PEERS = {
    "tick": Tick,
    "intensify": Intensify,
    "hawkes-engine": Engine,
    "hawkes-rs": Rs,
    "hawkeslib": Lib,
    "HawkesPyLib": PyLib,
    "sparklen": Sparklen,
}


def main():
    peer, task, file, repeats = sys.argv[1:5]
    with np.load(file) as stored:
        data = dict(stored.items())
    runner = getattr(PEERS[peer](), task, None)
    answer = {"error": "has no such task"} if runner is None else runner(data, int(repeats))
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main()
