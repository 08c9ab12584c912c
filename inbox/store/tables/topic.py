"""Topics of complaints and questions, and which post is about which."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId

_IS_WAITING = sa.text("space IS NULL")
_IS_POOLED = sa.text("vector IS NOT NULL")


class Topic(Base):
    """A matter a brand's posts keep coming back to. Its id and names stay while its posts come and go.

    `names` are the machine's, by language ({"it": "rimborso · volo", "en": …}); `name` is a person's and goes before
    them. `centre` is a unit vector of `space` (little-endian float32), `weight` what it stands for. A topic given up
    for an older one it had become points there in `merged_into`.
    """

    __tablename__ = "topic"
    __table_args__ = (sa.Index("ix_topic_brand", "brand_id", "merged_into_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    name: Mapped[str | None]
    names: Mapped[dict[str, Any]]
    space: Mapped[str]
    centre: Mapped[bytes] = mapped_column(sa.LargeBinary)
    weight: Mapped[float]
    muted_at: Mapped[datetime | None]
    merged_into_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("topic.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class PostTopic(Base):
    """A post that complains or asks: waiting to be placed, waiting in the pool for its like, or in a topic.

    `space` is None until the post was placed once; `topic_id` None with a `vector` (little-endian float16) is the
    pool. `similarity` is to the topic's centre when it joined. `created_at` repeats the post's.
    """

    __tablename__ = "post_topic"
    __table_args__ = (
        sa.Index("ix_post_topic_topic", "topic_id", "created_at"),
        sa.Index("ix_post_topic_waiting", "post_id", sqlite_where=_IS_WAITING, postgresql_where=_IS_WAITING),
        sa.Index("ix_post_topic_pool", "brand_id", "post_id", sqlite_where=_IS_POOLED, postgresql_where=_IS_POOLED),
    )

    brand_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    post_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("post.id", ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("topic.id", ondelete="SET NULL"))
    space: Mapped[str | None]
    similarity: Mapped[float | None]
    vector: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    created_at: Mapped[datetime]
