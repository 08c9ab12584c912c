"""After a restore: what went out since the backup is found at the networks before anything is sent again."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from connectors.base import Clock
from inbox import audit
from inbox.replies.outcomes import Patience, note_unknown
from inbox.replies.publish import PATIENCE, ConnectorOf, look_again
from inbox.store.engine import Store
from inbox.store.queries import replies
from inbox.store.queries.installation import PUBLISHING_PAUSED
from inbox.store.tables import Reply, SystemValue
from inbox.store.types import AttemptOutcome, ReplyState

log = structlog.get_logger(__name__)

RECONCILED = "reconciled"


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """What became of the replies that were on their way.

    `found` stand at their network, `absent` wait to be sent when publishing resumes, `unknown` are a person's
    to decide, `unreachable` could not be looked for just now: reconcile again.
    """

    found: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    unreachable: tuple[int, ...] = ()


def pause_publishing(session: Session, *, now: datetime, reason: str) -> None:
    """Let nothing out until a person resumes."""
    session.merge(SystemValue(key=PUBLISHING_PAUSED, value=reason, changed_at=now))


def resume_publishing(session: Session, *, now: datetime, user_id: int | None = None) -> None:
    """Let replies out again, by a person's word.

    Those that nobody has looked for since publishing was paused become `unknown`: they are not sent unseen.
    """
    value = session.get(SystemValue, PUBLISHING_PAUSED)
    if value is None:
        return
    if value.value != RECONCILED:
        for reply_id in replies.unfinished_replies(session):
            reply = replies.lock_reply_in_conversation(session, reply_id)
            if reply is not None and reply.state in replies.IN_FLIGHT:
                note_unknown(session, reply, "Nobody has looked whether this stands.", patience=PATIENCE, now=now)
    session.delete(value)
    audit.record(session, now=now, action="publishing.resumed", entity="system", entity_id=None, user_id=user_id)


def needs_reconciling(session: Session) -> bool:
    """Whether publishing is paused and the networks have not been asked since."""
    value = session.get(SystemValue, PUBLISHING_PAUSED)
    return value is not None and value.value != RECONCILED


def reconcile(
    store: Store, *, connector_of: ConnectorOf, clock: Clock, patience: Patience = PATIENCE
) -> ReconcileReport:
    """Look for every unfinished reply at its network; sends nothing and leaves publishing paused.

    Commits one reply at a time, and may be run again.
    """
    with store.read() as session:
        ids = replies.unfinished_replies(session)
    outcome: defaultdict[str, list[int]] = defaultdict(list)
    for reply_id in ids:
        look = look_again(store, reply_id, connector_of=connector_of, clock=clock, patience=patience)
        if look.state is ReplyState.SENT:
            outcome["found"].append(reply_id)
        elif look.state is ReplyState.UNKNOWN:
            outcome["unknown"].append(reply_id)
        else:
            outcome["absent" if look.was_answered else "unreachable"].append(reply_id)
    report = ReconcileReport(**{name: tuple(found) for name, found in outcome.items()})
    if not report.unreachable:
        with store.write() as session:
            if session.get(SystemValue, PUBLISHING_PAUSED) is not None:
                pause_publishing(session, now=clock(), reason=RECONCILED)
    log.info("publishing.reconciled", **{name: len(found) for name, found in outcome.items()})
    return report


def recover_interrupted(session: Session, *, now: datetime) -> list[int]:
    """Take up replies a dead process left in the middle, at once; only for a process that is alone (embedded).

    Their open attempts are then read back before anything is sent.
    """
    interrupted = []
    for reply_id in replies.unfinished_replies(session):
        reply = session.get_one(Reply, reply_id)
        is_open = any(one.outcome is AttemptOutcome.STARTED for one in replies.list_attempts(session, reply_id))
        if is_open and reply.state is ReplyState.SENDING:
            reply.not_before = now
            interrupted.append(reply_id)
    return interrupted
