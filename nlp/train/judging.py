"""Judging raw scores on posts held back: calibrated by other folds of them, so that no post helps to judge itself."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, URGENCIES
from nlp.calibration import TASKS, AnyOf
from nlp.evaluate import (
    Figure,
    IntentFigures,
    SentimentFigures,
    bootstrap,
    calibration_error,
    judge_intents,
    judge_sentiment,
    labels_to_rows,
    macro_f1,
)
from nlp.intent import choose_intents
from nlp.train.fitting import Gold, fit_language

_FOLDS = 10
Scores = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Judged:
    """Calibrated probabilities by task, intents chosen, and what is called unsure, of n posts."""

    probabilities: Scores
    chosen: NDArray[np.bool_]
    unsure: dict[str, NDArray[np.bool_]]
    gold: Gold

    def take(self, rows: NDArray[np.bool_]) -> "Judged":
        """Some rows."""
        return Judged(
            {task: value[rows] for task, value in self.probabilities.items()},
            self.chosen[rows],
            {task: value[rows] for task, value in self.unsure.items()},
            {task: value[rows] for task, value in self.gold.items()},
        )

    def sentiment(self) -> SentimentFigures:
        """Figures of sentiment."""
        return judge_sentiment(
            self.probabilities["sentiment"], self.unsure["sentiment"], self.gold["sentiment"].astype(np.int64)
        )

    def intents(self) -> IntentFigures:
        """Figures of intents."""
        return judge_intents(self.probabilities["intent"], self.chosen, self.unsure["intent"], self.gold["intent"] > 0)

    def one_of(self, task: str) -> tuple[Figure, float]:
        """Macro-F1 over the labels that occur, and calibration error, of a task with one label."""
        gold = self.gold[task].astype(np.int64)
        probabilities = self.probabilities[task]
        chosen = probabilities.argmax(axis=1)
        width = len({"emotion": EMOTIONS, "urgency": URGENCIES, "sentiment": SENTIMENTS}[task])
        figure = bootstrap(lambda rows: macro_f1(gold[rows], chosen[rows], width), len(gold))
        return figure, calibration_error(probabilities.max(axis=1), chosen == gold)

    def toxicity(self) -> Figure:
        """F1 of toxic."""
        gold, chosen = self.gold["toxicity"][:, 0] > 0, self.probabilities["toxicity"][:, 0] >= 0.5  # noqa: PLR2004 - more likely than not

        def score(rows: NDArray[np.intp]) -> float:
            total = float(gold[rows].sum() + chosen[rows].sum())
            return 2 * float((gold[rows] & chosen[rows]).sum()) / total if total else 0.0

        return bootstrap(score, len(gold))


def judge_by_folds(scores: Scores, gold: Gold, *, seed: int = 3) -> Judged:
    """Calibrate on nine tenths of the posts and read the last tenth, ten times."""
    n = len(gold["sentiment"])
    probabilities = {task: np.zeros((n, len(labels)), dtype=np.float32) for task, labels in TASKS.items()}
    unsure = {task: np.zeros(n, dtype=np.bool_) for task in TASKS}
    chosen = np.zeros((n, len(INTENTS)), dtype=np.bool_)
    for learn, judge in KFold(_FOLDS, shuffle=True, random_state=seed).split(np.zeros(n)):
        found = fit_language(
            {task: value[learn] for task, value in scores.items()}, {task: value[learn] for task, value in gold.items()}
        )
        for task in TASKS:
            probabilities[task][judge] = found.apply(task, scores[task][judge])
            unsure[task][judge] = found.unsure(task, probabilities[task][judge])
        intents = found.tasks["intent"]
        if isinstance(intents, AnyOf):
            chosen[judge] = labels_to_rows(choose_intents(probabilities["intent"][judge], intents.thresholds), INTENTS)
    return Judged(probabilities, chosen, unsure, gold)
