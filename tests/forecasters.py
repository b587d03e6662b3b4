"""Models and origins to try, and forecasters that fail, take their time or kill their process."""

import os
import signal
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from escalation.baselines import Climatology, Conflictology, Persistence
from escalation.forecast import Forecast
from escalation.series import CountSeries

MONDAY = date(2018, 1, 1)
MODELS = {"climatology": Climatology(), "persistence": Persistence()}


def week(n):
    return MONDAY + timedelta(weeks=n)


ORIGINS = [week(n) for n in range(120, 145, 6)]


@dataclass(frozen=True)
class Poisson:
    """Poisson counts with known means: the truth, or a wrong one."""

    means: tuple[float, ...]

    def fit(self, series, rng=None):
        return Fixed(series, self.means)


@dataclass(frozen=True)
class Fixed:
    series: CountSeries
    means: tuple[float, ...]

    def forecast(self, horizon, rng, draws=1000):
        paths = rng.poisson(self.means, (draws, horizon, len(self.means)))
        return Forecast.after(self.series, paths, "Poisson")


@dataclass(frozen=True)
class Failing:
    """Fails after a day, as a fit does that does not converge."""

    after: date

    def fit(self, series, rng=None):
        if series.window.end > self.after:
            raise RuntimeError("no luck\nin two lines")
        return Fixed(series, (3.0, 1.0))


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
