"""The overview of a brand: figures with their n and interval, days with their gaps, and what is not known.

Everything here is read from cells and rows that exist; nothing is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from inbox.reputation.metrics import MIN_N, NetSentiment, net_sentiment
from inbox.reputation.rollups import day_bounds, zone_of
from inbox.store.queries import cells, overview
from inbox.store.queries.cells import CellFilters
from inbox.store.queries.sources import list_sources
from inbox.store.tables import Brand, Source
from inbox.store.types import SourceState
from inbox.triage.clocks import hours_of
from inbox.triage.sla import business_minutes

WINDOW_DAYS = 7
UNDERSTOOD = frozenset({"it", "en"})


@dataclass(frozen=True, slots=True)
class Day:
    """One day: posts by sentiment, net sentiment of the week that ends with it, and who was silent."""

    day: date
    counts: Mapping[str, int]
    week: NetSentiment
    silent: tuple[str, ...]  # names of sources without one successful poll on this day

    @property
    def posts(self) -> int:
        """All posts of the day."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Response:
    """How fast the first public answer came, in minutes of business hours; None where n is too small."""

    conversations: int
    answered: int
    p50_minutes: float | None
    p90_minutes: float | None
    within_share: float | None  # of the answered, in time
    target_minutes: int
    still_open: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something the figures do not hold. `kind` says what, the rest fills its words."""

    kind: str
    name: str = ""
    count: int = 0
    share: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Moods:
    """How people feel and how they put it: posts where this is known, of those that were read."""

    emotions: tuple[tuple[str, int], ...]  # the most frequent first
    emotion_known: int
    toxic: int
    toxicity_known: int
    urgent: int  # today or now
    urgency_known: int


@dataclass(frozen=True, slots=True)
class Overview:
    """All of the page, for one brand and period. `before` is the period of the same length just before."""

    first_day: date
    last_day: date
    net: NetSentiment
    net_before: NetSentiment
    posts: int
    posts_before: int
    sentiments: Mapping[str, int]
    intents: tuple[tuple[str, int], ...]
    moods: Moods
    days: tuple[Day, ...]
    response: Response
    unknown: tuple[Unknown, ...]


def read_overview(session: Session, brand: Brand, *, days: int, now: datetime) -> Overview:
    """Read the overview of the last `days` days in the brand's time zone, today included."""
    zone = zone_of(session, brand.id)
    last = now.astimezone(zone).date()
    first = last - timedelta(days=days - 1)
    before = CellFilters(brand.id, first - timedelta(days=days), first - timedelta(days=1))
    filters = CellFilters(brand.id, first, last)
    sentiments = cells.sum_sentiments(session, filters)
    earlier = cells.sum_sentiments(session, before)
    intents = cells.sum_by(session, filters, "intent")
    measures = cells.sum_measures(session, filters)
    sources = [source for source in list_sources(session, brand.id) if source.network != "archive"]
    silent = _silent_days(session, sources, first, last, zone)
    return Overview(
        first_day=first,
        last_day=last,
        net=net_sentiment(sentiments),
        net_before=net_sentiment(earlier),
        posts=sum(sentiments.values()),
        posts_before=sum(earlier.values()),
        sentiments=sentiments,
        intents=tuple(sorted(intents.items(), key=lambda item: (-item[1], item[0]))),
        moods=_moods(measures, sum(sentiments.values()) - sentiments.get(cells.NONE, 0)),
        days=_days(session, brand.id, first, last, silent),
        response=_response(session, brand, first, last, zone),
        unknown=_unknown(session, filters, _Counted(sentiments, intents, measures), sources, silent, zone),
    )


def _days(
    session: Session, brand_id: int, first: date, last: date, silent: Mapping[date, tuple[str, ...]]
) -> tuple[Day, ...]:
    reach_back = first - timedelta(days=WINDOW_DAYS - 1)
    counts = cells.sum_by_day(session, CellFilters(brand_id, reach_back, last))
    return tuple(
        Day(
            day=day,
            counts=counts.get(day, {}),
            week=net_sentiment(_add_up(counts.get(other, {}) for other in _span(day, WINDOW_DAYS))),
            silent=silent.get(day, ()),
        )
        for day in (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    )


def _span(last: date, length: int) -> list[date]:
    return [last - timedelta(days=offset) for offset in range(length)]


def _add_up(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for key, number in part.items():
            total[key] = total.get(key, 0) + number
    return total


def _silent_days(
    session: Session, sources: Sequence[Source], first: date, last: date, zone: ZoneInfo
) -> dict[date, tuple[str, ...]]:
    """Give the days on which a source that existed was not read once, by day."""
    if not sources:
        return {}
    start, _ = day_bounds(first, zone)
    polled = overview.list_polled_days(session, [source.id for source in sources], start - timedelta(days=1))
    read_on = {(item.source_id, item.day) for item in polled if item.successes}
    tried = {item.source_id for item in polled}
    silent: dict[date, list[str]] = {}
    for source in sources:
        if source.id not in tried:
            continue  # never polled here: it is told apart as not connected yet
        begin = max(first, source.created_at.astimezone(zone).date() + timedelta(days=1))
        for offset in range((last - begin).days):  # today is not over
            day = begin + timedelta(days=offset)
            if (source.id, day) not in read_on:
                silent.setdefault(day, []).append(source.name)
    return {day: tuple(names) for day, names in silent.items()}


def _response(session: Session, brand: Brand, first: date, last: date, zone: ZoneInfo) -> Response:
    start, end = day_bounds(first, zone)[0], day_bounds(last, zone)[1]
    answers = overview.list_first_answers(session, brand.id, start, end)
    hours = hours_of(brand)
    minutes = sorted(
        business_minutes(answer.first_inbound_at, answer.first_reply_at, hours)
        for answer in answers
        if answer.first_reply_at is not None
    )
    target = brand.first_response_minutes
    is_enough = len(minutes) >= MIN_N
    return Response(
        conversations=len(answers),
        answered=len(minutes),
        p50_minutes=_quantile(minutes, 0.5) if is_enough else None,
        p90_minutes=_quantile(minutes, 0.9) if is_enough else None,
        within_share=sum(value <= target for value in minutes) / len(minutes) if is_enough else None,
        target_minutes=target,
        still_open=sum(answer.first_reply_at is None and answer.is_open for answer in answers),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Give a quantile by linear interpolation between neighbours (type 7 of Hyndman and Fan 1996)."""
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])


def _moods(measures: Mapping[str, int], read: int) -> Moods:
    emotions = [(name, measures[name]) for name in cells.EMOTIONS if measures[name]]
    return Moods(
        emotions=tuple(sorted(emotions, key=lambda item: -item[1])),
        emotion_known=read - measures["emotion_unsure"],
        toxic=measures["toxic"],
        toxicity_known=read - measures["toxicity_unsure"],
        urgent=measures["urgent"],
        urgency_known=read - measures["urgency_unsure"],
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    sentiments: Mapping[str, int]
    intents: Mapping[str, int]
    measures: Mapping[str, int]


def _unknown(
    session: Session,
    filters: CellFilters,
    counted: _Counted,
    sources: Sequence[Source],
    silent: Mapping[date, tuple[str, ...]],
    zone: ZoneInfo,
) -> tuple[Unknown, ...]:
    found: list[Unknown] = []
    total = sum(counted.sentiments.values())
    if not sources:
        found.append(Unknown("no_source"))
    gaps: dict[str, int] = {}
    for names in silent.values():
        for name in names:
            gaps[name] = gaps.get(name, 0) + 1
    found += [Unknown("silent", name, count) for name, count in sorted(gaps.items())]
    found += [
        Unknown("state", source.name, reason=source.state.value)
        for source in sources
        if source.state is not SourceState.OK
    ]
    start, _ = day_bounds(filters.first_day, zone)
    found += [
        Unknown("truncated", name, reason=reason)
        for name, reason in overview.list_truncations(session, filters.brand_id, start)
    ]
    if total:
        languages = cells.sum_by(session, filters, "language")
        strange = sum(number for code, number in languages.items() if code not in UNDERSTOOD)
        shares = (
            ("unsure_sentiment", counted.sentiments.get(cells.UNSURE, 0)),
            ("unsure_intent", counted.intents.get(cells.UNSURE, 0)),
            ("unsure_emotion", counted.measures["emotion_unsure"]),
            ("unsure_urgency", counted.measures["urgency_unsure"]),
            ("unsure_toxicity", counted.measures["toxicity_unsure"]),
            ("untagged", counted.sentiments.get(cells.NONE, 0)),
            ("languages", strange),
        )
        found += [Unknown(kind, count=count, share=count / total) for kind, count in shares if count]
    return tuple(found)
