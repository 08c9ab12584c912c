"""A conversation's counts and times, drawn from its posts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Conversation, Post


class Counted(Protocol):
    """What counting needs of a post."""

    @property
    def created_at(self) -> datetime:
        """When it was written, at the network."""

    @property
    def is_own(self) -> bool:
        """Whether we wrote it."""

    @property
    def audience(self) -> int:
        """How many may see it."""


def count_members(posts: Sequence[Counted]) -> dict[str, int | datetime | None]:
    """Give a conversation's columns from all its posts, at least one, oldest first.

    Our posts are answers from the first message of somebody else on; before it they are what was talked about.
    """
    inbound = [post.created_at for post in posts if not post.is_own]
    first = inbound[0] if inbound else None
    answers = [post.created_at for post in posts if post.is_own and first is not None and post.created_at >= first]
    return {
        "post_count": len(posts),
        "reply_count": len(answers),
        "first_inbound_at": first,
        "last_inbound_at": inbound[-1] if inbound else None,
        "first_reply_at": answers[0] if answers else None,
        "last_reply_at": answers[-1] if answers else None,
        "last_activity_at": posts[-1].created_at,
        "audience": max((post.audience for post in posts if not post.is_own), default=0),
    }


def carry_on(session: Session, conversation_id: int, new: Sequence[Counted], *, recount: bool) -> None:
    """Bring a very long conversation's columns up to date from its new posts alone.

    When that cannot be exact (`recount`, or a message older than the first known one) all are counted, once.
    """
    conversation = session.get_one(Conversation, conversation_id, populate_existing=True)
    posts = sorted(new, key=lambda post: post.created_at)
    inbound = [post.created_at for post in posts if not post.is_own]
    first = conversation.first_inbound_at
    if recount or (inbound and (first is None or inbound[0] < first)):
        query = (
            sa.select(Post.created_at, Post.is_own, Post.audience)
            .where(Post.conversation_id == conversation_id)
            .order_by(Post.created_at, Post.id)
        )
        for name, value in count_members(list(session.execute(query))).items():
            setattr(conversation, name, value)
    else:
        answers = [post.created_at for post in posts if post.is_own and first is not None and post.created_at >= first]
        conversation.post_count += len(posts)
        conversation.reply_count += len(answers)
        conversation.last_inbound_at = _later(conversation.last_inbound_at, inbound)
        conversation.last_reply_at = _later(conversation.last_reply_at, answers)
        if answers:
            conversation.first_reply_at = min(answers[0], conversation.first_reply_at or answers[0])
        conversation.last_activity_at = max(conversation.last_activity_at, posts[-1].created_at)
        loudest = max((post.audience for post in posts if not post.is_own), default=0)
        conversation.audience = max(conversation.audience, loudest)
    conversation.version += len(posts)
    session.flush()


def _later(known: datetime | None, times: list[datetime]) -> datetime | None:
    return max([*times, *([known] if known is not None else [])], default=None)
