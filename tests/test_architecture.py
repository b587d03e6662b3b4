"""The documentation names what the code has: every layer, in order, and every public noun."""

import re
from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import escalation
from escalation.background import Background, Covariates, Interventions
from escalation.cleaning import Cleaning
from escalation.counts import Autoregression, EndemicEpidemic, GaussianProcess
from escalation.counts.latent_choice import path_parameters, process_of
from escalation.hawkes import Hawkes, Marks, NonlinearHawkes
from escalation.kernels import (
    Exponential,
    FreeLags,
    GeometricLags,
    Histogram,
    Lomax,
    Mixture,
    PoissonLags,
    Weibull,
)
from escalation.nowcast import Nowcast, ReportingTriangle
from escalation.series import CountSeries, EventSeries
from escalation.severity import DeathRecords, Severity
from escalation.streams import Stream
from escalation.study.sections import (
    ActorSection,
    BacktestSection,
    DataSection,
    Era,
    ForecastSection,
    ModelSection,
    NowcastSection,
    ReportSection,
    SeveritySection,
    Truth,
)
from escalation.window import Window
from test_layers import LAYERS, OWNERS

SECTIONS = {
    "`[data]`": DataSection,
    "`[cleaning]`": Cleaning,
    '`[actors."NAME"]`': ActorSection,
    "`[[streams]]`": Stream,
    "`[model]`": ModelSection,
    "`[forecast]`": ForecastSection,
    "`[backtest]`": BacktestSection,
    "`[severity]`": SeveritySection,
    "`[nowcast]`": NowcastSection,
    "`[[eras]]`": Era,
    "`[report]`": ReportSection,
    "`[truth]`": Truth,
}

DOCS = Path(__file__).parents[1] / "docs"
PACKAGE = Path(escalation.__file__).parent


def section(title: str, page: str = "architecture.md") -> list[list[str]]:
    """Read the rows of the table under one heading of a page, without its head."""
    text = (DOCS / page).read_text("utf-8").split(f"## {title}\n")[1]
    rows = [line for line in text.split("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def documented() -> list[str]:
    return [row[0].strip("`") for row in section("The layers")]


def test_every_layer_is_described_and_exists() -> None:
    found = {
        path.stem
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists())
        and not path.stem.startswith("_")
    }
    assert set(documented()) == found


def test_the_order_is_that_of_the_layer_test() -> None:
    assert documented() == [layer for layer in LAYERS if layer in documented()]


def test_the_owners_are_those_of_the_layer_test() -> None:
    said = {}
    for libraries, layers in section("Who owns which heavy library"):
        for library in libraries.lower().split(", "):
            said[library] = set(re.findall(r"`(\w+)`", layers))
    assert said == OWNERS


def test_every_public_noun_is_in_the_api_page() -> None:
    text = (DOCS / "api.md").read_text("utf-8")
    listed = re.findall(r"^   (\w+)$", text, flags=re.MULTILINE)
    assert sorted(listed) == sorted(escalation.__all__)


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_of_a_study_file_is_described(title: str) -> None:
    said = [
        key for row in section(title, "study_file.md") for key in re.findall(r"`(\w+)`", row[0])
    ]
    assert sorted(said) == sorted(item.name for item in fields(SECTIONS[title]) if item.init)


def test_every_table_of_a_study_file_is_described() -> None:
    headings = re.findall(r"^## (`.*`)$", (DOCS / "study_file.md").read_text("utf-8"), re.MULTILINE)
    assert headings == list(SECTIONS)


def declared_priors() -> dict[str, str]:
    """Each prior by the name of its parameter, those of kernels with the kernel before it."""
    begin, end = date(2024, 1, 1), date(2025, 1, 1)
    counts = CountSeries.from_counts(np.zeros((60, 1), int), begin, "week")
    times = EventSeries.from_times([], begin, end)
    covariates = Covariates(begin, np.zeros((366, 1)), ("price",))
    background = Background(
        harmonics=1, trend=100.0, weekday=True, covariates=covariates,
        interventions=Interventions(shifts=(date(2024, 6, 1),)),
    )  # fmt: skip
    out = {}
    for model, series in (
        (EndemicEpidemic(), counts),
        (Hawkes(background=background, marks=Marks()), times),
        (NonlinearHawkes(), times),
    ):
        own = {p.name for p in model.kernel.parameters("day")}
        out |= {p.name: str(p.prior) for p in model.parameters(series) if p.name not in own}
    whole = (GeometricLags(), PoissonLags(), FreeLags())
    for kernel in (Exponential(), Mixture(), Lomax(), Weibull(), Histogram(), *whole):
        name = type(kernel).__name__
        out |= {f"{name}.{p.name}": str(p.prior) for p in kernel.parameters("day")}
    for path in (GaussianProcess(), Autoregression()):
        hidden = path_parameters(process_of(path, 420.0), 1)
        out |= {f"Latent.{p.name}": str(p.prior) for p in hidden}
    edges = np.datetime64("2024-01-01") + np.arange(61)
    days = Window(begin, edges[-1].item())
    reports = ReportingTriangle(np.zeros((60, 4, 1), int), edges, ("a",), days, "day")
    for model, series in (
        (Severity(), DeathRecords.from_deaths([1])),
        (Nowcast(momentum=True, weekday=True), reports),
    ):
        name = type(model).__name__
        out |= {f"{name}.{p.name}": str(p.prior) for p in model.parameters(series)}
    return out


def test_the_priors_are_those_of_the_models() -> None:
    declared = declared_priors()
    said = {row[0].strip("`"): row[1] for row in section("Priors", "models.md")}
    assert said.keys() == declared.keys()
    assert {name for name in declared if not said[name].startswith(declared[name])} == set()
