"""Conversations: a public thread as one piece of work, and what people do with it."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId, ConversationState, SlaState, text_enum


class Conversation(Base):
    """A public thread as one piece of work.

    `sentiment`, `intent`, `emotion`, `urgency`, `is_toxic`, `language`, `audience`, `preview` and `author_id` repeat
    what the latest waiting message says, so that the list needs no join with posts. `emotion` and `urgency` are None,
    and `is_toxic` false, where the machine is not sure of them. `version` moves with everything a writer should
    know before sending. `sla_due_at` is None when no clock runs.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "network", "instance", "thread_key", name="uq_conversation_thread"),
        sa.Index("ix_conversation_by_sla", "state", "sla_due_at", "id"),
        sa.Index("ix_conversation_by_activity", "state", "last_activity_at", "id"),
        sa.Index("ix_conversation_by_priority", "state", "priority", "id"),
        sa.Index("ix_conversation_mine", "assignee_id", "state", "sla_due_at", "id"),
        sa.Index("ix_conversation_brand_activity", "brand_id", "state", "last_activity_at", "id"),
        sa.Index("ix_conversation_snooze", "state", "snoozed_until"),
        # Spam is rare: its view and count must not look at every open conversation.
        sa.Index(
            "ix_conversation_spam",
            "state",
            "brand_id",
            sqlite_where=sa.text("is_spam IS 1"),
            postgresql_where=sa.text("is_spam IS true"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    network: Mapped[str]
    instance: Mapped[str] = mapped_column(default="")
    thread_key: Mapped[str]
    state: Mapped[ConversationState] = mapped_column(text_enum(ConversationState), default=ConversationState.OPEN)
    snoozed_until: Mapped[datetime | None]
    is_spam: Mapped[bool] = mapped_column(default=False)
    is_muted: Mapped[bool] = mapped_column(default=False)
    is_crisis: Mapped[bool] = mapped_column(default=False)
    is_unread: Mapped[bool] = mapped_column(default=True)
    priority: Mapped[int] = mapped_column(default=0)
    priority_reasons: Mapped[list[Any]] = mapped_column(default=list)  # [{"reason", "points"}]
    assignee_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="SET NULL"))
    team_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("team.id", ondelete="SET NULL"))
    author_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("identity.id"))
    preview: Mapped[str] = mapped_column(default="")
    audience: Mapped[int] = mapped_column(default=0)
    language: Mapped[str | None]
    sentiment: Mapped[str | None]
    sentiment_confidence: Mapped[float | None]
    sentiment_unsure: Mapped[bool] = mapped_column(default=True)
    intent: Mapped[str | None]  # the likeliest
    intent_confidence: Mapped[float | None]
    intents: Mapped[list[Any]] = mapped_column(default=list)  # labels over their threshold
    emotion: Mapped[str | None]
    urgency: Mapped[int | None]  # 0-3
    is_toxic: Mapped[bool] = mapped_column(default=False)
    post_count: Mapped[int] = mapped_column(default=0)
    reply_count: Mapped[int] = mapped_column(default=0)  # public answers of the brand, wherever written
    first_inbound_at: Mapped[datetime | None]
    last_inbound_at: Mapped[datetime | None]
    first_reply_at: Mapped[datetime | None]
    last_reply_at: Mapped[datetime | None]
    last_activity_at: Mapped[datetime]
    sla_state: Mapped[SlaState] = mapped_column(text_enum(SlaState), default=SlaState.NONE)
    sla_started_at: Mapped[datetime | None]
    sla_due_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]


class SlaEvent(Base):
    """A step of a conversation's clock. One alarm per due time: the unique key sees to it."""

    __tablename__ = "sla_event"
    __table_args__ = (sa.UniqueConstraint("conversation_id", "kind", "due_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("conversation.id", ondelete="CASCADE"))
    kind: Mapped[str]  # started | paused | resumed | hit | missed | warning
    due_at: Mapped[datetime | None]
    at: Mapped[datetime]


class Label(Base):
    """A word people put on conversations."""

    __tablename__ = "label"
    __table_args__ = (sa.UniqueConstraint("brand_id", "name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    name: Mapped[str]
    hue: Mapped[int] = mapped_column(default=210)  # 0-359


class ConversationLabel(Base):
    """A label on a conversation."""

    __tablename__ = "conversation_label"
    __table_args__ = (sa.Index("ix_conversation_label_label", "label_id", "conversation_id"),)

    conversation_id: Mapped[int] = mapped_column(
        BigId, sa.ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True
    )
    label_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("label.id", ondelete="CASCADE"), primary_key=True)


class Note(Base):
    """An internal note; never leaves the house."""

    __tablename__ = "note"
    __table_args__ = (sa.Index("ix_note_conversation", "conversation_id", "created_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("conversation.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="SET NULL"))
    text: Mapped[str]
    created_at: Mapped[datetime]


class Assignment(Base):
    """One step of who a conversation belonged to. `by_user_id` None means routing did it; `reason` says why."""

    __tablename__ = "assignment"
    __table_args__ = (sa.Index("ix_assignment_conversation", "conversation_id", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("conversation.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="SET NULL"))
    team_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("team.id", ondelete="SET NULL"))
    by_user_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="SET NULL"))
    reason: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]
