"""Facts about this installation that every page shows: demo data, paused publishing, the time zone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from inbox.store.queries.installation import has_demo_brand, home_zone, is_publishing_paused

KEPT_FOR = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Installation:
    """What the page frame shows. Read at most every few seconds."""

    zone: str
    has_demo: bool
    is_publishing_paused: bool

    @staticmethod
    def is_fresh(read_at: datetime, now: datetime) -> bool:
        """Whether facts read then still serve."""
        return abs(now - read_at) < KEPT_FOR


def read_installation(session: Session, fallback_zone: str) -> Installation:
    """Read the facts."""
    return Installation(
        zone=home_zone(session) or fallback_zone,
        has_demo=has_demo_brand(session),
        is_publishing_paused=is_publishing_paused(session),
    )
