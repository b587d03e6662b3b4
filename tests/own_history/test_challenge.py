"""The script of the public task: published rows, no leak from the future, faults of tables."""

import gzip
import json
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from escalation.own_history import SmoothedResampling

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "challenge.py"
FAST = {"resampling": SmoothedResampling()}

# The challenge's README: CRPS, IGN, MIS; published conflictology and honest conflictology.
PUBLISHED = {
    2018: ((14.4829, 0.6403, 186.55), (14.5, 0.741, 215)),
    2019: ((9.1463, 0.6101, 89.06), (9.1, 0.684, 81)),
    2020: ((21.3393, 0.5665, 344.96), (21.3, 0.634, 330)),
}


@pytest.fixture(scope="module")
def challenge() -> ModuleType:
    spec = util.spec_from_file_location("challenge", SCRIPT)
    module = util.module_from_spec(spec)
    sys.modules["challenge"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def path(shared: Path) -> Path:
    found = shared / "challenge" / "country_month_deaths_1990_2020.csv.gz"
    if not found.exists():
        pytest.skip("no table of the public task beside the repository")
    return found


def rows(deaths: np.ndarray, first: int = 121, ids: np.ndarray | None = None) -> list[str]:
    """Lines of a table from (T, K) with NaN where a row is missing."""
    ids = np.arange(1, deaths.shape[1] + 1) if ids is None else ids
    return ["country_id,month_id,isoab,deaths"] + [
        f"{i},{first + t},C{i},{deaths[t, k]:g}"
        for t in range(len(deaths))
        for k, i in enumerate(ids)
        if not np.isnan(deaths[t, k])
    ]


@pytest.fixture
def deaths() -> np.ndarray:
    rng = np.random.default_rng(0)
    level = np.exp(rng.normal(0, 2, 12)) * (rng.random(12) < 0.6)
    return rng.poisson(level * rng.gamma(0.5, 2.0, (72, 12))).astype(float)


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_published_rows_to_the_digits_printed(challenge: ModuleType, path: Path) -> None:
    table = challenge.read(path)
    for window, expected in PUBLISHED.items():
        cells, told = challenge.score_window(table, window, {})
        assert (told["countries"], told["cells"]) == (191, 191 * 12)
        for name, row in zip(challenge.BENCHMARKS, expected, strict=True):
            found = np.nanmean(cells[name], axis=(1, 2))
            for value, printed in zip(found, row, strict=True):
                digits = len(str(printed).partition(".")[2])
                assert round(float(value), digits) == pytest.approx(printed, abs=1e-9)


@pytest.mark.slow
def test_a_window_in_time(challenge: ModuleType, path: Path, capsys) -> None:
    assert challenge.main([str(path), "--windows", "2017", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    ratios = {row["model"]: row for row in found["rows"]}["own history"]
    for score in challenge.SCORES:
        one, low, high = ratios[challenge.BENCHMARKS[0]][score]
        assert 0.5 < low < one < high < 1.5


def test_the_models_never_see_what_is_scored(
    challenge: ModuleType, deaths: np.ndarray, tmp_path: Path
) -> None:
    """Garble all from November before the window on: forecasts stay the same to the last bit."""

    class Spy:
        def __init__(self) -> None:
            self.seen = []

        def fit(self, series):
            self.fitted = SmoothedResampling().fit(series)
            return self

        def forecast(self, *arguments):
            self.seen.append(self.fitted.forecast(*arguments))
            return self.seen[-1]

    spy, garbled = Spy(), deaths.copy()
    garbled[58:] = np.random.default_rng(1).integers(0, 10**6, garbled[58:].shape)
    for place, values in enumerate((deaths, garbled)):
        table = challenge.read(written(tmp_path / f"{place}.csv", rows(values)))
        challenge.score_window(table, 1995, {"spy": spy})
    assert spy.seen[0] == spy.seen[1]
    assert spy.seen[0].made_on.isoformat() == "1994-11-01"


def test_missing_months_new_ids_and_vanished_countries(
    challenge: ModuleType, deaths: np.ndarray, tmp_path: Path, capsys
) -> None:
    deaths[20:25] = np.nan  # months that nobody reported
    deaths[:55, 2] = np.nan  # a new country
    deaths[:60, 3] = np.nan  # one that is new in the window: nothing to learn from
    deaths[50:, 4] = np.nan  # one that vanished before
    deaths[66:, 5] = np.nan  # one that vanishes inside the window
    deaths[60, 6] = 5e7
    deaths[30, 7] = 12.5
    ids = np.array([900, 7, 10**6, 3, 4, 5, 6, 8, 9, 11, 12, 13])
    table = written(tmp_path / "t.csv", rows(deaths, 121 + 12 * 31, ids))
    assert challenge.main([str(table), "--windows", "2026", "--json", "--resamples", "50"]) == 0
    found = json.loads(capsys.readouterr().out)
    told = found["windows"][0]
    assert told["countries"] == 10
    assert told["cells"] == 9 * 12 + 6
    assert told["left_out"] == ["3 C3"]
    assert told["largest"][0][2:] == ["6 C6", 5e7]
    values = [row[s] for row in found["rows"] for s in challenge.SCORES]
    assert np.isfinite(values).all()
    without = [row["CRPS"] for row in found["rows_without_two_largest"]]
    assert max(without) < 0.1 * found["rows"][0]["CRPS"]


def test_later_windows_are_those_of_a_table_moved_in_time(
    challenge: ModuleType, deaths: np.ndarray, tmp_path: Path, capsys
) -> None:
    """1994 and 1995, thirty years later, in a table that goes on after them."""
    later = np.vstack([deaths, np.full((24, 12), 3.0)])
    early = written(tmp_path / "a.csv", rows(deaths))
    late = written(tmp_path / "b.csv", rows(later, 121 + 12 * 30))
    found = []
    for path, windows in ((early, ["1994", "1995"]), (late, ["2024", "2025", "2024"])):
        asked = [str(path), "--windows", *windows, "--json", "--resamples", "20"]
        assert challenge.main(asked) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["geometric_means"] == found[1]["geometric_means"]
    assert [told["window"] for told in found[1]["windows"]] == [2024, 2025]


def test_nothing_ever_happens(
    challenge: ModuleType, deaths: np.ndarray, tmp_path: Path, capsys
) -> None:
    """Without a death the benchmarks have no fault: ratios are null, and nothing warns."""
    table = written(tmp_path / "t.csv", [*rows(np.zeros_like(deaths)), "", ""])
    assert challenge.main([str(table), "--windows", "1995", "--json", "--resamples", "20"]) == 0
    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert row["CRPS"] == 0.0 and row[challenge.BENCHMARKS[0]]["CRPS"] == [None] * 3


def test_other_columns_spaces_and_fractions(
    challenge: ModuleType, deaths: np.ndarray, tmp_path: Path, capsys
) -> None:
    plain = challenge.read(written(tmp_path / "a.csv", rows(deaths)))
    lines = [line.split(",") for line in rows(deaths)]
    moved = [f"{d}, {m} ,x y,{i}" for i, m, _, d in lines[1:]]
    other = challenge.read(
        written(tmp_path / "b.csv", ["deaths, month_id,note,country_id", *moved])
    )
    np.testing.assert_array_equal(other.deaths, plain.deaths)
    assert capsys.readouterr().err == ""
    parted = rows(deaths)
    parted[7] = parted[7].rpartition(",")[0] + ",2.5"
    challenge.read(written(tmp_path / "c.csv", parted))
    told = "c.csv, line 8, column deaths: 1 counts with a fraction, the first 2.5"
    assert told in capsys.readouterr().err


def test_gzip_and_plain_are_the_same(
    challenge: ModuleType, deaths: np.ndarray, tmp_path: Path
) -> None:
    lines = rows(deaths)
    plain = written(tmp_path / "a.csv", lines)
    packed = tmp_path / "b.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    shuffled = written(
        tmp_path / "c.csv", [lines[0], *np.random.default_rng(0).permutation(lines[1:])]
    )
    one, *others = (challenge.read(p) for p in (plain, packed, shuffled))
    for other in others:
        np.testing.assert_array_equal(one.deaths, other.deaths)
        assert one.countries == other.countries and one.labels == other.labels


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,121,GUY", "deaths|table"),
        ("1,121,GUY,-3", "line 3, column deaths: wanted a number from 0"),
        ("1,121,GUY,many", "line 3, column deaths: wanted a number, got 'many'"),
        ("1,121,GUY,inf", "line 3, column deaths"),
        ("x,121,GUY,0", "line 3, column country_id: wanted a number, got 'x'"),
        ("1,121.5,GUY,0", "line 3, column month_id: wanted a whole number"),
        (",121,GUY,0", "line 3, column country_id"),
        ("2,122,GUY,0", "line 3, column month_id: wanted one row for country 2"),
        ("2,900000,GUY,0", "column month_id: wanted months of at most 500 years"),
    ],
)
def test_faults_are_told_with_their_place(
    challenge: ModuleType, tmp_path: Path, capsys, line: str, message: str
) -> None:
    lines = ["country_id,month_id,isoab,deaths", "2,122,SUR,0", line, "4,122,VEN,1"]
    table = written(tmp_path / "t.csv", lines)
    if line.count(",") == 3:
        with pytest.raises(ValueError, match=message):
            challenge.read(table)
    assert challenge.main([str(table), "--windows", "1991"]) == 2
    assert str(tmp_path) in capsys.readouterr().err or line.count(",") < 3


def test_an_empty_count_is_missing(challenge: ModuleType, tmp_path: Path) -> None:
    lines = ["country_id,month_id,deaths", "1,121,", "1,122,NA", "1,123,4"]
    table = challenge.read(written(tmp_path / "t.csv", lines))
    np.testing.assert_array_equal(table.deaths, [[np.nan], [np.nan], [4.0]])
    assert table.labels == ("1",)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "cannot be read"), ("a,b\n1,2\n", "no column 'country_id'"), ("\x00\x1f", "column|read")],
)
def test_no_table(challenge: ModuleType, tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(content)
    with pytest.raises(ValueError, match=message):
        challenge.read(file)


def test_windows_outside_the_table(
    challenge: ModuleType, deaths: np.ndarray, tmp_path: Path, capsys
) -> None:
    table = str(written(tmp_path / "t.csv", rows(deaths)))
    for window, message in ((2050, "no month of it"), (1990, "fewer than 12 months")):
        assert challenge.main([table, "--windows", str(window)]) == 2
        assert message in capsys.readouterr().err
    assert challenge.main([str(tmp_path / "none.csv"), "--windows", "1995"]) == 2
    assert "none.csv" in capsys.readouterr().err


def test_tables_are_printed(
    challenge: ModuleType, deaths: np.ndarray, tmp_path: Path, capsys
) -> None:
    table = str(written(tmp_path / "t.csv", rows(deaths)))
    assert challenge.main([table, "--windows", "1994", "1995", "--resamples", "20"]) == 0
    out = capsys.readouterr().out
    assert "Geometric means of the ratios over the windows" in out
    assert "1.000 (1.000-1.000)" in out
    assert out.count("own history") >= 6


def test_the_interval_of_a_ratio(challenge: ModuleType) -> None:
    """One country decides a ratio: resampling countries tells."""
    rng = np.random.default_rng(0)
    parts = rng.random((3, 12, 40)) + 1.0
    parts[:, :, 0] = 50.0
    halved = parts.copy()
    halved[:, :, 0] = 10.0
    weight = rng.multinomial(40, np.full(40, 1 / 40), 2000).astype(float)
    one, many = challenge.ratios(challenge.sums(halved), challenge.sums(parts), weight)
    np.testing.assert_allclose(one, halved.mean(axis=(1, 2)) / parts.mean(axis=(1, 2)))
    # In a share (1 - 1/40)^40 of the resamples it does not take part.
    assert (np.abs(many - 1) < 1e-9).mean() == pytest.approx(0.975**40, abs=0.03)


@pytest.mark.parametrize("wrong", ["0", "-3"])
def test_resamples_are_one_or_more(
    challenge: ModuleType, deaths: np.ndarray, tmp_path: Path, capsys, wrong: str
) -> None:
    table = written(tmp_path / "t.csv", rows(deaths))
    assert challenge.main([str(table), "--windows", "1995", "--resamples", wrong]) == 2
    assert f"error: --resamples must be at least 1, not {wrong}" in capsys.readouterr().err
