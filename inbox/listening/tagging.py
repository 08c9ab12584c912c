"""Tagging: new posts get the machine's labels. A text the tagger fails on costs only itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from inbox.reputation.rollups import mark_dirty
from inbox.reputation.topics import TOLD, wait_for_topic
from inbox.store.queries.posts import (
    TextToTag,
    list_due_for_tagging,
    list_language_corrections,
    list_texts_to_tag,
    text_to_tag,
)
from inbox.store.rows import update_rows
from inbox.store.search_index import STEMMED, index_posts
from inbox.store.statements import expire_loaded, table_of, upsert
from inbox.store.tables import Post, PostTags
from inbox.store.types import PostState
from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, UNDETERMINED, URGENCIES, Tagger, Tags

log = structlog.get_logger(__name__)
DIGITS = 4
TAGS_KEY = ("brand_id", "post_id")
MAX_ERROR = 500


def due_for_tagging(session: Session, limit: int) -> list[int]:
    """Give posts waiting for tags, in order of arrival."""
    return list_due_for_tagging(session, limit)


def tag_posts(session: Session, post_ids: Sequence[int], tagger: Tagger, now: datetime) -> list[int]:
    """Tag those of these posts that wait for it; gives their ids, ready for routing. The caller commits.

    Corrections by people stay: they stand apart, and a corrected language is kept on the post too. A post the
    tagger cannot read goes on with unsure labels and the reason, so that a person sees it.
    """
    session.flush()
    posts = list_texts_to_tag(session, post_ids)
    if not posts:
        return []
    rows = _tag_or_halve(posts, tagger, now)
    upsert(session, PostTags, rows, TAGS_KEY, [name for name in rows[0] if name not in TAGS_KEY])
    corrected = list_language_corrections(session, [post.id for post in posts])
    languages = {post.id: corrected.get(post.id) or str(row["language"]) for post, row in zip(posts, rows, strict=True)}
    update_rows(
        session,
        table_of(Post),
        [
            {
                "id": post_id,
                "state": PostState.TAGGED,
                "language": None if language == UNDETERMINED else language,
                "tag_attempts": 0,
            }
            for post_id, language in languages.items()
        ],
    )
    expire_loaded(session, Post, languages)
    expire_loaded(session, PostTags, languages)
    _index_stems(session, posts, languages)
    by_brand: dict[int, list[datetime]] = {}
    for post in posts:
        by_brand.setdefault(post.brand_id, []).append(post.created_at)
    for brand_id in sorted(by_brand):
        mark_dirty(session, brand_id, by_brand[brand_id], now)
    wait_for_topic(
        session,
        [
            (post.brand_id, post.id, post.created_at)
            for post, row in zip(posts, rows, strict=True)
            if not TOLD.isdisjoint(row["intent_labels"])
        ],
    )
    return [post.id for post in posts]


def _tag_or_halve(posts: Sequence[TextToTag], tagger: Tagger, now: datetime) -> list[dict[str, Any]]:
    """Give a row of tags for each post, in order; when a call fails, its halves are tried, down to one text."""
    texts = [text_to_tag(post.title, post.text) for post in posts]
    try:
        tags = tagger.tag(texts, [post.language_hint for post in posts])
        if len(tags) != len(posts):
            raise ValueError(f"{len(posts)} texts, {len(tags)} tags")  # noqa: TRY301 - handled like any failure of it
        return _rows(posts, tags, now)
    except Exception as error:  # noqa: BLE001 - whatever a model raises must not stop the other texts
        if len(posts) == 1:
            log.warning("tag.failed", post=posts[0].id, kind=type(error).__name__)
            return [_empty_row(posts[0], tagger.name, type(error).__name__, now)]
    middle = len(posts) // 2
    return _tag_or_halve(posts[:middle], tagger, now) + _tag_or_halve(posts[middle:], tagger, now)


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
        "tagger": tags.tagger,
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


def _index_stems(session: Session, posts: Sequence[TextToTag], languages: Mapping[int, str]) -> None:
    """Index anew the posts whose language is only known now; SQLite keeps no stems."""
    if session.connection().dialect.name == "sqlite":
        return
    index_posts(
        session,
        [
            post.id
            for post in posts
            if languages[post.id][:2] in STEMMED and languages[post.id][:2] != (post.language_hint or "")[:2]
        ],
    )
