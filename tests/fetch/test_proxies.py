"""The proxy of the environment is used, and its password shows nowhere."""

import traceback
from datetime import date
from pathlib import Path

import pytest

from escalation.fetch import FetchError, GdeltRequest, Policy, UnreachableError
from escalation.fetch.access import Access
from escalation.fetch.proxies import pool_to
from played import Gdelt, quarters
from served import Reply, serve

DAY = (date(2020, 1, 2), date(2020, 1, 3))
QUICK = Policy(pause=0, backoff=0, attempts=2, timeout=5)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_files_come_through_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(Gdelt(quarters(2))) as served:
        proxy = served.base.replace("http://", "http://me:hidden%2Fpass@")
        monkeypatch.setenv("http_proxy", proxy)
        request = GdeltRequest(*DAY, base="http://gdelt.example/")
        found = request.fetch(tmp_path / "g", policy=QUICK)
        assert all("proxy-authorization" in each.headers for each in served.asked)
    assert found.files == 2
    assert served.paths()[1:] == [f"/{name}" for name in quarters(2)]
    text = "".join(p.read_text("latin-1") for p in found.path.rglob("*") if p.is_file())
    assert "hidden" not in text
    assert "http://gdelt.example/" in text


def test_a_proxy_that_refuses_is_told_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = b"no: hidden/pass"
    with serve(lambda asked: Reply(said, 407)) as served:
        monkeypatch.setenv("http_proxy", served.base.replace("//", "//me:hidden%2Fpass@"))
        with pytest.raises(FetchError, match=r"answered 407 \(no: \*\*\*\)"):
            GdeltRequest(*DAY, base="http://gdelt.example/").fetch(tmp_path / "g", policy=QUICK)


def test_a_proxy_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "127.0.0.1:9")
    with pytest.raises(
        UnreachableError, match=r"gdelt.example/.*: no connection through the proxy"
    ) as fault:
        GdeltRequest(*DAY, base="http://gdelt.example/").fetch(tmp_path / "g", policy=QUICK)
    assert "after 2 attempts" in str(fault.value)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8/", "http://spared.example/"])
def test_this_machine_and_spared_hosts_are_asked_straight(
    monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "spared.example")
    assert pool_to(base, Access()).proxy is None
    assert pool_to("http://other.example/", Access()).proxy is not None


def test_a_proxy_of_another_kind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://me:hidden@127.0.0.1:9")
    with pytest.raises(FetchError, match="must be an http or https URL") as fault:
        pool_to("https://gdelt.example/", Access())
    told = traceback.TracebackException.from_exception(fault.value, capture_locals=True)
    assert "hidden" not in "".join(told.format())
