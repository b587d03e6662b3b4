"""Whatever a server answers, a fetch ends with a file or with a fault that is told in words."""

import csv
import json
import os
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.fetch import AcledRequest, FetchError, UcdpRequest
from escalation.fetch.bodies import UnfitError, parsed
from escalation.fetch.lists import listing_1, listing_2
from escalation.fetch.rows import write_rows
from played import Acled, Ucdp, acled_row, ucdp_row
from served import Asked

EXAMPLES = int(os.environ.get("ESCALATION_FUZZ", "30"))
"""How many answers each test makes up."""

UCDP = UcdpRequest("25.1", page_size=3)
ACLED = AcledRequest(date(2024, 1, 1), date(2025, 1, 1), page_size=3)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def good(provider: str) -> dict[str, Any]:
    asked = Asked("GET", "/", {"pagesize": "3", "limit": "3", "cursor": "0"}, {}, "")
    if provider == "ucdp":
        asked.headers["x-ucdp-access-token"] = "t"
        return json.loads(Ucdp([ucdp_row(n) for n in range(5)], token="t")(asked).body)
    asked.headers["authorization"] = "Bearer t"
    api = Acled({"": [acled_row(n) for n in range(5)]}, valid={"t"}, last_day="2024-05-01")
    return json.loads(api(asked).body)


@st.composite
def spoilt(draw: st.DrawFn, provider: str) -> Any:
    """A good page with keys left out, renamed, or given another value."""
    content = good(provider)
    for key in draw(st.lists(st.sampled_from(sorted(content)), min_size=1, max_size=3)):
        kind = draw(st.sampled_from(["drop", "rename", "replace", "inside"]))
        if kind == "replace":
            content[key] = draw(ANYTHING)
        elif kind == "inside" and isinstance(content.get(key), list) and content[key]:
            content[key][0] = draw(ANYTHING)
        else:
            value = content.pop(key, None)
            if kind == "rename":
                content[key.upper()] = value
    return content


@pytest.mark.parametrize("provider", ["ucdp", "acled"])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_page_is_read_or_refused_in_words(provider: str, data: st.DataObject) -> None:
    content = data.draw(ANYTHING | spoilt(provider))
    request = UCDP if provider == "ucdp" else ACLED
    try:
        page = request.page("https://here/", "", parsed(json.dumps(content).encode()))
    except FetchError as fault:
        assert str(fault).startswith("https://here/: ")
        assert len(str(fault)) < 1000
    else:
        assert all(isinstance(row, dict) for row in page.rows)


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=200) | st.text().map(lambda text: json.dumps(text)[:-1].encode()))
def test_any_bytes_are_json_or_not(body: bytes) -> None:
    try:
        parsed(body)
    except UnfitError as fault:
        assert str(fault).startswith("the answer is ")


def test_json_that_is_nested_too_deep_is_no_answer() -> None:
    with pytest.raises(UnfitError):
        parsed(b"[" * 200_000)


@settings(max_examples=EXAMPLES)
@given(st.lists(st.dictionaries(st.text(min_size=1), ANYTHING, max_size=4), max_size=6))
def test_any_rows_make_a_file_of_as_many_rows(rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        written = write_rows(path, lambda: iter(rows), ("a", "b"), "no such column")
        with path.open(newline="", encoding="utf-8") as file:
            came = list(csv.reader(file))
    assert written.rows == len(rows)
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["a", "b"]
    assert len(came[0]) == len(names)
    # A row of one empty cell is an empty line, which a reader of CSV takes for none.
    assert len(came) - 1 == len(rows) or len(names) == 1 or not names


@settings(max_examples=EXAMPLES)
@given(st.text() | st.binary().map(lambda body: body.decode("utf-8", "surrogateescape")))
def test_any_list_names_files_or_odd_lines(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        for files, odd in (
            listing_2([path], lambda name: True),
            listing_1([path, path], lambda name: True),
        ):
            assert odd >= 0
            assert all(len(each.md5) == 32 for each in files.values())
