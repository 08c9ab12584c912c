"""The audit trail: every step people or the product take, append-only and chained by hashes.

Events are written at the very end of the transaction they belong to, so that the lock that keeps the chain in
one line is held for a moment only and can never wait for a row somebody else holds. Each digest covers its
event and the digest before it: an event changed, removed or slipped in later breaks the chain there.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, SessionTransaction

from inbox.store.queries.audit import audit_events, latest_digest
from inbox.store.rows import insert_rows
from inbox.store.statements import table_of
from inbox.store.tables import AuditEvent

FIRST_DIGEST = "0" * 64
_PENDING = "ascolto_audit"
_COLUMNS = (
    "at", "user_id", "action", "entity", "entity_id", "conversation_id", "before", "after", "previous_digest", "digest",
)  # fmt: skip
_CHAIN_LOCK = 0x4173_636F_6C74  # PostgreSQL advisory lock of the chain


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What verifying the chain found: how many events hold, and the first that does not, in words."""

    events: int
    head: str
    broken_at: int | None = None
    reason: str = ""

    @property
    def is_intact(self) -> bool:
        """Whether the whole chain holds."""
        return self.broken_at is None


@dataclass(slots=True)
class _Pending:
    event: AuditEvent
    savepoints: tuple[SessionTransaction, ...] = field(default=())


def record(
    session: Session,
    *,
    now: datetime,
    action: str,
    entity: str,
    entity_id: int | None,
    user_id: int | None = None,
    conversation_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Note a step ("conversation.resolved"); it is written when the session's transaction commits.

    `before` and `after` hold JSON values and refer to personal data by id only. A step recorded in a
    savepoint that is rolled back is forgotten with it. `write_pending` writes earlier, for who must see it at once.
    """
    event = AuditEvent(
        at=now.astimezone(UTC),
        user_id=user_id,
        action=action,
        entity=entity,
        entity_id=entity_id,
        conversation_id=conversation_id,
        before=dict(before or {}),
        after=dict(after or {}),
    )
    pending: list[_Pending] | None = session.info.get(_PENDING)
    if pending is None:
        pending = session.info[_PENDING] = []
        sa.event.listen(session, "before_commit", _before_commit)
        sa.event.listen(session, "after_soft_rollback", _after_rollback)
    pending.append(_Pending(event, _open_savepoints(session)))


def write_pending(session: Session) -> int:
    """Write what was recorded so far, in order; gives how many. Holds the chain until the end."""
    pending: list[_Pending] = session.info.get(_PENDING, [])
    if not pending:
        return 0
    session.flush()  # take the rows' locks first, the chain's last
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_CHAIN_LOCK)))
    digest = latest_digest(session) or FIRST_DIGEST
    for item in pending:
        item.event.previous_digest = digest
        item.event.digest = digest = event_digest(item.event)
    # In one statement, row by row: ids follow the chain.
    insert_rows(session, table_of(AuditEvent), [_row(item.event) for item in pending])
    written = len(pending)
    pending.clear()
    return written


def verify(session: Session) -> AuditReport:
    """Recompute the chain from its first event, in constant memory."""
    expected, count = FIRST_DIGEST, 0
    for event in audit_events(session):
        if event.previous_digest != expected:
            return AuditReport(
                count,
                expected,
                event.id,
                "it does not follow the event before it: one was removed, added or moved",
            )
        if event_digest(event) != event.digest:
            return AuditReport(count, expected, event.id, "its content was changed after it was written")
        expected = event.digest
        count += 1
    return AuditReport(count, expected)


def event_digest(event: AuditEvent) -> str:
    """SHA-256 (hexadecimal) of the event and of the digest before it."""
    content = {
        "previous": event.previous_digest,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "user": event.user_id,
        "action": event.action,
        "entity": [event.entity, event.entity_id],
        "conversation": event.conversation_id,
        "before": event.before,
        "after": event.after,
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _row(event: AuditEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in _COLUMNS}


def _before_commit(session: Session) -> None:
    if not session.in_nested_transaction():  # a savepoint's release is no end yet
        write_pending(session)


def _after_rollback(session: Session, ended: SessionTransaction) -> None:
    pending: list[_Pending] = session.info.get(_PENDING, [])
    if ended.nested:
        pending[:] = [item for item in pending if ended not in item.savepoints]
    else:
        pending.clear()


def _open_savepoints(session: Session) -> tuple[SessionTransaction, ...]:
    savepoints = []
    transaction = session.get_nested_transaction()
    while transaction is not None:
        if transaction.nested:
            savepoints.append(transaction)
        transaction = transaction.parent
    return tuple(savepoints)
