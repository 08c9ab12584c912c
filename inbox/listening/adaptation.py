"""Adaptation: every thirty labels people gave, a brand's way of reading the machine is fitted anew; never silently.

Each fit becomes a row with its version and what it did to labels held back. Clearly better ones are used at once,
ones that are merely not worse wait for a person, worse ones are kept as refused; every step is audited and can be
undone. Nothing here changes a tag: posts are read under the adaptation's own tagger name, and old ones again later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from inbox import audit
from inbox.errors import ConflictError, NotFoundError
from inbox.store.engine import Store
from inbox.store.queries import adaptations as queries
from inbox.store.queries.adaptations import GoldRow, StandingRow
from inbox.store.queries.posts import text_to_tag
from inbox.store.tables import Adaptation
from inbox.store.types import AdaptationState
from nlp.adapt import TASKS, AdaptedTagger, Gold, Refit, adaptation_from_json, refit
from nlp.base import Tagger, Tags
from nlp.batches import join_tags, take_tags
from nlp.calibration import Calibration

log = structlog.get_logger(__name__)

EVERY = 30  # labels of one task between two fits
BATCH = 256


@dataclass(frozen=True, slots=True)
class Lesson:
    """What people taught about a brand so far: their labels, and posts they left as they stood."""

    gold: Sequence[GoldRow]
    standing: Sequence[StandingRow]
    version: int  # of the latest adaptation

    @property
    def newest_at(self) -> datetime:
        """When the newest of the labels was given."""
        return max(row.said_at for row in self.gold)


def calibration_of(tagger: Tagger) -> Calibration | None:
    """Give how a tagger's scores are read; None for taggers that cannot be adapted."""
    found = getattr(tagger, "calibration", None)
    return found if isinstance(found, Calibration) else None


def taggers_of_brands(session: Session, tagger: Tagger) -> dict[int, Tagger]:
    """Give the taggers of the brands that have an active adaptation over this one; they share its models."""
    found: dict[int, Tagger] = {}
    for row in queries.active_adaptations(session, tagger.name):
        try:
            found[row.brand_id] = AdaptedTagger(tagger, adaptation_from_json(tagger_name(row), row.shifts))
        except (ValueError, KeyError, TypeError) as error:
            log.warning("adaptation.unreadable", brand=row.brand_id, version=row.version, kind=type(error).__name__)
    return found


def tagger_name(row: Adaptation) -> str:
    """Give the name under which posts are tagged with it ("encoder.v1+b3")."""
    return f"{row.base}+b{row.version}"


def has_enough_labels(session: Session) -> bool:
    """Whether any brand has enough labels of any task at all: a cheap question, before the tagger is needed."""
    return queries.has_gold(session, TASKS, EVERY)


def due_brands(session: Session, tagger: Tagger) -> list[int]:
    """Give the brands with enough new labels of some task to fit anew; none where the tagger cannot be adapted."""
    if calibration_of(tagger) is None:
        return []
    counts = queries.count_new_gold(session, tagger.name, TASKS)
    return sorted(brand_id for brand_id, by_task in counts.items() if max(by_task.values()) >= EVERY)


def read_lesson(session: Session, brand_id: int) -> Lesson:
    """Read what people taught about a brand."""
    return Lesson(
        gold=queries.list_gold(session, brand_id, TASKS),
        standing=queries.list_standing(session, brand_id),
        version=queries.latest_version(session, brand_id),
    )


def fit(lesson: Lesson, tagger: Tagger) -> Refit | None:
    """Fit and judge; takes as long as the model needs for these texts, so call it outside any transaction.

    None where there is nothing to fit, or the tagger cannot be adapted.
    """
    calibration = calibration_of(tagger)
    if calibration is None or not lesson.gold:
        return None
    gold = [Gold(row.task, tuple(row.value), tuple(row.machine_value)) for row in lesson.gold]
    tags = _tag(tagger, [(row.title, row.text, row.language_hint) for row in lesson.gold])
    standing = _tag(tagger, [(row.title, row.text, row.language_hint) for row in lesson.standing])
    return refit(gold, tags, calibration, standing=standing)


def adapt_brand(
    store: Store, brand_id: int, tagger: Tagger, now: datetime, *, user_id: int | None = None
) -> Adaptation | None:
    """Fit a brand anew and store what came of it, in a transaction of its own; None where there was nothing to fit.

    `user_id`: who asked for it; None: the product itself. A fit somebody else stored meanwhile is not stored twice.
    """
    with store.read() as session:
        lesson = read_lesson(session, brand_id)
    base = tagger.name  # before the model works: a tier that fails then changes it
    found = fit(lesson, tagger)
    if found is None or tagger.name != base:
        return None
    with store.write() as session:
        return keep(session, brand_id, lesson, found, base=base, now=now, user_id=user_id)


def keep(
    session: Session,
    brand_id: int,
    lesson: Lesson,
    found: Refit,
    *,
    base: str,
    now: datetime,
    user_id: int | None = None,
) -> Adaptation | None:
    """Store a fit, and use it at once where it is clearly better; None where another came first. The caller commits."""
    if not queries.lock_brand(session, brand_id) or queries.latest_version(session, brand_id) != lesson.version:
        return None
    state = AdaptationState.PROPOSED if found.is_accepted else AdaptationState.REJECTED
    row = Adaptation(
        brand_id=brand_id,
        version=lesson.version + 1,
        base=base,
        state=state,
        shifts=found.adaptation(base).to_json(),
        report={"tasks": [report.to_json() for report in found.reports]},
        corrections=len(lesson.gold),
        newest_at=lesson.newest_at,
        created_at=now,
        created_by=user_id,
    )
    for older in queries.in_state(session, brand_id, AdaptationState.PROPOSED):
        older.state = AdaptationState.SUPERSEDED
    session.add(row)
    session.flush()
    _record(session, row, "fitted", now=now, user_id=user_id, before={})
    if found.is_accepted and found.is_clear:
        _use(session, row, now=now, user_id=user_id)
    return row


def activate(session: Session, adaptation_id: int, *, user_id: int, now: datetime) -> Adaptation:
    """Use one that was proposed or undone. ConflictError where it is neither any more. The caller commits."""
    row = _find(session, adaptation_id, AdaptationState.PROPOSED, AdaptationState.UNDONE)
    _use(session, row, now=now, user_id=user_id)
    return row


def undo(session: Session, adaptation_id: int, *, user_id: int, now: datetime) -> Adaptation:
    """Stop using one; the one it replaced is used again. ConflictError where it is not in use. The caller commits."""
    row = _find(session, adaptation_id, AdaptationState.ACTIVE)
    row.state, row.decided_at, row.decided_by = AdaptationState.UNDONE, now, user_id
    session.flush()
    before = {"state": AdaptationState.ACTIVE.value}
    _record(session, row, "undone", now=now, user_id=user_id, before=before)
    earlier = queries.find_version(session, row.brand_id, row.replaced) if row.replaced else None
    if earlier is not None and earlier.state is AdaptationState.SUPERSEDED and earlier.base == row.base:
        earlier.state, earlier.decided_at, earlier.decided_by = AdaptationState.ACTIVE, now, user_id
        session.flush()
        _record(session, earlier, "activated", now=now, user_id=user_id, before={"state": "superseded"})
    return row


def dismiss(session: Session, adaptation_id: int, *, user_id: int, now: datetime) -> Adaptation:
    """Refuse one that was proposed. The caller commits."""
    row = _find(session, adaptation_id, AdaptationState.PROPOSED)
    row.state, row.decided_at, row.decided_by = AdaptationState.REJECTED, now, user_id
    session.flush()
    _record(session, row, "rejected", now=now, user_id=user_id, before={"state": "proposed"})
    return row


def missing_labels(session: Session, tagger_base: str, brand_id: int) -> Mapping[str, int]:
    """Count how many labels of each task were given since the last fit; EVERY of one are needed."""
    counts = queries.count_new_gold(session, tagger_base, TASKS).get(brand_id, {})
    return {task: counts.get(task, 0) for task in TASKS}


def _use(session: Session, row: Adaptation, *, now: datetime, user_id: int | None) -> None:
    before = {"state": row.state.value}
    queries.lock_brand(session, row.brand_id)
    for older in queries.in_state(session, row.brand_id, AdaptationState.ACTIVE):
        older.state = AdaptationState.SUPERSEDED
        row.replaced = older.version
        session.flush()  # first out, then in: at most one may be active
    row.state, row.decided_at, row.decided_by = AdaptationState.ACTIVE, now, user_id
    session.flush()
    _record(session, row, "activated", now=now, user_id=user_id, before=before)


def _find(session: Session, adaptation_id: int, *states: AdaptationState) -> Adaptation:
    row = queries.get_adaptation(session, adaptation_id)
    if row is None:
        raise NotFoundError("This adaptation does not exist (any more).")
    if row.state not in states:
        raise ConflictError("This adaptation has been decided about meanwhile. Look again.")
    return row


def _tag(tagger: Tagger, posts: Sequence[tuple[str, str, str | None]]) -> Tags:
    """Tag each different text once, in batches, and give a row for every post."""
    texts = [(text_to_tag(title, text), hint) for title, text, hint in posts]
    different = list(dict.fromkeys(texts))
    place = {one: number for number, one in enumerate(different)}
    pieces = [
        tagger.tag([text for text, _ in chunk], [hint for _, hint in chunk])
        for chunk in (different[start : start + BATCH] for start in range(0, max(len(different), 1), BATCH))
    ]
    return take_tags(join_tags(pieces), [place[one] for one in texts])


def _record(
    session: Session, row: Adaptation, what: str, *, now: datetime, user_id: int | None, before: Mapping[str, Any]
) -> None:
    audit.record(
        session,
        now=now,
        action=f"adaptation.{what}",
        entity="adaptation",
        entity_id=row.id,
        user_id=user_id,
        before=before,
        after={"state": row.state.value, "version": row.version, "base": row.base, "brand": row.brand_id},
    )


__all__ = [
    "EVERY",
    "Lesson",
    "activate",
    "adapt_brand",
    "calibration_of",
    "dismiss",
    "due_brands",
    "fit",
    "has_enough_labels",
    "keep",
    "missing_labels",
    "read_lesson",
    "tagger_name",
    "taggers_of_brands",
    "undo",
]
