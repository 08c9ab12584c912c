"""What a list of topics says, on the dashboard and on its own page."""

from typing import Any

from fastapi import Request

from ascolto.web.i18n import N_
from ascolto.web.templating import words_for
from inbox.reputation.topic_overview import TopicOverview, Trend
from inbox.reputation.topics import name_of

TREND_WORDS = {
    Trend.RISING: N_("more than before"),
    Trend.FALLING: N_("fewer than before"),
    Trend.STEADY: N_("no change that can be told from chance"),
    Trend.UNKNOWN: N_("nothing heard before to compare with"),
}


def topic_context(request: Request, overview: TopicOverview) -> dict[str, Any]:
    """Give what the list of topics needs."""
    language = words_for(request).language
    longest = max((row.posts for row in overview.rows), default=0) or 1
    return {
        "topics": overview,
        "topic_name": lambda topic: name_of(topic, language),
        "topic_width": lambda row: 100 * row.posts / longest,
        "trend_words": TREND_WORDS,
    }
