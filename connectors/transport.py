"""All traffic to networks: time-outs, another base URL, size cap, redaction, and status → error by name.

What lives elsewhere: what a network's own error bodies mean (each connector), when to try again (the caller).
"""

import email.utils
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies
from urllib3 import exceptions as urllib3_errors

from connectors.errors import (
    AmbiguousError,
    AuthError,
    BudgetExceededError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    SourceGoneError,
    TransientError,
)

DEFAULT_RETRY_AFTER = timedelta(seconds=60)
LONGEST_RETRY_AFTER = timedelta(hours=24)
BODY_TIMEOUTS = 3  # a body that drips in may take this many time-outs in all

_NAMES = "access_token|refresh_token|client_secret|client_id|appsecret_proof|api_?key|password|passwd|secret|token"
_SECRET_PATTERNS = (
    re.compile(rf"(?i)\b({_NAMES})(=)[^&\s\"'<>]+"),
    re.compile(rf"(?i)([\"'](?:{_NAMES})[\"']\s*)(:\s*)[\"'][^\"']*[\"']"),
    re.compile(r"(?i)\b(bearer|basic|oauth)(\s+)[a-z0-9._~+/=-]{6,}"),
    re.compile(r"(?i)(https?:/)(/)[^/\s@]+@"),
)


class ResponseTooLargeError(requests.RequestException):
    """The answer passed the size cap and was dropped."""


def redact(text: str, *, secrets: tuple[str, ...] = ()) -> str:
    """Give the text with tokens, passwords and the given secrets replaced by ***."""
    for secret in sorted((s for s in secrets if s), key=len, reverse=True):
        text = text.replace(secret, "***")
    for pattern in _SECRET_PATTERNS:
        text = pattern.sub(r"\1\2***", text)
    return text


@dataclass(frozen=True, slots=True)
class LastResponse:
    """Status, headers and address (redacted) of the answer a session got last."""

    status: int
    headers: Mapping[str, str]
    url: str


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """A document got by plain GET. `url` is where it was found after redirects; 304 has no content."""

    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes


class _NetworkAdapter(HTTPAdapter):
    """Sends with a time-out, from the official host to `api_url` if given, and reads at most `max_bytes`."""

    def __init__(self, transport: "Transport", session: "NetworkSession", official: str, api_url: str | None) -> None:
        super().__init__(max_retries=0)
        self._transport = transport
        self._session = session
        self._official = official
        self._api_url = api_url

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002 - the signature is HTTPAdapter's
        timeout: object = None,  # noqa: ARG002 - the transport's time-out is the only one
        verify: bool | str = True,  # noqa: FBT001, FBT002 - as above
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        seconds = self._transport.timeout_seconds
        if self._api_url is not None and request.url is not None:
            request.url = rewrite_url(request.url, self._official, self._api_url)
            request.headers.pop("Host", None)
            proxies = {**get_environ_proxies(request.url), **self._session.proxies}
        self._session.calls += 1
        self._session.last_response = None
        response = super().send(
            request,
            stream=True,
            timeout=(min(seconds, 10.0), seconds),
            verify=verify,
            cert=cert,  # type: ignore[arg-type]  # passed through as it came
            proxies=proxies,
        )
        self._session.last_response = LastResponse(
            response.status_code, CaseInsensitiveDict(response.headers), redact(request.url or "")
        )
        _read_capped(response, self._transport.max_bytes, seconds * BODY_TIMEOUTS)
        return response


def _read_capped(response: requests.Response, max_bytes: int, max_seconds: float) -> None:
    """Read the body now: a huge, endless or dripping answer ends in an error, not in memory."""
    ends_at = time.monotonic() + max_seconds
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := _read_some(response):
            size += len(chunk)
            if size > max_bytes:
                raise ResponseTooLargeError(f"answer over {max_bytes} bytes")  # noqa: TRY301 - closed below
            if time.monotonic() > ends_at:
                raise requests.ReadTimeout("answer dripped in too slowly")  # noqa: TRY301 - as above
            chunks.append(chunk)
    except BaseException:
        response.close()
        raise
    response.raw.release_conn()
    # Where requests itself keeps a body that is read in full; without the second, it would be read again.
    response._content = b"".join(chunks)  # noqa: SLF001 - there is no public way
    response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001 - as above


def _read_some(response: requests.Response) -> bytes:
    """Give what has arrived (read1 waits for no more than that), b"" at the end; requests' own error names."""
    try:
        piece: bytes = response.raw.read1(65_536, decode_content=True)
    except urllib3_errors.DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except urllib3_errors.ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except (urllib3_errors.HTTPError, OSError) as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    return piece


class NetworkSession(requests.Session):
    """A requests session through our transport; `last_response` tells of the answer it got last, `calls` counts."""

    last_response: LastResponse | None = None
    calls: int = 0

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Drop credentials on redirects to another host, as requests does, but never read a .netrc file."""
        here, there = urlsplit(response.request.url or ""), urlsplit(prepared_request.url or "")
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            prepared_request.headers.pop("Authorization", None)


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is: any default keeps requests from taking a password out of ~/.netrc."""
    return request


def rewrite_url(url: str, official_url: str, api_url: str) -> str:
    """Give the address on `api_url` (its path in front) for one on the official host; keep others."""
    parts, official, target = urlsplit(url), urlsplit(official_url), urlsplit(api_url)
    if (parts.hostname, parts.port) != (official.hostname, official.port):
        return url
    path = target.path.rstrip("/") + (parts.path or "/")
    return urlunsplit((target.scheme, target.netloc, path, parts.query, parts.fragment))


@dataclass(frozen=True)
class Transport:
    """How we talk to networks: time-out of every call in seconds, user agent, largest answer in bytes."""

    timeout_seconds: float = 20.0
    user_agent: str = "Ascolto/0.1 (+social CRM)"
    max_bytes: int = 20_000_000

    def session(self, official_url: str, api_url: str | None = None) -> NetworkSession:
        """Open a session for a network's SDK; calls to the official host go to `api_url` when given."""
        session = NetworkSession()
        session.auth = _keep_headers
        session.headers["User-Agent"] = self.user_agent
        plain = _NetworkAdapter(self, session, official_url, None)
        session.mount("https://", plain)
        session.mount("http://", plain)
        host = urlsplit(official_url)
        session.mount(f"{host.scheme}://{host.netloc}/", _NetworkAdapter(self, session, official_url, api_url or None))
        return session

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> FetchedDocument:
        """Get one document (a feed); raises the errors of connectors.errors, except that 304 is an answer."""
        with self.session(url) as session:
            try:
                response = session.get(url, headers=dict(headers or {}))
            except (requests.RequestException, ValueError) as error:
                raise error_from_exception(error, sent=False) from error
            if response.status_code >= 300 and response.status_code != 304:  # noqa: PLR2004 - HTTP's own numbers
                raise error_from_status(response.status_code, response.headers, network="The feed", sent=False)
            return FetchedDocument(response.url, response.status_code, response.headers, response.content)


def parse_retry_after(headers: Mapping[str, str], now: datetime | None = None) -> timedelta | None:
    """Read how long to wait from Retry-After (seconds or HTTP date) or a reset time; None if unreadable.

    Reset times: `x-rate-limit-reset` (X: epoch seconds), `X-RateLimit-Reset` (Mastodon: ISO time; GoToSocial:
    epoch; Reddit: seconds from now). "Now" is the answer's own Date where present, so that a wrong clock does
    no harm.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    base = _parse_date(lowered.get("date", "")) or now or datetime.now(UTC)
    for name in ("retry-after", "x-rate-limit-reset", "x-ratelimit-reset"):
        value = lowered.get(name, "").strip()
        wait = _parse_wait(value, base)
        if wait is not None:
            return min(max(wait, timedelta(seconds=1)), LONGEST_RETRY_AFTER)
    return None


def _parse_wait(value: str, base: datetime) -> timedelta | None:
    try:
        number = float(value)
    except ValueError:
        moment = _parse_date(value)
        return moment - base if moment else None
    if not 0 <= number < 1e11:  # noqa: PLR2004 - beyond any epoch in seconds
        return None
    is_epoch = number > 1_000_000_000  # noqa: PLR2004 - September 2001; no wait lasts 31 years
    return datetime.fromtimestamp(number, UTC) - base if is_epoch else timedelta(seconds=number)


def _parse_date(value: str) -> datetime | None:
    if not value:
        return None
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def error_from_status(  # noqa: PLR0911 - one return a status reads better than a table of lambdas
    status: int,
    headers: Mapping[str, str],
    *,
    network: str,
    sent: bool,
    detail: str = "",
    now: datetime | None = None,
) -> ConnectorError:
    """Give the error for a refused call. `sent` says it was a write, which a 5xx leaves in doubt.

    `detail` is the network's own explanation; it is redacted and clipped, and must not be a post's text.
    """
    said = f": {redact(' '.join(detail.split()))[:200]}" if detail.strip() else ""
    match status:
        case 429:
            wait = parse_retry_after(headers, now) or DEFAULT_RETRY_AFTER
            return RateLimitedError(f"{network} asks to wait {wait.total_seconds():.0f} s{said}", retry_after=wait)
        case 401:
            return AuthError(f"{network} refuses the access token; connect the account again{said}")
        case 402:
            return BudgetExceededError(f"{network} says the paid quota is used up{said}")
        case 403 if not sent:
            return AuthError(f"{network} denies permission for this; check the app's permissions{said}")
        case 404 | 410 if not sent:
            return SourceGoneError(f"{network} has nothing at this address any more (HTTP {status}){said}")
        case 408 | 425:
            return _in_doubt(f"{network} gave up waiting (HTTP {status}){said}", sent=sent)
        case _ if 400 <= status < 500:  # noqa: PLR2004 - HTTP's own classes
            return PermanentError(f"{network} refuses this request (HTTP {status}){said}")
    return _in_doubt(f"{network} failed with HTTP {status}{said}", sent=sent)


def error_from_exception(error: BaseException, sent: bool, *, network: str = "The server") -> ConnectorError:  # noqa: FBT001 - reads as (error, sent=…) everywhere
    """Give the error for a call that got no whole answer. Wrapped exceptions are unwrapped first.

    A refused or never made connection cannot have changed anything: TransientError even for a write.
    """
    for cause in _chain(error):
        if isinstance(cause, ConnectorError):
            return cause
        if isinstance(cause, (InvalidURL, InvalidSchema, MissingSchema)):
            return PermanentError(f"{network} has no valid address; check the source's settings")
    if _never_connected(error):
        return TransientError(f"{network} cannot be reached: no connection")
    kind = next((word for cause in _chain(error) for word in _words(cause)), "the connection broke")
    return _in_doubt(f"{network} gave no whole answer: {kind}", sent=sent)


def _in_doubt(message: str, *, sent: bool) -> ConnectorError:
    return AmbiguousError(message) if sent else TransientError(message)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from an SDK's exception down to what caused it, each once."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "original_exception", None)]
        waiting += [getattr(cause, "reason", None), *cause.args[:2]]


def _never_connected(error: BaseException) -> bool:
    certificate = "CERTIFICATE_VERIFY_FAILED"
    for cause in _chain(error):
        if isinstance(cause, (requests.ConnectTimeout, urllib3_errors.NewConnectionError, ConnectionRefusedError)):
            return True
        if isinstance(cause, requests.exceptions.SSLError) and certificate in str(cause):
            return True
    return False


def _words(cause: BaseException) -> Iterator[str]:
    if isinstance(cause, ResponseTooLargeError):
        yield "it is larger than the cap"
    elif isinstance(cause, (requests.Timeout, urllib3_errors.TimeoutError, TimeoutError)):
        yield "time-out"
    elif isinstance(cause, (requests.exceptions.ChunkedEncodingError, urllib3_errors.IncompleteRead)):
        yield "it ended half-way"
