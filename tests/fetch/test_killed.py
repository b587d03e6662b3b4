"""Killed again and again, at moments that nobody chose, a fetch ends with the same files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from played import UCDP_TOKEN, Gdelt, Ucdp, quarters, ucdp_row
from served import Asked, Served, serve

SCRIPT = """
import sys
from datetime import date
from escalation.fetch import GdeltRequest, Policy, UcdpRequest
provider, base, output = sys.argv[1:]
if provider == "ucdp":
    request = UcdpRequest("25.1", page_size=10, base=base)
else:
    request = GdeltRequest(date(2020, 1, 2), date(2020, 1, 3), base=base)
request.fetch(output, policy=Policy(pause=0.01))
"""


def killed_and_done(
    provider: str, served: Served, output: Path, rng: np.random.Generator
) -> tuple[int, int]:
    """Start it and kill it some time after its first request, up to three times; let it end."""
    arguments = [sys.executable, "-c", SCRIPT, provider, served.base, str(output)]
    kills = 0
    while kills < 3:
        before = len(served.asked)
        process = subprocess.Popen(arguments)
        while len(served.asked) == before and process.poll() is None:
            time.sleep(0.001)
        try:
            assert process.wait(0.02 + 0.2 * rng.random()) == 0
            break
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    subprocess.run(arguments, check=True, timeout=60)
    return kills, len(served.asked)


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["ucdp", "gdelt"])
def test_many_kills_lose_nothing_and_ask_little_twice(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setenv("UCDP_TOKEN", UCDP_TOKEN)
    api = Ucdp([ucdp_row(n) for n in range(300)]) if provider == "ucdp" else Gdelt(quarters(36))

    def slowly(asked: Asked) -> None:
        time.sleep(0.005)

    api.meddle = slowly
    with serve(api) as served:
        kills, requests = killed_and_done(provider, served, tmp_path / "out.csv", rng)
        served.asked.clear()
        whole = tmp_path / "whole.csv"
        calm = [sys.executable, "-c", SCRIPT, provider, served.base, whole]
        subprocess.run(calm, check=True)
        alone = len(served.asked)
    assert kills
    # What was under way, and GDELT's list each time; a fetch that had ended before is made anew.
    again = alone if kills < 3 else 0
    assert requests <= alone + 2 * kills + again + 1
    if provider == "ucdp":
        assert (tmp_path / "out.csv").read_bytes() == whole.read_bytes()
    else:
        names = sorted(path.name for path in whole.glob("*.zip"))
        assert names == sorted(path.name for path in (tmp_path / "out.csv").glob("*.zip"))
        for name in names:
            assert (tmp_path / "out.csv" / name).read_bytes() == (whole / name).read_bytes()
    left = [path.name for path in tmp_path.rglob("*.part")]
    assert left == []
