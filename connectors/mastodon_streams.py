"""Which lists of a Mastodon server a source reads, and the cursor that remembers where each of them stands.

Lists are read in one of two ways. *Forward* (mentions, our own posts, hashtags): a first walk goes back from the
newest, from then on `min_id` gives the window just after what was read. *Backward* (search, which knows no such
window): every walk goes from the newest down to what was read before, and only its end moves `since`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from connectors.errors import BadQueryError
from connectors.query import ListeningQuery

MOST_STREAMS = 16  # a poll asks each list at least once; 300 requests in 5 minutes are the usual allowance


@dataclass(frozen=True, slots=True)
class Stream:
    """One list of the server. `kind`: mentions | ours | tag | search; `term` is what a tag stands for."""

    kind: str
    value: str = ""
    term: str = ""

    @property
    def name(self) -> str:
        """What the cursor calls it."""
        return f"{self.kind}:{self.value}"

    @property
    def is_forward(self) -> bool:
        """Whether `min_id` gives the window just after."""
        return self.kind != "search"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a list stands: all up to `since` is read; a walk runs from `top` down to `lowest`.

    `floor` (epoch seconds) ends the first walk of a list that was left unread when an earlier walk was closed.
    """

    since: str = ""
    top: str = ""
    lowest: str = ""
    floor: str = ""

    @property
    def is_walking(self) -> bool:
        """Whether a walk back from the newest is under way."""
        return bool(self.lowest)

    def ended(self) -> "Position":
        """Give the position when the walk has ended, or is ended early."""
        since = self.top or self.since
        return Position(since=since, floor="" if since else self.floor)


@dataclass(frozen=True, slots=True)
class MastodonCursor:
    """The position of every list, and whose turn it is."""

    positions: Mapping[str, Position] = field(default_factory=dict)
    turn: int = 0

    def with_position(self, name: str, position: Position, *, turn: int) -> "MastodonCursor":
        """Give the cursor with one list moved."""
        return MastodonCursor({**self.positions, name: position}, turn)

    def ended(self, names: Iterable[str], now: datetime) -> "MastodonCursor":
        """Close all walks; lists of `names` not read yet begin with what is new from now on."""
        unread = {name: Position(floor=str(now.timestamp())) for name in names if name not in self.positions}
        return MastodonCursor({name: position.ended() for name, position in self.positions.items()} | unread)

    def ended_list(self, names: Sequence[str]) -> "MastodonCursor":
        """Close the walk of the list whose turn it is, if it is under way, and go on to the next."""
        name = names[self.turn] if self.turn < len(names) else ""
        position = self.positions.get(name, Position())
        if not position.is_walking:
            return self
        return self.with_position(name, position.ended(), turn=(self.turn + 1) % len(names))

    def dump(self) -> str:
        """Give the cursor as text."""
        lists = {name: [p.since, p.top, p.lowest, p.floor] for name, p in self.positions.items()}
        return json.dumps({"turn": self.turn, "lists": lists}, separators=(",", ":"))


def load_cursor(text: str | None) -> MastodonCursor | None:
    """Read a cursor; None if it is not one of ours."""
    if text is None:
        return MastodonCursor()
    try:
        data = json.loads(text)
        lists = {str(name): Position(*map(str, parts)) for name, parts in data["lists"].items()}
        for position in lists.values():
            float(position.floor or 0)
        return MastodonCursor(lists, int(data["turn"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def id_order(post_id: str) -> tuple[int, str]:
    """Give a key that orders ids: decimals of any length, or ULIDs. They are text and stay text."""
    return len(post_id), post_id


def advance(position: Position, ids: Iterable[str], *, is_forward: bool, is_last: bool) -> tuple[Position, bool]:
    """Give the position after a page with these ids, and whether the list is read to its end."""
    found = sorted((post_id for post_id in ids if post_id), key=id_order)
    if is_forward and position.since and not position.is_walking:
        return Position(since=found[-1] if found else position.since), is_last
    top = position.top or (found[-1] if found else "")
    stuck = bool(found and position.lowest) and id_order(found[0]) >= id_order(position.lowest)
    if is_last or stuck or not found:
        return replace(position, top=top).ended(), True
    return replace(position, top=top, lowest=found[0]), False


def not_before(entries: Sequence[Any], floor: str) -> Sequence[Any]:
    """Leave out entries older than the floor of their list; one without a time stays, to be looked at."""
    if not floor:
        return entries
    times = [entry.get("created_at") if isinstance(entry, Mapping) else None for entry in entries]
    return [
        entry
        for entry, time in zip(entries, times, strict=True)
        if not isinstance(time, datetime) or time.timestamp() >= float(floor)
    ]


def plan_streams(query: ListeningQuery, *, can_search: bool) -> list[Stream]:
    """Give the lists that together find what a query asks for; BadQueryError if there are none or too many."""
    alternatives = (*query.any_of, *query.phrases)
    tags = {_tag(term): term for term in (*query.required, *alternatives) if _tag(term)}
    streams = [Stream("tag", tag, term.lstrip("#")) for tag, term in tags.items()]
    if can_search:
        fixed = [_quoted(term) for term in query.required]
        barred = [f"-{_quoted(term)}" for term in query.excluded]
        for term in alternatives or ("",):
            words = [*fixed, *([_quoted(term)] if term else []), *barred]
            streams += [] if term.startswith("#") else [Stream("search", " ".join(words))]
    if not streams:
        raise BadQueryError("without an access token this server is read by hashtag: add a word without spaces")
    if len(streams) > MOST_STREAMS:
        raise BadQueryError(
            f"the query needs {len(streams)} lists of the server, {MOST_STREAMS} at most: split it in two"
        )
    return streams


def _tag(term: str) -> str:
    """Give the hashtag people would use for a term: no spaces or signs, not digits alone."""
    tag = re.sub(r"\W", "", term).casefold()
    return "" if tag.isdigit() else tag


def _quoted(term: str) -> str:
    return f'"{term}"' if " " in term else term
