"""Reading the audit trail."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import AuditEvent

_BATCH = 1000


def latest_digest(session: Session) -> str | None:
    """Digest of the newest event; None when there is none yet."""
    return session.scalar(sa.select(AuditEvent.digest).order_by(AuditEvent.id.desc()).limit(1))


def audit_events(session: Session) -> Iterator[AuditEvent]:
    """All events, oldest first, a batch at a time; they are not kept in the session."""
    after = 0
    while True:
        batch = session.scalars(
            sa.select(AuditEvent).where(AuditEvent.id > after).order_by(AuditEvent.id).limit(_BATCH)
        ).all()
        for event in batch:
            after = event.id
            session.expunge(event)
            yield event
        if len(batch) < _BATCH:
            return


def has_digest(session: Session, digest: str) -> bool:
    """Whether an event with this digest stands in the trail."""
    return session.scalar(sa.select(sa.exists().where(AuditEvent.digest == digest))) or False
