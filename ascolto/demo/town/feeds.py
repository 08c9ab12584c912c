"""The town's feeds: an account is a feed, a post an entry; RSS 2.0 or Atom, with ETag, 304, and ways to be broken."""

import email.utils
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any, ClassVar
from xml.sax.saxutils import escape, quoteattr

from ascolto.demo.town.state import Route, TownNetwork, TownPost, TownRequest, TownResponse


class FeedsTown(TownNetwork):
    """Feeds at /feeds/<handle>.xml.

    An account's `extra` may hold: format (rss | atom) · broken (truncated | mislabelled | html | empty) ·
    status (an HTTP status instead of the feed). An entry's author is `extra["author"]`, else the feed.
    Options: has_etag · has_last_modified · newest (how many entries a feed shows).
    """

    name: ClassVar[str] = "feeds"
    default_options: ClassVar[Mapping[str, Any]] = {"has_etag": True, "has_last_modified": True, "newest": 50}

    def routes(self) -> list[Route]:
        """Give the one path there is."""
        return [("GET", r"/([\w.-]+)\.xml", self._feed)]

    def error(self, status: int, message: str) -> TownResponse:
        """Give an error page, as web servers do."""
        page = f"<!doctype html><title>{status}</title><p>{escape(message)}</p>"
        return TownResponse(status, page.encode(), {"Content-Type": "text/html"})

    def external_id(self, post: TownPost) -> str:
        """Give the entry's guid."""
        return f"https://news.town.example/{post.author}/{post.id}"

    def _feed(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        handle = match.group(1)
        if handle not in self._by_handle:
            return self.error(404, "no such feed")
        account = self.account(handle)
        if "status" in account.extra:
            return self.error(int(account.extra["status"]), "feed out of order")
        entries = sorted(
            self.listed(lambda post: post.author == handle), key=lambda post: post.created_at, reverse=True
        )[: int(self.options["newest"])]
        atom = account.extra.get("format") == "atom"
        body = (self._atom if atom else self._rss)(account.name, entries).encode()
        headers = {"Content-Type": "application/atom+xml" if atom else "application/rss+xml; charset=utf-8"}
        tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        if self.options["has_etag"]:
            headers["ETag"] = tag
        if self.options["has_last_modified"] and entries:
            changed = max(post.edited_at or post.created_at for post in entries)
            headers["Last-Modified"] = email.utils.format_datetime(changed.astimezone(UTC), usegmt=True)
        if self.options["has_etag"] and request.headers.get("if-none-match") == tag:
            return TownResponse(304, b"", headers)
        if not self.options["has_etag"] and headers.get("Last-Modified", "-") == request.headers.get(
            "if-modified-since", ""
        ):
            return TownResponse(304, b"", headers)
        return _break(body, headers, str(account.extra.get("broken", "")))

    def _rss(self, title: str, entries: list[TownPost]) -> str:
        items = "".join(
            f"<item><title>{escape(post.title)}</title><link>{escape(self.external_id(post))}</link>"
            f'<guid isPermaLink="true">{escape(self.external_id(post))}</guid>'
            f"<dc:creator>{escape(str(post.extra.get('author', title)))}</dc:creator>"
            f"<pubDate>{email.utils.format_datetime(post.created_at)}</pubDate>"
            f"<description>{escape(post.text)}</description></item>"
            for post in entries
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<channel><title>{escape(title)}</title><link>https://news.town.example/</link>"
            f"<description>{escape(title)}</description><language>it</language>{items}</channel></rss>"
        )

    def _atom(self, title: str, entries: list[TownPost]) -> str:
        items = "".join(
            f"<entry><id>{escape(self.external_id(post))}</id><title>{escape(post.title)}</title>"
            f"<link href={quoteattr(self.external_id(post))}/>"
            f"<author><name>{escape(str(post.extra.get('author', title)))}</name></author>"
            f"<published>{post.created_at.isoformat()}</published>"
            f"<updated>{(post.edited_at or post.created_at).isoformat()}</updated>"
            f'<content type="html">{escape(post.text)}</content></entry>'
            for post in entries
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="it">'
            f"<id>https://news.town.example/</id><title>{escape(title)}</title>{items}</feed>"
        )


def _break(body: bytes, headers: dict[str, str], way: str) -> TownResponse:
    match way:
        case "truncated":
            body = body[: body.rfind(b"</")]
        case "mislabelled":
            body = body.decode().encode("latin-1", "replace")
        case "html":
            body, headers = b"<!doctype html><html><body><p>Not a feed</body></html>", {"Content-Type": "text/html"}
        case "empty":
            body = b""
    return TownResponse(200, body, headers)
