"""Where reading of Reddit's listings stands, and how a page moves it on.

A listing is newest first. Read on from an anchor (`before`: the newest item seen) it gives what is newer, oldest
page first. An anchor that was deleted gives nothing for ever, so after some empty answers the listing is read
afresh from its top, and what was seen before is left out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from connectors.base import FetchedPost
from connectors.reddit_posts import RedditRecords

_REMEMBERED = 150  # a little more than one page: what a fresh look at the top may show again


@dataclass(frozen=True, slots=True)
class Place:
    """Where one listing stands. `after` and `top` are set while pages are walked backwards from its top.

    `newest` is the time of the newest item seen (epoch seconds), `seen` the latest full names, newest first.
    """

    before: str | None = None
    newest: float = 0.0
    seen: tuple[str, ...] = ()
    quiet: int = 0
    after: str | None = None
    top: str | None = None
    top_time: float = 0.0
    walked: int = 0

    def ended(self) -> "Place":
        """Give the place after a walk: reading goes on from its newest item."""
        newest = max(self.newest, self.top_time)
        return replace(
            self,
            before=self.top or self.before,
            newest=newest,
            after=None,
            top=None,
            top_time=0.0,
            walked=0,
            quiet=0,
        )


@dataclass(frozen=True, slots=True)
class RedditCursor:
    """The places of all listings of a source, and whose turn it is in this round."""

    places: Mapping[str, Place] = field(default_factory=dict)
    turn: int = 0

    @classmethod
    def parse(cls, cursor: str | None) -> "RedditCursor":
        """Read a stored cursor; one that is no cursor of ours begins anew."""
        try:
            stored = json.loads(cursor or "{}")
            places = {name: _parse_place(value) for name, value in stored.get("places", {}).items()}
            return cls(places=places, turn=int(stored.get("turn", 0)))
        except (ValueError, TypeError, AttributeError):
            return cls()

    def dump(self) -> str:
        """Give the cursor as stored text."""
        places = {name: _dump_place(place) for name, place in self.places.items()}
        return json.dumps({"turn": self.turn, "places": places}, separators=(",", ":"))

    def has_seen_elsewhere(self, name: str, full_name: str) -> bool:
        """Whether another listing of this source has shown an item: an answer may also be a mention."""
        return any(full_name in place.seen for other, place in self.places.items() if other != name)

    def with_place(self, name: str, place: Place, *, turn: int) -> "RedditCursor":
        """Give the cursor with one listing moved on."""
        return RedditCursor(places={**self.places, name: place}, turn=turn)

    def ended(self, names: Iterable[str], now: datetime) -> "RedditCursor":
        """Close all walks; listings of `names` not read yet begin with what is new from now on."""
        unread = {name: Place(newest=_seconds(now)) for name in names if name not in self.places}
        return RedditCursor(places={name: place.ended() for name, place in self.places.items()} | unread)

    def ended_listing(self, names: Sequence[str]) -> "RedditCursor":
        """Close the walk of the listing whose turn it is, if it is under way, and go on to the next."""
        name = names[self.turn] if self.turn < len(names) else ""
        place = self.places.get(name)
        if place is None or place.after is None:
            return self
        return self.with_place(name, place.ended(), turn=(self.turn + 1) % len(names))


def ask_of(place: Place, *, recheck_every: int, is_anchored: bool) -> dict[str, str]:
    """Give the paging parameters of the next call: go on backwards, go on from the anchor, or from the top."""
    if place.after is not None:
        return {"after": place.after}
    if place.before is None or not is_anchored or place.quiet >= recheck_every:
        return {}
    return {"before": place.before}


def move(
    place: Place, records: RedditRecords, asked: Mapping[str, str], limit: int
) -> tuple[Place, tuple[FetchedPost, ...], bool]:
    """Give the place after a page, its new posts oldest first, and whether this listing has more now."""
    fresh = tuple(post for post in records.posts if _is_new(post, place))
    seen = tuple(dict.fromkeys((*records.names, *place.seen)))[:_REMEMBERED]
    newest = max((_seconds(post.created_at) for post in fresh), default=0.0)
    oldest_first = tuple(reversed(fresh))
    if "before" in asked:
        if not records.names:
            return replace(place, quiet=place.quiet + 1), (), False
        newest = max(place.newest, newest)
        after = replace(place, before=records.names[0], newest=newest, seen=seen, quiet=0)
        return after, oldest_first, len(records.names) >= limit
    top = place.top or (records.names[0] if records.names else None)
    reached_old = (place.before is not None or place.newest > 0) and len(fresh) < len(records.posts)
    top_time = max(place.top_time, newest)  # `newest` itself stays: it is what older pages are compared with
    count = place.walked + len(records.names)
    on = replace(place, after=records.after, top=top, top_time=top_time, walked=count, seen=seen)
    if records.after and records.names and not reached_old:
        return on, oldest_first, True
    return on.ended(), oldest_first, False


def _is_new(post: FetchedPost, place: Place) -> bool:
    return post.external_id not in place.seen and _seconds(post.created_at) >= place.newest


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def _parse_place(value: Mapping[str, Any]) -> Place:
    texts = {name: str(value[name]) if value.get(name) else None for name in ("before", "after", "top")}
    return Place(
        before=texts["before"],
        after=texts["after"],
        top=texts["top"],
        newest=float(value.get("newest", 0)),
        seen=tuple(str(name) for name in value.get("seen", ())),
        quiet=int(value.get("quiet", 0)),
        top_time=float(value.get("top_time", 0)),
        walked=int(value.get("walked", 0)),
    )


def _dump_place(place: Place) -> dict[str, Any]:
    held = {
        "before": place.before,
        "newest": place.newest,
        "seen": list(place.seen),
        "quiet": place.quiet,
        "after": place.after,
        "top": place.top,
        "top_time": place.top_time,
        "walked": place.walked,
    }
    return {name: value for name, value in held.items() if value}
