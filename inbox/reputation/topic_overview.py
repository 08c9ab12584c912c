"""What a brand's topics did in a period: how many posts, more or fewer than before, in what mood, with examples."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from inbox.reputation.metrics import Z_95, NetSentiment, net_sentiment
from inbox.reputation.rollups import day_bounds, zone_of
from inbox.store.queries import topics as queries
from inbox.store.queries.topics import Example, TopicCount
from inbox.store.tables import Brand, Topic

MOST = 50


class Trend(StrEnum):
    """How a count moved against the period before, as far as it can be told from chance."""

    RISING = "rising"
    FALLING = "falling"
    STEADY = "steady"
    UNKNOWN = "unknown"  # nothing was heard in the period before: there is nothing to compare with


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One topic in a period. `net` is silent where fewer than 30 posts hold an opinion."""

    topic: Topic
    posts: int
    posts_before: int
    trend: Trend
    net: NetSentiment
    negative: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class TopicOverview:
    """A brand's topics, the most talked of first; `unplaced` of the `told` complaints and questions are in none."""

    rows: tuple[TopicRow, ...]
    muted: tuple[Topic, ...]
    unplaced: int
    told: int


def read_topics(session: Session, brand: Brand, *, days: int, now: datetime, most: int = MOST) -> TopicOverview:
    """Read the topics of the last `days` days in the brand's time zone, today included, and of as many before."""
    zone = zone_of(session, brand.id)
    last = now.astimezone(zone).date()
    since, until = day_bounds(last - timedelta(days=days - 1), zone)[0], day_bounds(last, zone)[1]
    earlier = day_bounds(last - timedelta(days=2 * days - 1), zone)[0]
    now_counts = _by_topic(queries.count_topics(session, brand.id, since, until))
    before = _by_topic(queries.count_topics(session, brand.id, earlier, since))
    topics = queries.list_topics(session, brand.id)
    told = [topic for topic in topics if topic.muted_at is None and (topic.id in now_counts or topic.id in before)]
    told.sort(key=lambda topic: (-_total(now_counts, topic), -_total(before, topic), topic.id))
    told = told[:most]
    examples: dict[int, list[Example]] = defaultdict(list)
    for example in queries.list_examples(session, [topic.id for topic in told], earlier, until):
        examples[example.topic_id].append(example)
    unplaced, total = queries.count_unplaced(session, brand.id, since, until)
    total_before = queries.count_unplaced(session, brand.id, earlier, since)[1]
    return TopicOverview(
        rows=tuple(
            TopicRow(
                topic=topic,
                posts=_total(now_counts, topic),
                posts_before=_total(before, topic),
                trend=trend_of(_total(now_counts, topic), _total(before, topic)) if total_before else Trend.UNKNOWN,
                net=net_sentiment(now_counts.get(topic.id, {})),
                negative=now_counts.get(topic.id, {}).get("negative", 0),
                examples=tuple(examples[topic.id]),
            )
            for topic in told
        ),
        muted=tuple(topic for topic in topics if topic.muted_at is not None),
        unplaced=unplaced,
        told=total,
    )


def trend_of(count: int, before: int) -> Trend:
    """Tell whether two counts of equally long periods differ by more than chance, at 95 %.

    Under equal rates the first count is binomial(n, 1/2) given their sum n; the normal approximation with continuity
    correction (Przyborowski and Wilenski 1940), which holds back where n is small.
    """
    total = count + before
    if total == 0 or abs(count - before) - 1 <= Z_95 * math.sqrt(total):
        return Trend.STEADY
    return Trend.RISING if count > before else Trend.FALLING


def _by_topic(counts: Sequence[TopicCount]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for count in counts:
        found[count.topic_id][count.sentiment] = count.posts
    return dict(found)


def _total(counts: dict[int, dict[str, int]], topic: Topic) -> int:
    return sum(counts.get(topic.id, {}).values())
