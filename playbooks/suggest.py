"""Suggests templates for a message: the best few, each with the reasons it was chosen for."""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from playbooks.template import Template, for_network

# Points are sums a person can follow, as with priority: the intent decides, the rest orders.
INTENT_POINTS = 100
CRISIS_POINTS = 120
SENTIMENT_POINTS = 15
KEYWORD_POINTS = 25
NETWORK_POINTS = 10
EXPIRED_POINTS = -20
_LEAST_INTENT = 0.15


@dataclass(frozen=True, slots=True)
class Situation:
    """What is to be answered. `intents` are independent probabilities by label; `language` the customer's."""

    intents: Mapping[str, float]
    sentiment: str
    language: str
    network: str
    text: str = ""
    is_crisis: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a template was chosen: an English msgid, what fills it, and the points it gave."""

    words: str
    value: str
    points: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A template with its points and reasons, the weightiest first."""

    template: Template
    points: int
    reasons: tuple[Reason, ...]


def suggest(
    templates: Iterable[Template], situation: Situation, *, today: dt.date, limit: int = 3
) -> tuple[Suggestion, ...]:
    """Give the best templates in the customer's language, best first; none where nothing fits."""
    suggestions = []
    for template in for_network(templates, language=situation.language, network=situation.network):
        reasons = _weigh(template, situation, today)
        if reasons:
            suggestions.append(Suggestion(template, sum(reason.points for reason in reasons), reasons))
    suggestions.sort(key=lambda suggestion: (-suggestion.points, suggestion.template.key))
    return tuple(suggestions[:limit])


def _weigh(template: Template, situation: Situation, today: dt.date) -> tuple[Reason, ...]:
    intent = max(template.intents, key=lambda label: situation.intents.get(label, 0.0))
    probability = situation.intents.get(intent, 0.0)
    is_for_crisis = template.is_crisis and situation.is_crisis
    if probability < _LEAST_INTENT and not is_for_crisis:
        return ()
    if template.is_crisis and not situation.is_crisis and intent != "crisis_signal":
        return ()
    reasons = [Reason("intent: %(value)s", intent, round(INTENT_POINTS * probability))]
    if is_for_crisis:
        reasons.append(Reason("a crisis is open", "", CRISIS_POINTS))
    if situation.sentiment in template.sentiments:
        reasons.append(Reason("sentiment: %(value)s", situation.sentiment, SENTIMENT_POINTS))
    words = _found_keywords(template, situation.text)
    if words:
        reasons.append(Reason("speaks of: %(value)s", ", ".join(words), KEYWORD_POINTS))
    if template.network:
        reasons.append(Reason("written for %(value)s", template.network, NETWORK_POINTS))
    if template.is_expired(today):
        reasons.append(Reason("review was due on %(value)s", template.review_by.isoformat(), EXPIRED_POINTS))
    return tuple(sorted((reason for reason in reasons if reason.points), key=lambda reason: -abs(reason.points)))


def _found_keywords(template: Template, text: str) -> list[str]:
    folded = _fold(text)
    return [word for word in template.keywords if re.search(rf"(?<!\w){re.escape(_fold(word))}", folded)]


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))
