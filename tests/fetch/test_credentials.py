"""No credential in what is printed, logged, written or raised, whatever the server does."""

import io
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import date
from pathlib import Path

import pytest

from escalation.fetch import AcledRequest, AnswerError, FetchError, Policy, UcdpRequest
from escalation.fetch.access import TokenHeader
from escalation.fetch.addresses import checked_base
from escalation.fetch.client import Client
from escalation.fetch.credentials import Credential, scrub
from played import (
    ACCESS,
    PASSWORD,
    REFRESH,
    UCDP_TOKEN,
    USER,
    Acled,
    Ucdp,
    acled_row,
    row_cursor,
    ucdp_row,
)
from served import Asked, Reply, as_json, serve

QUICK = Policy(pause=0, backoff=0, attempts=2, timeout=5)
SPAN = (date(2024, 1, 1), date(2025, 1, 1))
SECRETS = {
    form
    for secret in (UCDP_TOKEN, USER, PASSWORD, ACCESS, REFRESH)
    for form in Credential(secret, "test").forms()
}
pytestmark = pytest.mark.usefixtures("account")


def leaks(text: str) -> set[str]:
    return {secret for secret in SECRETS if secret in text}


def told(fault: BaseException | None) -> str:
    """Everything of an exception and of those before it, the values of all variables included."""
    parts: list[str] = []
    while fault is not None:
        parts += [repr(fault), str(fault), repr(fault.args), repr(vars(fault))]
        inner = fault.__traceback__
        while inner is not None and inner.tb_frame.f_code.co_filename == __file__:
            inner = inner.tb_next  # the test itself knows what the server was told
        detail = traceback.TracebackException(type(fault), fault, inner, capture_locals=True)
        parts += detail.format()
        parts += [repr(frame.f_locals) for frame, _ in traceback.walk_tb(inner)]
        fault = fault.__cause__ or fault.__context__
    return "\n".join(parts)


def written(folder: Path) -> str:
    """Names and content of all files, unpacked where they are packed."""
    import gzip

    parts = []
    for path in folder.rglob("*"):
        parts.append(str(path))
        if path.is_file():
            body = path.read_bytes()
            parts.append(body.decode("latin-1"))
            if path.suffix == ".gz":
                parts.append(gzip.decompress(body).decode("latin-1"))
    return "\n".join(parts)


@contextmanager
def heard() -> Iterator[Callable[[], str]]:
    """Hear standard output, standard error and every logger at its most talkative."""
    stream, log = io.StringIO(), io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    try:
        with redirect_stdout(stream), redirect_stderr(stream):
            yield lambda: stream.getvalue() + log.getvalue()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def echo(asked: Asked) -> str:
    """All that the server was told, as a careless one repeats it."""
    return f"{asked.method} {asked.path} {asked.query} {asked.headers} {asked.body}"


FAULTS: dict[str, Callable[[Asked], Reply]] = {
    "400 that repeats": lambda asked: Reply(echo(asked).encode(), 400),
    "401 that repeats": lambda asked: Reply(echo(asked).encode(), 401),
    "403 that repeats": lambda asked: Reply(echo(asked).encode(), 403),
    "404 that repeats": lambda asked: Reply(echo(asked).encode(), 404),
    "429 that repeats": lambda asked: Reply(echo(asked).encode(), 429),
    "500 that repeats": lambda asked: Reply(echo(asked).encode(), 500),
    "a wait": lambda asked: Reply(status=429, headers={"Retry-After": "9999"}),
    "cut short": lambda asked: Reply(b"{", length=900),
    "no answer": lambda asked: Reply(broken=True),
    "a web page": lambda asked: Reply(f"<html>{echo(asked)}".encode()),
    "no JSON": lambda asked: Reply(echo(asked).encode()),
    "JSON that repeats": lambda asked: as_json({"error": echo(asked), echo(asked): 1}),
    "a text that repeats": lambda asked: as_json(echo(asked)),
    "rows that repeat": lambda asked: as_json(
        {"TotalCount": 1, "TotalPages": 1, "NextPageUrl": "", "Result": [{"id": echo(asked)}],
         "status": 200, "success": True, "data": [{"event_id_cnty": echo(asked)}],
         "access_token": ACCESS, "refresh_token": REFRESH}
    ),
    "a refusal that repeats": lambda asked: as_json(
        {"status": 403, "success": False, "messages": [echo(asked)], "access_token": ACCESS}
    ),
    "a redirect that repeats": lambda asked: Reply(
        status=302, headers={"Location": "/x?" + asked.headers.get("x-ucdp-access-token", ACCESS)}
    ),
    "a redirect to a file": lambda asked: Reply(status=302, headers={"Location": "file:///etc"}),
    "a circle": lambda asked: Reply(status=302, headers={"Location": asked.path}),
    "a login of another form": lambda asked: as_json({"token": echo(asked)}),
}  # fmt: skip


def request(provider: str, base: str) -> UcdpRequest | AcledRequest:
    return UcdpRequest("25.1", base=base) if provider == "ucdp" else AcledRequest(*SPAN, base=base)


@pytest.mark.parametrize("provider", ["ucdp", "acled"])
@pytest.mark.parametrize("kind", FAULTS)
def test_no_fault_shows_a_credential(tmp_path: Path, provider: str, kind: str) -> None:
    with serve(FAULTS[kind]) as served, heard() as said:
        with pytest.raises(FetchError) as fault:
            request(provider, served.base).fetch(tmp_path / "x.csv", policy=QUICK)
    assert served.asked
    assert leaks(told(fault.value)) == set()
    assert leaks(said()) == set()
    assert leaks(written(tmp_path)) == set()


@pytest.mark.parametrize("kind", [k for k in FAULTS if "login" not in k])
def test_no_fault_after_the_login_shows_a_credential(tmp_path: Path, kind: str) -> None:
    api = Acled({"": [acled_row(n) for n in range(3)]})
    api.meddle = lambda asked: (
        FAULTS[kind](asked) if asked.query.get("cursor") == row_cursor(2) else None
    )
    with serve(api) as served, heard() as said:
        with pytest.raises(FetchError) as fault:
            AcledRequest(*SPAN, page_size=2, base=served.base).fetch(
                tmp_path / "x.csv", policy=QUICK
            )
    assert leaks(told(fault.value)) == set()
    assert leaks(said()) == set()
    assert leaks(written(tmp_path)) == set()


def test_a_good_fetch_leaves_no_credential(tmp_path: Path) -> None:
    with serve(Ucdp([ucdp_row(n) for n in range(5)], etags=True)) as served, heard() as said:
        asked = UcdpRequest("25.1", page_size=2, base=served.base)
        found = asked.fetch(tmp_path / "ged.csv", policy=QUICK, progress=print)
        print(found, asked, asked.access(), Client(served.base, asked.access()))
        logging.warning("%s %r", asked.access(), vars(asked.access()))
    assert "127.0.0.1" in said()  # the HTTP library did log
    assert (tmp_path / "ged.csv.fetch").exists()  # and pages are kept
    assert leaks(said()) == set()
    assert leaks(written(tmp_path)) == set()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError, OSError])
def test_an_interruption_shows_no_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    import http.client

    def stop(self: object, data: object) -> None:
        raise interruption

    monkeypatch.setattr(http.client.HTTPConnection, "send", stop)
    with pytest.raises((interruption, FetchError)) as fault:
        UcdpRequest("25.1", base="http://127.0.0.1:9/").fetch(tmp_path / "g.csv", policy=QUICK)
    assert leaks(told(fault.value)) == set()


def test_the_credential_does_not_follow_to_another_host(tmp_path: Path) -> None:
    rows = [ucdp_row(n) for n in range(2)]
    with serve(Ucdp(rows, token="")) as elsewhere:
        elsewhere.answer = lambda asked: as_json(
            {"TotalCount": 2, "TotalPages": 1, "NextPageUrl": "", "Result": rows}
        )
        to = elsewhere.base + "signed/gedevents?signature=abc"
        answer = Reply(status=302, headers={"Location": to})
        with serve(lambda asked: answer) as served:
            found = UcdpRequest("25.1", base=served.base).fetch(tmp_path / "g.csv", policy=QUICK)
    assert found.rows == 2
    assert served.asked[0].headers["x-ucdp-access-token"] == UCDP_TOKEN
    assert len(elsewhere.asked) == 1
    assert leaks(repr(elsewhere.asked)) == set()
    assert "signature" not in written(tmp_path)


def test_the_credential_follows_within_the_host(tmp_path: Path) -> None:
    api = Ucdp([ucdp_row(0)])

    def move(asked: Asked) -> Reply | None:
        if asked.path.startswith("/gedevents"):
            return Reply(status=308, headers={"Location": "/new/gedevents/25.1?pagesize=9"})
        return None

    api.meddle = move
    with serve(api) as served:
        found = UcdpRequest("25.1", base=served.base).fetch(tmp_path / "g.csv", policy=QUICK)
    assert found.rows == 1
    assert served.paths() == ["/gedevents/25.1", "/new/gedevents/25.1"]


def test_a_bearer_token_does_not_follow_to_another_host(tmp_path: Path) -> None:
    with serve(lambda asked: Reply(b"who are you", 401)) as elsewhere:
        api = Acled({"": [acled_row(0)]})

        def move(asked: Asked) -> Reply | None:
            if asked.path == "/api/acled/read":
                return Reply(status=302, headers={"Location": elsewhere.base})
            return None

        api.meddle = move
        with serve(api) as served, pytest.raises(FetchError):
            AcledRequest(*SPAN, base=served.base).fetch(tmp_path / "a.csv", policy=QUICK)
    assert elsewhere.asked
    assert leaks(repr(elsewhere.asked)) == set()


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("http://ucdp.example/", "a credential goes over https only"),
        ("https://me:" + "hidden-password" + "@ucdp.example/", "must hold no user or password"),
        ("ftp://ucdp.example/", "must be an http or https URL"),
        ("https://ucdp.example/?key=hidden-password", "must have no query"),
        ("https://ucdp.example:port/", "must be an http or https URL"),
        ("nowhere", "must be an http or https URL"),
    ],
)
def test_a_base_that_is_not_safe_is_refused(tmp_path: Path, base: str, said: str) -> None:
    with pytest.raises(FetchError, match=said) as fault:
        UcdpRequest("25.1", base=base).fetch(tmp_path / "g.csv", policy=QUICK)
    assert "hidden-password" not in str(fault.value)


def test_plain_http_is_good_enough_without_a_credential_or_to_this_machine() -> None:
    assert checked_base("http://gdelt.example/x", secret=False) == "http://gdelt.example/x/"
    for here in ("http://127.0.0.1:80/", "http://localhost/", "http://[::1]:8/"):
        assert checked_base(here, secret=True) == here


def test_https_is_not_left() -> None:
    from escalation.fetch import exchange

    client = Client("https://ucdp.example/")
    client._exchange.once = lambda *each: exchange.Reply(  # type: ignore[method-assign]
        302, headers={"Location": "http://ucdp.example/"}
    )
    with pytest.raises(AnswerError, match="leads to an address that is not https"):
        client.json("https://ucdp.example/")


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_a_credential_hides_in_every_form(secret: str) -> None:
    credential = Credential(secret, "VARIABLE")
    for text in (repr(credential), str(credential), f"{credential}", f"{[credential]}"):
        assert secret not in text
        assert "VARIABLE" in text
    assert scrub(f"before {secret} after", [credential]) == "before *** after"
    with pytest.raises(TypeError):
        pickle.dumps(credential)
    assert credential.reveal() == secret


@pytest.mark.parametrize(
    "value",
    ["secret-\u20ac", "secret-\udcff", "secret-a\nb", "secret-a\r\nX-Other: b", "secret-tok\ten"],
)
def test_a_credential_cannot_add_a_header(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("UCDP_TOKEN", value)
    with pytest.raises(FetchError, match="UCDP_TOKEN: is empty or has characters") as fault:
        TokenHeader("x-ucdp-access-token", "UCDP_TOKEN", "")
    assert value not in told(fault.value)
    assert repr(value) not in told(fault.value)
