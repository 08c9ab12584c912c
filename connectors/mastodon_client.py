"""Mastodon.py through our transport: its errors by our names, ids and URIs of statuses.

Mastodon.py (2.3) hides the cause of a broken call and may raise a rate-limit error on an accepted one, so what
happened is read from the session's last answer, not from its exceptions.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mastodon import Mastodon
from mastodon.errors import MastodonError

from connectors.errors import AuthError, ConnectorError, PermanentError, SourceGoneError
from connectors.transport import NetworkSession, Transport, error_from_exception, error_from_status

Result = TypeVar("Result")
BULK = 20  # statuses a server gives at once by id (Mastodon 4.3)
_NO_BULK = {400, 403, 404, 405, 422, 501}  # what servers without the bulk call answer (GoToSocial, Mastodon < 4.3)
_LOCAL_URI = re.compile(r"/(?:ap/)?users/[^/]+/statuses/(\w+)")


class MastodonClient:
    """Calls to one server. Opens its session at the first call."""

    def __init__(self, server: str, token: str, *, api_url: str | None, transport: Transport) -> None:
        self.server = server
        self._token = token
        self._api_url = api_url
        self._transport = transport
        self._opened: tuple[Mastodon, NetworkSession] | None = None

    @property
    def calls(self) -> int:
        """Requests sent so far."""
        return self._opened[1].calls if self._opened else 0

    def ask(
        self,
        call: Callable[[Any], Result],
        *,
        sent: bool = False,
        gone: type[ConnectorError] = SourceGoneError,
    ) -> Result:
        """Do a call on the library's client; `sent` says that it writes, `gone` what a 404 means."""
        api, session = self._open()
        session.last_response = None
        try:
            return call(api)
        except MastodonError as error:
            raise self._named(error, session, sent=sent, gone=gone) from error

    def instance(self) -> dict[str, Any]:
        """Give what the server says about itself; servers before 4.0 know the first version only."""
        api, session = self._open()
        for version in ("v2", "v1"):
            try:
                answer = session.get(f"{api.api_base_url}/api/{version}/instance")
                value = answer.json() if answer.ok else None
            except ValueError as error:  # requests' errors are not ValueErrors, its JSON errors are
                raise error_from_exception(error, sent=False, network=self.server) from error
            except OSError as error:  # requests.RequestException is one
                raise error_from_exception(error, sent=False, network=self.server) from error
            if isinstance(value, dict):
                return value
            if answer.status_code not in {404, 405}:
                break
        raise error_from_status(answer.status_code, answer.headers, network=self.server, sent=False)

    def native_id(self, uri: str) -> str:
        """Give this server's own id of a status. PermanentError if the server does not know it.

        Ours say it in the URI; those of other servers are looked up, which also fetches them if need be.
        """
        parts = urlsplit(uri)
        local = _LOCAL_URI.fullmatch(parts.path)
        if parts.hostname == self.server and local:
            return local.group(1)
        # Without exclude_unreviewed=False the library asks for the server's version first, and for ever if it fails.
        found = self.ask(
            lambda api: api.search_v2(uri, resolve=True, result_type="statuses", limit=5, exclude_unreviewed=False)
        )
        for status in found.get("statuses") or []:
            if uri in {status.get("uri"), status.get("url")}:
                return str(status["id"])
        raise PermanentError(f"{self.server} does not find the post at its own server; it may be deleted")

    def statuses(self, ids: Sequence[str]) -> dict[str, Any]:
        """Give statuses by the server's own ids; those that are gone or hidden are missing."""
        found: dict[str, Any] = {}
        for start in range(0, len(ids), BULK):
            found |= self._chunk(ids[start : start + BULK])
        return found

    def parent_uris(self, statuses: Iterable[Any]) -> dict[str, str]:
        """Give id → URI of what these statuses answer: statuses name their parent by the server's id alone."""
        listed = list(statuses)
        known = {str(s["id"]): str(s["uri"]) for s in listed if s.get("id") and s.get("uri")}
        wanted = {str(s["in_reply_to_id"]) for s in listed if s.get("in_reply_to_id")}
        for native, status in self.statuses(sorted(wanted - set(known))).items():
            if status.get("uri"):
                known[native] = str(status["uri"])
        return known

    def _chunk(self, ids: Sequence[str]) -> dict[str, Any]:
        if len(ids) > 1:
            try:
                many = self.ask(lambda api: api.statuses(list(ids)))
                return {str(status["id"]): status for status in many}
            except ConnectorError:
                if self.last_status() not in _NO_BULK:
                    raise
        found = {}
        for native in ids:
            status = self.status_or_none(native)
            if status is not None:
                found[native] = status
        return found

    def status_or_none(self, native: str) -> Any | None:
        """Give one status, None if the server says that it is not there."""
        try:
            return self.ask(lambda api: api.status(native), gone=PermanentError)
        except PermanentError:
            if self.last_status() in {404, 410}:
                return None
            raise

    def last_status(self) -> int:
        """Give the HTTP status of the last answer, 0 if there was none."""
        answer = self._opened[1].last_response if self._opened else None
        return answer.status if answer else 0

    def _named(
        self, error: MastodonError, session: NetworkSession, *, sent: bool, gone: type[ConnectorError]
    ) -> ConnectorError:
        answer = session.last_response
        if answer is None or answer.status < 400:  # noqa: PLR2004 - HTTP's own classes
            return error_from_exception(error, sent, network=self.server)
        detail = str(error.args[3]) if len(error.args) > 3 and error.args[3] else ""  # noqa: PLR2004 - their form
        if answer.status in {404, 410} and not sent and gone is not SourceGoneError:
            return gone(f"{self.server} has nothing there any more (HTTP {answer.status})")
        if answer.status == 403 and "scope" in detail:  # noqa: PLR2004 - HTTP's own number
            return AuthError(f"{self.server}: the access token lacks a permission: {detail[:100]}")
        return error_from_status(answer.status, answer.headers, network=self.server, sent=sent, detail=detail)

    def _open(self) -> tuple[Mastodon, NetworkSession]:
        if self._opened is None:
            session = self._transport.session(f"https://{self.server}", self._api_url)
            api = Mastodon(
                api_base_url=f"https://{self.server}",
                session=session,
                request_timeout=self._transport.timeout_seconds,
                ratelimit_method="throw",
                version_check_mode="none",
                user_agent=self._transport.user_agent,
            )
            # Set afterwards: given to the constructor, a token that is a file's name would be read from there.
            api.access_token = self._token or None
            self._opened = api, session
        return self._opened
