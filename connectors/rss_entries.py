"""Entries of a feed read into our posts, as far as a broken feed goes. No network here."""

import calendar
import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import feedparser

from connectors.base import Author, FetchedPost, Media, PostKind
from connectors.text import clean_text, html_to_text
from connectors.transport import FetchedDocument


class BadEntryError(ValueError):
    """An entry says nothing that could be a post."""


def parse_feed(document: FetchedDocument) -> Any:
    """Give feedparser's reading, broken feeds too.

    The bytes go in as a stream: feedparser takes text for an address or a file name and would open it.
    """
    return feedparser.parse(
        io.BytesIO(document.content),
        response_headers={"content-type": document.headers.get("content-type", "")},
        sanitize_html=False,  # nh3 reduces the HTML to text
        resolve_relative_uris=False,
    )


def is_feed(parsed: Any) -> bool:
    """Whether what came is a feed at all, whole or not."""
    return bool(parsed.get("version") or parsed.get("entries"))


def entry_id(entry: Mapping[str, Any], feed_url: str) -> str:
    """Give an entry's id: its own if that is an address or a tag, else with the feed's in front.

    Many feeds number their entries from 1, so that a bare guid says nothing across feeds.
    """
    own = str(entry.get("id") or entry.get("link") or "").strip()
    if not own:
        said = f"{entry.get('title', '')}\n{_content(entry)}"
        own = "h-" + hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:24]
    own = clean_text(own)
    return own if "://" in own or own.startswith(("tag:", "urn:")) else f"{feed_url}#{own}"


def read_entry(entry: Mapping[str, Any], feed: Mapping[str, Any], *, feed_url: str, now: datetime) -> FetchedPost:
    """Read an entry; one without a date is given `now`. BadEntryError if it has neither title nor text."""
    title = html_to_text(str(entry.get("title") or ""))
    text = html_to_text(_content(entry))
    if not title and not text:
        raise BadEntryError("the entry has neither title nor text")
    created = _moment(entry, "published_parsed") or _moment(entry, "updated_parsed") or now
    updated = _moment(entry, "updated_parsed")
    link = str(entry.get("link") or "")
    return FetchedPost(
        network="rss",
        external_id=entry_id(entry, feed_url),
        author=_author(entry, feed, feed_url),
        text=text or title,
        title=title if text else "",
        created_at=created,
        edited_at=updated if updated and updated > created else None,
        kind=PostKind.POST,
        url=link if link.startswith(("http://", "https://")) else None,
        language_hint=str(feed.get("language") or "")[:2].lower() or None,
        media=_media(entry),
    )


def _content(entry: Mapping[str, Any]) -> str:
    """Give the longest text an entry brings: full content where there is some, else the summary."""
    parts = [str(part.get("value") or "") for part in entry.get("content") or [] if isinstance(part, Mapping)]
    return max([*parts, str(entry.get("summary") or "")], key=len)


def _author(entry: Mapping[str, Any], feed: Mapping[str, Any], feed_url: str) -> Author:
    host = urlsplit(feed_url).hostname or feed_url
    feed_title = html_to_text(str(feed.get("title") or "")) or host
    detail = entry.get("author_detail") or {}
    name = clean_text(str(detail.get("name") or entry.get("author") or "")).strip()
    if not name:
        return Author(external_id=feed_url, handle=feed_title, display_name=feed_title)
    href = str(detail.get("href") or "")
    return Author(
        external_id=f"{host}/{name}",
        handle=name,
        display_name=name,
        url=href if href.startswith(("http://", "https://")) else None,
    )


def _moment(entry: Mapping[str, Any], name: str) -> datetime | None:
    parsed = entry.get(name) if name in entry else None  # get alone would take one date for the other
    if parsed is None:
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _media(entry: Mapping[str, Any]) -> tuple[Media, ...]:
    found = []
    for enclosure in entry.get("enclosures") or []:
        url, kind = str(enclosure.get("href") or ""), str(enclosure.get("type") or "").split("/")[0]
        if url.startswith(("http://", "https://")):
            found.append(Media(url=url, kind=kind if kind in {"image", "video", "audio"} else "link"))
    return tuple(found)
