"""When things happen in the demo: how many posts a day, at what hour people write, when the brand answers."""

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from ascolto.demo.brand import CRISIS_DAYS_AGO, HISTORY_DAYS, TIMEZONE, brand_file

ROME = ZoneInfo(TIMEZONE)
_HOURS = range(24)
_HOUR_WEIGHTS = (2, 1, 0.5, 0.5, 0.5, 1, 4, 8, 10, 9, 7, 7, 9, 10, 7, 6, 6, 7, 8, 8, 10, 12, 9, 5)
_WEEKDAY = (1.12, 1.0, 0.98, 1.0, 1.06, 0.9, 0.82)
# Crisis posts by day: the video comes out at night, the brand is silent until the evening, the recall calms it.
CRISIS_POSTS = (58, 104, 62, 31, 17, 9)


def day_of(now: datetime, days_ago: int) -> date:
    """Give the day in Rome that lies `days_ago` before now."""
    return now.astimezone(ROME).date() - timedelta(days=days_ago)


def roots_on(random: Random, day: date, days_ago: int) -> int:
    """How many threads begin on a day: weekday, slow growth, chance; a dip of chatter while the crisis burns."""
    growth = 1 + 0.2 * (HISTORY_DAYS - days_ago) / HISTORY_DAYS
    mean = 11.0 * growth * _WEEKDAY[day.weekday()]
    if CRISIS_DAYS_AGO - 2 <= days_ago <= CRISIS_DAYS_AGO:
        mean *= 0.7
    return max(4, round(random.gauss(mean, 2.2)))


def crisis_posts_on(days_ago: int) -> int:
    """How many posts the crisis brings on a day; 0 outside it."""
    since = CRISIS_DAYS_AGO - days_ago
    return CRISIS_POSTS[since] if 0 <= since < len(CRISIS_POSTS) else 0


def moment_on(random: Random, day: date, *, not_before_hour: int = 0) -> datetime:
    """Pick a time of a day in Rome as people's habits have it, as aware UTC."""
    hour = max(not_before_hour, random.choices(_HOURS, weights=_HOUR_WEIGHTS)[0])
    local = datetime.combine(day, time(hour, random.randrange(60), random.randrange(60)), tzinfo=ROME)
    return local.astimezone(UTC)


def answer_time(random: Random, asked: datetime, *, median_minutes: float = 38) -> datetime:
    """When an agent answers: after a believable delay, and only in business hours."""
    delay = timedelta(minutes=median_minutes * random.lognormvariate(0, 0.85))
    return (_in_business_hours(asked, random) + delay).replace(microsecond=0)


def _in_business_hours(moment: datetime, random: Random) -> datetime:
    """Give the moment itself if someone is on shift, else a little after the next shift begins."""
    local = moment.astimezone(ROME)
    for days in range(8):
        day = local.date() + timedelta(days=days)
        for opens, closes in brand_file().stored_hours.get(str(day.weekday()), []):
            start = datetime.combine(day, time.fromisoformat(opens), tzinfo=ROME)
            end = datetime.combine(day, time.fromisoformat(closes), tzinfo=ROME)
            if start <= local < end:
                return moment
            if local < start:
                return (start + timedelta(minutes=random.randint(2, 25))).astimezone(UTC)
    return moment + timedelta(days=1)
