"""What follows when an answer stands: its post in the thread, the clock stopped, the conversation settled."""

from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from connectors.base import Author, FetchedPost, PostKind
from inbox import audit
from inbox.listening.ingest import ingest_posts
from inbox.store.queries.conversation_view import get_conversation
from inbox.store.tables import Conversation, Post, Reply, Source
from inbox.store.types import ReplyState
from inbox.triage import clocks
from inbox.triage.conversations import resolve

log = structlog.get_logger(__name__)


def mark_sent(
    session: Session,
    reply: Reply,
    *,
    external_id: str | None,
    url: str | None,
    created_at: datetime | None,
    now: datetime,
    by_hand: bool = False,
    user_id: int | None = None,
) -> None:
    """Record that an answer stands, by the network's id or by a person's word (`by_hand`); the caller commits.

    The reply and its conversation must be locked. Our message becomes a post of its own, which routing threads
    next; a later poll then finds it known.
    """
    if not external_id and not by_hand:
        raise ValueError("an answer is sent only with the network's id")
    reply.state = ReplyState.SENT
    reply.external_id = external_id
    reply.url = url or reply.url
    reply.sent_at = created_at or now
    reply.reason = ""
    reply.is_retryable = False
    reply.not_before = None
    reply.was_by_hand = by_hand and not external_id
    conversation = get_conversation(session, reply.conversation_id)
    if external_id:
        _store_own_post(session, reply, external_id, now=now)
    else:
        conversation.reply_count += 1
    _count_as_answer(session, conversation, reply.sent_at, now=now)
    conversation.version += 1
    audit.record(
        session,
        now=now,
        action="reply.sent",
        entity="reply",
        entity_id=reply.id,
        conversation_id=conversation.id,
        user_id=user_id,
        after={
            "reply": reply.id,
            "external_id": external_id,
            "by_hand": by_hand,
            "version": conversation.version,
        },
    )
    if reply.resolves:
        resolve(session, conversation.id, by_user_id=reply.user_id, now=now)


def _count_as_answer(session: Session, conversation: Conversation, sent_at: datetime, *, now: datetime) -> None:
    conversation.first_reply_at = min(conversation.first_reply_at or sent_at, sent_at)
    conversation.last_reply_at = max(conversation.last_reply_at or sent_at, sent_at)
    conversation.last_activity_at = max(conversation.last_activity_at, sent_at)
    conversation.is_unread = False
    clocks.stop_clock(session, conversation, answered_at=sent_at, now=now)


def _store_own_post(session: Session, reply: Reply, external_id: str, *, now: datetime) -> None:
    # The receipt must be kept even if our own words cannot be stored as a post; the next poll brings them.
    source = session.get(Source, reply.source_id) if reply.source_id else None
    parent = session.get(Post, reply.post_id)
    if source is None or parent is None or not source.account_id:
        return
    post = FetchedPost(
        network=source.network,
        external_id=external_id,
        instance=parent.instance,
        author=Author(external_id=source.account_id, handle=source.account_handle or source.account_id),
        text=reply.text,
        created_at=min(reply.sent_at or now, now),
        kind=PostKind.REPLY,
        url=reply.url,
        parent_id=parent.external_id,
        thread_id=parent.thread_key,
    )
    try:
        with session.begin_nested():
            ingest_posts(session, reply.brand_id, [post], source=source, now=now)
    except (sa.exc.SQLAlchemyError, ValueError) as error:
        log.warning("reply.own_post_not_stored", reply=reply.id, error=type(error).__name__)
