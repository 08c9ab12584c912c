"""Our replies: the intent to answer, every attempt to do so, and the lease of who is writing."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import AttemptOutcome, BigId, ReplyState, text_enum

# States in which a second reply to the same message must not exist.
OUTGOING = ("queued", "sending", "unknown")


class Reply(Base):
    """One of our answers. The row is the intent: it exists before any call to a network.

    `not_before` is the end of the undo time. `external_id` is set only from the network's own word. A reply
    is `sent` only with it (or when a person recorded an answer given by hand, `was_by_hand`).
    """

    __tablename__ = "reply"
    __table_args__ = (
        sa.Index(
            "uq_reply_outgoing",
            "brand_id",
            "post_id",
            unique=True,
            sqlite_where=sa.text("state IN ('queued', 'sending', 'unknown')"),
            postgresql_where=sa.text("state IN ('queued', 'sending', 'unknown')"),
        ),
        sa.UniqueConstraint("brand_id", "idempotency_key"),
        sa.Index("ix_reply_due", "state", "not_before"),
        sa.Index("ix_reply_conversation", "conversation_id", "created_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    conversation_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("conversation.id", ondelete="CASCADE"))
    post_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("post.id", ondelete="CASCADE"))
    source_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("source.id", ondelete="SET NULL"))
    text: Mapped[str]
    state: Mapped[ReplyState] = mapped_column(text_enum(ReplyState), default=ReplyState.DRAFT)
    reason: Mapped[str] = mapped_column(default="")
    is_retryable: Mapped[bool] = mapped_column(default=False)
    resolves: Mapped[bool] = mapped_column(default=False)  # send and resolve
    was_by_hand: Mapped[bool] = mapped_column(default=False)
    user_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="SET NULL"))
    approver_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="SET NULL"))
    idempotency_key: Mapped[str | None]
    expected_version: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    created_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    external_id: Mapped[str | None]
    url: Mapped[str | None]


class Attempt(Base):
    """One call to a network for a reply, written before the call and completed after it."""

    __tablename__ = "attempt"
    __table_args__ = (sa.UniqueConstraint("reply_id", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    reply_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("reply.id", ondelete="CASCADE"))
    number: Mapped[int]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[AttemptOutcome] = mapped_column(text_enum(AttemptOutcome), default=AttemptOutcome.STARTED)
    error_kind: Mapped[str | None]
    error: Mapped[str | None]
    external_id: Mapped[str | None]


class ReplyLease(Base):
    """Who is writing an answer just now; others' composers are read-only until it ends or is taken over."""

    __tablename__ = "reply_lease"

    conversation_id: Mapped[int] = mapped_column(
        BigId, sa.ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="CASCADE"))
    token: Mapped[str]
    expires_at: Mapped[datetime]
