"""Lists of conversations by keyset, and the counts of the fixed views."""

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.errors import InvalidError
from inbox.store.queries.conversation_filters import (
    AT_RISK,
    AssigneeFilter,
    ConversationFilters,
    SlaFilter,
    Sort,
    conditions_of,
    has_problem,
    window_of,
)
from inbox.store.queries.conversation_view import (
    ConversationView,
    EventView,
    NoteView,
    PostView,
    ReplyView,
    get_conversation_view,
)
from inbox.store.tables import Contact, Conversation, ConversationLabel, Identity, Label, Reply, User
from inbox.store.types import ConversationState, ReplyState

__all__ = [
    "AssigneeFilter",
    "ConversationFilters",
    "ConversationPage",
    "ConversationRow",
    "ConversationView",
    "EventView",
    "NoteView",
    "PostView",
    "ReplyView",
    "SlaFilter",
    "Sort",
    "ViewCounts",
    "count_views",
    "get_conversation_view",
    "list_conversations",
    "list_labels",
]

COUNT_CAP = 999
MAX_LIMIT = 200
_WITH_DUE, _WITHOUT_DUE = 0, 1


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """One card of the list. `reply_state` is the state of the latest reply that is not settled, None without."""

    conversation: Conversation
    author: Identity | None
    is_vip: bool
    assignee_name: str | None
    labels: tuple[Label, ...] = ()
    reply_state: ReplyState | None = None


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """Some cards in order; `after` is the cursor of the next page, None at the end."""

    rows: tuple[ConversationRow, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class ViewCounts:
    """How many conversations stand in each fixed view, each capped at 999."""

    mine: int
    unassigned: int
    sla_at_risk: int
    all_open: int
    pending: int
    snoozed: int
    problems: int
    spam: int


@dataclass(frozen=True, slots=True)
class _Position:
    # Where a page ended: which part of the order, the sorting value (None in the part without) and the id.
    sort: Sort
    part: int
    value: str | int | None
    id: int


def list_conversations(
    session: Session,
    filters: ConversationFilters,
    *,
    now: datetime,
    after: str | None = None,
    limit: int = 50,
) -> ConversationPage:
    """Give a page of conversations in the filters' order, by at most three statements (four with a text search).

    `after` is the cursor of the page before; InvalidError when it is not one of ours or of another order.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    position = _read_cursor(after, filters.sort)
    picked = _pick(session, filters, now=now, position=position, limit=limit + 1)
    statement = (
        sa.select(Conversation, Identity, Contact.is_vip, User.name, picked.c.part)
        .join(picked, picked.c.id == Conversation.id)
        .outerjoin(Identity, Identity.id == Conversation.author_id)
        .outerjoin(Contact, Contact.id == Identity.contact_id)
        .outerjoin(User, User.id == Conversation.assignee_id)
        .order_by(picked.c.part, *_order(filters.sort, picked.c.value, picked.c.id, part=None))
        .limit(limit + 1)
    )
    found = session.execute(statement).all()
    ids = [row[0].id for row in found[:limit]]
    labels, replies = _labels_of(session, ids), _unsettled_replies(session, ids)
    rows = tuple(
        ConversationRow(
            conversation=conversation,
            author=author,
            is_vip=bool(is_vip),
            assignee_name=name,
            labels=tuple(labels.get(conversation.id, ())),
            reply_state=replies.get(conversation.id),
        )
        for conversation, author, is_vip, name, _part in found[:limit]
    )
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = _write_cursor(filters.sort, last[4], last[0])
    return ConversationPage(rows=rows, after=following)


def count_views(session: Session, user_id: int, *, now: datetime, brand_id: int | None = None) -> ViewCounts:
    """Count the fixed views for a user in one statement, each capped at 999."""
    table = Conversation
    is_open = table.state == ConversationState.OPEN
    views: dict[str, Sequence[sa.ColumnElement[bool]]] = {
        "mine": (is_open, table.assignee_id == user_id),
        "unassigned": (is_open, table.assignee_id.is_(None)),
        "sla_at_risk": (is_open, table.sla_due_at < now + AT_RISK),
        "all_open": (is_open,),
        "pending": (table.state == ConversationState.PENDING,),
        "snoozed": (table.state == ConversationState.SNOOZED,),
        "problems": (
            table.id.in_(
                sa.select(Reply.conversation_id).where(Reply.state.in_((ReplyState.FAILED, ReplyState.UNKNOWN)))
            ),
            has_problem(),
        ),
    }
    shared: list[sa.ColumnElement[bool]] = [table.is_spam.is_(False), table.is_muted.is_(False)]
    if brand_id is not None:
        shared.append(table.brand_id == brand_id)
    columns = [_capped(name, [*conditions, *shared]) for name, conditions in views.items()]
    spam = [table.is_spam.is_(True), table.state == ConversationState.OPEN, *shared[2:]]
    row = session.execute(sa.select(*columns, _capped("spam", spam))).one()
    return ViewCounts(**row._mapping)  # noqa: SLF001 - the public name of SQLAlchemy's row by column


def list_labels(session: Session, brand_id: int | None = None) -> list[Label]:
    """Give the labels in use, by name."""
    statement = sa.select(Label).order_by(Label.name, Label.id)
    if brand_id is not None:
        statement = statement.where(Label.brand_id == brand_id)
    return list(session.scalars(statement))


def _capped(name: str, conditions: Sequence[sa.ColumnElement[bool]]) -> sa.Label[Any]:
    some = sa.select(sa.literal(1)).select_from(Conversation).where(*conditions).limit(COUNT_CAP).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery().label(name)


def _pick(
    session: Session, filters: ConversationFilters, *, now: datetime, position: _Position | None, limit: int
) -> sa.Subquery:
    # One limited, index-ordered part per state (and, by SLA, with and without a due time): the union of the
    # parts' heads holds the head of the whole, so that no state's backlog is ever sorted.
    shared = conditions_of(session, filters, now=now)
    parts = (_WITH_DUE, _WITHOUT_DUE) if filters.sort is Sort.SLA else (_WITH_DUE,)
    members = [
        _member(
            filters.sort, [Conversation.state == state, *shared, *window_of(filters, state, now)], part, position, limit
        )
        for state in filters.states or tuple(ConversationState)
        for part in parts
        if position is None or part >= position.part
    ]
    return sa.union_all(*(sa.select(member) for member in members)).subquery("picked")


def _member(
    sort: Sort,
    conditions: Sequence[sa.ColumnElement[bool]],
    part: int,
    position: _Position | None,
    limit: int,
) -> sa.Subquery:
    value = _value_column(sort, part)
    statement: sa.Select[int, int, Any] = sa.select(
        Conversation.id.label("id"), sa.literal(part).label("part"), value.label("value")
    ).where(*conditions)
    if sort is Sort.SLA:
        has_due = Conversation.sla_due_at.is_not(None)
        statement = statement.where(has_due if part == _WITH_DUE else Conversation.sla_due_at.is_(None))
    if position is not None and part == position.part:
        statement = statement.where(_is_after(sort, part, position))
    return statement.order_by(*_order(sort, value, Conversation.id, part=part)).limit(limit).subquery()


def _value_column(sort: Sort, part: int) -> sa.SQLColumnExpression[Any]:
    if sort is Sort.SLA:
        return Conversation.sla_due_at if part == _WITH_DUE else sa.null().cast(Conversation.sla_due_at.type)
    return Conversation.priority if sort is Sort.RISK else Conversation.last_activity_at


def _is_ascending(sort: Sort) -> bool:
    return sort in {Sort.SLA, Sort.OLDEST}


def _order(
    sort: Sort, value: sa.SQLColumnExpression[Any], row_id: sa.SQLColumnExpression[Any], *, part: int | None
) -> list[sa.ColumnElement[Any]]:
    if _is_ascending(sort):
        return [row_id.asc()] if part == _WITHOUT_DUE else [value.asc(), row_id.asc()]
    return [value.desc(), row_id.desc()]


def _is_after(sort: Sort, part: int, position: _Position) -> sa.ColumnElement[bool]:
    if sort is Sort.SLA and part == _WITHOUT_DUE:
        return Conversation.id > position.id
    column = _value_column(sort, part)
    value = position.value if sort is Sort.RISK else datetime.fromisoformat(str(position.value)).astimezone(UTC)
    if _is_ascending(sort):
        return sa.or_(column > value, sa.and_(column == value, Conversation.id > position.id))
    return sa.or_(column < value, sa.and_(column == value, Conversation.id < position.id))


def _write_cursor(sort: Sort, part: int, last: Conversation) -> str:
    value: str | int | None
    if sort is Sort.SLA:
        value = last.sla_due_at.isoformat() if last.sla_due_at else None
    else:
        value = last.priority if sort is Sort.RISK else last.last_activity_at.isoformat()
    raw = json.dumps([sort.value, part, value, last.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _read_cursor(cursor: str | None, sort: Sort) -> _Position | None:
    if not cursor:
        return None
    try:
        raw = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        name, part, value, row_id = raw
        position = _Position(sort=Sort(name), part=int(part), value=value, id=int(row_id))
        if sort is Sort.RISK:
            position = _Position(sort=position.sort, part=position.part, value=int(value), id=position.id)
        elif value is not None:
            datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidError("This page address is not valid; start again from the list.", field="after") from error
    has_value = value is not None
    if position.sort is not sort or has_value != (part == _WITH_DUE) or abs(position.id) > 2**63 - 1:
        raise InvalidError("This page address is not valid; start again from the list.", field="after")
    return position


def _labels_of(session: Session, ids: Sequence[int]) -> dict[int, list[Label]]:
    found: defaultdict[int, list[Label]] = defaultdict(list)
    if ids:
        statement = (
            sa.select(ConversationLabel.conversation_id, Label)
            .join(Label, Label.id == ConversationLabel.label_id)
            .where(ConversationLabel.conversation_id.in_(ids))
            .order_by(Label.name)
        )
        for conversation_id, label in session.execute(statement):
            found[conversation_id].append(label)
    return found


def _unsettled_replies(session: Session, ids: Sequence[int]) -> dict[int, ReplyState]:
    if not ids:
        return {}
    unsettled = (ReplyState.QUEUED, ReplyState.SENDING, ReplyState.UNKNOWN, ReplyState.FAILED)
    statement = (
        sa.select(Reply.conversation_id, Reply.state)
        .where(Reply.conversation_id.in_(ids), Reply.state.in_(unsettled))
        .order_by(Reply.id)
    )
    return {row[0]: row[1] for row in session.execute(statement)}
