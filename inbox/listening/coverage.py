"""Coverage: which stretches of a source's time we have heard, and which we have not, so that no number misleads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from inbox.store.queries.coverage import FailedPoll, list_covered, list_failed


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch nobody listened in. `reason` is the kind of error met in it, None when there was simply no poll."""

    start: datetime
    end: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class Truncation:
    """A stretch heard in part: the network or a cap of ours left something out, in words."""

    start: datetime
    end: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was heard of a source between two moments. `share` is the part of that time covered, in [0, 1]."""

    start: datetime
    end: datetime
    gaps: tuple[Gap, ...]
    truncations: tuple[Truncation, ...]
    share: float


def read_coverage(session: Session, source_id: int, *, since: datetime, until: datetime) -> Coverage:
    """Draw a source's coverage from its polls."""
    spans = list_covered(session, source_id, since, until)
    failed = list_failed(session, source_id, since, until)
    gaps: list[Gap] = []
    heard_to = since
    for span in spans:
        if span.start > heard_to:
            gaps.append(_gap(heard_to, span.start, failed))
        heard_to = max(heard_to, min(span.end, until))
    if heard_to < until:
        gaps.append(_gap(heard_to, until, failed))
    silent = sum((gap.end - gap.start for gap in gaps), timedelta())
    whole = until - since
    return Coverage(
        start=since,
        end=until,
        gaps=tuple(gaps),
        truncations=tuple(
            Truncation(max(span.start, since), min(span.end, until), span.truncated) for span in spans if span.truncated
        ),
        share=1.0 if whole <= timedelta() else 1 - silent / whole,
    )


def _gap(start: datetime, end: datetime, failed: Sequence[FailedPoll]) -> Gap:
    reasons = [one.kind for one in failed if start <= one.at <= end]
    return Gap(start, end, reasons[-1] if reasons else None)
