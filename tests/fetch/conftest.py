"""The account that the played servers know."""

import pytest

from played import PASSWORD, UCDP_TOKEN, USER


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the token of UCDP and the login of ACLED, and no other way to ask ACLED."""
    monkeypatch.setenv("UCDP_TOKEN", UCDP_TOKEN)
    monkeypatch.setenv("ACLED_USERNAME", USER)
    monkeypatch.setenv("ACLED_PASSWORD", PASSWORD)
    for name in ("ACLED_TOKEN", "ACLED_REFRESH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
