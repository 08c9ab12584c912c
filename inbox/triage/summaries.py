"""What a conversation repeats of its latest message, so that lists need no join: labels, preview, priority.

A person's word goes before the machine's everywhere here: the messages come with corrections applied
(inbox/store/queries/standings.py).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from inbox.store.queries import routing, standings
from inbox.store.queries.standings import InboundPost
from inbox.store.types import SlaState
from inbox.triage import priority

PREVIEW_CHARACTERS = 280
# A calibrated probability from here on makes a post count as toxic, if the machine is sure of it.
TOXIC_FROM = 0.5


class Summarised(Protocol):
    """What is repeated of the latest message, as rows and as objects."""

    author_id: int | None
    preview: str
    audience: int
    language: str | None
    sentiment: str | None
    sentiment_confidence: float | None
    sentiment_unsure: bool
    intent: str | None
    intent_confidence: float | None
    intents: list[Any]
    emotion: str | None
    urgency: int | None
    is_toxic: bool


class Ranked(Protocol):
    """What priority reads and sets of a conversation."""

    sla_state: SlaState
    sla_due_at: datetime | None
    audience: int
    is_crisis: bool
    priority: int
    priority_reasons: list[Any]


def summarise(conversation: Summarised, latest: InboundPost) -> None:
    """Let a conversation say what its latest message says."""
    conversation.author_id = latest.author_id
    conversation.preview = " ".join((latest.title or latest.text).split())[:PREVIEW_CHARACTERS]
    conversation.audience = max(conversation.audience, latest.followers or 0, latest.audience)
    show_labels(conversation, latest)


def show_labels(conversation: Summarised, latest: InboundPost) -> None:
    """Let a conversation carry the labels of its latest message; what the machine is unsure of stays out."""
    conversation.language = latest.post_language or latest.tagged_language or latest.language_hint
    if latest.sentiment_label is None:
        return
    conversation.sentiment = latest.sentiment_label
    conversation.sentiment_confidence = latest.sentiment_confidence
    conversation.sentiment_unsure = bool(latest.sentiment_unsure)
    intents = latest.intents or {}
    likeliest = max(intents, key=intents.__getitem__, default=None)
    conversation.intent = likeliest
    conversation.intent_confidence = intents.get(likeliest) if likeliest else None
    conversation.intents = list(latest.intent_labels or ())
    conversation.emotion = None if latest.emotion_unsure else latest.emotion_label
    conversation.urgency = None if latest.urgency_unsure else latest.urgency
    conversation.is_toxic = not latest.toxicity_unsure and (latest.toxicity or 0.0) >= TOXIC_FROM


def set_priority(conversation: Ranked, latest: InboundPost | None, *, now: datetime) -> None:
    """Sum up a conversation's priority from its clock and its latest message."""
    sentiment = (latest.sentiment if latest else None) or {}
    found = priority.sum_up(
        priority.Standing(
            sla_state=conversation.sla_state,
            sla_due_at=conversation.sla_due_at,
            intents=latest.intents if latest else None,
            urgency=latest.urgency_probabilities if latest else None,
            negative=float(sentiment.get("negative", 0.0)),
            audience=conversation.audience,
            is_vip=bool(latest.is_vip) if latest else False,
            is_crisis=conversation.is_crisis,
        ),
        now=now,
    )
    conversation.priority = found.points
    conversation.priority_reasons = found.reasons


def refresh_priority(session: Session, conversation_ids: Sequence[int], now: datetime) -> None:
    """Sum up the priority anew, after a clock ran on; competitors' have none."""
    if not conversation_ids:
        return
    latest = standings.latest_inbound(session, conversation_ids)
    for conversation, brand in routing.conversations_of(session, conversation_ids):
        if brand.competitor_of is None:
            set_priority(conversation, latest.get(conversation.id), now=now)


def refresh_summaries(session: Session, conversation_ids: Sequence[int], now: datetime) -> None:
    """Show the latest message's labels anew, and what follows from them: after a correction, or new tags."""
    if not conversation_ids:
        return
    latest = standings.latest_inbound(session, conversation_ids)
    for conversation, brand in routing.conversations_of(session, conversation_ids):
        said = latest.get(conversation.id)
        if said is None:
            continue
        show_labels(conversation, said)
        if brand.competitor_of is None:
            set_priority(conversation, said, now=now)
