"""Numbers, dates and durations as a person reads them, in their language and time zone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_decimal, format_percent

_THOUSAND, _MILLION, _BILLION = 1_000, 1_000_000, 1_000_000_000
_ONE_DIGIT_UNDER = 100  # 12.3k, but 123k
COUNT_CAP = 999
MINUS = "\N{MINUS SIGN}"
_DAYS_OF_A_WEEK = 7
FALLBACK_ZONE = "Europe/Rome"

# CLDR has no short Italian form for thousands ("12345"), and "Mio"/"Mrd" are unknown to most readers.
_UNITS = {"en": ("k", "M", "bn"), "it": ("k", " Mln", " Mrd")}


# A list shows the same few figures again and again, and the formats' rules are slow to apply.
@lru_cache(maxsize=4096)
def _number(value: float, language: str) -> str:
    return format_decimal(value, locale=language).replace("-", MINUS)


@lru_cache(maxsize=1024)
def _percent(hundredths: int, language: str) -> str:
    return format_percent(hundredths / 100, format="#,##0%", locale=language).replace("-", MINUS)


@lru_cache(maxsize=4096)
def _moment(value: datetime, pattern: str, zone: str, language: str) -> str:
    return format_datetime(value, pattern, tzinfo=zone_of(zone), locale=language)


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """Give a time zone by name; a name unknown here falls back to Rome's."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(FALLBACK_ZONE)


@dataclass(frozen=True)
class Formats:
    """Formats values for one language. `zone` is the time zone dates are shown in."""

    language: str
    zone: str = FALLBACK_ZONE

    def number(self, value: float) -> str:
        """Write a number with the language's separators and a real minus sign."""
        return _number(value, self.language)

    def decimal(self, value: float) -> str:
        """Write a number with one decimal place: "71.4", "0.0" (Italian: "71,4")."""
        return format_decimal(round(value, 1) + 0.0, format="#,##0.0", locale=self.language).replace("-", MINUS)

    def signed(self, value: float) -> str:
        """Write a whole number with its sign, as for a change: "+12", "−7", "0"."""
        whole = round(value)
        return f"+{self.number(whole)}" if whole > 0 else self.number(whole)

    def count(self, value: int) -> str:
        """Write a count for a badge, capped: "999+"."""
        return f"{COUNT_CAP}+" if value > COUNT_CAP else self.number(value)

    def compact(self, value: float) -> str:
        """Write a number in few characters: 987, 9.3k, 124k, 1.2M (Italian: 9,3k, 1,2 Mln)."""
        units = _UNITS.get(self.language, _UNITS["en"])
        for size, unit in ((_BILLION, units[2]), (_MILLION, units[1]), (_THOUSAND, units[0])):
            # 999,950 would round to "1000k": it belongs to the next unit.
            if abs(value) >= size * 0.9995 and abs(value) >= _THOUSAND:
                scaled = value / size
                digits = "0.#" if abs(scaled) < _ONE_DIGIT_UNDER else "0"
                return format_decimal(scaled, format=digits, locale=self.language) + unit
        return self.number(value)

    def percent(self, value: float) -> str:
        """Write a share in [0, 1] as a whole percentage."""
        return _percent(round(value * 100), self.language)

    def moment(self, value: datetime) -> str:
        """Write a date and time: "10 nov 2026, 10:00"."""
        return _moment(value, "d MMM y, HH:mm", self.zone, self.language)

    def due(self, value: datetime, now: datetime) -> str:
        """Write a moment near by as people say it: "today 17:30", "Monday 10:00"; further off with its date."""
        zone = zone_of(self.zone)
        days = (value.astimezone(zone).date() - now.astimezone(zone).date()).days
        if days == 0:
            return f"{'oggi' if self.language == 'it' else 'today'} {self.clock(value)}"
        if 0 < days < _DAYS_OF_A_WEEK:
            return _moment(value, "EEEE HH:mm", self.zone, self.language)
        return self.moment(value)

    def day(self, value: datetime) -> str:
        """Write a date: "10 nov 2026"."""
        return format_date(value.astimezone(zone_of(self.zone)), "d MMM y", locale=self.language)

    def day_month(self, value: datetime) -> str:
        """Write a date without its year: "10 nov"."""
        return format_date(value.astimezone(zone_of(self.zone)), "d MMM", locale=self.language)

    def clock(self, value: datetime) -> str:
        """Write a time of day: "10:00"."""
        return format_time(value, "HH:mm", tzinfo=zone_of(self.zone), locale=self.language)

    def ago(self, value: datetime, now: datetime) -> str:
        """Write how far a moment lies from now: "3 h fa", "in 20 min"; a date after 30 days."""
        distance = value - now
        if abs(distance) > timedelta(days=30):
            return self.day(value)
        if abs(distance) < timedelta(minutes=1):
            return "adesso" if self.language == "it" else "now"
        return format_timedelta(distance, add_direction=True, format="short", threshold=1.0, locale=self.language)

    def age(self, value: datetime, now: datetime) -> str:
        """Write an age in the fewest characters: "4 min", "3 h", "2 d" (Italian: "2 g")."""
        return self.span(max(now - value, timedelta()))

    def money(self, micros: int) -> str:
        """Write millionths of a US dollar as an amount: "$1.25", "US$ 1,25"; small change keeps three places."""
        amount = micros / 1_000_000
        pattern = "#,##0.00" if amount == 0 or abs(amount) >= 0.01 else "#,##0.000"  # noqa: PLR2004 - a cent
        text = format_decimal(amount, format=pattern, locale=self.language)
        return f"{text} $" if self.language == "it" else f"${text}"

    def seconds(self, seconds: int) -> str:
        """Write an interval given in seconds: "10 s", "2 min", "1 h"."""
        return f"{seconds} s" if seconds < 60 else self.span(timedelta(seconds=seconds))  # noqa: PLR2004 - a minute

    def span(self, length: timedelta) -> str:
        """Write a length of time in the fewest characters: "38 min", "1 h 57", "3 d" (Italian: "3 g")."""
        minutes = int(abs(length).total_seconds() // 60)
        hours, days = minutes // 60, minutes // 1440
        if days >= 2:  # noqa: PLR2004 - "36 h" still reads better than "1 d"
            return f"{self.number(days)} {'g' if self.language == 'it' else 'd'}"
        if hours:
            return f"{hours} h {minutes % 60:02d}" if hours < 10 and minutes % 60 else f"{hours} h"  # noqa: PLR2004 - minutes matter only while hours are few
        return f"{minutes} min"
