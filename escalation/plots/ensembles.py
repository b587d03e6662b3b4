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
        ax.fill_between(
            when, reached, upper, step="post", color=colour(place), linewidth=0,
            label=wrapped(name, 24, 1),
        )  # fmt: skip
        reached = upper
    ax.legend(
        frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2,
        handlelength=0.8, handletextpad=0.4, columnspacing=1.5,
    )  # fmt: skip
    ax.set_ylabel("weight")
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    calendar(ax, table["origin"].min(), table["origin"].max())
    return ax
