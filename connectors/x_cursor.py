"""Where reading of X stands, and how a page moves it on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.base import FetchedPost


@dataclass(frozen=True, slots=True)
class XCursor:
    """Where reading stands. X pages backwards, so `since` moves to `top` only when a walk has ended.

    `page_token` continues a walk; `until` does so where a page was cut short; `seen` counts its posts.
    """

    since: str | None = None
    page_token: str | None = None
    until: str | None = None
    top: str | None = None
    seen: int = 0

    @classmethod
    def parse(cls, cursor: str | None) -> "XCursor":
        """Read a stored cursor; one that is no cursor of ours begins anew."""
        if cursor is None:
            return cls()
        try:
            stored = json.loads(cursor)
            since, until, top = (_post_id(stored.get(name)) for name in ("since", "until", "top"))
            token = stored.get("page_token")
            return cls(
                since=since,
                page_token=str(token) if token else None,
                until=until,
                top=top,
                seen=int(stored.get("seen", 0)),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()

    def dump(self) -> str:
        """Give the cursor as stored text."""
        held = {
            "since": self.since,
            "page_token": self.page_token,
            "until": self.until,
            "top": self.top,
            "seen": self.seen,
        }
        return json.dumps({name: value for name, value in held.items() if value})

    def ended(self) -> "XCursor":
        """Give the cursor after a walk: everything up to its newest post has been seen."""
        return XCursor(since=newest_id(self.since, self.top))


def advance(
    at: XCursor, posts: Sequence[FetchedPost], body: Mapping[str, Any], limit: int
) -> tuple[XCursor, tuple[FetchedPost, ...], bool]:
    """Give the cursor after a page, its posts oldest first (at most `limit`), and whether the walk goes on.

    X gives no fewer than 5 (mentions) or 10 (search) posts: what is over `limit` is left for the next call.
    """
    newest_first = sorted(posts, key=lambda post: int(post.external_id), reverse=True)
    kept = newest_first[: max(limit, 1)]
    is_cut = len(kept) < len(newest_first)
    token = None if is_cut else next_token(body)
    meta = body.get("meta")
    newest = _post_id(meta.get("newest_id")) if isinstance(meta, dict) else None
    after = replace(
        at,
        page_token=token,
        until=kept[-1].external_id if is_cut else at.until,
        top=newest_id(at.top, newest, *(post.external_id for post in kept)),
        seen=at.seen + len(kept),
    )
    return after, tuple(reversed(kept)), is_cut or token is not None


def next_token(body: Mapping[str, Any]) -> str | None:
    """Give the token of the next page, None on the last."""
    meta = body.get("meta")
    token = meta.get("next_token") if isinstance(meta, dict) else None
    return str(token) if token else None


def newest_id(*ids: str | None) -> str | None:
    """Give the newest of some ids: they are numbers too long for text order."""
    return max((post_id for post_id in ids if post_id), key=int, default=None)


def _post_id(value: object) -> str | None:
    return str(value) if value and str(value).isdecimal() else None
