"""UCDP through a local server: pages, faults, and going on after a kill."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from threading import Event

import polars as pl
import pytest

from escalation.fetch import (
    AnswerError,
    FetchError,
    MissingError,
    Policy,
    RefusedError,
    UcdpRequest,
    UnreachableError,
)
from escalation.sources import read
from escalation.window import Window
from played import Ucdp, ucdp_row
from served import Asked, Reply, as_json, serve

QUICK = Policy(pause=0, backoff=0, attempts=3, timeout=5)
YEAR = Window(date(2020, 1, 1), date(2021, 1, 1))
pytestmark = pytest.mark.usefixtures("account")


def rows(count: int) -> list[dict[str, object]]:
    return [ucdp_row(number) for number in range(count)]


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("first", [0, 1])
def test_all_pages_come_whatever_number_the_first_has(tmp_path: Path, first: int) -> None:
    with serve(Ucdp(rows(7), first=first)) as served:
        found = UcdpRequest("25.1", page_size=3, base=served.base).fetch(
            tmp_path / "ged.csv", policy=QUICK
        )
    assert served.pages() == ["", str(first + 1), str(first + 2)]
    assert (found.rows, found.files, found.requests, found.kept) == (7, 3, 3, 0)
    came = cells(found.path)
    assert [row["id"] for row in came] == [str(500000 + n) for n in range(7)]
    for row, sent in zip(came, rows(7), strict=True):
        for name, value in sent.items():
            wanted = "" if value is None else str(value).lower() if value is True else str(value)
            assert row[name] == wanted
    assert not (tmp_path / "ged.csv.fetch").exists()


def test_the_reader_reads_what_was_fetched(tmp_path: Path) -> None:
    with serve(Ucdp(rows(9))) as served:
        request = UcdpRequest("25.1", page_size=4, base=served.base)
        path = request.fetch(tmp_path / "ged.csv", policy=QUICK).path
        other = request.fetch(tmp_path / "ged.parquet", policy=QUICK).path
    incidents = read(path, YEAR, source="ucdp")
    assert len(incidents.table) == 9
    assert incidents.rejected.is_empty()
    assert incidents.table["deaths_best"].sum() == 9
    assert pl.read_parquet(other).equals(pl.read_csv(path, infer_schema=False))


def test_what_is_asked_stands_in_the_query_and_the_manifest(tmp_path: Path) -> None:
    with serve(Ucdp(rows(2))) as served:
        request = UcdpRequest(
            "26.0.9", date(2020, 1, 1), date(2021, 1, 1), (770, 700), (1, 3), base=served.base
        )
        found = request.fetch(tmp_path / "ged.csv", policy=QUICK)
        asked = served.asked[0]
    assert asked.path == "/gedevents/26.0.9"
    assert asked.query == {
        "pagesize": "1000",
        "StartDate": "2020-01-01",
        "EndDate": "2020-12-31",
        "Country": "770,700",
        "TypeOfViolence": "1,3",
    }
    told = json.loads(found.manifest.read_text())
    assert told["request"]["end"] == "2021-01-01"
    assert told["rows"] == 2
    assert told["parts"][0]["url"].startswith(served.base)
    import hashlib

    assert told["sha256"] == hashlib.sha256(found.path.read_bytes()).hexdigest()


def test_numbers_keep_the_digits_that_the_provider_wrote(tmp_path: Path) -> None:
    body = json.dumps(
        {"TotalCount": 1, "TotalPages": 1, "NextPageUrl": "", "Result": [{"id": 1, "latitude": 0}]}
    ).replace('"latitude": 0', '"latitude": 30.500000000000000012')
    with serve(lambda asked: Reply(body.encode())) as served:
        found = UcdpRequest("25.1", base=served.base).fetch(tmp_path / "g.csv", policy=QUICK)
    assert cells(found.path)[0]["latitude"] == "30.500000000000000012"


def test_nothing_found_is_told_and_the_file_has_its_columns(tmp_path: Path) -> None:
    with serve(Ucdp([])) as served:
        found = UcdpRequest("25.1", base=served.base).fetch(tmp_path / "ged.csv", policy=QUICK)
    assert found.rows == 0
    assert "no rows: nothing matches the request" in found.notes
    assert len(read(found.path, YEAR, source="ucdp").table) == 0


def once(page: str, reply: Reply, times: int = 1):
    """Answer so, the first time or times that a page is asked for."""
    left = [times]

    def meddle(asked: Asked) -> Reply | None:
        if asked.page == page and left[0]:
            left[0] -= 1
            return reply
        return None

    return meddle


PASSING = {
    "429": Reply(b"slow down", 429, {"Retry-After": "0"}),
    "500": Reply(b"<html>oops</html>", 500),
    "503": Reply(status=503),
    "400 on a later page": Reply(b"Bad request", 400),
    "cut short": Reply(b'{"TotalCount": 7, "Res', length=4000),
    "cut short without a word": Reply(b'{"TotalCount": 7, "Res'),
    "no answer": Reply(broken=True),
    "broken compression": Reply(b"\x1f\x8b\x08 no", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_costs_a_second_request(tmp_path: Path, fault: str) -> None:
    with serve(Ucdp(rows(7), meddle=once("1", PASSING[fault]))) as served:
        request = UcdpRequest("25.1", page_size=3, base=served.base)
        found = request.fetch(tmp_path / "ged.csv", policy=QUICK)
    assert served.pages() == ["", "1", "1", "2"]
    assert found.rows == 7


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_stays_ends_the_fetch_and_keeps_the_pages(tmp_path: Path, fault: str) -> None:
    api = Ucdp(rows(7), meddle=once("2", PASSING[fault], times=3))
    kind = AnswerError if "cut" in fault or "compression" in fault else UnreachableError
    with serve(api) as served:
        request = UcdpRequest("25.1", page_size=3, base=served.base)
        with pytest.raises(kind, match=r"page=2: .*after 3 attempts"):
            request.fetch(tmp_path / "ged.csv", policy=QUICK)
        assert not (tmp_path / "ged.csv").exists()
        served.asked.clear()
        found = request.fetch(tmp_path / "ged.csv", policy=QUICK)
    assert served.pages() == ["2"]
    assert (found.rows, found.kept) == (7, 2)
    assert any("2 pages are of an earlier run" in note for note in found.notes)
    assert len(cells(found.path)) == 7


def test_a_wait_that_the_server_asks_for_is_kept(tmp_path: Path) -> None:
    from escalation.fetch.access import Access
    from escalation.fetch.client import Client

    waits: list[float] = []
    past = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    left = [
        Reply(status=429, headers={"Retry-After": "7"}),
        Reply(status=503),
        Reply(status=503, headers=past),
        Reply(status=503, headers={"Retry-After": "soon"}),
        as_json({}),
    ]
    with serve(lambda asked: left.pop(0)) as served:
        policy = Policy(pause=0, backoff=2.0, attempts=5)
        Client(served.base, Access(), policy, sleep=waits.append).json(served.base)
    assert waits[0] == 7
    assert 4 <= waits[1] <= 6  # the second wait doubles, and up to `backoff` by chance
    assert waits[2] == 0
    assert 16 <= waits[3] <= 18


def test_a_wait_longer_than_patience_ends_the_fetch(tmp_path: Path) -> None:
    api = Ucdp(rows(7), meddle=once("1", Reply(status=429, headers={"Retry-After": "3600"})))
    with serve(api) as served:
        request = UcdpRequest("25.1", page_size=3, base=served.base)
        with pytest.raises(UnreachableError, match="asks to wait 3600 s"):
            request.fetch(tmp_path / "ged.csv", policy=QUICK)


def test_requests_keep_their_distance() -> None:
    from escalation.fetch.client import Client

    with serve(lambda asked: as_json({})) as served:
        client = Client(served.base, None, Policy(pause=0.05))
        start = time.monotonic()
        for _ in range(4):
            client.json(served.base)
        assert time.monotonic() - start >= 0.15


@pytest.mark.parametrize(("status", "kind"), [(401, RefusedError), (403, RefusedError)])
def test_a_refusal_says_where_the_token_comes_from(
    tmp_path: Path, status: int, kind: type[FetchError]
) -> None:
    api = Ucdp(rows(7), meddle=lambda asked: Reply(b"not you", status))
    with serve(api) as served:
        request = UcdpRequest("25.1", base=served.base)
        with pytest.raises(kind, match=rf"{status} \(not you\).*UCDP_TOKEN.*apidocs"):
            request.fetch(tmp_path / "ged.csv", policy=QUICK)
    assert len(served.asked) == 1  # no use to ask again


def test_a_version_that_the_server_lacks(tmp_path: Path) -> None:
    with serve(Ucdp([], meddle=lambda asked: Reply(b"no such version", 404))) as served:
        with pytest.raises(MissingError, match=r"gedevents/99.1.*404 \(no such version\)"):
            UcdpRequest("99.1", base=served.base).fetch(tmp_path / "g.csv", policy=QUICK)


def test_no_token_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UCDP_TOKEN")
    with serve(Ucdp([])) as served:
        with pytest.raises(RefusedError, match="no token in the environment variable UCDP_TOKEN"):
            UcdpRequest("25.1", base=served.base).fetch(tmp_path / "g.csv", policy=QUICK)
    assert not served.asked


GOOD = {"TotalCount": 1, "TotalPages": 1, "NextPageUrl": "", "Result": [{"id": 1}]}
UNEXPECTED = [
    ({**GOOD, "Result": None}, "'Result' must be a list, got null"),
    ({**GOOD, "Result": {"id": 1}}, "'Result' must be a list, got an object"),
    ({**GOOD, "Result": ["x"]}, r"Result\[0\] must be an object, got the text 'x'"),
    ({**GOOD, "TotalCount": "many"}, "'TotalCount' must be a whole number, got the text 'many'"),
    ({**GOOD, "NextPageUrl": True}, "'NextPageUrl' must be text, got true or false"),
    ({"TotalCount": 1, "TotalPages": 1, "Result": []}, "no key 'NextPageUrl'"),
    ({**GOOD, "NextPageUrl": "x?page=two"}, "'NextPageUrl' names no page"),
    ({"error": "x"}, "no key 'Result'; the keys are 'error'"),
    ([1, 2], "wanted an object with the key 'Result', got a list"),
    ("text", "wanted an object with the key 'Result', got the text 'text'"),
]


@pytest.mark.parametrize(("content", "said"), UNEXPECTED)
def test_another_form_names_url_and_key(tmp_path: Path, content: object, said: str) -> None:
    with serve(lambda asked: as_json(content)) as served:
        with pytest.raises(AnswerError, match=f"gedevents/25.1.*{said}"):
            UcdpRequest("25.1", base=served.base).fetch(tmp_path / "g.csv", policy=QUICK)
    assert not (tmp_path / "g.csv").exists()


def test_a_web_page_is_no_answer(tmp_path: Path) -> None:
    with serve(lambda asked: Reply(b"<!doctype html><title>Log in</title>")) as served:
        with pytest.raises(AnswerError, match="the answer is a web page"):
            UcdpRequest("25.1", base=served.base).fetch(tmp_path / "g.csv", policy=QUICK)


def test_pages_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    link = {"TotalCount": 9, "TotalPages": 9, "NextPageUrl": "/x?page=2", "Result": [{"id": 1}]}
    with serve(lambda asked: as_json(link)) as served:
        with pytest.raises(AnswerError, match="the pages lead in a circle"):
            UcdpRequest("25.1", base=served.base).fetch(tmp_path / "g.csv", policy=QUICK)
    assert len(served.asked) == 2


def test_data_that_change_while_paging_are_asked_anew_and_told(tmp_path: Path) -> None:
    api = Ucdp(rows(7))

    def grow(asked: Asked) -> None:
        if asked.page == "1":
            api.rows = rows(8)

    api.meddle = grow
    with serve(api) as served:
        request = UcdpRequest("25.1", page_size=3, base=served.base)
        found = request.fetch(tmp_path / "ged.csv", policy=QUICK)
    assert served.pages() == ["", "1", "", "1", "2"]
    assert found.rows == 8
    assert any("the data changed while paging" in note for note in found.notes)
    assert any("changed" in note for note in json.loads(found.manifest.read_text())["notes"])


def test_data_that_never_rest_are_an_error(tmp_path: Path) -> None:
    api = Ucdp(rows(7))

    def grow(asked: Asked) -> None:
        api.rows = rows(len(api.rows) + 1)

    api.meddle = grow
    with serve(api) as served:
        request = UcdpRequest("25.1", page_size=3, base=served.base)
        with pytest.raises(AnswerError, match="the data changed while paging, twice"):
            request.fetch(tmp_path / "ged.csv", policy=QUICK)


def test_fewer_rows_than_the_server_says_are_told(tmp_path: Path) -> None:
    content = {**GOOD, "TotalCount": 3}
    with serve(lambda asked: as_json(content)) as served:
        found = UcdpRequest("25.1", base=served.base).fetch(tmp_path / "g.csv", policy=QUICK)
    assert "the server says 3 rows in all, its pages hold 1" in found.notes


def test_rows_that_come_twice_are_left_out_and_told(tmp_path: Path) -> None:
    twice = [*rows(3), rows(3)[0], {**rows(3)[1], "best": 9}]
    with serve(Ucdp(twice)) as served:
        found = UcdpRequest("25.1", page_size=2, base=served.base).fetch(
            tmp_path / "g.csv", policy=QUICK
        )
    assert [row["id"] for row in cells(found.path)] == ["500000", "500001", "500002", "500001"]
    assert "1 rows came a second time, with the same id; left out" in found.notes
    assert "1 rows have the id of another row and other values; kept" in found.notes


def test_etags_save_pages_that_have_not_changed(tmp_path: Path) -> None:
    api = Ucdp(rows(7), etags=True)
    with serve(api) as served:
        request = UcdpRequest("25.1", page_size=3, base=served.base)
        first = request.fetch(tmp_path / "ged.csv", policy=QUICK)
        before = first.path.read_bytes()
        served.asked.clear()
        second = request.fetch(tmp_path / "ged.csv", policy=QUICK)
        assert all("if-none-match" in asked.headers for asked in served.asked)
        assert (second.rows, second.kept, second.requests) == (7, 3, 3)
        assert second.path.read_bytes() == before
        api.rows = [*rows(4), {**ucdp_row(4), "best": 44}, *rows(7)[5:]]
        third = request.fetch(tmp_path / "ged.csv", policy=QUICK)
        assert third.kept == 2
        assert cells(third.path)[4]["best"] == "44"
        served.asked.clear()
        fourth = request.fetch(tmp_path / "ged.csv", policy=QUICK, fresh=True)
        assert not any("if-none-match" in asked.headers for asked in served.asked)
        assert fourth.kept == 0


def test_pages_of_another_request_are_not_mixed_in(tmp_path: Path) -> None:
    api = Ucdp(rows(7), meddle=once("1", Reply(status=500), times=99))
    with serve(api) as served:
        request = UcdpRequest("25.1", page_size=3, base=served.base)
        with pytest.raises(UnreachableError):
            request.fetch(tmp_path / "ged.csv", policy=QUICK)
        api.meddle = lambda asked: None
        other = UcdpRequest("24.1", page_size=3, base=served.base)
        with pytest.raises(FetchError, match="another request, which differs in version"):
            other.fetch(tmp_path / "ged.csv", policy=QUICK)
        assert other.fetch(tmp_path / "ged.csv", policy=QUICK, fresh=True).kept == 0


def test_a_kept_page_that_is_damaged_is_asked_again(tmp_path: Path) -> None:
    api = Ucdp(rows(7), meddle=once("2", Reply(status=500), times=3))
    with serve(api) as served:
        request = UcdpRequest("25.1", page_size=3, base=served.base)
        with pytest.raises(UnreachableError):
            request.fetch(tmp_path / "ged.csv", policy=QUICK)
        state = json.loads((tmp_path / "ged.csv.fetch/state.json").read_text())
        damaged = tmp_path / "ged.csv.fetch" / state["pages"][1]["part"]["file"]
        damaged.write_bytes(damaged.read_bytes()[:-20])
        served.asked.clear()
        found = request.fetch(tmp_path / "ged.csv", policy=QUICK)
    assert served.pages() == ["1", "2"]
    assert found.rows == 7


KILLED = """
import sys
from escalation.fetch import Policy, UcdpRequest
UcdpRequest("25.1", page_size=3, base=sys.argv[1]).fetch(sys.argv[2], policy=Policy(pause=0))
"""


def test_a_killed_fetch_goes_on_where_it_was(tmp_path: Path) -> None:
    api = Ucdp(rows(20))
    reached, killed = Event(), Event()

    def hang(asked: Asked) -> None:
        if asked.page == "3" and not killed.is_set():
            reached.set()
            killed.wait(60)

    api.meddle = hang
    output = tmp_path / "ged.csv"
    with serve(api) as served:
        process = subprocess.Popen([sys.executable, "-c", KILLED, served.base, str(output)])
        assert reached.wait(60)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        killed.set()
        assert served.pages() == ["", "1", "2", "3"]
        assert not output.exists()
        served.asked.clear()
        request = UcdpRequest("25.1", page_size=3, base=served.base)
        found = request.fetch(output, policy=QUICK)
    assert served.pages() == ["3", "4", "5", "6"]
    assert (found.rows, found.kept) == (20, 3)
    assert [row["id"] for row in cells(output)] == [str(500000 + n) for n in range(20)]


def test_two_at_once_in_one_place_are_refused(tmp_path: Path) -> None:
    from escalation.fetch.files import locked

    with serve(Ucdp(rows(1))) as served, locked(tmp_path / "ged.csv.fetch"):
        with pytest.raises(FetchError, match="another fetch is at work there"):
            UcdpRequest("25.1", base=served.base).fetch(tmp_path / "ged.csv", policy=QUICK)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"version": "latest"}, "version must be like 25.1"),
        ({"version": "../x"}, "version must be like 25.1"),
        ({"start": date(2020, 1, 2), "end": date(2020, 1, 2)}, "start must be before end"),
        ({"countries": (0,)}, "Gleditsch–Ward numbers, got 0"),
        ({"violence": (4,)}, "violence must be of 1, 2 and 3, got 4"),
        ({"page_size": 1001}, "page_size must be 1 to 1000"),
    ],
)
def test_a_wrong_request_is_told_before_it_is_made(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(FetchError, match=said):
        UcdpRequest(**{"version": "25.1", **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["ged.txt", "none/ged.csv", "folder.csv"])
def test_an_output_that_cannot_be_written_is_told_first(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with serve(Ucdp(rows(1))) as served:
        with pytest.raises(FetchError, match=r"wanted a|no folder"):
            UcdpRequest("25.1", base=served.base).fetch(tmp_path / name, policy=QUICK)
    assert not served.asked


def test_an_estimate_asks_for_one_row(tmp_path: Path) -> None:
    with serve(Ucdp(rows(25))) as served:
        found = UcdpRequest("25.1", page_size=10, base=served.base).estimate(QUICK)
    assert [asked.query["pagesize"] for asked in served.asked] == ["1"]
    assert (found.rows, found.requests) == (25, 3)
    assert found.bytes is not None and found.bytes > 25 * 500
