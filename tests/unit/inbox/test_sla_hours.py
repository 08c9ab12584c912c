"""Business-hours arithmetic: split shifts, holidays, time zones, changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.errors import InvalidError
from inbox.triage.sla import business_minutes, due_at, parse_hours

ROME = ZoneInfo("Europe/Rome")
WEEK = {str(day): [["09:00", "13:00"], ["14:00", "18:00"]] for day in range(5)}


def rome(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ROME)  # type: ignore[misc, arg-type] - year, month, day, hour, minute


@pytest.mark.parametrize(
    ("started", "minutes", "due"),
    [
        (rome(2026, 11, 10, 10, 0), 60, rome(2026, 11, 10, 11, 0)),
        (rome(2026, 11, 10, 12, 30), 60, rome(2026, 11, 10, 14, 30)),  # over the lunch break
        (rome(2026, 11, 10, 13, 20), 60, rome(2026, 11, 10, 15, 0)),  # in the break
        (rome(2026, 11, 10, 17, 30), 60, rome(2026, 11, 11, 9, 30)),  # over night
        (rome(2026, 11, 13, 17, 30), 60, rome(2026, 11, 16, 9, 30)),  # over the weekend
        (rome(2026, 11, 14, 3, 0), 60, rome(2026, 11, 16, 10, 0)),  # on Saturday
        (rome(2026, 12, 24, 17, 45), 30, rome(2026, 12, 28, 9, 15)),  # over Christmas
        (rome(2026, 11, 10, 9, 0), 8 * 60, rome(2026, 11, 10, 18, 0)),  # ends exactly at closing
    ],
)
def test_due_counts_only_open_minutes(started: datetime, minutes: int, due: datetime) -> None:
    hours = parse_hours(WEEK, ["2026-12-25"], "Europe/Rome")
    assert due_at(started, minutes, hours) == due
    assert business_minutes(started, due, hours) == minutes


def test_empty_hours_are_weekdays_nine_to_five() -> None:
    hours = parse_hours({}, [], "Europe/Rome")
    assert due_at(rome(2026, 11, 10, 16, 30), 60, hours) == rome(2026, 11, 11, 9, 30)


def test_a_span_past_midnight_runs_into_the_next_day() -> None:
    hours = parse_hours({"4": [["22:00", "02:00"]]}, [], "Europe/Rome")
    assert due_at(rome(2026, 11, 13, 23, 0), 120, hours) == rome(2026, 11, 14, 1, 0)
    assert business_minutes(rome(2026, 11, 13, 0, 0), rome(2026, 11, 15, 0, 0), hours) == 240


def test_a_day_may_end_at_midnight() -> None:
    hours = parse_hours({str(day): [["00:00", "24:00"]] for day in range(7)}, [], "Europe/Rome")
    start = rome(2026, 3, 1, 12, 0)
    assert due_at(start, 60 * 24 * 40, hours) == start.astimezone(UTC) + timedelta(days=40)


@pytest.mark.parametrize(("day", "minutes"), [((2026, 3, 29), 60), ((2026, 10, 25), 180)])
def test_the_change_of_the_clock_shortens_and_lengthens_the_night(day: tuple[int, int, int], minutes: int) -> None:
    hours = parse_hours({"6": [["01:00", "03:00"]]}, [], "Europe/Rome")
    midnight = datetime(*day, tzinfo=ROME)
    assert business_minutes(midnight, midnight + timedelta(hours=12), hours) == minutes


def test_hours_follow_the_wall_clock_over_a_change() -> None:
    hours = parse_hours({}, [], "Europe/Rome")
    assert due_at(rome(2026, 10, 23, 16, 30), 60, hours) == datetime(2026, 10, 26, 8, 30, tzinfo=UTC)
    assert due_at(rome(2026, 3, 27, 16, 30), 60, hours) == datetime(2026, 3, 30, 7, 30, tzinfo=UTC)


def test_a_brand_that_never_opens_counts_around_the_clock() -> None:
    hours = parse_hours({"0": []}, [], "Europe/Rome")
    start = rome(2026, 11, 10, 10, 0)
    assert due_at(start, 60, hours) == start + timedelta(hours=1)
    assert due_at(start, 60, None) == start + timedelta(hours=1)
    assert business_minutes(start, start + timedelta(hours=2), None) == 120


@pytest.mark.parametrize(
    ("hours", "holidays", "zone"),
    [
        ({"7": [["09:00", "17:00"]]}, [], "Europe/Rome"),
        ({"0": "09:00-17:00"}, [], "Europe/Rome"),
        ({"0": [["09:00"]]}, [], "Europe/Rome"),
        ({"0": [["9 am", "5 pm"]]}, [], "Europe/Rome"),
        ({"0": [["09:00", "09:00"]]}, [], "Europe/Rome"),
        ({"0": [["09:00", "13:00"], ["12:00", "17:00"]]}, [], "Europe/Rome"),
        ({}, ["25 December"], "Europe/Rome"),
        ({}, [], "Europe/Atlantis"),
        ({}, [], "../../etc/passwd"),
        ({}, [], "a\x00b"),
    ],
)
def test_unreadable_hours_are_refused(hours: dict[str, object], holidays: list[str], zone: str) -> None:
    with pytest.raises(InvalidError):
        parse_hours(hours, holidays, zone)


@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis takes naive bounds
    minutes=st.integers(1, 5000),
)
def test_due_time_and_working_minutes_agree(start: datetime, minutes: int) -> None:
    hours = parse_hours(WEEK, ["2026-12-25", "2027-01-01"], "Europe/Rome")
    due = due_at(start, minutes, hours)
    assert business_minutes(start, due, hours) == pytest.approx(minutes)
