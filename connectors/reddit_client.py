"""Reddit's settings, its client (praw behind our transport) and its errors by name."""

import configparser
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import praw
import prawcore
import requests
from praw.exceptions import PRAWException, RedditAPIException
from prawcore.exceptions import OAuthException, PrawcoreException, Redirect, ResponseException
from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.base import Clock, ConnectorConfig, SourceKind
from connectors.errors import (
    AmbiguousError,
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    SourceGoneError,
    TransientError,
)
from connectors.transport import NetworkSession, Transport, error_from_exception, error_from_status

OAUTH_URL: Final = "https://oauth.reddit.com"
REDDIT_URL: Final = "https://www.reddit.com"
_AMOUNT = re.compile(r"(\d+) (millisecond|second|minute|hour)")
_UNITS = {"millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3600.0}
_KINDS = {"comment": "t1", "redditor": "t2", "submission": "t3", "message": "t4", "subreddit": "t5", "trophy": "t6"}
_SUBREDDIT = re.compile(r"(?:/?r/)?([A-Za-z0-9_]{2,24})/?")
_WRITES = ("api/comment",)


class RedditConfig(ConnectorConfig):
    """Keys of a Reddit app and what to read with them.

    An account is connected by its refresh token, or by name and password for a "script" app; without
    either, only listening queries and communities can be read.
    """

    client_id: str = Field(min_length=1, description="The app's client id")
    client_secret: SecretStr | None = Field(default=None, description="The app's secret, if it has one")
    refresh_token: SecretStr | None = Field(default=None, description="The account's refresh token")
    username: str = Field(default="", description="The account's name, for a script app")
    password: SecretStr | None = Field(default=None, description="The account's password, for a script app")
    user_agent: str = Field(default="", description="User agent as Reddit asks: platform:app:version (by /u/name)")
    communities: tuple[str, ...] = Field(default=(), description="Communities whose comments and posts are read")
    recheck_every: int = Field(default=3, ge=1, description="Empty polls after which a listing is read afresh")
    thread_comments: int = Field(default=500, ge=10, le=2048, description="Comments asked for to show a thread")
    thread_more: int = Field(default=4, ge=0, le=32, description="Folded branches opened to show a thread")
    max_length: int = Field(default=10_000, ge=1, description="Longest comment Reddit takes")

    @field_validator("communities")
    @classmethod
    def plain_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Take "r/name" and "/r/name/" too; keep the plain name."""
        matches = [_SUBREDDIT.fullmatch(name.strip()) for name in names]
        if not all(matches):
            raise ValueError("a community is a name such as r/italy")
        return tuple(dict.fromkeys(match.group(1) for match in matches if match))

    @model_validator(mode="after")
    def has_something_to_read(self) -> "RedditConfig":
        """Own sources need an account or communities; queries need words."""
        if self.kind is SourceKind.QUERY and self.query is None:
            raise ValueError("a listening source on Reddit needs a query")
        if self.kind is SourceKind.OWN and not (self.is_user or self.communities):
            raise ValueError("connect an account (refresh token, or name and password) or name communities to read")
        return self

    @property
    def is_user(self) -> bool:
        """Whether the keys act for an account, not only for an app."""
        return bool(self.refresh_token or (self.username and self.password))


class QuietRequestor(prawcore.Requestor):  # type: ignore[misc]  # follow_imports is off for praw's packages
    """prawcore's requestor without its sleeping and its blind repeats.

    prawcore sends a POST again after a 5xx or a broken connection, which posts an answer twice, and sleeps in
    the thread when the rate limit is used up. Here both become errors by name, raised before prawcore acts.
    """

    clock: Callable[[], datetime]
    calls = 0
    blocked_until: datetime | None = None

    def request(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> requests.Response:
        """Send one request, or refuse while the rate limit is used up."""
        method, url = (
            str(args[0] if args else kwargs["method"]).upper(),
            str(args[1] if len(args) > 1 else kwargs["url"]),
        )
        sent = method != "GET" and any(path in url for path in _WRITES)
        now = self.clock()
        if self.blocked_until is not None and now < self.blocked_until:
            raise RateLimitedError("Reddit's calls are used up for now", retry_after=self.blocked_until - now)
        self.calls += 1
        try:
            response: requests.Response = self._http.request(*args, timeout=timeout or self.timeout, **kwargs)
        except requests.RequestException as error:
            raise error_from_exception(error, sent, network="Reddit") from error
        self._note_limits(response.headers, now)
        if response.status_code == requests.codes.unauthorized:
            raise AuthError("Reddit refuses the app's keys or the account's access; connect it again")
        if response.status_code == requests.codes.forbidden:
            raise _forbidden(response, sent=sent)
        if response.status_code == requests.codes.too_many_requests or response.status_code >= 500:  # noqa: PLR2004 - HTTP's own class
            raise error_from_status(response.status_code, response.headers, network="Reddit", sent=sent, now=now)
        return response

    def _note_limits(self, headers: Any, now: datetime) -> None:
        """Keep the rate limit here and hide it from prawcore, which would sleep on it."""
        remaining, reset = headers.pop("x-ratelimit-remaining", None), headers.pop("x-ratelimit-reset", None)
        try:
            if remaining is not None and float(remaining) < 1:
                self.blocked_until = now + timedelta(seconds=max(float(reset or 60), 1.0))
        except (ValueError, OverflowError):
            return


class RedditClient:
    """Calls to Reddit through praw: objects or raw JSON out, errors by name. Opens nothing on construction."""

    def __init__(self, config: RedditConfig, *, transport: Transport, clock: Clock) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock
        self._reddit: praw.Reddit | None = None
        self._requestor: QuietRequestor | None = None

    @property
    def calls(self) -> int:
        """Requests made so far, tokens included."""
        return self._requestor.calls if self._requestor is not None else 0

    @property
    def reddit(self) -> "praw.Reddit":
        """The praw object, every option given, so that no praw.ini nearby has a say."""
        if self._reddit is None:
            try:
                self._reddit = self._open()
            except (PRAWException, PrawcoreException, configparser.Error) as error:
                raise AuthError("Reddit: the app's keys are incomplete") from error
        return self._reddit

    def get(self, path: str, **params: str | int | None) -> Any:
        """Get raw JSON from a path relative to the API; empty parameters are left out."""
        given = {name: value for name, value in params.items() if value is not None}
        reddit = self.reddit
        return self.run(lambda: reddit.request(method="GET", path=path, params=given))

    def run(self, action: Callable[[], Any], *, sent: bool = False) -> Any:
        """Do something with praw's objects; `sent` says that it writes."""
        try:
            return action()
        except (PRAWException, PrawcoreException) as error:
            raise call_error(error, sent=sent) from error
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError) as error:
            raise _unreadable(sent=sent) from error  # praw on an answer it can't read

    def _open(self) -> "praw.Reddit":
        config = self._config
        base = config.api_url.rstrip("/") if config.api_url else None
        session: NetworkSession = self._transport.session(base or OAUTH_URL)

        def make_requestor(**options: Any) -> QuietRequestor:
            self._requestor = QuietRequestor(session=session, **options)
            self._requestor.clock = self._clock
            return self._requestor

        return praw.Reddit(
            "DEFAULT",
            requestor_class=make_requestor,
            client_id=config.client_id,
            client_secret=_reveal(config.client_secret),
            refresh_token=_reveal(config.refresh_token),
            username=config.username or None,
            password=_reveal(config.password),
            redirect_uri=None,
            user_agent=config.user_agent or self._transport.user_agent,
            oauth_url=f"{base}/" if base else OAUTH_URL,
            reddit_url=base or REDDIT_URL,
            short_url="https://redd.it",
            ratelimit_seconds=0,
            timeout=16,
            window_size=600,
            check_for_updates=False,
            check_for_async=False,
            **{f"{name}_kind": kind for name, kind in _KINDS.items()},
        )


def call_error(error: Exception, *, sent: bool) -> ConnectorError:
    """Give the error by name for what praw or prawcore raised."""
    match error:
        case RedditAPIException():
            return _api_error(error)
        case OAuthException():
            return AuthError(f"Reddit refuses the account's access ({error.error}); connect it again")
        case Redirect():
            return SourceGoneError("Reddit knows no such community or page")
        case ResponseException():
            return _status_error(error.response, sent=sent)
    return _unreadable(sent=sent)


def _status_error(response: requests.Response, *, sent: bool) -> ConnectorError:
    if "access_token" in str(response.request.url) and response.status_code < 500:  # noqa: PLR2004 - HTTP's own class
        return AuthError("Reddit refuses the app's keys or the account's access; check client id and secret")
    if response.status_code == requests.codes.ok:
        return _unreadable(sent=sent)
    return error_from_status(response.status_code, response.headers, network="Reddit", sent=sent)


def _api_error(error: RedditAPIException) -> ConnectorError:
    """Reddit refuses a write with HTTP 200 and a list of reasons: nothing was posted."""
    for item in error.items:
        if item.error_type == "RATELIMIT":
            wait = _wait(item.message or "")
            return RateLimitedError(f"Reddit asks to wait {wait.total_seconds():.0f} s", retry_after=wait)
        if item.error_type == "USER_REQUIRED":
            return AuthError("Reddit wants an account for this: connect one")
    reasons = ", ".join(item.error_type for item in error.items)
    return PermanentError(f"Reddit refuses this comment ({reasons})")


def _forbidden(response: requests.Response, *, sent: bool) -> ConnectorError:
    try:
        body = response.json()
    except ValueError:
        body = {}
    reason = body.get("reason") if isinstance(body, dict) else None
    if reason == "banned":
        return SourceGoneError("Reddit has banned this community")
    if sent:
        return PermanentError("Reddit refuses a comment here: the thread is locked, archived or closed to us")
    what = f"the community is {reason}" if isinstance(reason, str) and reason.isalpha() else "check the app's scopes"
    return AuthError(f"Reddit denies access: {what}")


def _wait(message: str) -> timedelta:
    """Read "Take a break for 9 minutes before trying again."."""
    found = _AMOUNT.search(message)
    return timedelta(seconds=max(int(found.group(1)) * _UNITS[found.group(2)], 1.0)) if found else timedelta(minutes=10)


def _unreadable(*, sent: bool) -> ConnectorError:
    words = "Reddit's answer is unreadable"
    return AmbiguousError(words) if sent else TransientError(words)


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
