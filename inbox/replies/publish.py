"""Sending one answer exactly once: claim → call → receipt, each step committed, read-back before any retry.

The attempt is on disk before the call. Whatever leaves the outcome open (a crash, a time-out, a reset, a 5xx, a
429 the network may have answered after the fact) is looked up at the network before anything else happens:
found is sent, listed and absent after the network's lag is retried once, what cannot be listed is `unknown`
and a person's to decide. What each outcome writes is in inbox/replies/outcomes.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from config.settings import Publishing
from connectors.base import Clock, Connector, PostRef, Receipt
from connectors.errors import AmbiguousError, PermanentError
from inbox.errors import NotFoundError
from inbox.replies import breaker, outcomes
from inbox.replies.outcomes import Call, Patience
from inbox.store.engine import Store
from inbox.store.queries import installation, replies
from inbox.store.tables import Attempt, Post, Reply, Source
from inbox.store.types import AttemptOutcome, ReplyState

__all__ = ["ConnectorOf", "Look", "Patience", "look_again", "publish_reply"]

log = structlog.get_logger(__name__)

ConnectorOf = Callable[[Source], Connector]
PATIENCE = Patience()
# Send, look, send once more, look: a reply needs no more steps in one go.
MAX_STEPS = 6


def publish_reply(
    store: Store,
    reply_id: int,
    *,
    connector_of: ConnectorOf,
    publishing: Publishing,
    clock: Clock,
    patience: Patience = PATIENCE,
) -> ReplyState:
    """Take a due reply as far as it gets now; gives its state. Commits its own steps, on disk before each call.

    Safe to call at any time, from any number of processes, and again after any crash: a reply not due, or in
    another process's hands, is left alone. NotFoundError when there is no such reply.
    """
    for step in range(MAX_STEPS):
        with store.write(durable=True) as session:
            reply = _get(session, reply_id)
            call = _claim(session, reply, publishing=publishing, patience=patience, is_first=step == 0, now=clock())
            state = reply.state
        if call is None:
            return state
        if call.attempt_id is None:
            _look(store, call, connector_of=connector_of, patience=patience, clock=clock)
        else:
            _send(store, call, connector_of=connector_of, patience=patience, clock=clock)
    with store.read() as session:
        return _get(session, reply_id, is_locked=False).state


@dataclass(frozen=True, slots=True)
class Look:
    """What a look gave: the reply's state now, and whether the network could be asked."""

    state: ReplyState
    was_answered: bool


def look_again(
    store: Store, reply_id: int, *, connector_of: ConnectorOf, clock: Clock, patience: Patience = PATIENCE
) -> Look:
    """Look for a reply that is on its way or of unknown fate at the network, without ever sending it.

    Found becomes `sent`; absent stays as it was; what cannot be listed becomes or stays `unknown`, unless the
    network only failed to answer just now.
    """
    with store.read() as session:
        reply = _get(session, reply_id, is_locked=False)
        if reply.state not in replies.UNFINISHED:
            return Look(reply.state, was_answered=True)
        call = _look_of(session, reply, patience=patience)
        state = reply.state
    if call is None:
        return Look(state, was_answered=False)
    was_answered = _look(store, call, connector_of=connector_of, patience=patience, clock=clock)
    with store.read() as session:
        return Look(_get(session, reply_id, is_locked=False).state, was_answered=was_answered)


def _claim(
    session: Session,
    reply: Reply,
    *,
    publishing: Publishing,
    patience: Patience,
    is_first: bool,
    now: datetime,
) -> Call | None:
    # Decide the next step at the network and write it down; None when there is nothing to do now.
    if not _is_turn(session, reply, is_first=is_first, now=now):
        return None
    source = session.get(Source, reply.source_id) if reply.source_id is not None else None
    post = session.get(Post, reply.post_id)
    opened = outcomes.open_attempts(session, reply)
    for attempt in opened:
        if attempt.outcome is AttemptOutcome.STARTED:  # whoever made the call is gone, nobody knows how far it got
            attempt.outcome = AttemptOutcome.AMBIGUOUS
            attempt.error_kind = "interrupted"
            attempt.finished_at = now
    if opened:
        reply.state = ReplyState.SENDING
        reply.not_before = now + patience.claim
        return _look_of(session, reply, patience=patience)
    refusal = _refusal(source, post)
    if refusal is not None or source is None or post is None:
        outcomes.give_up(session, reply, refusal or "", is_retryable=True, now=now)
        return None
    attempt = Attempt(
        reply_id=reply.id,
        number=outcomes.next_number(replies.list_attempts(session, reply.id)),
        started_at=now,
        outcome=AttemptOutcome.STARTED,
    )
    session.add(attempt)
    session.flush()
    if publishing is Publishing.DRY_RUN:
        outcomes.note_dry_run(session, reply, attempt, now=now)
        return None
    reply.state = ReplyState.SENDING
    reply.not_before = now + patience.claim
    return Call(reply_id=reply.id, text=reply.text, post=ref_of(session, post), source=source, attempt_id=attempt.id)


def _is_turn(session: Session, reply: Reply, *, is_first: bool, now: datetime) -> bool:
    if reply.state not in replies.IN_FLIGHT or reply.not_before is None or reply.not_before > now:
        return False
    if installation.is_publishing_paused(session) or replies.earlier_in_flight(session, reply) is not None:
        return False
    source_id = reply.source_id
    if is_first and source_id is not None and not breaker.may_call(session, source_id, now=now):
        reply.not_before = breaker.rest_until(session, source_id)
        return False
    return True


def _look_of(session: Session, reply: Reply, *, patience: Patience) -> Call | None:
    source = session.get(Source, reply.source_id) if reply.source_id is not None else None
    post = session.get(Post, reply.post_id)
    if source is None or post is None:
        return None
    opened = outcomes.open_attempts(session, reply)
    began = min((one.started_at for one in opened), default=reply.queued_at or reply.created_at)
    ended = max((one.finished_at or one.started_at for one in opened), default=began)
    return Call(
        reply_id=reply.id,
        text=reply.text,
        post=ref_of(session, post),
        source=source,
        since=began - patience.skew,
        settled_at=ended + patience.lag_of(source.network),
    )


def _send(store: Store, call: Call, *, connector_of: ConnectorOf, patience: Patience, clock: Clock) -> None:
    receipt: Receipt | None = None
    error: Exception | None = None
    can_read_back = False
    try:
        connector = connector_of(call.source)
        can_read_back = connector.capabilities.can_read_back
        permission = connector.can_reply(call.post)
    except Exception as raised:  # noqa: BLE001 - nothing has left the house: whatever it was, this call failed
        error = PermanentError(outcomes.words_of(raised))
    else:
        if permission.allowed:
            try:
                receipt = _proof(connector.reply(call.post, call.text))
            except Exception as raised:  # noqa: BLE001 - whatever a library raised, the reply may stand
                error = raised
        else:
            error = PermanentError(permission.reason or "The network takes no answer here.")
    with store.write(durable=True) as session:
        now = clock()
        reply = _get(session, call.reply_id)
        attempt = session.get_one(Attempt, call.attempt_id)
        if reply.state is not ReplyState.SENDING or attempt.outcome is not AttemptOutcome.STARTED:
            log.warning("reply.claim_lost", reply=reply.id)
            if receipt is None or reply.state not in replies.UNFINISHED:
                return
        if receipt is not None:
            outcomes.note_receipt(session, reply, attempt, receipt, now=now)
        elif error is not None:
            outcomes.note_error(session, reply, attempt, error, can_read_back=can_read_back, patience=patience, now=now)


def _look(store: Store, call: Call, *, connector_of: ConnectorOf, patience: Patience, clock: Clock) -> bool:
    receipt: Receipt | None = None
    error: Exception | None = None
    try:
        connector = connector_of(call.source)
        if connector.capabilities.can_read_back:
            receipt = connector.find_reply(call.post, call.text, call.since or clock())
        else:
            error = AmbiguousError("This network cannot be asked whether the answer stands.")
    except Exception as raised:  # noqa: BLE001 - a look changes nothing; whatever failed, the question stays open
        error = raised
    with store.write(durable=True) as session:
        now = clock()
        reply = _get(session, call.reply_id)
        if reply.state not in replies.UNFINISHED:
            return True
        if receipt is not None and not replies.is_known_receipt(session, reply, receipt.external_id):
            outcomes.note_found(session, reply, receipt, now=now)
        elif error is not None:
            outcomes.note_look_error(session, reply, error, patience=patience, now=now)
        else:
            outcomes.note_absent(session, reply, call, patience=patience, now=now)
    return error is None


def ref_of(session: Session, post: Post) -> PostRef:
    """Give what a connector needs to act on a stored post."""
    return PostRef(
        external_id=post.external_id,
        instance=post.instance,
        url=post.url,
        parent_id=post.parent_external_id,
        thread_id=post.thread_key,
        author_handle=replies.handle_of(session, post.author_id),
        mentions_us=post.mentions_us,
    )


def _proof(receipt: Receipt) -> Receipt:
    # "Sent" only with the network's id.
    if not receipt.external_id:
        raise AmbiguousError("The network took the answer without giving its id.")
    return receipt


def _refusal(source: Source | None, post: Post | None) -> str | None:
    if source is None or not source.can_publish:
        return "No connected account can answer here any more."
    if post is None or post.deleted_at_source is not None:
        return "This message was deleted at the network."
    return None


def _get(session: Session, reply_id: int, *, is_locked: bool = True) -> Reply:
    reply = replies.lock_reply_in_conversation(session, reply_id) if is_locked else session.get(Reply, reply_id)
    if reply is None:
        raise NotFoundError("This answer does not exist.", log_message=f"no reply {reply_id}")
    return reply
