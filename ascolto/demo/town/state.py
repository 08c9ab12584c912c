"""What a town's network knows, and the base class its wire format is written on.

To add a network: subclass `TownNetwork`, set `name`, give `routes()`, and name the class in `__init__.py`. The base
holds accounts and posts (thread-safe, journalled), tokens, options and the listing lag; a subclass only turns
them into the network's own paths, JSON and error bodies.
"""

import json
import re
import threading
import urllib.parse
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

Clock = Callable[[], datetime]


@dataclass(slots=True)
class TownAccount:
    """Somebody who lives in the town."""

    id: str
    handle: str
    name: str
    followers: int
    created_at: datetime
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class TownPost:
    """Something said in the town. `place` is where (community, page, feed); `visible_at` when lists show it."""

    id: str
    author: str
    text: str
    created_at: datetime
    visible_at: datetime
    parent_id: str | None = None
    place: str = ""
    title: str = ""
    language: str | None = None
    likes: int = 0
    edited_at: datetime | None = None
    is_deleted: bool = False
    is_hidden: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TownRequest:
    """One HTTP request as a network sees it: `path` is what follows the network's name."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    base_url: str  # where this network stands, to build links: http://127.0.0.1:port/name

    def first(self, name: str, default: str = "") -> str:
        """Give a query parameter's first value."""
        values = self.query.get(name)
        return values[0] if values else default

    def number(self, name: str, default: int, *, low: int = 1, high: int = 100) -> int:
        """Give a whole-number query parameter, forced into its limits."""
        try:
            return min(max(int(self.first(name)), low), high)
        except ValueError:
            return default

    def form(self) -> dict[str, str]:
        """Give the body's fields, from a form or a JSON object; nested values stay out."""
        if "json" in self.headers.get("content-type", ""):
            return {name: str(value) for name, value in self.json().items() if not isinstance(value, (dict, list))}
        fields = urllib.parse.parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[0] for name, values in fields.items()}

    def json(self) -> dict[str, Any]:
        """Give the body as a JSON object; {} if it is none."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def token(self) -> str:
        """Give the access token: bearer header, or `access_token` in query or body."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        if kind.lower() in {"bearer", "oauth"}:
            return token.strip()
        return self.first("access_token") or self.form().get("access_token", "")


@dataclass(frozen=True, slots=True)
class TownResponse:
    """One HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> "TownResponse":
        """Give an answer of JSON."""
        content = {"Content-Type": "application/json; charset=utf-8"}
        return cls(
            status,
            json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"),
            content | dict(headers or {}),
        )


Route = tuple[str, str, Callable[[TownRequest, re.Match[str]], TownResponse]]


class TownNetwork(ABC):
    """One network of the town. Everything runs under `lock`, so a request sees and leaves a whole state."""

    name: ClassVar[str]
    default_options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, *, clock: Clock, write_journal: Callable[[dict[str, Any]], None]) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.accounts: dict[str, TownAccount] = {}
        self.posts: dict[str, TownPost] = {}
        # listing_lag: seconds until lists show what was written over the API (read-back that comes late).
        self.options: dict[str, Any] = {"listing_lag": 0.0, **self.default_options}
        self.revoked: set[str] = set()
        self._children: dict[str, list[str]] = {}
        self._by_handle: dict[str, str] = {}
        self._by_external: dict[str, str] = {}
        self._write_journal = write_journal
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., TownResponse]]] | None = None
        self._last_number = 0

    # What a network must give ------------------------------------------------------------------------------

    @abstractmethod
    def routes(self) -> list[Route]:
        """Give (method, path pattern matched in full, handler), most special first."""

    @abstractmethod
    def error(self, status: int, message: str) -> TownResponse:
        """Give an error in the network's own words and headers (401, 404, 429, 500, …)."""

    def external_id(self, post: TownPost) -> str:
        """Give the id connectors give this post; the plain id unless the network has another."""
        return post.id

    def new_post_id(self, created_at: datetime) -> str:
        """Give the next post id: by default digits that grow with time, as X and Mastodon do."""
        number = int(created_at.timestamp() * 1000) << 16
        while str(number) in self.posts or number == self._last_number:
            number += 1
        self._last_number = number
        return str(number)

    def new_account_id(self) -> str:
        """Give the next account id."""
        return str(1000 + len(self.accounts))

    # What tests and the demo do ----------------------------------------------------------------------------

    def add_account(
        self, handle: str, name: str = "", *, followers: int = 0, extra: Mapping[str, Any] | None = None
    ) -> TownAccount:
        """Let somebody move in; an account that is there already is given back."""
        with self.lock:
            if handle in self._by_handle:
                return self.account(handle)
            account = TownAccount(
                self.new_account_id(), handle, name or handle, followers, self.clock(), dict(extra or {})
            )
            self._keep_account(account)
            self._log("account", account)
            return account

    def add_post(
        self,
        author_handle: str,
        text: str,
        *,
        parent_id: str | None = None,
        created_at: datetime | None = None,
        place: str = "",
        title: str = "",
        language: str | None = None,
        likes: int = 0,
        extra: Mapping[str, Any] | None = None,
    ) -> str:
        """Say something; an unknown author moves in first. Gives the external id."""
        with self.lock:
            self.add_account(author_handle)
            moment = created_at or self.clock()
            post = TownPost(
                id=self.new_post_id(moment),
                author=author_handle,
                text=text,
                created_at=moment,
                visible_at=moment,
                parent_id=self.post(parent_id).id if parent_id else None,
                place=place,
                title=title,
                language=language,
                likes=likes,
                extra=dict(extra or {}),
            )
            return self.external_id(self.store_post(post))

    def store_post(self, post: TownPost) -> TownPost:
        """Keep a finished post (handlers that write call this too) and journal it."""
        with self.lock:
            self._keep_post(post)
            self._log("post", post)
            return post

    def edit_post(self, post_id: str, text: str) -> None:
        """Change what a post says."""
        with self.lock:
            post = self.post(post_id)
            post.text, post.edited_at = text, self.clock()
            self._log("post", post)

    def delete_post(self, post_id: str) -> None:
        """Take a post away; the town keeps a tombstone."""
        with self.lock:
            post = self.post(post_id)
            post.is_deleted = True
            self._log("post", post)

    def replies_to(self, post_id: str) -> list[TownPost]:
        """Give the standing direct answers to a post, oldest first, listed already or not."""
        with self.lock:
            children = (self.posts[key] for key in self._children.get(self.post(post_id).id, ()))
            return sorted((p for p in children if not p.is_deleted), key=lambda p: (p.created_at, p.id))

    def post(self, post_id: str) -> TownPost:
        """Give a post by its id or external id, deleted or not. KeyError if there never was one."""
        if post_id in self.posts:
            return self.posts[post_id]
        return self.posts[self._by_external[post_id]]

    def listed_post(self, post_id: str) -> TownPost | None:
        """Give a post by its own id if lists show it now."""
        post = self.posts.get(post_id)
        is_listed = post is not None and not post.is_deleted and post.visible_at <= self.clock()
        return post if is_listed else None

    def account(self, handle: str) -> TownAccount:
        """Give an account by its handle. KeyError if unknown."""
        return self.accounts[self._by_handle[handle]]

    def token_for(self, handle: str) -> str:
        """Give the access token of an account; the same one for ever, until `revoke`."""
        self.add_account(handle)
        return f"town-{self.name}-{handle}"

    def revoke(self, handle: str) -> None:
        """Make the account's token worthless."""
        self.revoked.add(handle)

    # What handlers use -------------------------------------------------------------------------------------

    def signed_in(self, request: TownRequest) -> TownAccount | None:
        """Give whose token the request bears, None if it is missing, wrong or revoked."""
        handle = request.token().removeprefix(f"town-{self.name}-")
        if handle == request.token() or handle in self.revoked or handle not in self._by_handle:
            return None
        return self.account(handle)

    def written_at(self) -> tuple[datetime, datetime]:
        """Give (created_at, visible_at) for something written over the API now."""
        now = self.clock()
        return now, now + timedelta(seconds=float(self.options["listing_lag"]))

    def listed(self, keep: Callable[[TownPost], bool] = lambda _post: True) -> Iterator[TownPost]:
        """Go through posts that lists show now (not deleted, lag over), in the order of arrival."""
        now = self.clock()
        for post in list(self.posts.values()):
            if not post.is_deleted and post.visible_at <= now and keep(post):
                yield post

    def root_of(self, post: TownPost) -> TownPost:
        """Give the post a thread began with."""
        seen = {post.id}
        while post.parent_id and post.parent_id in self.posts and post.parent_id not in seen:
            post = self.posts[post.parent_id]
            seen.add(post.id)
        return post

    def descendants(self, post: TownPost) -> Iterator[TownPost]:
        """Go through everything listed below a post, parents before their children."""
        now = self.clock()
        for key in self._children.get(post.id, ()):
            child = self.posts[key]
            if not child.is_deleted and child.visible_at <= now:
                yield child
            yield from self.descendants(child)

    def handle(self, request: TownRequest) -> TownResponse:
        """Answer a request by the first fitting route."""
        if self._routes is None:
            self._routes = [(method, re.compile(path), handler) for method, path, handler in self.routes()]
        with self.lock:
            for method, pattern, handler in self._routes:
                match = pattern.fullmatch(request.path)
                if match and method == request.method:
                    return handler(request, match)
        return self.error(404, "Not Found")

    # Journal -----------------------------------------------------------------------------------------------

    def replay(self, kind: str, data: dict[str, Any]) -> None:
        """Take back one journalled record."""
        if kind == "account":
            self._keep_account(TownAccount(**_from_json(data)))
        elif kind == "post":
            self._keep_post(TownPost(**_from_json(data)))

    def _keep_account(self, account: TownAccount) -> None:
        self.accounts[account.id] = account
        self._by_handle[account.handle] = account.id

    def _keep_post(self, post: TownPost) -> None:
        if post.id not in self.posts and post.parent_id:
            self._children.setdefault(post.parent_id, []).append(post.id)
        self.posts[post.id] = post
        self._by_external[self.external_id(post)] = post.id

    def _log(self, kind: str, record: TownAccount | TownPost) -> None:
        self._write_journal({"network": self.name, "kind": kind, "data": _to_json(asdict(record))})


def _to_json(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in data.items()}


def _from_json(data: dict[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value).astimezone(UTC) if name.endswith("_at") and value else value
        for name, value in data.items()
    }
