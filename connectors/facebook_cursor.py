"""Where reading of a page stands: its feed, the posts that tag it, and the comments under each recent post."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.facebook_posts import UNREADABLE, read_id, read_time

Item = tuple[str, int]  # a record's id and its time in epoch seconds


@dataclass(frozen=True, slots=True)
class Mark:
    """The newest moment read, and the ids that stand at it: Facebook's times have whole seconds."""

    time: int = 0
    ids: tuple[str, ...] = ()

    def is_new(self, item: Item) -> bool:
        """Whether a record came after this mark."""
        name, time = item
        return time > self.time or (time == self.time and name not in self.ids)

    def raised(self, items: Iterable[Item]) -> "Mark":
        """Give the mark after these records have been read too."""
        found = list(items)
        newest = max([self.time, *(time for _, time in found)])
        ids = {name for name, time in found if time == newest}
        if newest == self.time:
            ids.update(self.ids)
        return Mark(newest, tuple(sorted(ids)))


@dataclass(frozen=True, slots=True)
class Strand:
    """One listing, newest first. `after` and `top` are set while its pages are walked backwards."""

    mark: Mark = field(default_factory=Mark)
    after: Mapping[str, str] | None = None
    top: Mark | None = None
    is_done: bool = False

    def moved(self, items: list[Item], onward: Mapping[str, str] | None) -> "Strand":
        """Give the strand after a page: the mark rises only when the walk has met what it knew, or the end."""
        top = (self.top or self.mark).raised(items)
        if onward is None or any(not self.mark.is_new(item) for item in items):
            return Strand(mark=top, is_done=True)
        return Strand(mark=self.mark, after=onward, top=top)

    def ended(self) -> "Strand":
        """Give the strand with its walk closed where it is."""
        return Strand(mark=self.top or self.mark)


@dataclass(frozen=True, slots=True)
class Watched:
    """A recent post: `version` tells whether its comments changed, `strand` where reading them stands."""

    version: int = 0
    strand: Strand = field(default_factory=Strand)


@dataclass(frozen=True, slots=True)
class FacebookCursor:
    """The state of a source. `queue` holds the posts whose comments are still to be read in this round."""

    feed: Strand = field(default_factory=Strand)
    tagged: Strand = field(default_factory=Strand)
    watch: Mapping[str, Watched] = field(default_factory=dict)
    queue: tuple[str, ...] = ()

    @property
    def is_walking(self) -> bool:
        """Whether something is still to be read in this round."""
        return bool(self.queue) or not (self.feed.is_done and self.tagged.is_done)

    def next_round(self) -> "FacebookCursor":
        """Give the cursor for the next poll."""
        return replace(self, feed=replace(self.feed, is_done=False), tagged=replace(self.tagged, is_done=False))

    def watching(self, post_id: str, watched: Watched, *, most: int, is_queued: bool) -> "FacebookCursor":
        """Give the cursor with one post watched; over `most`, the posts that changed longest ago drop out."""
        queue = self.queue if not is_queued or post_id in self.queue else (*self.queue, post_id)
        kept = {**self.watch, post_id: watched}
        quiet = sorted((name for name in kept if name not in queue), key=lambda name: kept[name].version)
        for name in quiet[: max(len(kept) - most, 0)]:
            del kept[name]
        return replace(self, watch=kept, queue=queue)

    def without(self, post_id: str) -> "FacebookCursor":
        """Give the cursor without a post that is gone."""
        watch = {name: held for name, held in self.watch.items() if name != post_id}
        return replace(self, watch=watch, queue=tuple(name for name in self.queue if name != post_id))

    def commented(self, post_id: str, strand: Strand) -> "FacebookCursor":
        """Give the cursor after a page of comments of a queued post."""
        watched = self.watch.get(post_id, Watched())
        watch = {**self.watch, post_id: replace(watched, strand=replace(strand, is_done=False))}
        queue = tuple(name for name in self.queue if name != post_id) if strand.is_done else self.queue
        return replace(self, watch=watch, queue=queue)

    def ended_listing(self) -> "FacebookCursor":
        """Close the walk of the one listing under way; the others are still to be read."""
        if self.queue:
            post_id = self.queue[0]
            strand = self.watch.get(post_id, Watched()).strand
            return self if strand.after is None else self.commented(post_id, _done(strand))
        if self.feed.after is not None:
            return replace(self, feed=_done(self.feed))
        return replace(self, tagged=_done(self.tagged)) if self.tagged.after is not None else self

    def ended(self, now: int) -> "FacebookCursor":
        """Close every walk; comments older than a queued post's last change are given up.

        Listings not read yet begin with what is new since `now`, in epoch seconds.
        """
        watch = {
            name: Watched(held.version, _closed(held)) if name in self.queue else held
            for name, held in self.watch.items()
        }
        return FacebookCursor(feed=_begun(self.feed, now), tagged=_begun(self.tagged, now), watch=watch)

    @classmethod
    def parse(cls, cursor: str | None) -> "FacebookCursor":
        """Read a stored cursor; one that is no cursor of ours begins anew."""
        try:
            stored = json.loads(cursor or "{}")
            return cls(
                feed=_parse_strand(stored.get("feed", {})),
                tagged=_parse_strand(stored.get("tagged", {})),
                watch={
                    str(name): Watched(int(held["version"]), _parse_strand(held))
                    for name, held in stored.get("watch", {}).items()
                },
                queue=tuple(str(name) for name in stored.get("queue", ())),
            )
        except (ValueError, TypeError, AttributeError, KeyError):
            return cls()

    def dump(self) -> str:
        """Give the cursor as stored text."""
        watch = {name: {"version": held.version, **_dump_strand(held.strand)} for name, held in self.watch.items()}
        stored = {
            "feed": _dump_strand(self.feed),
            "tagged": _dump_strand(self.tagged),
            "watch": watch,
            "queue": list(self.queue),
        }
        return json.dumps(stored, separators=(",", ":"))


def item_of(record: Mapping[str, Any]) -> Item | None:
    """Give a record's id and time, None where it has none. A tag may be younger than the post it is on."""
    try:
        moment = read_time(record.get("tagged_time") or record["created_time"])
        return read_id(record), int(moment.timestamp())
    except UNREADABLE:
        return None


def _done(strand: Strand) -> Strand:
    return replace(strand.ended(), is_done=True)


def _begun(strand: Strand, now: int) -> Strand:
    is_unread = strand.mark == Mark() and strand.top is None and not strand.is_done
    return Strand(mark=Mark(now)) if is_unread else strand.ended()


def _closed(held: Watched) -> Strand:
    mark = held.strand.top or held.strand.mark
    return Strand(mark=mark if mark.time >= held.version else Mark(held.version))


def _parse_strand(value: Mapping[str, Any]) -> Strand:
    after = value.get("after")
    top = value.get("top")
    return Strand(
        mark=_parse_mark(value.get("mark")),
        after={str(name): str(item) for name, item in after.items()} if after else None,
        top=_parse_mark(top) if top else None,
        is_done=bool(value.get("done")),
    )


def _parse_mark(value: object) -> Mark:
    if not isinstance(value, list) or not value:
        return Mark()
    return Mark(int(value[0]), tuple(str(name) for name in value[1:]))


def _dump_strand(strand: Strand) -> dict[str, Any]:
    held: dict[str, Any] = {"mark": [strand.mark.time, *strand.mark.ids]}
    if strand.after:
        held["after"] = dict(strand.after)
    if strand.top:
        held["top"] = [strand.top.time, *strand.top.ids]
    if strand.is_done:
        held["done"] = True
    return held
