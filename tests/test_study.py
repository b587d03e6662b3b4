"""What a study file may say, and what is told where it is at fault."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from escalation.engines import NUTS, Laplace
from escalation.kernels import OneLag
from escalation.study import NowcastSection, SeveritySection, Study, StudyError

MINIMAL = """
title = "A study"
seed = 7
[data]
path = "incidents.csv"
start = 2020-01-06
end = 2023-01-02
gaps = [[2021-03-01, 2021-03-15]]
[data.columns]
date = "day"
[actors."Northland"]
aliases = ["Northland army"]
home = "Northland"
[[streams]]
name = "north"
source = ["Northland"]
[[streams]]
name = "south"
target = ["Northland"]
directed = false
[model]
harmonics = [1, 0]
kernel = "one lag"
lags = 1
no_arrows = [["north", "south"]]
[truth]
reproduction = [[0.2, 0.1], [0.0, 0.3]]
level = [0.0, 0.1]
season = [[0.1, 0.2], [0.0, 0.0]]
dispersion = [2.0, 2.0]
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("name", ["border", "pakistan"])
def test_the_studies_of_the_repository_parse(root: Path, name: str) -> None:
    study = Study.from_toml(root / "data" / name / "study.toml")
    assert len(study.streams) == 4
    assert study.data.simulated == (name == "border")


def test_a_study_gives_nouns(tmp_path: Path) -> None:
    study = Study.from_toml(write(tmp_path, MINIMAL))
    assert study.window.days == 1092
    assert study.window.watched_days == 1078
    assert study.actors.canonical("northland ARMY") == "Northland"
    assert study.names == ("north", "south")
    assert study.incidents_path == tmp_path / "incidents.csv"
    assert study.forecast.horizon == 12
    model = study.model()
    assert model.kernel == OneLag()
    assert model.background.harmonics == (1, 0)
    assert model.arrows == ((True, True), (False, True))  # row south, column north


def test_a_backtest_without_a_start_begins_after_two_thirds(tmp_path: Path) -> None:
    assert Study.from_toml(write(tmp_path, MINIMAL)).backtest_start == date(2022, 1, 3)


def test_the_hash_counts_what_is_said_not_how(tmp_path: Path) -> None:
    first = Study.from_toml(write(tmp_path, MINIMAL))
    same = Study.from_toml(write(tmp_path, "# a remark\n" + MINIMAL.replace(" = ", "=")))
    other = Study.from_toml(write(tmp_path, MINIMAL.replace("seed = 7", "seed = 8")))
    assert first.hash() == same.hash() != other.hash()


ASKED = """
[severity]
threshold = 17
memory = 365
at_least = [50]
[nowcast]
reports = "reports.csv"
periods = 30
longest = 5
complete = true
"""


def test_deaths_and_the_last_periods_are_asked_for(tmp_path: Path) -> None:
    plain = Study.from_toml(write(tmp_path, MINIMAL))
    assert plain.severity is None and plain.nowcast is None
    study = Study.from_toml(write(tmp_path, MINIMAL + ASKED))
    assert study.severity is not None and study.nowcast is not None
    assert (study.severity.threshold, study.severity.memory) == (17, 365)
    assert (study.severity.tail, study.severity.deaths) == ("pareto", "interval")
    assert study.nowcast.reports == "reports.csv" and study.nowcast.complete
    assert study.hash() != plain.hash()
    every = Study.from_toml(write(tmp_path, MINIMAL + "[severity]\n[nowcast]\n"))
    assert every.severity == SeveritySection() and every.nowcast == NowcastSection()


def test_sections_have_engines_of_their_own(tmp_path: Path) -> None:
    text = MINIMAL + '[severity]\nengine = "nuts"\ndraws = 300\n[nowcast]\ndraws = 200\n'
    text = text.replace("[model]", "[model]\ntune = 400\nchains = 2")
    study = Study.from_toml(write(tmp_path, text))
    assert study.engine(study.severity) == NUTS(draws=300, tune=400, chains=2)
    assert study.quick_engine(study.severity) == Laplace(draws=300)
    assert study.engine(study.nowcast) == Laplace(draws=200)
    assert study.engine() == NUTS(draws=1000, tune=400, chains=2)


RELEASES = """[nowcast]
releases = [{ day = 2022-12-01, path = "one.csv" }, { day = 2022-12-31, path = "two.csv" }]
"""

FAULTS = {
    "misspelt key of severity": (
        "[model]", "[severity]\nmemry = 3\n[model]",
        "unknown key 'severity.memry' (did you mean 'severity.memory'?)",
    ),
    "misspelt value of severity": (
        "[model]", '[severity]\ndeaths = "hi"\n[model]',
        "unknown value 'hi' for key 'severity.deaths' (did you mean 'high'?)",
    ),
    "partial pooling without NUTS": (
        "[model]", '[severity]\nstreams = "partial"\n[model]',
        "key 'severity.engine': severity.streams = 'partial' wants 'nuts', got 'laplace'",
    ),
    "a threshold without a tail": (
        "[model]", '[severity]\ntail = "none"\nthreshold = 9\n[model]',
        "key 'severity.threshold': goes with severity.tail = 'pareto'",
    ),
    "tails of streams without a tail": (
        "[model]", '[severity]\ntail = "none"\ntails = "stream"\n[model]',
        "key 'severity.tails': 'stream' goes with severity.tail = 'pareto'",
    ),
    "tails of streams that share a law": (
        "[model]", '[severity]\nstreams = "shared"\ntails = "stream"\n[model]',
        "key 'severity.tails': 'stream' goes with",
    ),
    "numbers of deaths that fall": (
        "[model]", "[severity]\nat_least = [100, 10]\n[model]",
        "key 'severity.at_least': expected rising numbers, got [100, 10]",
    ),
    "a threshold of zero": (
        "[model]", "[severity]\nthreshold = 0\n[model]", "key 'severity.threshold': expected",
    ),
    "misspelt key of a release": (
        "[model]", RELEASES.replace("day = 2022-12-01", "dy = 2022-12-01") + "[model]",
        "unknown key 'nowcast.releases[1].dy' (did you mean 'nowcast.releases[1].day'?)",
    ),
    "one release": (
        "[model]", '[nowcast]\nreleases = [{ day = 2022-12-01, path = "one.csv" }]\n[model]',
        "key 'nowcast.releases': expected two or more, each of a later day",
    ),
    "a release after the end": (
        "[model]", RELEASES.replace("2022-12-31", "2023-12-31") + "[model]",
        "key 'nowcast.releases[2].day': expected a day between 2020-01-06 and 2023-01-02",
    ),
    "a release before the start": (
        "[model]", RELEASES.replace("2022-12-01", "2019-12-01") + "[model]",
        "key 'nowcast.releases[1].day': expected a day between 2020-01-06 and 2023-01-02",
    ),
    "releases and a column": (
        "[model]", RELEASES + 'report = "reported"\n[model]',
        "key 'nowcast.report': goes without nowcast.releases",
    ),
    "a column of events without a table": (
        "[model]", '[nowcast]\nevent = "happened"\n[model]',
        "key 'nowcast.event': goes with nowcast.reports",
    ),
    "a column of streams without a table": (
        "[model]", RELEASES + 'stream = "who"\n[model]',
        "key 'nowcast.stream': goes with nowcast.reports",
    ),
    "fits without completed series": (
        "[model]", "[nowcast]\nfits = 30\n[model]",
        "key 'nowcast.fits': goes with nowcast.complete = true",
    ),
    "releases and reports": (
        "[model]", RELEASES + 'reports = "x.csv"\n[model]',
        "key 'nowcast.releases': goes without nowcast.reports",
    ),
    "days of the week of weeks": (
        "[model]", "[nowcast]\nweekday = true\n[model]",
        "key 'nowcast.weekday': goes with model.period = 'day', got 'week'",
    ),
    "a longest delay of all periods": (
        "[model]", "[nowcast]\nperiods = 8\n[model]",
        "key 'nowcast.periods': expected more than nowcast.longest (8), got 8",
    ),
    "fits over one series": (
        "[model]", "[nowcast]\nfits = 1\n[model]", "key 'nowcast.fits': expected integer >= 2",
    ),
    "misspelt section": ("[model]", "[modle]", "unknown key 'modle' (did you mean 'model'?)"),
    "misspelt key": (
        "harmonics =", "harmonic =",
        "unknown key 'model.harmonic' (did you mean 'model.harmonics'?)",
    ),
    "misspelt key in a stream": (
        'source = ["Northland"]', 'sources = ["Northland"]',
        "unknown key 'streams[1].sources' (did you mean 'streams[1].source'?)",
    ),
    "misspelt key of an actor": (
        "home =", "hom =",
        "unknown key 'actors.Northland.hom' (did you mean 'actors.Northland.home'?)",
    ),
    "misspelt column": (
        'date = "day"', 'dat = "day"',
        "unknown key 'data.columns.dat' (did you mean 'data.columns.date'?)",
    ),
    "a key that is like no other": ("seed = 7", "zzz = 7", "unknown key 'zzz' (known: title,"),
    "misspelt value": (
        '"one lag"', '"one-lag"',
        "unknown value 'one-lag' for key 'model.kernel' (did you mean 'one lag'?)",
    ),
    "wrong type": ("lags = 1", 'lags = "1"', "key 'model.lags': expected integer, got '1'"),
    "too small": ("lags = 1", "lags = 0", "key 'model.lags': expected integer >= 1, got 0"),
    "missing key": ("end = 2023-01-02", "", "missing key 'data.end'"),
    "missing name of a stream": ('name = "south"', "", "missing key 'streams[2].name'"),
    "missing title": ('title = "A study"', "", "missing key 'title'"),
    "end before start": (
        "end = 2023-01-02", "end = 2019-01-02",
        "key 'data.end': expected a day after data.start (2020-01-06), got 2019-01-02",
    ),
    "gap outside": ("2021-03-15", "2024-03-15", "key 'data.gaps': the gap 2021-03-01 to 2024"),
    "two streams of one name": (
        'name = "south"', 'name = "north"', "key 'streams[2].name': 'north' is already taken",
    ),
    "unknown stream in no_arrows": (
        '["north", "south"]', '["nort", "south"]',
        "unknown value 'nort' for key 'model.no_arrows[1]' (did you mean 'north'?)",
    ),
    "harmonics of another number of streams": (
        "[1, 0]", "[1, 0, 1]", "key 'model.harmonics': expected one number or 2",
    ),
    "columns of a source that has its own": (
        'path = "incidents.csv"', 'path = "x.csv"\nsource = "ucdp"',
        "key 'data.columns': goes with data.source = 'table', got 'ucdp'",
    ),
    "unknown source": (
        'path = "incidents.csv"', 'path = "x.csv"\nsource = "udcp"',
        "unknown value 'udcp' for key 'data.source' (did you mean 'ucdp'?)",
    ),
    "no file": (
        'path = "incidents.csv"', "path = []", "key 'data.path': expected at least one file",
    ),
    "an option that no table has": (
        "[data.columns]", "[data.options]\nroot_only = true\n[data.columns]",
        "unknown key 'data.options.root_only' (known: none)",
    ),
    "unknown encoding": (
        "[data.columns]", 'encoding = "utf-9"\n[data.columns]',
        "key 'data.encoding': expected one such as 'cp1252' or 'utf-16', got 'utf-9'",
    ),
    "dates without a year of four digits": (
        "[data.columns]", 'dates = "%d/%m/%y"\n[data.columns]',
        "key 'data.dates': expected 'day first', 'month first' or a form with %Y, got '%d/%m/%y'",
    ),
    "unknown decimal mark": (
        "[data.columns]", 'decimal = "·"\n[data.columns]', "key 'data.decimal': expected '.' or",
    ),
    "misspelt step of cleaning": (
        "[model]", "[cleaning]\nclarty = 1\n[model]",
        "unknown key 'cleaning.clarty' (did you mean 'cleaning.clarity'?)",
    ),
    "unknown word of cleaning": (
        "[model]", '[cleaning]\nspans = "drawn"\n[model]',
        "key 'cleaning': spans must be one of keep, start, draw, spread, got 'drawn'",
    ),
    "spread incidents and a column of reports": (
        "[model]", '[cleaning]\nspans = "spread"\n[nowcast]\n[model]',
        "key 'cleaning.spans': one incident is several when it is spread",
    ),
    "truth of the wrong shape": (
        "[[0.2, 0.1], [0.0, 0.3]]", "[[0.2, 0.1]]",
        "key 'truth.reproduction': expected 2 x 2 numbers, got 1 x 2",
    ),
    "truth without decay": ('"one lag"', '"exponential"', "missing key 'truth.decay'"),
    "ambiguous actor": (
        'aliases = ["Northland army"]', 'aliases = ["N"]\n[actors."n"]',
        "key 'actors': 'N' names both",
    ),
    "seed that is no whole number": ("seed = 7", "seed = 7.5", "key 'seed': expected integer"),
    "backtest outside the window": (
        "[model]", "[backtest]\nstart = 2024-01-01\n[model]", "key 'backtest.start': expected",
    ),
    "not TOML": ("seed = 7", "seed = = 7", "line 3: not valid TOML: Invalid value"),
}  # fmt: skip


def test_files_options_and_layout_are_handed_on(tmp_path: Path) -> None:
    for name, day in (("a", "07/01/2020"), ("b", "08/01/2020")):
        text = f"day;source;target;latitude\n{day};Süd;Northland;30,5\n"
        (tmp_path / f"{name}.csv").write_bytes(text.encode("cp1252"))
    said = 'encoding = "cp1252"\ndecimal = ","\ndates = "day first"\n[data.columns]'
    for path in ('["a.csv", "b.csv"]', '"?.csv"'):
        text = MINIMAL.replace('"incidents.csv"', path).replace("[data.columns]", said)
        study = Study.from_toml(write(tmp_path, text))
        incidents = study.read(study.incidents_path)
        assert incidents.table["date"].to_list() == [date(2020, 1, 7), date(2020, 1, 8)]
        assert incidents.table["source"].to_list() == ["Süd", "Süd"]
        assert incidents.table["latitude"].to_list() == [30.5, 30.5]
        with pytest.raises(ValueError, match="of one file of incidents only"):
            replace(study, nowcast=NowcastSection())


def test_a_source_is_told_its_options(tmp_path: Path) -> None:
    text = MINIMAL.replace('[data.columns]\ndate = "day"', "[data.options]\nroot_only = true")
    text = text.replace('path = "incidents.csv"', 'path = "x.zip"\nsource = "gdelt"')
    study = Study.from_toml(write(tmp_path, text))
    assert study.data.options == {"root_only": True}
    with pytest.raises(StudyError, match=r"unknown key 'data.options.rootonly' \(did you mean"):
        Study.from_toml(write(tmp_path, text.replace("root_only", "rootonly")))


def test_codes_of_actors_and_cleaning_are_handed_on(tmp_path: Path) -> None:
    plain = Study.from_toml(write(tmp_path, MINIMAL))
    assert plain.cleaning.steps == ()
    text = MINIMAL.replace("home =", 'codes = ["NTH*"]\nhome =')
    study = Study.from_toml(write(tmp_path, text + "[cleaning]\nclarity = 1\nspans = 'draw'\n"))
    assert study.actors.canonical("NTHGOV") == "Northland"
    assert study.cleaning.steps == ("clarity", "spans")
    assert study.hash() != plain.hash()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_line_with_file_and_key(tmp_path: Path, name: str) -> None:
    old, new, wanted = FAULTS[name]
    assert MINIMAL.count(old) == 1
    file = write(tmp_path, MINIMAL.replace(old, new))
    with pytest.raises(StudyError) as caught:
        Study.from_toml(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: {wanted}")
    assert "\n" not in message


def test_the_examples_of_nowcasts_are_studies(root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "study_file.md").read_text("utf-8")
    found = [one for one in re.findall(r"```toml\n(.*?)```", text, re.S) if "[nowcast]" in one]
    study = MINIMAL.replace("2023-01-02", "2024-03-01")
    told = [Study.from_toml(write(tmp_path, study + one)).nowcast for one in found]
    assert [len(one.releases) for one in told if one is not None] == [0, 2]


def test_a_source_without_dates_of_reports_wants_releases_or_a_table(root: Path) -> None:
    study = Study.from_toml(root / "data" / "pakistan" / "study.toml")
    with pytest.raises(ValueError, match=r"missing key 'nowcast\.reports' or"):
        replace(study, nowcast=NowcastSection())


def test_toml_that_breaks_off_names_the_last_line(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=re.escape("study.toml: line 2: not valid TOML")):
        Study.from_toml(write(tmp_path, 'title = "x"\nseed = """'))


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda file: None, "no such file"),
        (lambda file: file.mkdir(), "is a directory"),
        (lambda file: file.write_bytes(bytes(range(256))), "not UTF-8"),
        (lambda file: file.write_text(""), "missing key 'title'"),
    ],
    ids=["missing", "directory", "random bytes", "empty"],
)
def test_a_file_that_is_no_study(tmp_path: Path, make, wanted: str) -> None:
    file = tmp_path / "study.toml"
    make(file)
    with pytest.raises(StudyError, match=wanted) as caught:
        Study.from_toml(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_text_in_the_file_is_not_obeyed(tmp_path: Path) -> None:
    file = write(tmp_path, MINIMAL.replace("seed = 7", '"a\\nb" = 7'))
    with pytest.raises(StudyError) as caught:
        Study.from_toml(file)
    assert "\n" not in str(caught.value)
