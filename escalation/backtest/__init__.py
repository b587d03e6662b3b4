"""Rolling origins over any executor, resumable, and the track record that they give."""

from escalation.backtest.rolling import run_backtest
from escalation.backtest.track_record import Backtest

__all__ = ["Backtest", "run_backtest"]
