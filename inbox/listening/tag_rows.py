"""Rows of tags: what a tagger said of posts, as the store keeps it. Reads and writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from inbox.store.queries.posts import TextToTag, text_to_tag
from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, UNDETERMINED, URGENCIES, Tagger, Tags
from nlp.rulesets import Rulesets

log = structlog.get_logger(__name__)

DIGITS = 4
MAX_ERROR = 500


def read_tags(
    posts: Sequence[TextToTag],
    tagger: Tagger,
    now: datetime,
    *,
    by_brand: Mapping[int, Tagger] | None = None,
    rules: Rulesets | None = None,
) -> list[dict[str, Any]]:
    """Give a row of tags for each post, in order. `by_brand`: taggers of brands that have one of their own.

    `rules`: the brands' own rules, which have the last word (inbox/store/queries/tag_rules.py reads them).

    A post the tagger cannot read gets unsure labels and the reason. Takes as long as the model does: call it
    outside a transaction where others wait for it.
    """
    if not by_brand:
        return _tag_or_halve(posts, tagger, rules, now)
    places: dict[int, list[int]] = {}
    for place, post in enumerate(posts):
        places.setdefault(post.brand_id if post.brand_id in by_brand else 0, []).append(place)
    rows: dict[int, dict[str, Any]] = {}
    for brand_id, own in places.items():
        found = _tag_or_halve([posts[place] for place in own], by_brand.get(brand_id, tagger), rules, now)
        rows.update(zip(own, found, strict=True))
    return [rows[place] for place in range(len(posts))]


def _tag_or_halve(
    posts: Sequence[TextToTag], tagger: Tagger, rules: Rulesets | None, now: datetime
) -> list[dict[str, Any]]:
    """Give a row of tags for each post, in order; when a call fails, its halves are tried, down to one text."""
    texts = [text_to_tag(post.title, post.text) for post in posts]
    try:
        tags = tagger.tag(texts, [post.language_hint for post in posts])
        if len(tags) != len(posts):
            raise ValueError(f"{len(posts)} texts, {len(tags)} tags")  # noqa: TRY301 - handled like any failure of it
        if rules:
            tags = rules.apply(texts, tags, [post.brand_id for post in posts])
        return _rows(posts, tags, now)
    except Exception as error:  # noqa: BLE001 - whatever a model raises must not stop the other texts
        if len(posts) == 1:
            log.warning("tag.failed", post=posts[0].id, kind=type(error).__name__)
            return [_empty_row(posts[0], tagger.name, type(error).__name__, now)]
    middle = len(posts) // 2
    return _tag_or_halve(posts[:middle], tagger, rules, now) + _tag_or_halve(posts[middle:], tagger, rules, now)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A batch's probabilities, rounded, as lists: arrays are read once a batch and not once a post."""

    sentiment: list[list[float]]
    intents: list[list[float]]
    emotion: list[list[float]]
    toxicity: list[float]
    urgency: list[list[float]]
    is_finite: list[bool]


def _rows(posts: Sequence[TextToTag], tags: Tags, now: datetime) -> list[dict[str, Any]]:
    stacked = (tags.sentiment, tags.intents, tags.emotion, tags.toxicity[:, None], tags.urgency)
    is_finite = np.isfinite(np.concatenate(stacked, axis=1)).min(axis=1)
    numbers = _Numbers(
        sentiment=_rounded(tags.sentiment).tolist(),
        intents=_rounded(tags.intents).tolist(),
        emotion=_rounded(tags.emotion).tolist(),
        toxicity=_rounded(tags.toxicity).tolist(),
        urgency=_rounded(tags.urgency).tolist(),
        is_finite=is_finite.tolist(),
    )
    return [_row(post, tags, place, numbers, now) for place, post in enumerate(posts)]


def _row(post: TextToTag, tags: Tags, place: int, numbers: _Numbers, now: datetime) -> dict[str, Any]:
    error = tags.errors.get(place)
    if not numbers.is_finite[place]:
        return _empty_row(post, tags.tagger, "the tagger gave a probability that is no number", now)
    sentiment = dict(zip(SENTIMENTS, numbers.sentiment[place], strict=True))
    intents = dict(zip(INTENTS, numbers.intents[place], strict=True))
    emotion = dict(zip(EMOTIONS, numbers.emotion[place], strict=True))
    urgency = dict(zip(URGENCIES, numbers.urgency[place], strict=True))
    label = max(sentiment, key=sentiment.__getitem__)
    # The likeliest first: lists and cells show the first.
    labels = list(tags.intent_labels[place])
    if len(labels) > 1:
        labels.sort(key=lambda name: -intents.get(name, 0.0))
    return {
        "brand_id": post.brand_id,
        "post_id": post.id,
        "tagger": tags.tagger_of(place),
        "language": tags.languages[place] or UNDETERMINED,
        "language_confidence": round(float(tags.language_confidence[place]), DIGITS),
        "sentiment_label": label,
        "sentiment_confidence": sentiment[label],
        "sentiment_unsure": bool(tags.sentiment_unsure[place]),
        "sentiment": sentiment,
        "intent_labels": labels,
        "intents_unsure": bool(tags.intents_unsure[place]),
        "intents": intents,
        "emotion_label": max(emotion, key=emotion.__getitem__),
        "emotion_unsure": bool(tags.emotion_unsure[place]),
        "emotion": emotion,
        "toxicity": numbers.toxicity[place],
        "toxicity_unsure": bool(tags.toxicity_unsure[place]),
        "urgency": int(max(urgency, key=urgency.__getitem__)),
        "urgency_unsure": bool(tags.urgency_unsure[place]),
        "urgency_probabilities": urgency,
        "rules": list(tags.rules.get(place, ())),
        "entities": [
            {"kind": one.kind, "name": one.name, "text": one.text, "start": one.start, "end": one.end}
            for one in tags.entities[place]
        ],
        "error": error[:MAX_ERROR] if error else None,
        "tagged_at": now,
    }


def _empty_row(post: TextToTag, tagger: str, reason: str, now: datetime) -> dict[str, Any]:
    even = round(1 / len(SENTIMENTS), DIGITS)
    return {
        "brand_id": post.brand_id,
        "post_id": post.id,
        "tagger": tagger,
        "language": UNDETERMINED,
        "language_confidence": 0.0,
        "sentiment_label": "neutral",
        "sentiment_confidence": even,
        "sentiment_unsure": True,
        "sentiment": dict.fromkeys(SENTIMENTS, even),
        "intent_labels": [],
        "intents_unsure": True,
        "intents": dict.fromkeys(INTENTS, 0.0),
        "emotion_label": "none",
        "emotion_unsure": True,
        "emotion": dict.fromkeys(EMOTIONS, round(1 / len(EMOTIONS), DIGITS)),
        "toxicity": 0.5,
        "toxicity_unsure": True,
        "urgency": 1,
        "urgency_unsure": True,
        "urgency_probabilities": dict.fromkeys(URGENCIES, 1 / len(URGENCIES)),
        "rules": [],
        "entities": [],
        "error": reason[:MAX_ERROR],
        "tagged_at": now,
    }


def _rounded(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(probabilities, dtype=np.float64).round(DIGITS)
