"""Roll-ups: cells by brand and day, recomputed from dirty buckets."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId


class Cell(Base):
    """How many posts of a brand fell into one combination on one day (in the brand's time zone).

    Own posts and reposts are not counted. `sentiment` is "unsure" where the tagger was, "none" before tagging.
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


class DirtyBucket(Base):
    """A mark that the cells of a brand's day must be recomputed; written in the transaction that changed its posts.

    Rows are only ever added, each with a `generation` of its own, and removed by the recount that saw them.
    """

    __tablename__ = "dirty_bucket"

    brand_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    generation: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    changed_at: Mapped[datetime]
