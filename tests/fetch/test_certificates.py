"""Over https: a server is believed by its certificate, and gets nothing without one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from escalation.fetch import Policy, UcdpRequest, UnreachableError
from played import UCDP_TOKEN, Ucdp, ucdp_row
from served import serve

QUICK = Policy(pause=0, backoff=0, attempts=2, timeout=5)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give a certificate that nobody has signed, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    chain, key = folder / "chain.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(chain)],
        check=True, capture_output=True,
    )  # fmt: skip
    return chain, key


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_that_is_not_trusted_ends_the_fetch(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    certificate: tuple[Path, Path],
    trusted: bool,
) -> None:
    monkeypatch.setenv("UCDP_TOKEN", UCDP_TOKEN)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with serve(Ucdp([ucdp_row(0)]), certificate) as served:
        assert served.base.startswith("https://")
        request = UcdpRequest("25.1", base=served.base)
        if trusted:
            assert request.fetch(tmp_path / "ged.csv", policy=QUICK).rows == 1
            return
        with pytest.raises(UnreachableError, match="the server's certificate is not accepted"):
            request.fetch(tmp_path / "ged.csv", policy=QUICK)
    assert served.asked == []
