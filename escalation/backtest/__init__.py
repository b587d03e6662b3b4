"""Rolling origins over any executor, resumable, and the track record that they give."""

from escalation.backtest.executors import cluster, processes
from escalation.backtest.progress import TimeLeft
from escalation.backtest.rolling import run_backtest
from escalation.backtest.track_record import Backtest
from escalation.backtest.vintages import Vintages

__all__ = ["Backtest", "TimeLeft", "Vintages", "cluster", "processes", "run_backtest"]
