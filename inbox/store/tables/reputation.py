"""Roll-ups: cells by brand and day, recomputed from dirty buckets."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId


class Cell(Base):
    """How many posts of a brand fell into one combination on one day (in the brand's time zone).

    Own posts and reposts are not counted. `sentiment` is "unsure" where the tagger was, "none" before tagging.
    The columns after `audience` count, of these posts, those with an emotion, toxic ones, and those that cannot wait
    until tomorrow (urgency 2 or 3), each where the tagger is sure or a person said so; `…_unsure` where it is not.
    """

    __tablename__ = "cell"

    brand_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    network: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    source_kind: Mapped[str] = mapped_column(primary_key=True)
    sentiment: Mapped[str] = mapped_column(primary_key=True)
    intent: Mapped[str] = mapped_column(primary_key=True)  # the likeliest
    posts: Mapped[int]
    authors: Mapped[int]
    audience: Mapped[int] = mapped_column(sa.BigInteger)
    anger: Mapped[int] = mapped_column(default=0)
    disappointment: Mapped[int] = mapped_column(default=0)
    fear: Mapped[int] = mapped_column(default=0)
    joy: Mapped[int] = mapped_column(default=0)
    gratitude: Mapped[int] = mapped_column(default=0)
    surprise: Mapped[int] = mapped_column(default=0)
    emotion_unsure: Mapped[int] = mapped_column(default=0)
    toxic: Mapped[int] = mapped_column(default=0)
    toxicity_unsure: Mapped[int] = mapped_column(default=0)
    urgent: Mapped[int] = mapped_column(default=0)
    urgency_unsure: Mapped[int] = mapped_column(default=0)


class DirtyBucket(Base):
    """A mark that the cells of a brand's day must be recomputed; written in the transaction that changed its posts.

    Rows are only ever added, each with a `generation` of its own, and removed by the recount that saw them.
    """

    __tablename__ = "dirty_bucket"

    brand_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    generation: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    changed_at: Mapped[datetime]
