"""The address of a list: every state of the inbox is a query string, read here and written here.

Empty parameters mean nothing was asked; anything that cannot be understood raises InvalidError with words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from ascolto.web.formatting import zone_of
from ascolto.web.i18n import N_
from inbox.errors import InvalidError
from inbox.store.queries.conversation_filters import (
    AssigneeFilter,
    ConversationFilters,
    SlaFilter,
    Sort,
)
from inbox.store.types import ConversationState
from nlp.base import EMOTIONS, INTENTS, SENTIMENTS

MAX_TEXT = 200
MAX_CHOICES = 20
MAX_ID = 2**63 - 1
MAX_COUNT = 10**12

E = TypeVar("E", bound=StrEnum)


class View(StrEnum):
    """The fixed views of the inbox."""

    ALL = "all"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    RISK = "risk"
    WAITING = "waiting"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"
    PROBLEMS = "problems"
    SPAM = "spam"


VIEW_WORDS = {
    View.MINE: N_("Mine"),
    View.UNASSIGNED: N_("Unassigned"),
    View.RISK: N_("SLA at risk"),
    View.ALL: N_("All open"),
    View.WAITING: N_("Waiting for the author"),
    View.SNOOZED: N_("Snoozed"),
    View.PROBLEMS: N_("Publishing problems"),
    View.RESOLVED: N_("Resolved"),
    View.SPAM: N_("Spam"),
}
VIEW_ICONS = {
    View.MINE: "user",
    View.UNASSIGNED: "circle-dot",
    View.RISK: "clock-alert",
    View.ALL: "inbox",
    View.WAITING: "hourglass",
    View.SNOOZED: "alarm-clock",
    View.PROBLEMS: "triangle-alert",
    View.RESOLVED: "circle-check",
    View.SPAM: "ban",
}
SORT_WORDS = {
    Sort.SLA: N_("First response due"),
    Sort.NEWEST: N_("Newest first"),
    Sort.OLDEST: N_("Longest waiting"),
    Sort.RISK: N_("Highest priority"),
}
URGENCY_CHOICES = ("1", "2", "3")
_PLAIN = (
    "view", "q", "sort", "brand", "assignee", "audience", "below", "urgency", "topic", "sla", "since", "until",
)  # fmt: skip
_MANY = ("network", "sentiment", "intent", "emotion", "language", "label")
_FLAGS = ("unsure", "toxic", "vip", "unread")


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """What the address asks for: the view, the narrowing, and the address itself for links and chips."""

    view: View
    filters: ConversationFilters
    params: Mapping[str, tuple[str, ...]]  # without empties, in a fixed order

    @property
    def query_string(self) -> str:
        """The address's query, "" for the default view."""
        return _encode_once(tuple(self.params.items()))

    @property
    def is_narrowed(self) -> bool:
        """Whether more than the view was asked for."""
        return bool(set(self.params) - {"view", "sort"})

    def without(self, name: str, value: str | None = None) -> str:
        """Give the query without a parameter, or without one of its values."""
        kept = dict(self.params)
        left = tuple(item for item in kept.pop(name, ()) if value is not None and item != value)
        return encode({**kept, name: left} if left else kept)

    def with_only_view(self) -> str:
        """Give the query with nothing but the view."""
        return encode({"view": self.params["view"]} if "view" in self.params else {})


@lru_cache(maxsize=512)
def _encode_once(params: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    # Every card of a list carries the same query.
    return encode(dict(params))


def encode(params: Mapping[str, Iterable[str]]) -> str:
    """Write a query string with its "?", "" when it holds nothing."""
    pairs = [(name, value) for name, values in params.items() for value in values]
    return f"?{urlencode(pairs)}" if pairs else ""


def read_query(params: QueryParams, *, user_id: int, zone: str) -> InboxQuery:
    """Read an address. Raises InvalidError for what cannot be understood; unknown parameters are left alone."""
    given = {
        name: tuple(dict.fromkeys(value.strip() for value in params.getlist(name) if value.strip()))
        for name in (*_PLAIN, *_MANY, *_FLAGS)
    }
    kept = {name: values for name, values in given.items() if values}
    single = {name: kept[name][-1] for name in (*_PLAIN, *_FLAGS) if name in kept}
    view = _one_of(View, single.get("view"), "view") or View.ALL
    filters = _view_filters(view, user_id)
    filters = replace(
        filters,
        brand_id=_id(single, "brand"),
        topic_id=_id(single, "topic"),
        networks=_words(kept, "network"),
        sentiments=_known(kept, "sentiment", SENTIMENTS),
        intents=_known(kept, "intent", INTENTS),
        emotions=_known(kept, "emotion", EMOTIONS),
        languages=_words(kept, "language"),
        label_ids=tuple(_whole(value, "label", MAX_ID) for value in _limited(kept, "label")),
        audience_min=_whole(single["audience"], "audience", MAX_COUNT) if "audience" in single else None,
        confidence_below=_share(single.get("below")),
        urgency_min=_urgency(single.get("urgency")),
        is_unsure=True if _flag(single, "unsure") else None,
        is_toxic=True if _flag(single, "toxic") else None,
        is_vip=True if _flag(single, "vip") else None,
        is_unread=True if _flag(single, "unread") else None,
        sla=_one_of(SlaFilter, single.get("sla"), "sla") or filters.sla,
        text=_text(single.get("q", "")),
        since=_day(single.get("since"), "since", zone),
        until=_day(single.get("until"), "until", zone, end=True),
        sort=_one_of(Sort, single.get("sort"), "sort") or filters.sort,
    )
    if "assignee" in single:
        filters = replace(filters, assignee=_assignee(single["assignee"], user_id))
    return InboxQuery(view, filters, kept)


def _view_filters(view: View, user_id: int) -> ConversationFilters:
    newest = {"sort": Sort.NEWEST}
    changes: dict[View, dict[str, Any]] = {
        View.ALL: {},
        View.MINE: {"assignee": user_id},
        View.UNASSIGNED: {"assignee": AssigneeFilter.NONE},
        View.RISK: {"sla": SlaFilter.AT_RISK},
        View.WAITING: {"states": (ConversationState.PENDING,), **newest},
        View.SNOOZED: {"states": (ConversationState.SNOOZED,), **newest},
        View.RESOLVED: {"states": (ConversationState.RESOLVED,), **newest},
        View.PROBLEMS: {"states": (), "has_problem": True, **newest},
        View.SPAM: {"states": (), "is_spam": True, **newest},
    }
    return replace(ConversationFilters(), **changes[view])


def _refuse(field: str) -> InvalidError:
    return InvalidError("The filter “%(name)s” cannot be understood.", field=field, values={"name": field})


def _one_of(kind: type[E], value: str | None, field: str) -> E | None:
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        raise _refuse(field) from None


def _limited(kept: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    values = kept.get(name, ())
    if len(values) > MAX_CHOICES:
        raise _refuse(name)
    return values


def _known(kept: Mapping[str, tuple[str, ...]], name: str, allowed: Sequence[str]) -> tuple[str, ...]:
    values = _limited(kept, name)
    if any(value not in allowed for value in values):
        raise _refuse(name)
    return values


def _words(kept: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    values = _limited(kept, name)
    if any(not value.isascii() or not value.replace("_", "").replace("-", "").isalnum() for value in values):
        raise _refuse(name)
    return values


def _whole(value: str, field: str, most: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(most))) or int(value) > most:
        raise _refuse(field)
    return int(value)


def _id(single: Mapping[str, str], name: str) -> int | None:
    return _whole(single[name], name, MAX_ID) if name in single else None


def _share(value: str | None) -> float | None:
    # Given as a percentage: "60" means under 60 %.
    return None if value is None else min(_whole(value, "below", 100), 100) / 100


def _urgency(value: str | None) -> int | None:
    if value is None:
        return None
    if value not in URGENCY_CHOICES:
        raise _refuse("urgency")
    return int(value)


def _flag(single: Mapping[str, str], name: str) -> bool:
    value = single.get(name, "0")
    if value not in {"0", "1"}:
        raise _refuse(name)
    return value == "1"


def _text(value: str) -> str:
    if len(value) > MAX_TEXT or not all(char.isprintable() for char in value):
        raise _refuse("q")
    return value


def _day(value: str | None, field: str, zone: str, *, end: bool = False) -> datetime | None:
    if value is None:
        return None
    try:
        day = date.fromisoformat(value)
        local = datetime.combine(day + timedelta(days=1) if end else day, time(), zone_of(zone))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refuse(field) from None


def _assignee(value: str, user_id: int) -> int | AssigneeFilter:
    if value == "me":
        return user_id
    if value in {AssigneeFilter.ANY.value, AssigneeFilter.NONE.value}:
        return AssigneeFilter(value)
    return _whole(value, "assignee", MAX_ID)
