"""Answers given outside: where a network refuses ours, people answer there and record it here."""

from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from inbox.errors import InvalidError, NotFoundError
from inbox.replies.settle import mark_sent
from inbox.store.queries.conversation_view import get_conversation
from inbox.store.tables import Post, Reply
from inbox.store.types import ReplyState

MAX_TEXT = 100_000


def record_answer(
    session: Session,
    *,
    conversation_id: int,
    post_id: int,
    text: str,
    user_id: int,
    now: datetime,
    url: str = "",
) -> Reply:
    """Record a public answer that a person gave on the network itself; it counts and stops the clock.

    InvalidError for a missing text or an address that is none.
    """
    conversation = get_conversation(session, conversation_id, for_update=True)
    words = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()
    if not 1 <= len(words) <= MAX_TEXT:
        raise InvalidError("Write what you answered.", field="text")
    address = url.strip()
    if address and (urlsplit(address).scheme not in {"https", "http"} or not address.isprintable()):
        raise InvalidError("This is not a web address.", field="url")
    post = session.get(Post, post_id)
    if post is None or post.conversation_id != conversation.id:
        raise NotFoundError("This message is not in the conversation.", log_message=f"no post {post_id}")
    reply = Reply(
        brand_id=conversation.brand_id,
        conversation_id=conversation.id,
        post_id=post.id,
        text=words,
        state=ReplyState.DRAFT,
        user_id=user_id,
        created_at=now,
        url=address or None,
    )
    session.add(reply)
    session.flush()
    mark_sent(session, reply, external_id=None, url=None, created_at=now, now=now, by_hand=True, user_id=user_id)
    return reply
