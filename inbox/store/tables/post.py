"""Posts: every public item heard, with what found it, its machine tags and people's corrections."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId, PostState, text_enum


class Post(Base):
    """One public item: post, comment, mention, review, reply.

    `thread_key` is the external id of the thread's root as far as known; it changes when a missing parent
    arrives. `is_own` marks our accounts' posts: never queued, but threaded and counted as answers.
    """

    __tablename__ = "post"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "network", "instance", "external_id", name="uq_post_identity"),
        sa.Index("ix_post_state", "state", "id"),
        sa.Index("ix_post_thread", "brand_id", "network", "instance", "thread_key"),
        sa.Index("ix_post_parent", "brand_id", "network", "instance", "parent_external_id"),
        sa.Index("ix_post_conversation", "conversation_id", "created_at", "id"),
        sa.Index("ix_post_author", "author_id", "created_at"),
        sa.Index("ix_post_brand_created", "brand_id", "created_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    network: Mapped[str]
    instance: Mapped[str] = mapped_column(default="")
    external_id: Mapped[str]
    kind: Mapped[str]  # connectors.base.PostKind
    state: Mapped[PostState] = mapped_column(text_enum(PostState), default=PostState.NEW)
    author_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("identity.id"))
    conversation_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("conversation.id", ondelete="SET NULL"))
    source_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("source.id", ondelete="SET NULL"))
    text: Mapped[str]
    title: Mapped[str] = mapped_column(default="")
    url: Mapped[str | None]
    parent_external_id: Mapped[str | None]
    thread_key: Mapped[str]
    repost_of: Mapped[str | None]
    mentions_us: Mapped[bool] = mapped_column(default=False)
    is_own: Mapped[bool] = mapped_column(default=False)
    is_history: Mapped[bool] = mapped_column(default=False)  # first sync, back-fill, import: no alarms
    language: Mapped[str | None]  # detected by the tagger
    language_hint: Mapped[str | None]
    rating: Mapped[int | None]
    likes: Mapped[int | None]
    replies: Mapped[int | None]
    reposts: Mapped[int | None]
    audience: Mapped[int] = mapped_column(default=0)
    media: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime]  # at the network
    fetched_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    hidden_at_source: Mapped[datetime | None]
    deleted_at_source: Mapped[datetime | None]
    tag_attempts: Mapped[int] = mapped_column(default=0)


class PostSource(Base):
    """Which sources found a post: overlaps of queries are one post with several rows here."""

    __tablename__ = "post_source"
    __table_args__ = (sa.Index("ix_post_source_source", "source_id", "post_id"),)

    brand_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    post_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("post.id", ondelete="CASCADE"), primary_key=True)
    source_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("source.id", ondelete="CASCADE"), primary_key=True)
    first_seen_at: Mapped[datetime]


class PostTags(Base):
    """The machine's tags of a post, one row, replaced when a newer tagger runs; corrections stand apart.

    `sentiment`: {"negative": p, …}; `intents`: {"complaint": p, …}; `intent_labels`: those over their
    threshold; `emotion`: {"anger": p, …}; `toxicity`: the probability; `urgency_probabilities`: {"0": p, …};
    `rules`: names of the brand's own rules that decided a label; `entities`: [{"kind", "name", "text", "start",
    "end"}].
    """

    __tablename__ = "post_tags"
    # Which tagger's tags stand, and the newest posts among them: re-tagging walks it.
    __table_args__ = (sa.Index("ix_post_tags_tagger", "brand_id", "tagger", "post_id"),)

    brand_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    post_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("post.id", ondelete="CASCADE"), primary_key=True)
    tagger: Mapped[str]
    language: Mapped[str]
    language_confidence: Mapped[float]
    sentiment_label: Mapped[str]
    sentiment_confidence: Mapped[float]
    sentiment_unsure: Mapped[bool]
    sentiment: Mapped[dict[str, Any]]
    intent_labels: Mapped[list[Any]]
    intents_unsure: Mapped[bool]
    intents: Mapped[dict[str, Any]]
    emotion_label: Mapped[str] = mapped_column(default="none")
    emotion_unsure: Mapped[bool] = mapped_column(default=True)
    emotion: Mapped[dict[str, Any]] = mapped_column(default=dict)
    toxicity: Mapped[float] = mapped_column(default=0.0)
    toxicity_unsure: Mapped[bool] = mapped_column(default=True)
    urgency: Mapped[int] = mapped_column(default=1)  # 0-3, the likeliest
    urgency_unsure: Mapped[bool] = mapped_column(default=True)
    urgency_probabilities: Mapped[dict[str, Any]] = mapped_column(default=dict)
    rules: Mapped[list[Any]] = mapped_column(default=list)
    entities: Mapped[list[Any]] = mapped_column(default=list)
    error: Mapped[str | None]
    tagged_at: Mapped[datetime]


class Correction(Base):
    """A person's word on a tag: gold, and never overwritten by a machine. `value` is a label or list of labels."""

    __tablename__ = "correction"
    __table_args__ = (sa.UniqueConstraint("brand_id", "post_id", "task"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId)
    post_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("post.id", ondelete="CASCADE"))
    task: Mapped[str]  # sentiment | intents | emotion | toxicity | urgency | language
    value: Mapped[list[Any]]
    machine_value: Mapped[list[Any]]
    tagger: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class Tombstone(Base):
    """A keyed hash of something erased, so that a back-fill does not bring it back."""

    __tablename__ = "tombstone"

    brand_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
