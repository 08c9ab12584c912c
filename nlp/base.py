"""What a tagger gives: labels with calibrated probabilities, and where it is unsure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

SENTIMENTS = ("negative", "neutral", "positive")
INTENTS = (
    "complaint",
    "question",
    "praise",
    "suggestion",
    "purchase_interest",
    "churn_threat",
    "advocacy",
    "crisis_signal",
    "spam",
    "other",
)
EMOTIONS = ("anger", "disappointment", "fear", "joy", "gratitude", "surprise", "none")
URGENCIES = ("0", "1", "2", "3")  # no answer needed, in the usual time, today, now
UNDETERMINED = "und"


@dataclass(frozen=True, slots=True)
class Entity:
    """A brand, product, competitor, place or person named in a text; offsets in characters."""

    kind: str
    name: str  # canonical name
    text: str  # as written
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags of a batch of n texts, row i for text i.

    languages: n codes ("it", "en", "und" …); language_confidence: (n,) float32 in [0, 1].
    sentiment: (n, 3) float32, rows sum to 1, columns SENTIMENTS. intents: (n, 10) float32, independent values
    in [0, 1], columns INTENTS. emotion: (n, 7) float32, rows sum to 1, columns EMOTIONS. toxicity: (n,) float32,
    the probability of insults, threats or slurs toward people. urgency: (n, 4) float32, rows sum to 1, columns
    URGENCIES. The unsure arrays are (n,) bool. errors: index → why a text has no tags (its rows are then the
    prior and unsure). rules: index → names of the brand's rules that decided a label. tagger: "name.version".
    stand_ins: index → name of the tagger that read this text in its stead (a cheaper one, when time is short).
    strange: indices of texts in a language the tagger has not learnt, or in none; they are unsure throughout.
    """

    languages: tuple[str, ...]
    language_confidence: NDArray[np.float32]
    sentiment: NDArray[np.float32]
    sentiment_unsure: NDArray[np.bool_]
    intents: NDArray[np.float32]
    intents_unsure: NDArray[np.bool_]
    intent_labels: tuple[tuple[str, ...], ...]
    emotion: NDArray[np.float32]
    emotion_unsure: NDArray[np.bool_]
    toxicity: NDArray[np.float32]
    toxicity_unsure: NDArray[np.bool_]
    urgency: NDArray[np.float32]
    urgency_unsure: NDArray[np.bool_]
    entities: tuple[tuple[Entity, ...], ...]
    tagger: str
    errors: Mapping[int, str] = field(default_factory=dict)
    rules: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    stand_ins: Mapping[int, str] = field(default_factory=dict)
    strange: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.languages)

    def tagger_of(self, position: int) -> str:
        """Name and version of what answered for one text."""
        return self.stand_ins.get(position, self.tagger)


class Undecided(TypedDict):
    """The fields of Tags that only some models fill."""

    emotion: NDArray[np.float32]
    emotion_unsure: NDArray[np.bool_]
    toxicity: NDArray[np.float32]
    toxicity_unsure: NDArray[np.bool_]
    urgency: NDArray[np.float32]
    urgency_unsure: NDArray[np.bool_]


def undecided(count: int) -> Undecided:
    """Even probabilities, all unsure: what a model without these heads can say."""
    yes = np.ones(count, dtype=np.bool_)
    return Undecided(
        emotion=np.full((count, len(EMOTIONS)), 1 / len(EMOTIONS), dtype=np.float32),
        emotion_unsure=yes,
        toxicity=np.full(count, 0.5, dtype=np.float32),
        toxicity_unsure=yes,
        urgency=np.full((count, len(URGENCIES)), 1 / len(URGENCIES), dtype=np.float32),
        urgency_unsure=yes,
    )


class Tagger(Protocol):
    """Anything that turns texts into Tags; a text that fails is noted in `errors`, the rest go on."""

    @property
    def name(self) -> str:
        """Name and version, as stored with every tag ("embedded.v1")."""

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        """Tag a batch; `languages` are hints by text, None where unknown."""
