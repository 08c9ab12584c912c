"""Numbers, ages and dates as people read them in both languages."""

from datetime import UTC, datetime, timedelta

import pytest

from ascolto.web.formatting import Formats, zone_of
from ascolto.web.i18n import choose_language

NOW = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "english", "italian"),
    [
        (0, "0", "0"),
        (987, "987", "987"),
        (1_000, "1k", "1k"),
        (12_345, "12.3k", "12,3k"),
        (123_456, "123k", "123k"),
        (999_960, "1M", "1 Mln"),
        (1_250_000, "1.2M", "1,2 Mln"),
        (3_400_000_000, "3.4bn", "3,4 Mrd"),
    ],
)
def test_compact_numbers(value: int, english: str, italian: str) -> None:
    assert (Formats("en").compact(value), Formats("it").compact(value)) == (english, italian)


@pytest.mark.parametrize(
    ("step", "english", "italian"),
    [
        (timedelta(seconds=20), "now", "adesso"),
        (timedelta(hours=3), "3 hr. ago", "3 h fa"),
        (timedelta(days=40), "1 Oct 2026", "1 ott 2026"),
    ],
)
def test_how_long_ago(step: timedelta, english: str, italian: str) -> None:
    assert (Formats("en").ago(NOW - step, NOW), Formats("it").ago(NOW - step, NOW)) == (english, italian)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(minutes=38), "38 min"),
        (timedelta(hours=1, minutes=57), "1 h 57"),
        (timedelta(hours=30), "30 h"),
        (timedelta(days=3), "3 g"),
    ],
)
def test_spans_are_short(length: timedelta, words: str) -> None:
    assert Formats("it").span(length) == words


def test_moments_stand_in_the_brands_zone() -> None:
    assert Formats("it", "Europe/Rome").moment(NOW) == "10 nov 2026, 10:00"


def test_a_wrong_zone_falls_back() -> None:
    assert zone_of("Nowhere/../Land").key == "Europe/Rome"


def test_counts_are_capped() -> None:
    assert Formats("en").count(87_381) == "999+"


@pytest.mark.parametrize(
    ("user", "cookie", "accept", "chosen"),
    [
        ("it", "en", "en", "it"),
        (None, "it", "en", "it"),
        (None, None, "de-DE,it;q=0.8,en;q=0.5", "it"),
        (None, "xx", "de", "en"),
        (None, None, "\x00;;;,,", "en"),
    ],
)
def test_language_is_chosen(user: str | None, cookie: str | None, accept: str | None, chosen: str) -> None:
    assert choose_language(user=user, cookie=cookie, accept=accept) == chosen


@pytest.mark.parametrize(
    ("ahead", "english", "italian"),
    [
        (timedelta(hours=2), "today 12:00", "oggi 12:00"),
        (timedelta(days=6), "Monday 10:00", "lunedì 10:00"),
        (timedelta(days=7), "17 Nov 2026, 10:00", "17 nov 2026, 10:00"),
        (timedelta(days=-2), "8 Nov 2026, 10:00", "8 nov 2026, 10:00"),
    ],
)
def test_what_is_due_soon_is_named_by_its_day(ahead: timedelta, english: str, italian: str) -> None:
    assert (Formats("en").due(NOW + ahead, NOW), Formats("it").due(NOW + ahead, NOW)) == (english, italian)


def test_numbers_below_zero_carry_a_real_minus() -> None:
    assert [Formats("it").signed(value) for value in (-34.4, 0.2, 12)] == ["\N{MINUS SIGN}34", "0", "+12"]
    assert Formats("en").percent(-0.051) == "\N{MINUS SIGN}5%"
