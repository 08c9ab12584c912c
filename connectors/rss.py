"""RSS and Atom feeds by feedparser: blogs, news, forums, comments. Reading only. Docs: docs/connectors/rss.md."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from connectors.base import (
    Account,
    BadRecord,
    Capabilities,
    Connector,
    ConnectorConfig,
    FetchedPost,
    Page,
    SourceKind,
)
from connectors.errors import SourceGoneError, TransientError
from connectors.rss_entries import BadEntryError, entry_id, is_feed, parse_feed, read_entry
from connectors.text import html_to_text
from connectors.transport import FetchedDocument, rewrite_url

MOST_SEEN = 1000  # entries remembered beyond those the feed shows, for feeds that show some again
ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"


class RssConfig(ConnectorConfig):
    """Settings of a feed. With a query, only entries that fit are taken."""

    kind: SourceKind = Field(default=SourceKind.QUERY, description="Own account or listening query")
    url: str = Field(description="Address of the RSS or Atom feed")

    @field_validator("url")
    @classmethod
    def is_http(cls, url: str) -> str:
        """Only http and https, and no password in the address: it would be stored and shown."""
        parts = urlsplit(url.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url is an address that begins with https:// or http://")
        if parts.username or parts.password:
            raise ValueError("url must not hold a password")
        return url.strip()


@dataclass(frozen=True, slots=True)
class _Cursor:
    """What the feed said of itself, which entries are read, and which of its present ones still wait."""

    etag: str = ""
    modified: str = ""
    seen: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    is_first: bool = True

    def headers(self) -> dict[str, str]:
        """Give the request headers that let the feed answer "nothing new"."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in given.items() if value}

    def dump(self) -> str:
        """Give the cursor as text."""
        data = {
            "etag": self.etag,
            "modified": self.modified,
            "seen": self.seen,
            "waiting": self.waiting,
            "first": self.is_first,
        }
        return json.dumps(data, separators=(",", ":"))


class RssConnector(Connector):
    """One feed. Entries are remembered by a short hash of their id; ETag and Last-Modified spare the rest."""

    network: ClassVar[str] = "rss"
    title: ClassVar[str] = "RSS and Atom"
    config_class: ClassVar[type[ConnectorConfig]] = RssConfig
    config: RssConfig

    @property
    def capabilities(self) -> Capabilities:
        """Reading only; a query filters what the feed brings."""
        return Capabilities(can_search=True)

    def check(self) -> Account:
        """See that there is a feed, and what it is called."""
        parsed = parse_feed(self._get({}))
        if not is_feed(parsed):
            raise SourceGoneError("there is no RSS or Atom feed at this address")
        host = urlsplit(self.config.url).hostname or ""
        title = html_to_text(str(parsed.feed.get("title") or "")) or host
        return Account(external_id=self.config.url, handle=host, display_name=title, url=self.config.url)

    def fetch(self, cursor: str | None, limit: int) -> Page:
        """Give entries not read yet: the newest first in a first sync, then the oldest first."""
        position = _load(cursor)
        document = self._get(position.headers())
        if document.status == 304:  # noqa: PLR2004 - HTTP's "not modified"
            return Page((), cursor, more=False)
        parsed = parse_feed(document)
        if not is_feed(parsed):
            raise TransientError("the address gives something that is no feed")
        fresh = [(key, e) for key, e in self._keyed(parsed.entries) if key not in set(position.seen)]
        posts, bad, passed = self._read(fresh, parsed.feed)
        posts.sort(key=lambda pair: (pair[1].created_at, pair[1].external_id))
        taken = posts[-limit:] if position.is_first else posts[:limit]
        taken_keys = {key for key, _ in taken}
        waiting = tuple(key for key, _ in posts if key not in taken_keys)
        following = _Cursor(
            seen=_remember(position.seen, [*passed, *taken_keys], present=len(parsed.entries)),
            waiting=waiting,
            is_first=position.is_first and bool(waiting),
        )
        if not waiting:  # only now is all of this document read: a 304 may hide it from the next poll
            headers = document.headers
            following = replace(following, etag=headers.get("etag", ""), modified=headers.get("last-modified", ""))
        return Page(
            posts=tuple(post for _, post in taken),
            cursor=following.dump(),
            more=bool(waiting),
            bad=tuple(bad),
        )

    def end_walk(self, cursor: str) -> str:
        """Take what still waits as read."""
        position = _load(cursor)
        seen = _remember(position.seen, position.waiting, present=len(position.waiting))
        return replace(position, seen=seen, waiting=(), is_first=False).dump()

    def _keyed(self, entries: Sequence[Any]) -> list[tuple[str, Any]]:
        keyed: dict[str, Any] = {}
        for entry in entries:
            external_id = entry_id(entry, self.config.url)
            keyed.setdefault(hashlib.sha256(external_id.encode("utf-8", "replace")).hexdigest()[:12], entry)
        return list(keyed.items())

    def _read(
        self, fresh: Sequence[tuple[str, Any]], feed: Any
    ) -> tuple[list[tuple[str, FetchedPost]], list[BadRecord], list[str]]:
        """Give (key, post) of what is wanted, what is unreadable, and the keys of all that need not come again."""
        posts: list[tuple[str, FetchedPost]] = []
        bad: list[BadRecord] = []
        passed: list[str] = []
        for key, entry in fresh:
            try:
                post = read_entry(entry, feed, feed_url=self.config.url, now=self.clock())
            except (BadEntryError, TypeError, ValueError, AttributeError) as error:
                raw = json.dumps(entry, default=str, ensure_ascii=False)
                bad.append(BadRecord(raw=raw, reason=str(error), external_id=entry_id(entry, self.config.url)))
                passed.append(key)
                continue
            query = self.config.query
            if query is None or query.matches(f"{post.title} {post.text}", post.author.handle):
                posts.append((key, post))
            else:
                passed.append(key)
        return posts, bad, passed

    def _get(self, headers: dict[str, str]) -> FetchedDocument:
        url = self.config.url
        if self.config.api_url:
            url = rewrite_url(url, url, self.config.api_url)
        return self.transport.get(url, {"Accept": ACCEPT, **headers})


def _load(text: str | None) -> _Cursor:
    """Read a cursor; one that cannot be read starts anew, and the store knows what it has."""
    try:
        data = json.loads(text or "{}")
        return _Cursor(
            etag=str(data.get("etag", "")),
            modified=str(data.get("modified", "")),
            seen=tuple(map(str, data.get("seen", ()))),
            waiting=tuple(map(str, data.get("waiting", ()))),
            is_first=bool(data.get("first", True)),
        )
    except (ValueError, TypeError, AttributeError):
        return _Cursor()


def _remember(seen: Sequence[str], more: Sequence[str], *, present: int) -> tuple[str, ...]:
    """Give the keys to remember, newest last, never fewer than the feed shows."""
    return tuple(dict.fromkeys([*seen, *more]))[-max(MOST_SEEN, present * 2) :]
