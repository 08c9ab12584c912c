"""What each outcome of a call or of a read-back writes; all of them in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from connectors.base import PostRef, Receipt
from connectors.errors import (
    AmbiguousError,
    AuthError,
    BudgetExceededError,
    ConnectorError,
    NotAskedError,
    RateLimitedError,
    TransientError,
)
from inbox import audit
from inbox.replies import breaker
from inbox.replies.settle import mark_sent
from inbox.store.queries import replies
from inbox.store.queries.conversation_view import get_conversation
from inbox.store.tables import Attempt, Reply, Source
from inbox.store.types import AttemptOutcome, ReplyState

log = structlog.get_logger(__name__)

OPEN_OUTCOMES = (AttemptOutcome.STARTED, AttemptOutcome.AMBIGUOUS)
RATE_LIMITED = "RateLimitedError"
FIRST_BACKOFF, LONGEST_BACKOFF = timedelta(seconds=5), timedelta(minutes=10)
LONGEST_WATCH = timedelta(hours=24)
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Patience:
    """How long sending waits. `lag`: after it the network's list holds whatever it accepted (`lags` by network).

    A network whose lag is longer than `longest` never proves an absence: what is ambiguous there becomes
    unknown. `claim` is how long a process may be silent within one call before another takes the reply for
    abandoned; it must be longer than any call can last. `skew` allows for the network's clock.
    """

    lag: timedelta = timedelta(seconds=15)
    lags: Mapping[str, timedelta] = field(default_factory=lambda: {"x": timedelta(seconds=30)})
    longest: timedelta = timedelta(minutes=10)
    claim: timedelta = timedelta(minutes=5)
    skew: timedelta = timedelta(minutes=2)
    attempts: int = 6
    ambiguous_retries: int = 1
    first_look: timedelta = timedelta(minutes=1)

    def lag_of(self, network: str) -> timedelta:
        """The lag of a network."""
        return self.lags.get(network, self.lag)


@dataclass(frozen=True, slots=True)
class Call:
    """One step at the network, decided and committed before it is taken. `attempt_id` None: a look, not a call."""

    reply_id: int
    text: str
    post: PostRef
    source: Source
    attempt_id: int | None = None
    since: datetime | None = None  # a look: our reply would be younger than this
    settled_at: datetime | None = None  # a look: from then on absence means absence


def note_receipt(session: Session, reply: Reply, attempt: Attempt, receipt: Receipt, *, now: datetime) -> None:
    """The network gave an id: sent."""
    attempt.outcome = AttemptOutcome.SENT
    attempt.external_id = receipt.external_id
    attempt.finished_at = now
    mark_sent(session, reply, external_id=receipt.external_id, url=receipt.url, created_at=receipt.created_at, now=now)
    _close_breaker(session, reply)


def note_error(
    session: Session,
    reply: Reply,
    attempt: Attempt,
    error: Exception,
    *,
    can_read_back: bool,
    patience: Patience,
    now: datetime,
) -> None:
    """The call ended in an error; what it is named for decides."""
    attempt.finished_at = now
    attempt.error_kind = type(error).__name__
    attempt.error = words_of(error)
    match error:
        case NotAskedError():
            attempt.outcome = AttemptOutcome.FAILED
            reply.state = ReplyState.QUEUED
            reply.not_before = now + error.retry_after
            reply.reason = words_of(error)
        case RateLimitedError():
            # No failed attempt. It may yet have been accepted before the refusal, so it is looked up first
            # where that can be done; elsewhere the refusal is believed.
            attempt.outcome = AttemptOutcome.AMBIGUOUS if can_read_back else AttemptOutcome.FAILED
            reply.state = ReplyState.SENDING if can_read_back else ReplyState.QUEUED
            reply.not_before = now + error.retry_after
            reply.reason = words_of(error)
        case TransientError():
            attempt.outcome = AttemptOutcome.FAILED
            reply.attempts += 1
            _open_breaker(session, reply, now=now)
            if reply.attempts >= patience.attempts:
                give_up(session, reply, words_of(error), is_retryable=True, now=now)
            else:
                reply.state = ReplyState.QUEUED
                reply.not_before = now + backoff(reply.attempts)
                reply.reason = words_of(error)
        case AuthError() | BudgetExceededError():
            attempt.outcome = AttemptOutcome.FAILED
            give_up(session, reply, words_of(error), is_retryable=True, now=now)
        case ConnectorError() if not isinstance(error, AmbiguousError):
            attempt.outcome = AttemptOutcome.FAILED
            give_up(session, reply, words_of(error), is_retryable=False, now=now)
        case _:  # AmbiguousError, and whatever a client library raised that nobody has named
            attempt.outcome = AttemptOutcome.AMBIGUOUS
            reply.attempts += 1
            reply.state = ReplyState.SENDING
            reply.not_before = now
            reply.reason = words_of(error)
            _open_breaker(session, reply, now=now)


def note_found(session: Session, reply: Reply, receipt: Receipt, *, now: datetime) -> None:
    """Read back: it stands."""
    for attempt in open_attempts(session, reply):
        attempt.outcome = AttemptOutcome.FOUND
        attempt.external_id = receipt.external_id
        attempt.finished_at = attempt.finished_at or now
    mark_sent(session, reply, external_id=receipt.external_id, url=receipt.url, created_at=receipt.created_at, now=now)
    _close_breaker(session, reply)


def note_absent(session: Session, reply: Reply, call: Call, *, patience: Patience, now: datetime) -> None:
    """Listed and not there: proof only after the lag; then one retry, then a person."""
    if reply.state is ReplyState.UNKNOWN:
        keep_watching(reply, patience=patience, now=now)
        return
    if call.settled_at is not None and now < call.settled_at:
        if call.settled_at - now > patience.longest:
            note_unknown(session, reply, "This network shows answers too late to be sure.", patience=patience, now=now)
            return
        reply.not_before = call.settled_at
        return
    opened = open_attempts(session, reply)
    if not opened:  # reconciling a reply that had never left: it goes on waiting for its turn
        return
    for attempt in opened:
        attempt.outcome = AttemptOutcome.ABSENT
    if ambiguous_count(session, reply) > patience.ambiguous_retries:
        give_up(session, reply, "The network took this answer twice and shows none.", is_retryable=True, now=now)
        return
    reply.state = ReplyState.QUEUED
    reply.not_before = now


def note_look_error(session: Session, reply: Reply, error: Exception, *, patience: Patience, now: datetime) -> None:
    """The look itself failed: wait and look again, for a while; then nobody knows."""
    opened = [attempt.finished_at or attempt.started_at for attempt in open_attempts(session, reply)]
    since = max(opened, default=reply.queued_at or reply.created_at)
    if reply.state is ReplyState.UNKNOWN:
        keep_watching(reply, patience=patience, now=now)
    elif isinstance(error, RateLimitedError) and now + error.retry_after - since <= patience.longest:
        reply.not_before = now + error.retry_after
    elif isinstance(error, TransientError) and now - since < patience.longest:
        reply.not_before = now + backoff(1)
    else:
        note_unknown(session, reply, words_of(error), patience=patience, now=now)


def note_unknown(session: Session, reply: Reply, reason: str, *, patience: Patience, now: datetime) -> None:
    """Nobody can say whether it stands: never sent again by itself. A later look may still find it."""
    reply.state = ReplyState.UNKNOWN
    reply.reason = reason[:MAX_REASON]
    reply.is_retryable = False
    reply.not_before = now + patience.first_look
    _note(session, reply, "unknown", now=now)
    log.warning("reply.unknown", reply=reply.id, source=reply.source_id)


def note_dry_run(session: Session, reply: Reply, attempt: Attempt, *, now: datetime) -> None:
    """Stopped just before the network, on purpose."""
    attempt.outcome = AttemptOutcome.DRY_RUN
    attempt.finished_at = now
    reply.state = ReplyState.DRY_RUN
    reply.reason = "Dry run: nothing was sent."
    reply.is_retryable = True
    reply.not_before = None
    _note(session, reply, "dry_run", now=now)


def give_up(session: Session, reply: Reply, reason: str, *, is_retryable: bool, now: datetime) -> None:
    """It does not stand and will not by itself: a person reads why, the text is kept."""
    reply.state = ReplyState.FAILED
    reply.reason = reason[:MAX_REASON]
    reply.is_retryable = is_retryable
    reply.not_before = None
    _note(session, reply, "failed", now=now)
    log.warning("reply.failed", reply=reply.id, source=reply.source_id, retryable=is_retryable)


def keep_watching(reply: Reply, *, patience: Patience, now: datetime) -> None:
    """Plan the next look for a reply of unknown fate: ever more seldom, for a day."""
    age = now - (reply.queued_at or reply.created_at)
    reply.not_before = None if age > LONGEST_WATCH else now + max(patience.first_look, age)


def open_attempts(session: Session, reply: Reply) -> list[Attempt]:
    """Give the attempts whose outcome is open."""
    return [one for one in replies.list_attempts(session, reply.id) if one.outcome in OPEN_OUTCOMES]


def ambiguous_count(session: Session, reply: Reply) -> int:
    """Count the calls since the last person's word that were ambiguous and read back as absent."""
    since = reply.queued_at or reply.created_at
    return sum(
        1
        for one in replies.list_attempts(session, reply.id)
        if one.outcome is AttemptOutcome.ABSENT and one.started_at >= since and one.error_kind != RATE_LIMITED
    )


def next_number(attempts: Sequence[Attempt]) -> int:
    """The number of the next attempt."""
    return max((attempt.number for attempt in attempts), default=0) + 1


def backoff(failures: int) -> timedelta:
    """Five seconds, doubled by each further failure, ten minutes at most."""
    doublings: int = 2 ** max(0, min(failures, 12) - 1)
    return min(LONGEST_BACKOFF, FIRST_BACKOFF * doublings)


def words_of(error: Exception) -> str:
    """The error in words for a person; a library's own words may hold secrets and stay out."""
    if isinstance(error, ConnectorError):
        return error.message[:MAX_REASON]
    return f"The client library failed ({type(error).__name__})."


def _open_breaker(session: Session, reply: Reply, *, now: datetime) -> None:
    if reply.source_id is not None and breaker.note_failure(session, reply.source_id, now=now):
        log.warning("publish.source_down", source=reply.source_id)


def _close_breaker(session: Session, reply: Reply) -> None:
    if reply.source_id is not None and breaker.note_success(session, reply.source_id):
        log.info("publish.source_back", source=reply.source_id)


def _note(session: Session, reply: Reply, action: str, *, now: datetime) -> None:
    conversation = get_conversation(session, reply.conversation_id)
    conversation.version += 1
    audit.record(
        session,
        now=now,
        action=f"reply.{action}",
        entity="reply",
        entity_id=reply.id,
        conversation_id=conversation.id,
        after={"reply": reply.id, "state": reply.state.value, "version": conversation.version},
    )
