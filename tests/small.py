"""A small simulated study for tests, run once a session where results are needed."""

from pathlib import Path

SMALL = """
title = "A small simulated study"
seed = 7
[data]
path = "incidents.csv"
start = 2018-01-01
end = 2022-01-03
simulated = true
gaps = [[2019-03-04, 2019-03-18]]
[[streams]]
name = "attacks"
source = ["Southland"]
target = ["Northland"]
classes = ["attack"]
[[streams]]
name = "strikes"
source = ["Northland"]
target = ["Southland"]
classes = ["strike"]
[actors."Northland"]
home = "Northland"
[model]
lags = 4
engine = "maximum likelihood"
draws = 200
[forecast]
horizon = 4
draws = 300
[backtest]
start = 2020-12-28
every = 12
horizon = 4
draws = 100
[[eras]]
name = "Truce"
start = 2020-01-06
[truth]
reproduction = [[0.4, 0.2], [0.3, 0.2]]
level = [0.0, 0.0]
season = [[0.2, 0.0], [0.0, 0.2]]
decay = 1.0
dispersion = [0.2, 0.2]
imprecise = 0.1
"""


def small_study(folder: Path) -> Path:
    """Write the study and the incidents drawn from its truth; give the study's path."""
    from escalation.run import simulate
    from escalation.study import Study

    file = folder / "study.toml"
    file.write_text(SMALL, encoding="utf-8")
    simulate(Study.from_toml(file)).write_csv(folder / "incidents.csv")
    return file
