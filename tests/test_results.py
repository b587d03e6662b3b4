"""What a study found comes back from its file as it was."""

import zipfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from escalation.results import Results
from escalation.results import archive as module
from escalation.run import run
from escalation.study import Study
from small import small_study


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run(Study.from_toml(small_study(tmp_path_factory.mktemp("small"))))


def test_results_load_equal(found: Results, tmp_path: Path) -> None:
    path = found.save(tmp_path / "deep" / "results.zip")
    loaded = Results.load(path)
    assert loaded == found
    assert loaded.series == found.series
    assert loaded.incidents == found.incidents
    assert loaded.forecast == found.forecast
    assert loaded.study == found.study
    assert loaded.fit.summary().equals(found.fit.summary())
    assert loaded.dynamics.table().equals(found.dynamics.table())
    assert [path] == list(path.parent.iterdir())


def test_equality_sees_a_changed_draw(found: Results) -> None:
    draws = found.forecast.draws.copy()
    draws[0, 0, 0] += 1
    assert found != replace(found, forecast=replace(found.forecast, draws=draws))
    assert found != replace(found, identified=not found.identified)


def test_a_results_file_holds_json_arrays_and_tables_only(found: Results, tmp_path: Path) -> None:
    path = found.save(tmp_path / "results.zip")
    with zipfile.ZipFile(path) as archive:
        kinds = {Path(name).suffix for name in archive.namelist()}
    assert kinds == {".json", ".npy", ".parquet"}


def test_a_loaded_array_is_read_only(found: Results, tmp_path: Path) -> None:
    loaded = Results.load(found.save(tmp_path / "results.zip"))
    with pytest.raises(ValueError, match="read-only"):
        loaded.last_observed[0, 0] = 1


def test_a_file_that_is_no_results_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "results.zip"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no saved results"):
        Results.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("results.json", '{"format": 0}')
    with pytest.raises(ValueError, match="format 0"):
        Results.load(path)


def test_a_damaged_or_older_file_is_told(found: Results, tmp_path: Path) -> None:
    with zipfile.ZipFile(found.save(tmp_path / "whole.zip")) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    tree = parts["results.json"].decode()
    frame = next(name for name in parts if name.endswith(".parquet"))
    array = next(name for name in parts if name.endswith(".npy"))
    older = tree.replace('"identified":', '"identifed":')
    assert older != tree
    faults: tuple[dict[str, bytes], ...] = (
        {**parts, "results.json": older.encode()},
        {name: content for name, content in parts.items() if name != array},
        {**parts, array: b""},
        {**parts, frame: b"nothing"},
        {**parts, "results.json": b"[]"},
        {**parts, "results.json": b'{"format": 1, "results": {}}'},
    )
    path = tmp_path / "results.zip"
    for fault in faults:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in fault.items():
                archive.writestr(name, content)
        with pytest.raises(ValueError, match=r"results\.zip: (damaged|no saved results)"):
            Results.load(path)


def test_a_save_that_fails_leaves_the_old_file(found: Results, tmp_path: Path) -> None:
    path = found.save(tmp_path / "results.zip")
    before = path.read_bytes()
    with pytest.raises(TypeError, match="add it to the nouns"):
        replace(found, truth={"odd": object()}).save(path)
    assert path.read_bytes() == before
    assert [path] == list(tmp_path.iterdir())


@dataclass(frozen=True)
class Stranger:
    x: int


def test_a_noun_that_is_not_listed_is_refused() -> None:
    with pytest.raises(TypeError, match="Stranger"):
        module.encode(Stranger(1), {}, {})


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.dates(min_value=date(1, 1, 1)),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.tuples(st.integers(), st.text()), inner)
    ),
    max_leaves=10,
)


@given(plain)
def test_plain_values_come_back(value: object) -> None:
    parts: dict[str, bytes] = {}
    tree = module.encode(value, parts, {})
    back = module.decode(tree, parts, {})
    assert back == value
    assert repr(back) == repr(value)


@given(arrays(st.sampled_from([np.float64, np.int64, np.bool_, "M8[D]"]), (2, 3)))
def test_arrays_come_back(value: np.ndarray) -> None:
    parts: dict[str, bytes] = {}
    back = module.decode(module.encode(value, parts, {}), parts, {})
    assert back.dtype == value.dtype
    np.testing.assert_array_equal(back, value)


def test_tables_and_odd_numbers_come_back() -> None:
    parts: dict[str, bytes] = {}
    frame = pl.DataFrame(
        {"a": [1, None], "b": ["=1+1", ""], "c": [date(2020, 1, 1), None], "d": [[1.0], [np.inf]]}
    )
    value = {"frame": frame, "inf": -np.inf, "path": Path("a/b"), "number": np.int64(3)}
    back = module.decode(module.encode(value, parts, {}), parts, {})
    assert back["frame"].equals(frame)
    assert back["frame"].schema == frame.schema
    assert (back["inf"], back["path"], back["number"]) == (-np.inf, Path("a/b"), 3)
    assert np.isnan(module.decode(module.encode(np.nan, parts, {}), parts, {}))
