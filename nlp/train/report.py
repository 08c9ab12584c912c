"""Honest figures of tier 0: our own posts by cross-validation, the public validation sets, and baselines beside them.

    python -m nlp.train.report --public FOLDER [--model nlp/models/ngrams-v1]

Prints Markdown. On our own posts neither heads nor calibration have seen a text they are judged on; on the public sets
the model in the package is judged, with the language given.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from nlp.base import INTENTS, SENTIMENTS
from nlp.corpus.check import load_corpus
from nlp.evaluate import (
    SentimentFigures,
    judge_intents,
    judge_sentiment,
    labels_to_rows,
    macro_f1,
)
from nlp.intent import choose_intents
from nlp.pipeline import MODELS, load_tagger
from nlp.train.cleaning import clean_tweet, read_lines
from nlp.train.first import Lesson, calibrate, prepare
from nlp.train.linear import out_of_fold

_SETS = (
    ("umsab/italian_val.jsonl", "it"),
    ("umsab/english_val.jsonl", "en"),
    ("tweeteval_sentiment/val.jsonl", "en"),
)
_HEADER = (
    "| set | n | macro-F1 | macro-recall | ECE | acc. at 80 % | unsure | right of the sure | always the commonest |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def sentiment_row(name: str, figures: SentimentFigures, gold: NDArray[np.int64]) -> str:
    """One line of the sentiment table, with the majority baseline measured on the same texts."""
    majority = np.full(len(gold), np.bincount(gold, minlength=len(SENTIMENTS)).argmax())
    return (
        f"| {name} | {len(gold)} | {figures.f1} | {figures.recall} | {100 * figures.calibration:.1f} "
        f"| {100 * figures.at_80:.1f} | {100 * figures.unsure:.0f} % | {100 * figures.sure_right:.1f} "
        f"| {100 * macro_f1(gold, majority, len(SENTIMENTS)):.1f} |"
    )


class _Judged:
    """Out-of-fold probabilities and choices of one language's own posts, calibrated on the other folds."""

    def __init__(self, lesson: Lesson, language: str) -> None:
        own, examples = lesson.own, lesson.examples
        scores = out_of_fold(lesson.ground, examples, own=own, language=language)
        self.sentiment = np.zeros((len(own), len(SENTIMENTS)), dtype=np.float32)
        self.intents = np.zeros((len(own), len(INTENTS)), dtype=np.float32)
        self.sentiment_unsure = np.zeros(len(own), dtype=np.bool_)
        self.intents_unsure = np.zeros(len(own), dtype=np.bool_)
        self.chosen = np.zeros((len(own), len(INTENTS)), dtype=np.bool_)
        self.gold_sentiment = examples.sentiment[own]
        self.gold_intents = examples.intents[own] > 0
        for learn, judge in KFold(10, shuffle=True, random_state=3).split(own):
            sentiment, leans, intents = calibrate(scores[learn], examples, own[learn])
            self.sentiment[judge] = sentiment.probabilities(scores[judge, : len(SENTIMENTS)])
            leant = leans.apply(scores[judge, len(SENTIMENTS) :], self.sentiment[judge])
            self.intents[judge] = intents.probabilities(leant)
            self.sentiment_unsure[judge] = sentiment.unsure(self.sentiment[judge])
            self.intents_unsure[judge] = intents.unsure(self.intents[judge])
            self.chosen[judge] = labels_to_rows(choose_intents(self.intents[judge], intents.thresholds), INTENTS)


def report_own(folder: Path) -> list[str]:
    """Tables of our own posts, all and the hard third, by language."""
    sentiment_lines, intent_lines = [], []
    for language in ("it", "en"):
        lesson = prepare(language, folder)
        judged = _Judged(lesson, language)
        hard = np.array([bool(post.difficulty) for post in load_corpus() if post.language == language])
        for name, rows in ((f"own posts, {language}", np.ones_like(hard)), (f"of these hard, {language}", hard)):
            gold = judged.gold_sentiment[rows]
            figures = judge_sentiment(judged.sentiment[rows], judged.sentiment_unsure[rows], gold)
            sentiment_lines.append(sentiment_row(name, figures, gold))
        intents = judge_intents(judged.intents, judged.chosen, judged.intents_unsure, judged.gold_intents)
        complaints = np.zeros_like(judged.chosen)
        complaints[:, INTENTS.index("complaint")] = True
        baseline = judge_intents(judged.intents, complaints, judged.intents_unsure, judged.gold_intents)
        by_label = " | ".join(f"{100 * score:.0f}" for score in intents.by_label)
        intent_lines.append(
            f"| {language} | {len(judged.gold_intents)} | {intents.macro} | {intents.micro} "
            f"| {100 * intents.calibration:.1f} | {100 * intents.unsure:.0f} % | {by_label} "
            f"| {100 * baseline.macro.value:.1f} / {100 * baseline.micro.value:.1f} |"
        )
    names = " | ".join(INTENTS)
    intent_header = (
        f"| language | n | macro-F1 | micro-F1 | ECE | unsure | {names} | always complaint (macro / micro) |\n"
        "|" + "---|" * (len(INTENTS) + 7)
    )
    return [_HEADER, *sentiment_lines, "", intent_header, *intent_lines]


def report_public(folder: Path, model: Path) -> list[str]:
    """Table of the public validation sets, by the model in the package."""
    tagger = load_tagger(model=model.name, folder=model.parent)
    lines: list[str] = [_HEADER]
    for name, language in _SETS:
        rows = read_lines(folder / name)
        texts = [clean_tweet(str(row["text"])) for row in rows]
        tags = tagger.tag(texts, [language] * len(texts))
        gold = np.array([int(str(row["label"])) for row in rows], dtype=np.int64)
        figures = judge_sentiment(tags.sentiment, tags.sentiment_unsure, gold)
        right = np.mean([code == language for code in tags.languages])
        lines.append(sentiment_row(f"{name} (language right: {100 * right:.1f} %)", figures, gold))
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--public", type=Path, required=True, help="folder of the public labelled sets")
    parser.add_argument("--model", type=Path, default=MODELS / "ngrams-v1", help="folder of the model")
    options = parser.parse_args(arguments)
    print("\n".join([*report_own(options.public), "", *report_public(options.public, options.model)]))


if __name__ == "__main__":
    main()
