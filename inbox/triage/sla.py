"""Business-hours arithmetic: when an answer is due, and how much working time lies between two moments.

Wall-clock hours of the brand's own time zone, counted in real elapsed minutes: on the night the clocks go
back, 01:00-03:00 holds three hours. What the clock does to a conversation is in inbox/triage/clocks.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from inbox.errors import InvalidError

Spans = tuple[tuple[time, time], ...]
WEEKDAYS = 7
HORIZON_DAYS = 400
# "24:00" as an end: time has no such value, and 00:00 as an end can mean nothing else.
MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """When the brand works: spans by weekday (0 is Monday), each within its day; an end of 00:00 is midnight."""

    spans: Mapping[int, Spans]
    holidays: frozenset[date]
    zone: ZoneInfo

    def open_spans(self, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
        """Give the open spans of these local days in order, as UTC."""
        day = first
        while day <= last:
            if day not in self.holidays:
                for start, end in self.spans.get(day.weekday(), ()):
                    end_day = day + timedelta(days=1) if end == MIDNIGHT else day
                    yield self._utc(day, start), self._utc(end_day, end)
            day += timedelta(days=1)

    def local_day(self, moment: datetime) -> date:
        """The brand's calendar day of a moment."""
        return moment.astimezone(self.zone).date()

    def _utc(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, tzinfo=self.zone).astimezone(UTC)


def parse_hours(hours: Mapping[str, Any], holidays: Sequence[Any], timezone: str) -> BusinessHours:
    """Read a brand's hours; empty means Monday to Friday, 9 to 17. InvalidError says what is wrong.

    `hours`: weekday "0".."6" → [["09:00", "13:00"], ["14:00", "18:00"]]; a span past midnight
    (["22:00", "02:00"]) runs into the next day. `holidays`: ISO dates.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidError(
            "The time zone %(zone)s is not known.", field="timezone", values={"zone": timezone[:60]}
        ) from error
    if not hours:
        return BusinessHours(_DEFAULT_SPANS, _parse_holidays(holidays), zone)
    spans: dict[int, list[tuple[time, time]]] = {day: [] for day in range(WEEKDAYS)}
    for name, given in hours.items():
        if name not in _WEEKDAY_NAMES or not isinstance(given, list):
            raise InvalidError("Opening hours are given by weekday, 0 for Monday to 6.", field="business_hours")
        for span in given:
            start, end = _parse_span(span)
            if end != MIDNIGHT and end <= start:
                spans[int(name)].append((start, MIDNIGHT))
                spans[(int(name) + 1) % WEEKDAYS].append((MIDNIGHT, end))
            else:
                spans[int(name)].append((start, end))
    ordered = {day: tuple(sorted(found)) for day, found in spans.items()}
    for found in ordered.values():
        if any(first[1] == MIDNIGHT or first[1] > second[0] for first, second in pairwise(found)):
            raise InvalidError("Opening hours of a day overlap.", field="business_hours")
    return BusinessHours(ordered, _parse_holidays(holidays), zone)


def due_at(started: datetime, minutes: float, hours: BusinessHours | None) -> datetime:
    """Give the moment `minutes` of working time after `started`, in UTC.

    `hours` None counts around the clock, and so does a brand that is never open within 400 days.
    """
    left = timedelta(minutes=minutes)
    if hours is not None:
        first = hours.local_day(started) - timedelta(days=1)
        for start, end in hours.open_spans(first, first + timedelta(days=HORIZON_DAYS)):
            begin = max(start, started)
            if begin >= end:
                continue
            if end - begin >= left:
                return (begin + left).astimezone(UTC)
            left -= end - begin
    return (started + timedelta(minutes=minutes)).astimezone(UTC)


def business_minutes(start: datetime, end: datetime, hours: BusinessHours | None) -> float:
    """Give the working minutes between two moments, 0 when `end` is not after `start`."""
    if end <= start:
        return 0.0
    if hours is None:
        return (end - start).total_seconds() / 60
    total = timedelta()
    first, last = hours.local_day(start) - timedelta(days=1), hours.local_day(end)
    for opens, closes in hours.open_spans(first, last):
        total += max(timedelta(), min(closes, end) - max(opens, start))
    return total.total_seconds() / 60


_WEEKDAY_NAMES = {str(day) for day in range(WEEKDAYS)}
_DEFAULT_SPANS: dict[int, Spans] = {day: ((time(9), time(17)),) for day in range(5)}


def _parse_span(span: object) -> tuple[time, time]:
    if isinstance(span, list | tuple) and len(span) == 2:  # noqa: PLR2004 - a start and an end
        try:
            start = time.fromisoformat(str(span[0]))
            end = MIDNIGHT if span[1] == "24:00" else time.fromisoformat(str(span[1]))
        except ValueError:
            pass
        else:
            if start.tzinfo is None and end.tzinfo is None and (start != end or start == MIDNIGHT):
                return start, end
    raise InvalidError('Opening hours are pairs such as "09:00" and "17:00".', field="business_hours")


def _parse_holidays(holidays: Sequence[Any]) -> frozenset[date]:
    try:
        return frozenset(date.fromisoformat(str(day)) for day in holidays)
    except ValueError as error:
        raise InvalidError("Holidays are dates such as 2026-12-25.", field="holidays") from error
