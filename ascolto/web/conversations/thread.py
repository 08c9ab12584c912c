"""A conversation as its public tree: posts and our replies in their places, notes between them by time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from inbox.store.queries.conversation_view import (
    ConversationView,
    NoteView,
    PostView,
    ReplyView,
)
from inbox.store.types import ReplyState

MAX_DEPTH = 3
# A reply in one of these states has no place in the public thread any more, or not yet.
_LEFT_OUT = frozenset({ReplyState.DRAFT, ReplyState.SUPERSEDED, ReplyState.EXPIRED, ReplyState.REJECTED})


@dataclass(slots=True)
class Item:
    """One thing in the thread: a post (with our reply's record if it was ours), a reply, or a note."""

    at: datetime
    depth: int = 0
    post: PostView | None = None
    reply: ReplyView | None = None
    note: NoteView | None = None
    children: list["Item"] = field(default_factory=list)


def build_thread(view: ConversationView) -> list[Item]:
    """Give the thread from top to bottom; `depth` says how far to indent.

    A reply of ours that has come back as a post stands once, as that post with the reply's record. A post whose
    parent is not here stands at the top.
    """
    replies_by_id = {item.reply.external_id: item for item in view.replies if item.reply.external_id}
    items: dict[str, Item] = {}
    for found in view.posts:
        items[found.post.external_id] = Item(
            at=found.post.created_at, post=found, reply=replies_by_id.pop(found.post.external_id, None)
        )
    roots = _hang(view.posts, items)
    external_ids = {found.post.id: found.post.external_id for found in view.posts}
    for reply in view.replies:
        is_shown_as_post = reply.reply.external_id in items
        if is_shown_as_post or reply.reply.state in _LEFT_OUT:
            continue
        item = Item(at=reply.reply.queued_at or reply.reply.created_at, reply=reply)
        parent = items.get(external_ids.get(reply.reply.post_id, ""))
        (parent.children if parent else roots).append(item)
    flat: list[Item] = []
    _flatten(roots, 0, flat)
    return _with_notes(flat, view.notes)


def _hang(posts: Sequence[PostView], items: dict[str, Item]) -> list[Item]:
    roots = []
    for found in posts:
        item = items[found.post.external_id]
        parent = items.get(found.post.parent_external_id or "")
        if parent is None or _is_below(item, parent):
            roots.append(item)
        else:
            parent.children.append(item)
    return roots


def _is_below(top: Item, wanted: Item) -> bool:
    # Networks have sent circles of parents; hanging one would lose all of it.
    open_items, seen = [top], set()
    while open_items:
        item = open_items.pop()
        if item is wanted:
            return True
        if id(item) not in seen:
            seen.add(id(item))
            open_items.extend(item.children)
    return False


def _flatten(items: list[Item], depth: int, flat: list[Item]) -> None:
    stack = [(item, depth) for item in sorted(items, key=_by_time, reverse=True)]
    while stack:
        item, level = stack.pop()
        item.depth = min(level, MAX_DEPTH)
        flat.append(item)
        stack.extend((child, level + 1) for child in sorted(item.children, key=_by_time, reverse=True))


def _by_time(item: Item) -> datetime:
    return item.at


def _with_notes(flat: list[Item], notes: Sequence[NoteView]) -> list[Item]:
    after: defaultdict[int, list[Item]] = defaultdict(list)
    for note in notes:
        earlier = [place for place, item in enumerate(flat) if item.at <= note.note.created_at]
        after[earlier[-1] if earlier else -1].append(Item(at=note.note.created_at, note=note))
    merged = list(after[-1])
    for place, item in enumerate(flat):
        merged.append(item)
        merged.extend(after[place])
    return merged
