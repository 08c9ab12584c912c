"""One text's tags as the JSON object that the command line writes."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, URGENCIES, Tags
from nlp.calibration import TOXIC_FROM

_DIGITS = 6


class OneLabelTag(TypedDict):
    """A single-label task: the likeliest label, all probabilities, and whether not to trust it."""

    label: str
    probabilities: dict[str, float]
    unsure: bool


class IntentsTag(TypedDict):
    """The multi-label task: labels chosen, independent probabilities."""

    labels: list[str]
    probabilities: dict[str, float]
    unsure: bool


class ToxicityTag(TypedDict):
    """Insults, threats or slurs toward people: yes or no, and how likely."""

    toxic: bool
    probability: float
    unsure: bool


class UrgencyTag(TypedDict):
    """How soon an answer is needed: 0 (none needed) to 3 (now)."""

    level: int
    probabilities: dict[str, float]
    unsure: bool


class EntityTag(TypedDict):
    """A term found, offsets in characters."""

    kind: str
    name: str
    text: str
    start: int
    end: int


class TagsJson(TypedDict):
    """The `tags` object of one text; `understood` is false in a language the tagger has not learnt."""

    language: str
    understood: bool
    sentiment: OneLabelTag
    emotion: OneLabelTag
    intents: IntentsTag
    toxicity: ToxicityTag
    urgency: UrgencyTag
    entities: list[EntityTag]
    tagger: str


def tags_to_json(tags: Tags, position: int) -> TagsJson:
    """Give one text's tags as plain values."""
    urgency = _one_label(URGENCIES, tags.urgency[position], unsure=tags.urgency_unsure[position])
    return TagsJson(
        language=tags.languages[position],
        understood=position not in tags.strange,
        sentiment=_one_label(SENTIMENTS, tags.sentiment[position], unsure=tags.sentiment_unsure[position]),
        emotion=_one_label(EMOTIONS, tags.emotion[position], unsure=tags.emotion_unsure[position]),
        intents=IntentsTag(
            labels=list(tags.intent_labels[position]),
            probabilities=_by_label(INTENTS, tags.intents[position]),
            unsure=bool(tags.intents_unsure[position]),
        ),
        toxicity=ToxicityTag(
            toxic=bool(tags.toxicity[position] >= TOXIC_FROM),
            probability=round(float(tags.toxicity[position]), _DIGITS),
            unsure=bool(tags.toxicity_unsure[position]),
        ),
        urgency=UrgencyTag(
            level=int(urgency["label"]), probabilities=urgency["probabilities"], unsure=urgency["unsure"]
        ),
        entities=[
            EntityTag(kind=found.kind, name=found.name, text=found.text, start=found.start, end=found.end)
            for found in tags.entities[position]
        ],
        tagger=tags.tagger_of(position),
    )


def _one_label(labels: Sequence[str], row: NDArray[np.float32], *, unsure: np.bool_) -> OneLabelTag:
    return OneLabelTag(label=labels[int(row.argmax())], probabilities=_by_label(labels, row), unsure=bool(unsure))


def _by_label(labels: Sequence[str], row: NDArray[np.float32]) -> dict[str, float]:
    return {label: round(float(value), _DIGITS) for label, value in zip(labels, row, strict=True)}
