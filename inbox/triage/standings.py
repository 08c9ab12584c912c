"""Writes routed conversations back: a few statements for a batch, whatever its size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from inbox.store.queries.standings import Standing
from inbox.store.rows import update_rows
from inbox.store.statements import expire_loaded, table_of
from inbox.store.tables import Conversation

# An update rewrites the entries of every index that has one of its columns, changed or not: what seldom changes
# and stands in several is written apart.
_SELDOM = ("state", "assignee_id", "is_muted")
_CLOCK = ("sla_state", "sla_started_at", "sla_due_at")
_ALWAYS = (
    "is_unread", "priority", "priority_reasons", "author_id", "preview", "audience", "language", "sentiment",
    "sentiment_confidence", "sentiment_unsure", "intent", "intent_confidence", "intents", "emotion", "urgency",
    "is_toxic", "version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Before:
    """What a conversation's seldom changed columns held when it was read."""

    seldom: tuple[object, ...]
    clock: tuple[object, ...]


def remember(standing: Standing) -> Before:
    """Note what `save_standings` compares with."""
    return Before(_values(standing, _SELDOM), _values(standing, _CLOCK))


def save_standings(session: Session, standings: Sequence[Standing], before: Mapping[int, Before]) -> None:
    """Write these conversations as they stand now."""
    table = table_of(Conversation)
    resting: list[Standing] = []
    ticking: list[Standing] = []
    moved: list[dict[str, Any]] = []
    for standing in standings:
        known = before[standing.id]
        (resting if _values(standing, _CLOCK) == known.clock else ticking).append(standing)
        if _values(standing, _SELDOM) != known.seldom:
            moved.append(_row(standing, _SELDOM))
    update_rows(session, table, [_row(one, _ALWAYS) for one in resting])
    update_rows(session, table, [_row(one, (*_ALWAYS, *_CLOCK)) for one in ticking])
    update_rows(session, table, moved)
    expire_loaded(session, Conversation, (one.id for one in standings))


def _row(standing: Standing, names: Sequence[str]) -> dict[str, Any]:
    return {"id": standing.id, **{name: getattr(standing, name) for name in names}}


def _values(standing: Standing, names: Sequence[str]) -> tuple[object, ...]:
    return tuple(getattr(standing, name) for name in names)
