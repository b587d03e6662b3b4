"""Do tests and intervals of the scores hold what they say? The tables of docs/scores.md.

``python tests/studies/score_sizes.py [--sets 600]``: rejections of the Diebold-Mariano test of
equal scores, and how often 90 % intervals of relative skill hold the truth, where the forecasts of
neighbouring origins overlap.
"""

from __future__ import annotations

import argparse

import numpy as np

from escalation.scores import diebold_mariano, moving_blocks, pairwise_skill
from escalation.window import FloatArray

TRUTH = 0.8


def overlapping(rng: np.random.Generator, origins: int, overlap: int) -> FloatArray:
    """Scores (2, origins) of two forecasters, means over windows of as many periods."""
    noise = rng.gamma(2.0, 0.5, (2, origins + overlap - 1))
    smooth = np.lib.stride_tricks.sliding_window_view(noise, overlap, axis=1).mean(axis=2)
    return np.asarray(smooth * np.array([[1.0], [TRUTH]]))


def plain(scores: FloatArray, length: int, rng: np.random.Generator) -> FloatArray:
    """Percentiles of the ratio over blocks of one length."""
    drawn = scores[:, moving_blocks(scores.shape[1], length, 300, rng)].mean(axis=2)
    return np.asarray(np.quantile(drawn[1] / drawn[0], [0.05, 0.95]))


def main() -> None:
    """Simulate, count, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=600)
    sets = parser.parse_args().sets
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2000, 103))
    gap = np.lib.stride_tricks.sliding_window_view(noise, 4, axis=1).sum(axis=2)
    for horizon in (1, 4):
        share = (diebold_mariano(gap, 0 * gap, horizon).p_value < 0.05).mean()
        print(f"Diebold-Mariano, horizon {horizon}: {share:.1%} rejected at 5 %")
    print("\n| origins | overlap | expanded | percentiles |\n|---|---|---|---|")
    for origins, overlap in ((30, 1), (30, 3), (60, 1), (60, 3), (60, 6), (150, 3)):
        hits = np.zeros(2)
        for _ in range(sets):
            scores = overlapping(rng, origins, overlap)
            found = pairwise_skill(scores, overlap=overlap, resamples=300, rng=rng)
            ends = plain(scores, max(round(float(np.cbrt(origins))), overlap), rng)
            hits += [found.lower[1] <= TRUTH <= found.upper[1], ends[0] <= TRUTH <= ends[1]]
        print(f"| {origins} | {overlap} | {hits[0] / sets:.0%} | {hits[1] / sets:.0%} |")


if __name__ == "__main__":
    main()
