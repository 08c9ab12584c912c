"""Reads what threads are assembled from. Every lookup goes through an index and is bounded by the batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.statements import is_one_of
from inbox.store.tables import AuditEvent, Conversation, Post

MERGED = "conversation.merged"
PREVIEW_SOURCE = 400


@dataclass(frozen=True, slots=True)
class Place:
    """Where ids are unique: a brand, a network, a server of it."""

    brand_id: int
    network: str
    instance: str


@dataclass(frozen=True, slots=True)
class PostToThread:
    """A post as threading sees it; `text` holds its beginning only."""

    id: int
    brand_id: int
    network: str
    instance: str
    external_id: str
    parent_external_id: str | None
    thread_key: str
    conversation_id: int | None
    author_id: int
    is_own: bool
    is_history: bool
    audience: int
    created_at: datetime
    language_hint: str | None
    title: str
    text: str

    @property
    def place(self) -> Place:
        """Where its ids are unique."""
        return Place(self.brand_id, self.network, self.instance)


def list_posts_to_thread(session: Session, post_ids: Sequence[int]) -> list[PostToThread]:
    """Give these posts without reposts, which belong to no thread."""
    query = sa.select(
        Post.id,
        Post.brand_id,
        Post.network,
        Post.instance,
        Post.external_id,
        Post.parent_external_id,
        Post.thread_key,
        Post.conversation_id,
        Post.author_id,
        Post.is_own,
        Post.is_history,
        Post.audience,
        Post.created_at,
        Post.language_hint,
        Post.title,
        sa.func.substr(Post.text, 1, PREVIEW_SOURCE),
    ).where(is_one_of(session, Post.id, post_ids), Post.repost_of.is_(None))
    return [PostToThread(*tuple(row)) for row in session.execute(query)]


@dataclass(frozen=True, slots=True)
class ThreadedPost:
    """A stored post that already has its conversation."""

    external_id: str
    has_parent: bool
    conversation_id: int


def find_threaded(session: Session, place: Place, external_ids: Sequence[str]) -> Iterator[ThreadedPost]:
    """Give those of these posts that have their conversation."""
    query = sa.select(Post.external_id, Post.parent_external_id.is_not(None), Post.conversation_id).where(
        *_at(place), is_one_of(session, Post.external_id, external_ids), Post.conversation_id.is_not(None)
    )
    for external_id, has_parent, conversation_id in session.execute(query):
        if conversation_id is not None:
            yield ThreadedPost(external_id, bool(has_parent), conversation_id)


def find_awaited(session: Session, place: Place, external_ids: Sequence[str]) -> dict[str, int]:
    """Give ids that threaded posts name as their parent, with the conversation all these children are in."""
    if not external_ids:
        return {}
    query = (
        sa.select(Post.parent_external_id, sa.func.min(Post.conversation_id))
        .where(
            *_at(place),
            is_one_of(session, Post.parent_external_id, external_ids),
            Post.conversation_id.is_not(None),
        )
        .group_by(Post.parent_external_id)
    )
    return {
        parent: conversation_id
        for parent, conversation_id in session.execute(query)
        if parent is not None and conversation_id is not None
    }


@dataclass(frozen=True, slots=True)
class KnownConversation:
    """A conversation's name, age and size."""

    id: int
    thread_key: str
    created_at: datetime
    post_count: int
    first_inbound_at: datetime | None


_KNOWN = (
    Conversation.id,
    Conversation.thread_key,
    Conversation.created_at,
    Conversation.post_count,
    Conversation.first_inbound_at,
)


def find_conversations_by_key(session: Session, place: Place, keys: Sequence[str]) -> list[KnownConversation]:
    """Give the conversations known by these keys."""
    query = sa.select(*_KNOWN).where(
        Conversation.brand_id == place.brand_id,
        Conversation.network == place.network,
        Conversation.instance == place.instance,
        is_one_of(session, Conversation.thread_key, keys),
    )
    return [KnownConversation(row[0], row[1], row[2], row[3], row[4]) for row in session.execute(query)]


def list_conversations_by_id(session: Session, ids: Sequence[int]) -> list[KnownConversation]:
    """Give these conversations."""
    if not ids:
        return []
    query = sa.select(*_KNOWN).where(is_one_of(session, Conversation.id, ids))
    return [KnownConversation(row[0], row[1], row[2], row[3], row[4]) for row in session.execute(query)]


def conversations_of_posts(session: Session, post_ids: Sequence[int]) -> list[int]:
    """Give the conversations these posts are in."""
    query = sa.select(Post.conversation_id).where(is_one_of(session, Post.id, post_ids)).distinct()
    return sorted(found for found in session.scalars(query) if found is not None)


@dataclass(frozen=True, slots=True)
class Member:
    """What a conversation's counts need of each of its posts."""

    conversation_id: int
    created_at: datetime
    is_own: bool
    audience: int


def list_members(session: Session, conversation_ids: Sequence[int]) -> Iterator[Member]:
    """Give the posts of these conversations, oldest first within each."""
    query = (
        sa.select(Post.conversation_id, Post.created_at, Post.is_own, Post.audience)
        .where(is_one_of(session, Post.conversation_id, conversation_ids))
        .order_by(Post.conversation_id, Post.created_at, Post.id)
    )
    for row in session.execute(query):
        if row[0] is not None:
            yield Member(row[0], row[1], row[2], row[3])


def list_merged_ids(session: Session, conversation_id: int) -> list[int]:
    """Give the ids of conversations that were merged into this one, directly or through others.

    Their audit events keep those ids, since the chain of the audit trail may not be rewritten.
    """
    found: list[int] = []
    waiting = [conversation_id]
    while waiting:
        query = sa.select(AuditEvent.before).where(
            AuditEvent.conversation_id == waiting.pop(), AuditEvent.action == MERGED
        )
        for before in session.scalars(query):
            fresh = [int(one) for one in before.get("conversation_ids", []) if int(one) not in found]
            found += fresh
            waiting += fresh
    return found


def _at(place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Post.brand_id == place.brand_id,
        Post.network == place.network,
        Post.instance == place.instance,
    )
