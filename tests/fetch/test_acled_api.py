"""ACLED through a local server: the login, its renewal, and pages by country."""

import csv
import json
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from escalation.fetch import (
    AcledRequest,
    AnswerError,
    Fetched,
    FetchError,
    Policy,
    RefusedError,
)
from played import ACCESS, PASSWORD, REFRESH, USER, Acled, acled_row, row_cursor
from served import Asked, Reply, Served, as_json, serve

QUICK = Policy(pause=0, backoff=0, attempts=3, timeout=5)
SPAN = (date(2024, 1, 1), date(2025, 1, 1))
pytestmark = pytest.mark.usefixtures("account")


def everything(count: int) -> dict[str, list[dict[str, object]]]:
    return {"": [acled_row(number) for number in range(count)]}


def cursors(served: Served) -> list[str]:
    return [each.query["cursor"] for each in served.asked if "cursor" in each.query]


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7])
def test_pages_follow_the_cursor_until_it_is_null(tmp_path: Path, count: int) -> None:
    with serve(Acled(everything(count))) as served:
        request = AcledRequest(*SPAN, page_size=2, base=served.base)
        found = request.fetch(tmp_path / "acled.csv", policy=QUICK)
    assert found.rows == count
    assert [row["event_id_cnty"] for row in cells(found.path)] == [f"NOR{n}" for n in range(count)]
    assert cursors(served) == [row_cursor(row) for row in range(0, max(count, 1), 2)]
    assert not found.notes or not count
    if not count:
        assert found.path.read_text().startswith("event_id_cnty,event_date,year")


def test_the_login_goes_to_the_token_endpoint_and_the_token_to_the_pages(tmp_path: Path) -> None:
    with serve(Acled(everything(1))) as served:
        request = AcledRequest(*SPAN, base=served.base)
        request.fetch(tmp_path / "acled.csv", policy=QUICK)
    login, page = served.asked
    assert (login.method, login.path) == ("POST", "/oauth/token")
    assert parse_qs(login.body) == {
        "grant_type": ["password"],
        "username": [USER],
        "password": [PASSWORD],
        "client_id": ["acled"],
        "scope": ["authenticated"],
    }
    assert page.path == "/api/acled/read"
    assert page.headers["authorization"] == f"Bearer {ACCESS}"
    assert page.query == {
        "_format": "json",
        "event_date": "2024-01-01|2024-12-31",
        "event_date_where": "BETWEEN",
        "limit": "5000",
        "with_total": "true",
        "cursor": "0",
    }


def test_each_country_is_a_query_of_its_own(tmp_path: Path) -> None:
    names = ("Northland", "South & Land")
    rows = {name: [acled_row(n, name) for n in range(3)] for name in names[:1]}
    api = Acled(rows | {"South Land": [acled_row(n, "South Land") for n in range(2)]})
    with serve(api) as served:
        request = AcledRequest(*SPAN, countries=("Northland", "South Land"), page_size=2,
                               base=served.base)  # fmt: skip
        found = request.fetch(tmp_path / "acled.csv", policy=QUICK)
    asked = [(each.query["country"], each.query["cursor"]) for each in served.asked[1:]]
    second = row_cursor(2)
    assert asked == [("Northland", "0"), ("Northland", second), ("South Land", "0")]
    assert found.rows == 5
    with pytest.raises(FetchError, match="names as ACLED writes them"):
        AcledRequest(*SPAN, countries=names)


def test_a_token_that_ends_on_the_way_is_renewed(tmp_path: Path) -> None:
    api = Acled(everything(5), tokens=[ACCESS, "access-second", "access-third"])

    def end(asked: Asked) -> None:
        if asked.query.get("cursor") == row_cursor(2) and "renewed" not in api.grants:
            api.grants.append("renewed")
            api.valid = set()

    api.meddle = end
    with serve(api) as served:
        request = AcledRequest(*SPAN, page_size=2, base=served.base)
        found = request.fetch(tmp_path / "acled.csv", policy=QUICK)
    assert api.grants == ["password", "renewed", "refresh_token"]
    assert found.rows == 5
    assert served.asked[-1].headers["authorization"] == "Bearer access-second"


def test_a_refresh_token_that_is_not_taken_leaves_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACLED_REFRESH_TOKEN", "old-refresh-token")
    api = Acled(everything(1))
    with serve(api) as served:
        AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)
    assert api.grants == ["refresh_token", "password"]


@pytest.mark.parametrize("variable", ["ACLED_TOKEN", "ACLED_REFRESH_TOKEN"])
def test_a_token_alone_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("ACLED_PASSWORD")
    monkeypatch.setenv(variable, ACCESS if variable == "ACLED_TOKEN" else REFRESH)
    api = Acled(everything(1), valid={ACCESS})
    with serve(api) as served:
        found = AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)
    assert found.rows == 1
    assert api.grants == ([] if variable == "ACLED_TOKEN" else ["refresh_token"])
    forms = [parse_qs(each.body) for each in served.asked if each.method == "POST"]
    assert all(set(form) == {"grant_type", "refresh_token", "client_id"} for form in forms)


def test_a_token_that_is_not_taken_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACLED_PASSWORD")
    monkeypatch.setenv("ACLED_TOKEN", "an-old-token")
    with serve(Acled(everything(1))) as served:
        with pytest.raises(RefusedError, match=r"answered 401 .*resource owner.*ACLED_USERNAME"):
            AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)


def test_a_wrong_password_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACLED_PASSWORD", "not-the-password")
    with serve(Acled(everything(1))) as served:
        with pytest.raises(RefusedError, match=r"oauth/token: answered 400.*not accepted") as fault:
            AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)
    assert len(served.asked) == 1
    assert "not-the-password" not in str(fault.value)  # though the server repeats the form
    assert USER not in str(fault.value)


def test_no_account_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACLED_PASSWORD")
    with serve(Acled({})) as served:
        with pytest.raises(RefusedError, match="ACLED_USERNAME and ACLED_PASSWORD"):
            AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)
    assert not served.asked


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        ({"token_type": "Bearer"}, AnswerError, "no token under the key 'access_token'"),
        ([], AnswerError, "no token under the key 'access_token'"),
        ({"access_token": 7}, AnswerError, "no token under the key 'access_token'"),
        (
            {"access_token": "access\ntoken"},
            FetchError,
            "access_token of the token endpoint: is empty",
        ),
    ],
)
def test_a_login_of_another_form(
    tmp_path: Path, content: object, kind: type[FetchError], said: str
) -> None:
    with serve(lambda asked: as_json(content)) as served:
        with pytest.raises(kind, match=said):
            AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)


PAGE = {"status": 200, "success": True, "count": 1, "data": [{"event_id_cnty": "A1"}]}


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        ({**PAGE, "data": None}, AnswerError, "'data' must be a list, got null"),
        ({"status": 200}, AnswerError, "no key 'data'; the keys are 'status'"),
        ({**PAGE, "count": 0}, AnswerError, "'count' is 0, 'data' has 1 rows"),
        ({**PAGE, "count": True}, AnswerError, "'count' must be a whole number, got true or false"),
        ({"status": 403, "success": False, "messages": ["No access."]}, RefusedError, "No access"),
        ({"status": 500, "success": False}, AnswerError, "'status' is 500, 'success' False"),
    ],
)
def test_a_page_of_another_form_names_url_and_key(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: object,
    kind: type[FetchError],
    said: str,
) -> None:
    monkeypatch.setenv("ACLED_TOKEN", ACCESS)
    with serve(lambda asked: as_json(content)) as served:
        with pytest.raises(kind, match=f"api/acled/read.*{said}"):
            AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)


def test_a_count_of_more_rows_than_came_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACLED_TOKEN", ACCESS)
    with serve(lambda asked: as_json({**PAGE, "count": 3})) as served:
        found = AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)
    assert "the server says 3 rows in all, its pages hold 1" in found.notes


def test_days_that_the_account_may_not_read_are_told(tmp_path: Path) -> None:
    with serve(Acled(everything(1), last_day="2024-08-29")) as served:
        found = AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)
        early = AcledRequest(date(2024, 1, 1), date(2024, 8, 30), base=served.base)
        whole = early.fetch(tmp_path / "b.csv", policy=QUICK)
    assert any("up to 2024-08-29 only" in note for note in found.notes)
    assert whole.notes == ()
    assert any("2024-08-29" in each for each in json.loads(found.manifest.read_text())["notes"])


def test_a_row_that_comes_while_paging_begins_all_pages_anew(tmp_path: Path) -> None:
    api = Acled(everything(5))

    def grow(asked: Asked) -> None:
        if asked.query.get("cursor") == row_cursor(2) and len(api.rows[""]) == 5:
            api.rows[""].insert(0, acled_row(99))

    api.meddle = grow
    with serve(api) as served:
        request = AcledRequest(*SPAN, page_size=2, base=served.base)
        found = request.fetch(tmp_path / "a.csv", policy=QUICK)
    came = [row["event_id_cnty"] for row in cells(found.path)]
    assert came == ["NOR99", *(f"NOR{n}" for n in range(5))]
    assert any("6 rows in all, 5 on the page before" in note for note in found.notes)


def paged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *pages: dict[str, object]) -> Fetched:
    """Fetch pages of one row each, given one after the other whatever is asked."""
    monkeypatch.setenv("ACLED_TOKEN", ACCESS)
    given = iter([{"data": [{"event_id_cnty": f"A{at}"}], **page} for at, page in enumerate(pages)])
    with serve(lambda asked: as_json(next(given))) as served:
        request = AcledRequest(*SPAN, page_size=1, base=served.base)
        return request.fetch(tmp_path / "a.csv", policy=QUICK)


def test_a_total_is_kept_where_only_the_first_page_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = paged(monkeypatch, tmp_path, {"next_cursor": "a b", "count": 1, "total_count": 3},
                  {"next_cursor": None, "count": None, "total_count": None})  # fmt: skip
    assert found.rows == 2
    assert found.notes == ("the server says 3 rows in all, its pages hold 2",)
    assert json.loads(found.manifest.read_text())["parts"][1]["url"].endswith("cursor=a%20b")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({}, "a full page without 'next_cursor': more rows may follow"),
        ({"next_cursor": ""}, "'next_cursor' must be a number, text or null"),
        ({"next_cursor": True}, "'next_cursor' must be a number, text or null"),
        ({"next_cursor": [1]}, "'next_cursor' must be a number, text or null"),
        ({"next_cursor": "x" * 1001}, "'next_cursor' must be a number, text or null"),
        ({"next_cursor": "a\nb"}, "'next_cursor' must be a number, text or null"),
        ({"next_cursor": 0}, "the pages lead in a circle"),
        ({"next_cursor": None, "total_count": 0}, "'total_count' is 0, 'data' has 1 rows"),
    ],
)
def test_a_cursor_that_leads_nowhere_is_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: dict[str, object], said: str
) -> None:
    with pytest.raises(AnswerError, match=said):
        paged(monkeypatch, tmp_path, page)
    assert not (tmp_path / "a.csv").exists()


def test_a_login_follows_no_redirect(tmp_path: Path) -> None:
    with serve(lambda asked: Reply(b"")) as elsewhere:
        answer = Reply(status=307, headers={"Location": elsewhere.base + "oauth/token"})
        with serve(lambda asked: answer) as served:
            with pytest.raises(AnswerError, match="a login follows no redirect"):
                AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)
    assert elsewhere.asked == []


def test_an_estimate_asks_for_one_row_a_country() -> None:
    rows = {
        name: [acled_row(n, name) for n in range(count)] for name, count in (("A", 5), ("B", 0))
    }
    with serve(Acled(rows)) as served:
        request = AcledRequest(*SPAN, countries=("A", "B"), page_size=2, base=served.base)
        found = request.estimate(QUICK)
    assert (found.urls, found.rows, found.requests) == (request.queries(), 5, 4)
    assert [asked.query["limit"] for asked in served.asked[1:]] == ["1", "1"]
    assert found.bytes is not None and found.bytes > 5 * 500


def test_an_estimate_says_what_it_cannot_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACLED_TOKEN", ACCESS)
    content = {"data": [{"event_id_cnty": "A1"}], "next_cursor": 7, "count": None}
    with serve(lambda asked: as_json(content)) as served:
        found = AcledRequest(*SPAN, base=served.base).estimate(QUICK)
    assert (found.rows, found.requests, found.bytes) == (None, None, None)
    assert found.notes == ("the server does not say how many rows there are",)


def test_the_reader_reads_what_was_fetched(tmp_path: Path) -> None:
    from escalation.sources import SOURCES, read
    from escalation.window import Window

    if "acled" not in SOURCES:
        pytest.skip("there is no reader of ACLED's columns")
    with serve(Acled(everything(5))) as served:
        path = AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK).path
    incidents = read(path, Window(*SPAN), source="acled")
    assert len(incidents.table) == 5
    assert incidents.table["deaths_best"].sum() == 10
