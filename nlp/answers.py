"""A batch's answers in the making: calibrated probabilities by task, filled tier by tier, and at last its Tags."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nlp.base import Entity, Tags, undecided
from nlp.calibration import TASKS, AnyOf, Calibration
from nlp.heads import Scores
from nlp.intent import choose_intents
from nlp.tiers import rows_by_language


class Answers:
    """Probabilities, unsure flags and intents of n texts; what no tier has answered stays even and unsure."""

    def __init__(self, count: int) -> None:
        even = undecided(count)
        self.probabilities: Scores = {
            "sentiment": np.full((count, len(TASKS["sentiment"])), 1 / len(TASKS["sentiment"]), dtype=np.float32),
            "intent": np.zeros((count, len(TASKS["intent"])), dtype=np.float32),
            "emotion": even["emotion"],
            "toxicity": even["toxicity"][:, None],
            "urgency": even["urgency"],
        }
        self._unsure = {task: np.ones(count, dtype=np.bool_) for task in TASKS}
        self._intents: list[tuple[str, ...]] = [("other",)] * count

    def fill(self, rows: NDArray[np.intp], scores: Scores, languages: Sequence[str], calibration: Calibration) -> None:
        """Take a tier's raw scores of these rows, in the languages whose heads gave them."""
        for language, places in rows_by_language(languages).items():
            read, target = calibration.of(language), rows[places]
            for task, found in scores.items():
                probabilities = read.apply(task, found[places])
                self.probabilities[task][target] = probabilities
                self._unsure[task][target] = read.unsure(task, probabilities)
            intents = read.tasks["intent"]
            if isinstance(intents, AnyOf) and "intent" in scores:
                chosen = choose_intents(self.probabilities["intent"][target], intents.thresholds)
                for row, labels in zip(target, chosen, strict=True):
                    self._intents[row] = labels

    def distrust(self, rows: NDArray[np.bool_]) -> None:
        """Mark every task of these rows unsure."""
        for flags in self._unsure.values():
            flags[rows] = True

    def to_tags(
        self,
        *,
        languages: tuple[str, ...],
        confidence: NDArray[np.float32],
        entities: tuple[tuple[Entity, ...], ...],
        tagger: str,
        stand_ins: Mapping[int, str],
        strange: frozenset[int],
        errors: Mapping[int, str],
    ) -> Tags:
        """Give them as Tags."""
        return Tags(
            languages=languages,
            language_confidence=confidence,
            sentiment=self.probabilities["sentiment"],
            sentiment_unsure=self._unsure["sentiment"],
            intents=self.probabilities["intent"],
            intents_unsure=self._unsure["intent"],
            intent_labels=tuple(self._intents),
            emotion=self.probabilities["emotion"],
            emotion_unsure=self._unsure["emotion"],
            toxicity=self.probabilities["toxicity"][:, 0],
            toxicity_unsure=self._unsure["toxicity"],
            urgency=self.probabilities["urgency"],
            urgency_unsure=self._unsure["urgency"],
            entities=entities,
            tagger=tagger,
            errors=errors,
            stand_ins=stand_ins,
            strange=strange,
        )
