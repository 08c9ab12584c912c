"""One line of the inbox: what a card says about a conversation, ready for its template."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from inbox.store.tables import Conversation
from inbox.store.types import ConversationState, SlaState

UNSURE_UNDER = 0.6


@dataclass(frozen=True, slots=True)
class SlaClock:
    """How a first-response clock stands: tone "plain" (more than half left), "warn", "bad" (late), "good" (met)."""

    tone: str
    left: timedelta
    is_late: bool


def sla_clock(conversation: Conversation, now: datetime) -> SlaClock | None:
    """Give how the clock stands, None when there is none to show."""
    due = conversation.sla_due_at
    if due is None or conversation.sla_state not in {SlaState.ACTIVE, SlaState.MISSED}:
        return None
    if conversation.state is ConversationState.RESOLVED:
        return None
    left = due - now
    started = conversation.sla_started_at or conversation.created_at
    share = left / (due - started) if due > started else 0.0
    is_late = left < timedelta()
    tone = "bad" if is_late else "plain" if share > 0.5 else "warn"  # noqa: PLR2004 - half of the time left
    return SlaClock(tone, left, is_late)


def is_intent_unsure(conversation: Conversation) -> bool:
    """Whether the likeliest intent deserves a question mark."""
    confidence = conversation.intent_confidence
    return confidence is not None and confidence < UNSURE_UNDER
