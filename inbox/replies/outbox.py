"""The outbox: replies queued with time to undo, taken back, retried, and settled by hand.

Sending itself is in inbox/replies/publish.py. A queued reply is an intent: the row stands before any call.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from connectors.base import Capabilities, ReplyPermission
from connectors.length import measure
from inbox import audit
from inbox.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from inbox.replies.lease import refuse_if_held, release_lease
from inbox.replies.publish import Patience, publish_reply
from inbox.replies.settle import mark_sent
from inbox.store.queries import installation, replies
from inbox.store.queries.conversation_view import get_conversation
from inbox.store.tables import Conversation, Post, Reply, Source
from inbox.store.types import AttemptOutcome, ReplyState
from inbox.triage.staleness import refuse_stale

__all__ = [
    "Patience",
    "due_replies",
    "publish_reply",
    "queue_reply",
    "resolve_unknown",
    "retry_reply",
    "undo_reply",
]

# No network takes more; a longer text is a mistake or an attack.
MAX_TEXT = 100_000
MAX_KEY = 200


def queue_reply(
    session: Session,
    *,
    conversation_id: int,
    post_id: int,
    text: str,
    user_id: int,
    expected_version: int,
    undo_seconds: int,
    now: datetime,
    resolves: bool = False,
    idempotency_key: str | None = None,
    permission: ReplyPermission | None = None,
    capabilities: Capabilities | None = None,
    source_id: int | None = None,
) -> Reply:
    """Put an answer into the outbox, to leave when the time to undo is over; the caller commits.

    The same `idempotency_key` gives the same reply again (a double click, a repeated request). Raises
    StaleVersionError when others moved the conversation, LeaseHeldError when somebody else is writing,
    ConflictError when an answer to this message is on its way or stands with these words, ForbiddenError
    with the network's reason, InvalidError for the text.
    """
    conversation = get_conversation(session, conversation_id, for_update=True)
    words = _check_text(text, capabilities)
    if idempotency_key is not None:
        repeated = _repeated(session, conversation, idempotency_key, post_id=post_id, text=words)
        if repeated is not None:
            return repeated
    if permission is not None and not permission.allowed:
        raise ForbiddenError(permission.reason or "The network takes no answer here.")
    post = _answerable(session, conversation, post_id)
    refuse_if_held(session, conversation_id, user_id=user_id, now=now)
    refuse_stale(session, conversation, expected=expected_version, user_id=user_id)
    _refuse_second(session, post, words)
    source = session.get(Source, source_id) if source_id else replies.publishing_source(session, post)
    if source is None or not source.can_publish or source.network != post.network:
        raise InvalidError("No connected account can answer here.", field="source_id")
    reply = Reply(
        brand_id=conversation.brand_id,
        conversation_id=conversation.id,
        post_id=post.id,
        source_id=source.id,
        text=words,
        state=ReplyState.QUEUED,
        resolves=resolves,
        user_id=user_id,
        idempotency_key=idempotency_key,
        expected_version=expected_version,
        not_before=now + timedelta(seconds=undo_seconds),
        created_at=now,
        queued_at=now,
    )
    _insert_outgoing(session, reply)
    for failed in replies.failed_replies(session, post.id, except_id=reply.id):
        failed.state = ReplyState.SUPERSEDED
    release_lease(session, conversation_id, user_id=user_id)
    _note(session, conversation, reply, "queued", user_id=user_id, now=now)
    return reply


def undo_reply(session: Session, reply_id: int, user_id: int, now: datetime) -> Reply:
    """Take a queued answer back before it leaves; its text stays as a draft."""
    reply = _lock(session, reply_id)
    if reply.state is not ReplyState.QUEUED or replies.list_attempts(session, reply.id):
        raise ConflictError("Too late: this answer is on its way.")
    reply.state = ReplyState.DRAFT
    reply.not_before = None
    reply.idempotency_key = None
    conversation = get_conversation(session, reply.conversation_id, for_update=True)
    _note(session, conversation, reply, "undone", user_id=user_id, now=now)
    return reply


def due_replies(session: Session, now: datetime, limit: int = 100) -> list[int]:
    """Give the replies whose turn it is; none while publishing is paused."""
    if installation.is_publishing_paused(session):
        return []
    return replies.due_replies(session, now, limit)


def retry_reply(session: Session, reply_id: int, *, user_id: int, now: datetime) -> Reply:
    """Send a failed answer again, by a person's decision; what is known of earlier attempts is kept."""
    reply = _lock(session, reply_id)
    if reply.state not in {ReplyState.FAILED, ReplyState.DRY_RUN}:
        raise ConflictError("Only an answer that failed can be sent again.")
    if not reply.is_retryable and reply.state is ReplyState.FAILED:
        raise ConflictError("The network will not take this answer as it is; write a new one.")
    post = session.get(Post, reply.post_id)
    if post is None or post.deleted_at_source is not None:
        raise ConflictError("This message was deleted at the network.")
    if replies.outgoing_reply(session, reply.brand_id, reply.post_id) is not None:
        raise ConflictError("Another answer to this message is on its way.")
    if replies.sent_with_same_words(session, reply.post_id, reply.text) is not None:
        raise ConflictError("An answer with these words already stands.")
    reply.state = ReplyState.QUEUED
    reply.reason = ""
    reply.attempts = 0
    reply.not_before = now
    reply.queued_at = now
    conversation = get_conversation(session, reply.conversation_id, for_update=True)
    _note(session, conversation, reply, "retried", user_id=user_id, now=now)
    return reply


def resolve_unknown(
    session: Session, reply_id: int, *, was_sent: bool, user_id: int, now: datetime, external_id: str | None = None
) -> Reply:
    """Settle an answer of unknown fate by what a person saw at the network; an absent one can then be retried."""
    reply = _lock(session, reply_id)
    if reply.state is not ReplyState.UNKNOWN:
        raise ConflictError("The fate of this answer is known by now.")
    attempts = replies.list_attempts(session, reply.id)
    for attempt in attempts:
        if attempt.outcome in {AttemptOutcome.STARTED, AttemptOutcome.AMBIGUOUS}:
            attempt.outcome = AttemptOutcome.FOUND if was_sent else AttemptOutcome.ABSENT
            attempt.finished_at = attempt.finished_at or now
    if was_sent:
        known = (external_id or "").strip()
        if known and replies.is_known_receipt(session, reply, known):
            raise InvalidError("Another answer already has this id.", field="external_id")
        mark_sent(session, reply, external_id=known or None, url=None, created_at=None, by_hand=True, now=now)
        return reply
    reply.state = ReplyState.FAILED
    reply.reason = "A person looked: it is not there."
    reply.is_retryable = True
    reply.not_before = None
    conversation = get_conversation(session, reply.conversation_id, for_update=True)
    _note(session, conversation, reply, "found_absent", user_id=user_id, now=now)
    return reply


def _lock(session: Session, reply_id: int) -> Reply:
    reply = replies.lock_reply_in_conversation(session, reply_id)
    if reply is None:
        raise NotFoundError("This answer does not exist.", log_message=f"no reply {reply_id}")
    return reply


def _check_text(text: str, capabilities: Capabilities | None) -> str:
    words = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").strip()
    if not words:
        raise InvalidError("Write an answer first.", field="text")
    longest = capabilities.max_length if capabilities else None
    length = measure(words, capabilities.length_rule) if capabilities and longest is not None else len(words)
    most = longest if longest is not None else MAX_TEXT
    if length > most:
        raise InvalidError(
            "This answer is too long: %(length)s of %(most)s.",
            field="text",
            values={"length": length, "most": most},
        )
    return words


def _repeated(session: Session, conversation: Conversation, key: str, *, post_id: int, text: str) -> Reply | None:
    if not key or len(key) > MAX_KEY:
        raise InvalidError("This form is not valid any more; open the conversation again.", field="idempotency_key")
    found = replies.reply_by_key(session, conversation.brand_id, key)
    if found is not None and (found.post_id, found.text) != (post_id, text):
        raise ConflictError("This form has already sent another answer.")
    return found


def _answerable(session: Session, conversation: Conversation, post_id: int) -> Post:
    post = session.get(Post, post_id)
    if post is None or post.conversation_id != conversation.id:
        raise NotFoundError("This message is not in the conversation.", log_message=f"no post {post_id}")
    if post.deleted_at_source is not None:
        raise ConflictError("This message was deleted at the network.")
    return post


def _refuse_second(session: Session, post: Post, text: str) -> None:
    if replies.outgoing_reply(session, post.brand_id, post.id) is not None:
        raise ConflictError("An answer to this message is already on its way.")
    if replies.sent_with_same_words(session, post.id, text) is not None:
        raise ConflictError("An answer with these words already stands.")


def _insert_outgoing(session: Session, reply: Reply) -> None:
    # The unique indexes have the last word when two processes get here at once.
    try:
        with session.begin_nested():
            session.add(reply)
            session.flush()
    except sa.exc.IntegrityError as error:
        raise ConflictError("An answer to this message is already on its way.") from error


def _note(
    session: Session, conversation: Conversation, reply: Reply, action: str, *, user_id: int, now: datetime
) -> None:
    conversation.version += 1
    audit.record(
        session,
        now=now,
        action=f"reply.{action}",
        entity="reply",
        entity_id=reply.id,
        conversation_id=conversation.id,
        user_id=user_id,
        after={"reply": reply.id, "state": reply.state.value, "version": conversation.version},
    )
