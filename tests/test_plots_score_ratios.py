"""The drawing of ratios by window."""

import numpy as np
import pytest

from escalation import plots
from escalation.plots.style import figure, style


def test_ratios_stand_at_their_windows_with_their_intervals() -> None:
    ratios = np.array([[0.5, 0.4, 0.7], [0.8, 0.7, 1.1], [1.0, 0.9, 1.3]])
    with style():
        _, axes = figure(2.0)
        ax = plots.score_ratios(axes[0, 0], [2018, 2019, 2020], ratios, "CRPS")
    dots = next(line for line in ax.lines if line.get_marker() == "o")
    np.testing.assert_allclose(dots.get_ydata(), ratios[:, 0])
    segments = ax.collections[0].get_segments()
    np.testing.assert_allclose([s[:, 1] for s in segments], ratios[:, 1:])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2018", "2019", "2020"]
    assert f"geometric mean {0.4 ** (1 / 3):.3f}" in [text.get_text() for text in ax.texts]
    assert ax.get_yscale() == "log"


@pytest.mark.parametrize("windows", [1, 40])
def test_takes_one_window_and_many(windows: int) -> None:
    with style():
        _, axes = figure(2.0)
        years = range(2000, 2000 + windows)
        plots.score_ratios(axes[0, 0], years, np.ones((windows, 3)), "IGN")
        assert len(axes[0, 0].get_xticks()) <= 8
