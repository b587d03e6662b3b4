"""What a file is taken for, and what is said where it is read as another."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from escalation.sources import SOURCES, Acled, DataError, Gdelt, Table, guess, read
from escalation.sources.naming import found_name
from escalation.window import Window

WINDOW = Window(date(1990, 1, 1), date(2030, 1, 1))
PROVIDERS = [word for word in SOURCES if word != "table"]


def written(folder: Path, text: str, name: str = "events.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("word", PROVIDERS)
def test_a_provider_s_file_is_not_read_as_any_table(word: str, tmp_path: Path) -> None:
    path = written(tmp_path, SOURCES[word].specimen)
    with pytest.raises(DataError) as fault:
        read(path, WINDOW)
    name = SOURCES[word].name
    assert str(fault.value).startswith(f"{path}: it looks like {name} (it has ")
    assert f'say source = "{word}"; to read it as any other table' in str(fault.value)


@pytest.mark.parametrize(
    ("columns", "unsaid"),
    [
        ({"date": "event_date", "target": "actor2"}, "source"),
        ({"deaths_best": "fatalities"}, "date, source, target"),
        ({"date": "event_date"}, "source, target"),
    ],
)
def test_newspapers_of_acled_are_not_taken_for_actors(
    columns: Mapping[str, str], unsaid: str, tmp_path: Path
) -> None:
    path = written(tmp_path, Acled.specimen)
    assert "source" in Acled.specimen.splitlines()[0].split(",")
    with pytest.raises(DataError, match=f"the map of columns must name {unsaid}$"):
        read(path, WINDOW, columns=columns)


def test_a_whole_map_of_columns_is_followed(tmp_path: Path) -> None:
    path = written(tmp_path, Acled.specimen)
    columns = {"date": "event_date", "source": "source", "target": "actor1"}
    incidents = read(path, WINDOW, columns=columns)
    papers = pl.read_csv(Acled.specimen.encode(), infer_schema=False)["source"]
    assert {*incidents.table["source"]} <= {*papers}
    assert incidents.provenance.remarks == ()
    with pytest.raises(DataError, match=r"no column 'event_dat' .the nearest is 'event_date'"):
        read(path, WINDOW, columns=columns | {"date": "event_dat"})


def test_a_table_with_some_of_a_provider_s_columns_is_a_table(tmp_path: Path) -> None:
    own = "date,source,target,event_type,country,location,latitude,longitude,fatalities\n"
    path = written(tmp_path, own + "2020-01-07,A,B,raid,C,Ford,1,2,3\n")
    assert guess(path)[0] == "table"
    assert len(read(path, WINDOW)) == 1


def test_gdelt_is_known_without_a_header_where_another_source_was_said(tmp_path: Path) -> None:
    path = written(tmp_path, Gdelt.specimen)
    for word in ("table", "acled", "polecat"):
        with pytest.raises(DataError) as fault:
            read(path, WINDOW, source=word)
        assert "it looks like GDELT (it has no header and 61 fields a line" in str(fault.value)


def test_an_export_with_one_column_less_is_still_that_provider_s(tmp_path: Path) -> None:
    path = written(tmp_path, Acled.specimen.replace("event_type", "kind", 1))
    with pytest.raises(DataError, match='say source = "acled"'):
        read(path, WINDOW)
    with pytest.raises(DataError, match="no column 'event_type'"):
        read(path, WINDOW, source="acled")


def test_a_source_of_one_s_own_is_not_told_what_it_looks_like(tmp_path: Path) -> None:
    class Ours(Acled):
        columns = Acled.columns | {"claimed_by": ("our_column",)}

    path = written(tmp_path, Acled.specimen)
    with pytest.raises(DataError, match="no column 'our_column'"):
        Ours().read(path, WINDOW)


def test_columns_that_nobody_named_so_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, "Day, source,target,PLACE\n2020-01-07,A,B,Ford\n")
    incidents = read(path, WINDOW, columns={"date": "day"})
    assert incidents.table["place"].to_list() == ["Ford"]
    assert incidents.provenance.remarks == (
        "read by its own name: column ' source' as source, 'target' as target, 'PLACE' as place",
    )
    other = written(tmp_path, "day,source,target,PLACE\n2020-01-07,A,B,Ford\n", "b.csv")
    remarks = read([path, path, other], WINDOW, columns={"date": "day"}).provenance.remarks
    assert len(remarks) == 2  # each once
    plain = written(tmp_path, Table.specimen, "plain.csv")
    assert read(plain, WINDOW).provenance.remarks == ()


def test_rejected_rows_name_the_column_as_the_file_does(tmp_path: Path) -> None:
    path = written(tmp_path, " Date,source,target\nnever,A,B\n")
    assert read(path, WINDOW).rejected["column"].to_list() == [" Date"]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (("date", "Date"), "date"),
        (("Event  date",), None),
        (("", " ", "DATE"), "DATE"),
    ],
)
def test_a_name_that_is_written_as_wanted_goes_first(
    header: tuple[str, ...], found: str | None
) -> None:
    assert found_name("own.csv", header, ["date"]) == found


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (("Date", "DATE"), "column 'date' may be 'Date' or 'DATE': rename one"),
        ((" date", "Date"), "column 'date' may be ' date' or 'Date': rename one"),
        (("date", " date "), "columns 'date' and ' date ' have one name but for blanks"),
        (("date", "my id", " my  id"), "columns 'my id' and ' my  id' have one name but"),
    ],
)
def test_names_that_could_be_either_are_refused(header: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError) as fault:
        found_name("own.csv", header, ["date"])
    assert str(fault.value).startswith(f"own.csv: {said}")


def test_a_workbook_s_names_too(tmp_path: Path) -> None:
    path = tmp_path / "own.xlsx"
    rows = {" Date ": ["2020-01-07"], "source": ["A"], "target ": ["B"]}
    pl.DataFrame(rows).write_excel(path)
    assert len(read(path, WINDOW)) == 1
