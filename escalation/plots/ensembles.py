"""Drawings of ensembles: how much each member counts, from one origin to the next."""

import polars as pl
from matplotlib.axes import Axes

from escalation.plots.style import calendar, colour, days, wrapped


def ensemble_weights(ax: Axes, table: pl.DataFrame) -> Axes:
    """Weights of an ensemble's members over its origins, stacked to one.

    Parameters
    ----------
    table : polars.DataFrame
        From `PastForecasts.weights_table`: `origin`, and a column a member.
    """
    members = [name for name in table.columns if name != "origin"]
    when = days(table["origin"].to_numpy())
    reached = 0.0 * when
    for place, name in enumerate(members):
        upper = reached + table[name].to_numpy()
        ax.fill_between(when, reached, upper, step="post", color=colour(place), linewidth=0)
        if (upper - reached)[-1] > 0.06:
            ax.annotate(
                wrapped(name, 24, 1), (1.01, float(upper[-1] + reached[-1]) / 2),
                xycoords=("axes fraction", "data"), va="center", color=colour(place),
                parse_math=False,
            )  # fmt: skip
        reached = upper
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    calendar(ax, table["origin"].min(), table["origin"].max())
    return ax
