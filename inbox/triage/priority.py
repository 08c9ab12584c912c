"""Priority of a conversation: a sum whose parts can be shown."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from inbox.store.types import SlaState

# Points of an intent at probability 1.
INTENT_POINTS: Mapping[str, int] = {
    "crisis_signal": 40,
    "churn_threat": 30,
    "complaint": 25,
    "question": 15,
    "purchase_interest": 15,
    "suggestion": 8,
    "advocacy": 6,
    "praise": 5,
    "other": 0,
    "spam": -20,
}
# Points of an urgency (0 no answer needed, 1 in the usual time, 2 today, 3 now) at probability 1.
URGENCY_POINTS: Mapping[str, int] = {"0": -5, "1": 0, "2": 12, "3": 30}
# Probabilities nearer to each other than this say nothing: a model without the head gives them all alike.
_EVEN = 0.02
SLA_MISSED, SLA_SOON, SLA_RUNNING = 30, 20, 10
SOON = timedelta(minutes=30)
NEGATIVE_POINTS = 15
# Five points for every tenfold of people who may see it: 1,000 → 15, a million → the cap.
AUDIENCE_POINTS_PER_DECADE, AUDIENCE_CAP = 5, 25
VIP_POINTS = 15
CRISIS_POINTS = 50


@dataclass(frozen=True, slots=True)
class Standing:
    """All that priority is made of. Probabilities in [0, 1]."""

    sla_state: SlaState = SlaState.NONE
    sla_due_at: datetime | None = None
    intents: Mapping[str, float] | None = None
    urgency: Mapping[str, float] | None = None
    negative: float = 0.0
    audience: int = 0
    is_vip: bool = False
    is_crisis: bool = False


@dataclass(frozen=True, slots=True)
class Priority:
    """The sum and its parts: [{"reason", "points"}], with "value" where a reason has a name of its own."""

    points: int
    reasons: list[dict[str, Any]]


def sum_up(standing: Standing, *, now: datetime) -> Priority:
    """Add up what makes a conversation urgent, strongest reason first; parts of no points are left out."""
    parts: list[dict[str, Any]] = []
    sla = _sla_points(standing, now)
    if sla is not None:
        parts.append({"reason": "sla", "value": sla[0], "points": sla[1]})
    intent = _strongest_intent(standing.intents or {})
    if intent is not None:
        parts.append({"reason": "intent", "value": intent[0], "points": intent[1]})
    urgency = _urgency_points(standing.urgency or {})
    if urgency is not None:
        # The likeliest level would belie points that the others bring.
        named = {"value": urgency[0]} if URGENCY_POINTS[urgency[0]] * urgency[1] > 0 else {}
        parts.append({"reason": "urgency", **named, "points": urgency[1]})
    for reason, points in (
        ("negative", round(NEGATIVE_POINTS * standing.negative)),
        ("audience", audience_points(standing.audience)),
        ("vip", VIP_POINTS if standing.is_vip else 0),
        ("crisis", CRISIS_POINTS if standing.is_crisis else 0),
    ):
        if points:
            parts.append({"reason": reason, "points": points})
    parts.sort(key=lambda part: -abs(int(part["points"])))
    return Priority(points=sum(int(part["points"]) for part in parts), reasons=parts)


def audience_points(audience: int) -> int:
    """Give points for how many people may watch us listen."""
    return min(AUDIENCE_CAP, round(AUDIENCE_POINTS_PER_DECADE * math.log10(1 + max(0, audience))))


def _sla_points(standing: Standing, now: datetime) -> tuple[str, int] | None:
    due = standing.sla_due_at
    if due is None or standing.sla_state not in {SlaState.ACTIVE, SlaState.MISSED}:
        return None
    if due <= now:
        return "missed", SLA_MISSED
    return ("soon", SLA_SOON) if due - now <= SOON else ("running", SLA_RUNNING)


def _urgency_points(urgency: Mapping[str, float]) -> tuple[str, int] | None:
    # What is to be expected of the urgency, not the likeliest alone: a small chance of "now" must weigh something.
    known = {level: probability for level, probability in urgency.items() if level in URGENCY_POINTS}
    if not known or (len(known) == len(URGENCY_POINTS) and max(known.values()) - min(known.values()) < _EVEN):
        return None
    points = round(sum(URGENCY_POINTS[level] * probability for level, probability in known.items()))
    return (max(known, key=known.__getitem__), points) if points else None


def _strongest_intent(intents: Mapping[str, float]) -> tuple[str, int] | None:
    weighed = [
        (intent, round(INTENT_POINTS[intent] * probability))
        for intent, probability in intents.items()
        if intent in INTENT_POINTS
    ]
    weighed = [(intent, points) for intent, points in weighed if points]
    return max(weighed, key=lambda part: abs(part[1]), default=None)
