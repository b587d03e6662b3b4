"""Forecasters that take their time or kill their process, for tests of backtests."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from escalation.baselines import Conflictology


@dataclass(frozen=True)
class Slow:
    """Takes a while to fit."""

    seconds: float = 0.1

    def fit(self, series, rng=None):
        time.sleep(self.seconds)
        return Conflictology().fit(series)


@dataclass(frozen=True)
class Deadly:
    """Kills the process that fits it, so many times all together."""

    folder: Path
    deaths: int = 1

    def fit(self, series, rng=None):
        for number in range(self.deaths):
            try:
                (self.folder / f"death {number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)
        return Conflictology().fit(series)
