"""The overview of a brand's reputation: a few figures, each with what it stands on, and what is not known."""

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ascolto.jobs.tag_steps import taggers
from ascolto.web.charts import draw_line, pick_labels, stack_bars
from ascolto.web.conversations.words import EMOTION_WORDS
from ascolto.web.deps import HouseOf, ReadSession, SignedIn
from ascolto.web.formatting import Formats
from ascolto.web.i18n import N_
from ascolto.web.screens.topic_words import topic_context
from ascolto.web.templating import NavItem, formats_for, render
from inbox.listening.retagging import count_old
from inbox.reputation.metrics import MIN_N, NetSentiment
from inbox.reputation.overview import Day, Overview, Unknown, read_overview
from inbox.reputation.rollups import zone_of
from inbox.reputation.topic_overview import read_topics
from inbox.store.queries.brands import list_brands

router = APIRouter(prefix="/dashboard", include_in_schema=False)

NAV = NavItem(key="dashboard", path="/dashboard", label=N_("Dashboard"), icon="layout-dashboard", order=20, go_key="d")
RANGES = (7, 28, 56, 90)
DEFAULT_RANGE = 28
TOPICS_SHOWN = 6
MOST_COUNTED = 10_000
NO_BREAK = "\N{NO-BREAK SPACE}"
STACK = ("negative", "unsure", "neutral", "positive")
SENTIMENT_WORDS = {
    "negative": N_("negative"),
    "neutral": N_("neutral"),
    "positive": N_("positive"),
    "unsure": N_("unsure"),
    "none": N_("not read yet"),
}
INTENT_WORDS = {
    "complaint": N_("complaint"),
    "question": N_("question"),
    "praise": N_("praise"),
    "suggestion": N_("suggestion"),
    "purchase_interest": N_("purchase interest"),
    "churn_threat": N_("churn threat"),
    "advocacy": N_("advocacy"),
    "crisis_signal": N_("crisis signal"),
    "spam": N_("spam"),
    "other": N_("other"),
    "unsure": N_("unsure"),
    "none": N_("not read yet"),
}
UNTOLD = frozenset({"other", "unsure", "none"})
STATE_WORDS = {
    "lagging": N_("is behind"),
    "rate_limited": N_("is told to wait by the network"),
    "auth_needed": N_("needs new credentials"),
    "gone": N_("no longer exists at the network"),
    "paused": N_("is paused"),
    "over_budget": N_("has used up its budget"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure moved against the period before; None words where it cannot be told."""

    difference: float
    is_told: bool | None  # False: not to be told from noise


@router.get("")
def show_dashboard(
    request: Request, house: HouseOf, session: ReadSession, _user: SignedIn, brand: str = "", days: str = ""
) -> Response:
    """Show the overview of one of our brands; brand and period stand in the address."""
    brands = list_brands(session, own_only=True)
    chosen = next((item for item in brands if item.slug == brand), brands[0] if brands else None)
    length = int(days) if days.isascii() and days.isdigit() and int(days) in RANGES else DEFAULT_RANGE
    context: dict[str, Any] = {
        "active_nav": NAV.key,
        "brands": brands,
        "brand": chosen,
        "days": length,
        "ranges": RANGES,
        "min_n": MIN_N,
    }
    if chosen is None:
        return render(request, "dashboard/empty.html", context)
    overview = read_overview(session, chosen, days=length, now=house.clock())
    old = count_old(session, taggers(house), brand_id=chosen.id, cap=MOST_COUNTED)
    if old:
        overview = replace(overview, unknown=(*overview.unknown, Unknown("old_tags", count=old)))
    fmt = formats_for(request)
    zone = zone_of(session, chosen.id)
    noon = {day.day: datetime.combine(day.day, time(12), zone) for day in overview.days}
    context |= {
        "overview": overview,
        "period": (noon[overview.first_day], noon[overview.last_day]),
        "noon": noon,
        "net_change": _net_change(overview.net, overview.net_before),
        "volume": _volume(overview.days),
        "line": _line(overview.days),
        "labels": pick_labels(len(overview.days)),
        "stack": STACK,
        "sentiment_words": SENTIMENT_WORDS,
        "intent_words": INTENT_WORDS,
        "state_words": STATE_WORDS,
        "intents": _intents(overview),
        "emotion_words": EMOTION_WORDS,
        "duration": lambda minutes: _duration(fmt, minutes),
        "silences": _silences(overview.days, noon),
    }
    context |= topic_context(request, read_topics(session, chosen, days=length, now=house.clock(), most=TOPICS_SHOWN))
    return render(request, "dashboard/page.html", context)


def _volume(days: tuple[Day, ...]) -> object:
    rows = [[(kind, _part(day, kind)) for kind in ("negative", "unsure", "neutral", "positive")] for day in days]
    return stack_bars(rows, [bool(day.silent) for day in days])


def _part(day: Day, kind: str) -> int:
    count = day.counts.get(kind, 0)
    return count + day.counts.get("none", 0) if kind == "unsure" else count


def _line(days: tuple[Day, ...]) -> object:
    values = [
        (day.week.value, day.week.low, day.week.high)
        if day.week.value is not None and day.week.low is not None and day.week.high is not None
        else None
        for day in days
    ]
    return draw_line(values, [bool(day.silent) for day in days])


def _net_change(now: NetSentiment, before: NetSentiment) -> Change | None:
    if now.value is None or before.value is None:
        return None
    return Change(now.value - before.value, now.differs_from(before))


def _intents(overview: Overview) -> list[dict[str, Any]]:
    """Give the mix of intents; bars are measured against the longest."""
    longest = max((count for _, count in overview.intents), default=1)
    told = sorted(overview.intents, key=lambda item: item[0] in UNTOLD)  # stable: still by count within each
    return [
        {"key": key, "count": count, "share": count / max(overview.posts, 1), "width": 100 * count / longest}
        for key, count in told
        if count
    ]


def _silences(days: tuple[Day, ...], noon: dict[Any, datetime]) -> list[tuple[str, datetime, datetime]]:
    """Give (source, first day, last day) of every stretch of silence."""
    stretches: dict[str, list[list[datetime]]] = {}
    for day in days:
        for name in day.silent:
            known = stretches.setdefault(name, [])
            if known and (noon[day.day] - known[-1][1]) < timedelta(days=2):
                known[-1][1] = noon[day.day]
            else:
                known.append([noon[day.day], noon[day.day]])
    return [(name, first, last) for name, known in sorted(stretches.items()) for first, last in known]


def _duration(fmt: Formats, minutes: float | None) -> str:
    return "–" if minutes is None else fmt.span(timedelta(minutes=max(1, round(minutes)))).replace(" ", NO_BREAK)
