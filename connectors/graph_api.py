"""facebook-sdk's GraphAPI made fit for use: any version, time-outs, kept answers, errors by name.

The SDK (3.1.0, 2018) refuses versions after 3.1, puts the token into addresses, throws status and headers away
and follows `next` links that carry the token. The subclass keeps its calls (get_object, get_connections,
put_object, delete_object …), which all pass through `request`.
"""

import hashlib
import hmac
import json
import urllib.parse
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import facebook
import requests

from connectors.errors import (
    AmbiguousError,
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    SourceGoneError,
    TransientError,
)
from connectors.transport import NetworkSession, error_from_exception, error_from_status, parse_retry_after, redact

OFFICIAL_URL: Final = facebook.FACEBOOK_GRAPH_URL.rstrip("/")
# Codes of Graph errors: developers.facebook.com/docs/graph-api/guides/error-handling and …/overview/rate-limiting,
# read in November 2026.
_THROTTLED = {4, 17, 32, 341, 613, *range(80000, 80015)}
_SIGNED_OUT = {102, 190, 463, 467}
_FORBIDDEN = {3, 10, *range(200, 300)}
_FAILING = {1, 2}
_MISSING_SUBCODE = 33
_MISSING = {21, 803}
_DEFAULT_WAIT = timedelta(minutes=5)
_LONGEST_WAIT = timedelta(hours=24)
_PAGING_NAMES = {"after", "until", "__paging_token", "offset"}


class MissingNodeError(SourceGoneError, PermanentError):
    """The object is not there, or no longer shown to us. Which of its two parents counts is the caller's affair."""


class GraphApi(facebook.GraphAPI):  # type: ignore[misc]  # facebook-sdk publishes no types
    """The Graph API for one page's token. Every call raises the errors of connectors.errors."""

    def __init__(self, token: str, *, version: str, session: NetworkSession, app_secret: str = "") -> None:
        super().__init__(access_token=token, session=session)
        self.version = f"v{version.removeprefix('v')}"
        self._proof = hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest() if app_secret else ""
        self.calls = 0
        self.usage: Mapping[str, Any] = {}

    def request(
        self,
        path: str,
        args: Mapping[str, Any] | None = None,
        post_args: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        method: str | None = None,
    ) -> dict[str, Any]:
        """Call the API: the token goes in a header, never into the address or the body."""
        verb = (method or ("POST" if post_args is not None else "GET")).upper()
        sent = verb != "GET"
        params = {name: value for name, value in (args or {}).items() if value is not None}
        data = dict(post_args) if post_args is not None else None
        if self._proof:
            (params if data is None else data)["appsecret_proof"] = self._proof
        self.calls += 1
        try:
            response = self.session.request(
                verb,
                f"{OFFICIAL_URL}/{path}",
                params=params,
                data=data,
                files=files,
                headers={"Authorization": f"Bearer {self.access_token}"},
            )
        except requests.RequestException as error:
            raise error_from_exception(error, sent, network="Facebook") from error
        self.usage = read_usage(response.headers)
        return self._read(response, sent=sent)

    def get_page(self, node: str, connection: str, **args: object) -> tuple[list[Any], dict[str, str] | None]:
        """Get one page of a connection: (records, arguments of the next page or None)."""
        body = self.get_connections(node, connection, **args)
        records = body.get("data")
        if not isinstance(records, list):
            raise TransientError("Facebook's answer is no list")
        return records, next_arguments(body)

    def _read(self, response: requests.Response, *, sent: bool) -> dict[str, Any]:
        try:
            body = json.loads(response.content)
        except ValueError as error:
            if response.status_code >= 400:  # noqa: PLR2004 - HTTP's own classes
                raise self._status_error(response, sent=sent) from error
            raise _unreadable(sent=sent) from error
        if body is True:  # old edges answer a bare true
            return {"success": True}
        if not isinstance(body, dict):
            raise _unreadable(sent=sent)
        problem = body.get("error")
        if problem:
            raise error_of(problem, response.status_code, response.headers, sent=sent)
        if response.status_code >= 400:  # noqa: PLR2004 - as above
            raise self._status_error(response, sent=sent)
        return body

    def _status_error(self, response: requests.Response, *, sent: bool) -> ConnectorError:
        return error_from_status(response.status_code, response.headers, network="Facebook", sent=sent)


def next_arguments(body: Mapping[str, Any]) -> dict[str, str] | None:
    """Give what asks for the next page. The `next` link itself is never followed: it carries the token."""
    paging = body.get("paging")
    link = paging.get("next") if isinstance(paging, dict) else None
    if not isinstance(paging, dict) or not isinstance(link, str):
        return None
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    if after:
        return {"after": str(after)}
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
    return {name: values[0] for name, values in query.items() if name in _PAGING_NAMES} or None


def error_of(problem: object, status: int, headers: Mapping[str, str], *, sent: bool) -> ConnectorError:
    """Give the error by name from a Graph error object: its code decides, not the HTTP status."""
    details = problem if isinstance(problem, dict) else {}
    code, subcode = _number(details.get("code")), _number(details.get("error_subcode"))
    said = redact(" ".join(str(details.get("message", "")).split()))[:160]
    words = f"(code {code}{f'/{subcode}' if subcode else ''}: {said})"
    if code in _THROTTLED:
        wait = wait_of(headers)
        return RateLimitedError(f"Facebook asks to wait {wait.total_seconds():.0f} s", retry_after=wait)
    if code in _SIGNED_OUT:
        return AuthError(f"Facebook refuses the page's token: connect the page again {words}")
    if code in _FORBIDDEN:
        advice = "Facebook denies permission: reading needs pages_read_engagement and pages_read_user_content, "
        advice += f"answering and hiding need pages_manage_engagement {words}"
        return PermanentError(advice) if sent else AuthError(advice)
    if code in _MISSING or subcode == _MISSING_SUBCODE:
        return MissingNodeError(f"Facebook shows this no more, or not to us {words}")
    if code in _FAILING or (code is None and status >= 500):  # noqa: PLR2004 - HTTP's own class
        failed = f"Facebook failed {words}"
        return AmbiguousError(failed) if sent else TransientError(failed)
    return PermanentError(f"Facebook refuses this request {words}")


def read_usage(headers: Mapping[str, str]) -> dict[str, Any]:
    """Give the usage that Facebook reports per business, {} where it reports none that can be read."""
    try:
        usage = json.loads(headers.get("X-Business-Use-Case-Usage") or "{}")
    except ValueError:
        return {}
    return usage if isinstance(usage, dict) else {}


def wait_of(headers: Mapping[str, str]) -> timedelta:
    """Give how long to wait: the longest `estimated_time_to_regain_access`, which counts minutes."""
    minutes = 0.0
    for entries in read_usage(headers).values():
        for entry in entries if isinstance(entries, list) else ():
            value = entry.get("estimated_time_to_regain_access") if isinstance(entry, dict) else None
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                minutes = max(minutes, float(value))
    if minutes > 0:
        return min(timedelta(minutes=minutes), _LONGEST_WAIT)
    return parse_retry_after(headers) or _DEFAULT_WAIT


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _unreadable(*, sent: bool) -> ConnectorError:
    words = "Facebook's answer is unreadable"
    return AmbiguousError(words) if sent else TransientError(words)
