"""X's settings, its client (tweepy behind our transport) and its errors by name."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import requests
import tweepy
from pydantic import Field, SecretStr, model_validator

from connectors.base import Clock, ConnectorConfig, SourceKind
from connectors.errors import (
    AmbiguousError,
    AuthError,
    BadQueryError,
    BudgetExceededError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from connectors.transport import (
    NetworkSession,
    Transport,
    error_from_exception,
    error_from_status,
    parse_retry_after,
    redact,
)

OFFICIAL_URL: Final = "https://api.twitter.com"  # the host tweepy 4.17 names in its code
_WINDOW = timedelta(minutes=15)


class SinceTooOldError(BadQueryError):
    """The since id lies before the days X's search reaches back: ask again without it."""


class PageTokenError(BadQueryError):
    """The page token is no longer taken: begin this walk again from its newest page."""


class XConfig(ConnectorConfig):
    """Keys of an X app and what its access level allows and costs.

    One of three ways in: an OAuth 2 user token (with `refresh_token`, it lives about two hours), the four
    OAuth 1 keys (they do not expire), or an app's bearer token (reading only). Prices are millionths of a US
    dollar, as X published them in February 2026; change them here when X does.
    """

    oauth2_token: SecretStr | None = Field(default=None, description="OAuth 2 user token")
    refresh_token: SecretStr | None = Field(default=None, description="OAuth 2 refresh token (offline.access)")
    client_id: str = Field(default="", description="OAuth 2 client id, to renew the token")
    client_secret: SecretStr | None = Field(default=None, description="OAuth 2 client secret, if the app has one")
    consumer_key: SecretStr | None = Field(default=None, description="OAuth 1 API key")
    consumer_secret: SecretStr | None = Field(default=None, description="OAuth 1 API key secret")
    access_token: SecretStr | None = Field(default=None, description="OAuth 1 access token")
    access_token_secret: SecretStr | None = Field(default=None, description="OAuth 1 access token secret")
    bearer_token: SecretStr | None = Field(default=None, description="App bearer token: reading only")
    account_id: str = Field(default="", pattern=r"^\d*$", description="Our account's number; saves a paid look-up")
    handle: str = Field(default="", pattern=r"^@?\w{0,15}$", description="Our account's handle")
    expand_authors: bool = Field(default=True, description="Read authors' names too (X charges for them)")
    max_length: int = Field(default=280, ge=1, description="Longest post X takes from this account, as X weighs")
    max_query_length: int = Field(default=512, ge=1, description="Longest search X takes at this access level")
    replies_need_mention: bool = Field(default=True, description="X takes answers only to posts that name us")
    thread_pages: int = Field(default=3, ge=1, le=20, description="Pages of 100 read to show a thread")
    micros_per_post: int = Field(default=5_000, ge=0, description="Price of a post read")
    micros_per_mention: int = Field(default=1_000, ge=0, description="Price of a mention of ours read")
    micros_per_user: int = Field(default=10_000, ge=0, description="Price of an author read")
    micros_per_reply: int = Field(default=10_000, ge=0, description="Price of an answer")
    micros_per_link_reply: int = Field(default=200_000, ge=0, description="Price of an answer with a link")

    @model_validator(mode="after")
    def has_a_way_in(self) -> "XConfig":
        """Say at once what is missing, before X answers 401."""
        keys = (self.consumer_key, self.consumer_secret, self.access_token, self.access_token_secret)
        if any(keys) and not all(keys):
            raise ValueError("OAuth 1 needs all four: consumer key and secret, access token and secret")
        if not (self.oauth2_token or all(keys) or self.bearer_token):
            raise ValueError("X needs an OAuth 2 user token, the four OAuth 1 keys or a bearer token")
        if self.kind is SourceKind.QUERY and self.query is None:
            raise ValueError("a listening source on X needs a query")
        return self

    @property
    def is_user(self) -> bool:
        """Whether the keys act for an account (write, hide), not only for an app."""
        return bool(self.oauth2_token or self.access_token)


class XClient:
    """One call at a time to X through tweepy: raw JSON out, errors by name. Opens nothing on construction."""

    def __init__(self, config: XConfig, *, transport: Transport, clock: Clock) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock
        self._client: tweepy.Client | None = None
        self.calls = 0

    @property
    def uses_oauth1(self) -> bool:
        """Whether calls are signed (OAuth 1) instead of carrying a token."""
        return self._config.oauth2_token is None and self._config.access_token is not None

    def call(self, method: str, *args: object, sent: bool = False, **options: object) -> Mapping[str, Any]:
        """Call a method of tweepy's Client; `sent` says that it writes. Empty options are left out."""
        client = self._open()
        ask: Callable[..., object] = getattr(client, method)
        given = {name: value for name, value in options.items() if value is not None}
        self.calls += 1
        try:
            body = ask(*args, user_auth=self.uses_oauth1, **given)
        except tweepy.HTTPException as error:
            raise self._error(error, sent=sent) from error
        except (requests.RequestException, OSError) as error:
            if isinstance(error, requests.JSONDecodeError):
                raise _unreadable(sent=sent) from error
            raise error_from_exception(error, sent, network="X") from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:  # tweepy on an answer it can't read
            raise _unreadable(sent=sent) from error
        if not isinstance(body, dict):
            raise _unreadable(sent=sent)
        return body

    def renew(self) -> Mapping[str, str]:
        """Change the refresh token for a new pair; the old pair is dead from then on, so store this at once."""
        config = self._config
        if config.refresh_token is None or not config.client_id:
            raise AuthError("X: no refresh token and client id to renew the access with; connect the account again")
        secret = config.client_secret.get_secret_value() if config.client_secret else ""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": config.refresh_token.get_secret_value(),
            "client_id": config.client_id,
        }
        auth = (config.client_id, secret) if secret else None
        with self._session() as session:
            try:
                response = session.post(f"{OFFICIAL_URL}/2/oauth2/token", data=form, auth=auth)
            except requests.RequestException as error:
                raise error_from_exception(error, sent=True, network="X") from error
        if response.status_code in {400, 401}:
            raise AuthError("X refuses the refresh token (used before, or revoked); connect the account again")
        if response.status_code != requests.codes.ok:
            raise error_from_status(response.status_code, response.headers, network="X", sent=True)
        try:
            answer = response.json()
            return {"oauth2_token": str(answer["access_token"]), "refresh_token": str(answer["refresh_token"])}
        except (ValueError, KeyError, TypeError) as error:
            raise _unreadable(sent=True) from error

    def _session(self) -> NetworkSession:
        return self._transport.session(OFFICIAL_URL, self._config.api_url)

    def _open(self) -> "tweepy.Client":
        if self._client is None:
            config = self._config
            token = config.oauth2_token or config.bearer_token
            self._client = tweepy.Client(
                bearer_token=_reveal(token),
                consumer_key=_reveal(config.consumer_key),
                consumer_secret=_reveal(config.consumer_secret),
                access_token=_reveal(config.access_token),
                access_token_secret=_reveal(config.access_token_secret),
                return_type=dict,
                wait_on_rate_limit=False,
            )
            self._client.session = self._session()
            self._client.user_agent = self._transport.user_agent
        return self._client

    def _error(self, error: "tweepy.HTTPException", *, sent: bool) -> ConnectorError:
        response = error.response
        problem = _Problem(error)
        match response.status_code:
            case 400:
                return _bad_request(problem, sent=sent)
            case 402:
                return BudgetExceededError("X: the account's credits are used up; buy credits or lower the budget")
            case 403:
                return _forbidden(problem, sent=sent)
            case 429 if "usage-capped" in problem.kind or "UsageCap" in problem.title:
                return BudgetExceededError("X: the month's read quota of this app is used up")
            case 429:
                wait = _wait(response.headers, now=self._clock())
                return RateLimitedError(f"X asks to wait {wait.total_seconds():.0f} s", retry_after=wait)
        return error_from_status(
            response.status_code, response.headers, network="X", sent=sent, detail=problem.title, now=self._clock()
        )


class _Problem:
    """What X says went wrong. `text` may repeat the post's words: for decisions, never for messages."""

    def __init__(self, error: "tweepy.HTTPException") -> None:
        try:
            body = error.response.json()
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        self.kind = str(body.get("type", ""))
        self.title = redact(str(body.get("title", "")))[:100]
        self.text = json.dumps(body)
        self.parameters = _parameters(body)


def _parameters(body: Mapping[str, Any]) -> set[str]:
    errors = body.get("errors")
    found: set[str] = set()
    for problem in errors if isinstance(errors, list) else ():
        parameters = problem.get("parameters") if isinstance(problem, dict) else None
        found.update(parameters if isinstance(parameters, dict) else ())
    return found


def _bad_request(problem: _Problem, *, sent: bool) -> ConnectorError:
    if sent:
        return PermanentError("X refuses this text or its target; change it and send again")
    if "since_id" in problem.parameters or "'since_id'" in problem.text:
        return SinceTooOldError("X's search reaches back 7 days only")
    if {"next_token", "pagination_token"} & problem.parameters or "_token" in problem.text:
        return PageTokenError("X no longer takes the page token")
    if "query" in problem.parameters:
        return BadQueryError("X cannot read the query; simplify its words")
    return PermanentError(f"X refuses this request ({problem.title or 'HTTP 400'})")


def _forbidden(problem: _Problem, *, sent: bool) -> ConnectorError:
    """403 on a write is about this post, unless X names the app or the account."""
    account = ("client-forbidden", "unsupported-authentication", "oauth1-permissions", "suspended", "locked")
    if not sent or any(word in problem.text for word in account):
        return AuthError(
            "X denies access: check that the app belongs to a project with this access level, has read and write "
            f"permission, and that the account is not locked ({problem.title or 'HTTP 403'})"
        )
    if "duplicate" in problem.text.casefold():
        return PermanentError("X refuses a text that was posted a short while ago: change some words")
    if "deleted or not visible" in problem.text:
        return PermanentError("X shows the post to answer no more")
    return PermanentError("X refuses this answer: since 2026 it takes answers only to posts that name us")


def _wait(headers: Mapping[str, str], *, now: datetime) -> timedelta:
    """Wait for the day's window where that one is empty, else for the 15 minutes' window."""
    for name in ("x-user-limit-24hour", "x-app-limit-24hour"):
        if headers.get(f"{name}-remaining") == "0":
            day = parse_retry_after({"x-rate-limit-reset": headers.get(f"{name}-reset", "")}, now)
            return day or timedelta(days=1)
    return parse_retry_after(headers, now) or _WINDOW


def _unreadable(*, sent: bool) -> ConnectorError:
    return AmbiguousError("X's answer is unreadable") if sent else TransientError("X's answer is unreadable")


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
