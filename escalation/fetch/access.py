"""Who asks: how a provider knows its users."""

from typing import TYPE_CHECKING

from escalation.fetch.credentials import Credential, from_environment
from escalation.fetch.errors import RefusedError

if TYPE_CHECKING:
    from escalation.fetch.client import Client


Fields = dict[str, str | Credential]
"""What a form says; a secret in it is revealed as it is sent."""


class Access:
    """No credential at all; the base of those that have one.

    Attributes
    ----------
    credentials : list of Credential
        All that must never show.
    hint : str
        What to look at when a server refuses.
    """

    def __init__(self, hint: str = "") -> None:
        self.credentials: list[Credential] = []
        self.hint = hint

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.credentials})"

    def prepare(self, client: "Client") -> None:
        """Get what is needed before the first request."""

    def renew(self, client: "Client") -> bool:
        """Get a new credential after a 401; False if there is no way to."""
        return False

    def headers(self) -> dict[str, str]:
        """What is sent to the provider's own server, and to no other."""
        return {}


class TokenHeader(Access):
    """One token in one header.

    Parameters
    ----------
    header : str
        Its name.
    variable : str
        The environment variable that holds the token.
    hint : str
        How one gets a token.

    Raises
    ------
    RefusedError
        If the variable is empty.
    """

    def __init__(self, header: str, variable: str, hint: str) -> None:
        super().__init__(f"the token is taken from {variable}; {hint}")
        token = from_environment(variable, header=True)
        if token is None:
            raise RefusedError(f"no token in the environment variable {variable}; {hint}")
        self.credentials = [token]
        self._header = header

    def headers(self) -> dict[str, str]:
        """The token in its header."""
        return {self._header: self.credentials[0].reveal()}


class OAuth(Access):
    """A user's name and password for a bearer token, which is renewed as it ends.

    Tokens stay in memory. The password goes to the token endpoint alone.

    Parameters
    ----------
    url : str
        The token endpoint.
    prefix : str
        Of the environment variables: ``<prefix>_TOKEN`` (an access token that is at hand),
        ``<prefix>_REFRESH_TOKEN``, ``<prefix>_USERNAME`` and ``<prefix>_PASSWORD``.
    client : str
        The ``client_id`` that every request for a token names.
    scope : str
        What a login asks for; a refresh token has the scope of the login it comes from.
    hint : str
        How one gets an account.

    Raises
    ------
    RefusedError
        If the environment holds none of the three ways.
    """

    def __init__(self, url: str, prefix: str, client: str, scope: str, hint: str) -> None:
        names = f"{prefix}_USERNAME and {prefix}_PASSWORD"
        super().__init__(f"the account is taken from {names}; {hint}")
        self.url, self._client, self._scope = url, client, scope
        self._token = from_environment(f"{prefix}_TOKEN", header=True)
        self._refresh = from_environment(f"{prefix}_REFRESH_TOKEN")
        user = from_environment(f"{prefix}_USERNAME")
        password = from_environment(f"{prefix}_PASSWORD")
        self._login = None if user is None or password is None else (user, password)
        if not (self._token or self._refresh or self._login):
            raise RefusedError(
                f"no account in the environment variables {names} (nor a token in {prefix}_TOKEN "
                f"or {prefix}_REFRESH_TOKEN); {hint}"
            )
        given = (self._token, self._refresh, user, password)
        self.credentials = [each for each in given if each is not None]

    def headers(self) -> dict[str, str]:
        """The bearer token."""
        return {"Authorization": f"Bearer {self._token.reveal()}"} if self._token else {}

    def prepare(self, client: "Client") -> None:
        """Ask for a token unless one is at hand."""
        if self._token is None and not self.renew(client):
            raise RefusedError(f"{client.shown(self.url)}: no token was given; {self.hint}")

    def renew(self, client: "Client") -> bool:
        """Ask for a token: by the refresh token, and by the password where that is not taken."""
        if self._refresh is not None:
            refresh, self._refresh = self._refresh, None
            fields: Fields = {"grant_type": "refresh_token", "refresh_token": refresh}
            try:
                self._ask(client, fields)
                return True
            except RefusedError:
                if self._login is None:
                    raise
        if self._login is None:
            return False
        user, password = self._login
        fields = {"grant_type": "password", "username": user, "password": password}
        self._ask(client, fields | {"scope": self._scope})
        return True

    def _ask(self, client: "Client", fields: Fields) -> None:
        client.token(self, fields | {"client_id": self._client})

    def take(self, token: Credential, refresh: Credential | None) -> None:
        """Keep the tokens that the endpoint gave."""
        self._token = token
        self.credentials.append(token)
        if refresh is not None:
            self._refresh = refresh
            self.credentials.append(refresh)
