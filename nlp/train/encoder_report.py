"""Honest figures of the encoder in a model folder: own posts held back, public validation parts, VADER beside it.

    python -m nlp.train.encoder_report --public FOLDER [--model nlp/models/encoder-v1]

Prints Markdown. Own posts are those of the fold no encoder has learnt from; they are read by calibrations fitted on
other tenths of that fold. Public sets are read with the calibration that is shipped. VADER (pip install
vaderSentiment) is left out where it is not installed.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from nlp.base import INTENTS, SENTIMENTS
from nlp.calibration import Calibration
from nlp.corpus.check import LANGUAGES
from nlp.encoder import open_encoder
from nlp.evaluate import Figure, SentimentFigures, bootstrap, judge_sentiment, macro_f1
from nlp.heads import load_heads
from nlp.model_files import MODELS, open_model
from nlp.train.cleaning import clean_tweet, read_lines
from nlp.train.encoder_data import HELD_BACK, fold_of, own_lessons
from nlp.train.finish import gold_of, posts_held_back
from nlp.train.judging import Judged, Scores, judge_by_folds
from nlp.train.vader import as_obsei, by_thresholds, vader_compounds

_UMSAB = ("italian", "english", "french", "german", "spanish", "portuguese")
_SENTIMENT_HEADER = (
    "| set | n | macro-F1 | macro-recall | ECE | acc. at 80 % | unsure | right of the sure | VADER / as in Obsei |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


class Reader:
    """The model of a folder: vectors, raw scores and calibrated probabilities of texts in a given language."""

    def __init__(self, folder: Path) -> None:
        opened = open_model(folder)
        self._encoder = open_encoder(opened)
        self._heads = load_heads(folder / "heads.npz", LANGUAGES, is_stacked=False)
        self.calibration = Calibration.from_json(opened.described["calibration"])

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 384) float32."""
        return self._encoder.encode(texts)

    def scores(self, vectors: NDArray[np.float32], language: str) -> Scores:
        """Raw scores by task, with the heads of a language."""
        return self._heads.scores(vectors, [language] * len(vectors))


def sentiment_row(name: str, figures: SentimentFigures, n: int, vader: str) -> str:
    """One line of the sentiment table."""
    return (
        f"| {name} | {n} | {figures.f1} | {figures.recall} | {100 * figures.calibration:.1f} "
        f"| {100 * figures.at_80:.1f} | {100 * figures.unsure:.0f} % | {100 * figures.sure_right:.1f} | {vader} |"
    )


def vader_figure(texts: Sequence[str], gold: NDArray[np.int64]) -> str:
    """VADER's macro-F1 on the same texts, read in two ways; "-" where it is not installed."""
    compounds = vader_compounds(texts)
    if compounds is None:
        return "-"
    ways = (by_thresholds(compounds), as_obsei(compounds))
    return " / ".join(f"{100 * macro_f1(gold, chosen, len(SENTIMENTS)):.1f}" for chosen in ways)


def report_own(reader: Reader) -> list[str]:
    """Tables of our own posts held back: sentiment, intents, and the other tasks, all and hard, by language."""
    sentiment, columns = [_SENTIMENT_HEADER], []
    for language in LANGUAGES:
        posts = posts_held_back(language)
        texts = [post.text for post in posts]
        judged = judge_by_folds(reader.scores(reader.vectors(texts), language), gold_of(own_lessons(posts)))
        hard = np.array([bool(post.difficulty) for post in posts])
        for name, rows in ((f"own posts, {language}", np.ones_like(hard)), (f"of these hard, {language}", hard)):
            part = judged.take(rows)
            gold = part.gold["sentiment"].astype(np.int64)
            vader = vader_figure([text for text, kept in zip(texts, rows, strict=True) if kept], gold)
            sentiment.append(sentiment_row(name, part.sentiment(), int(rows.sum()), vader))
        columns.append(_column(judged, hard))
    names = ["n", "macro-F1", "micro-F1", "macro-F1 of the hard", "ECE", "unsure", *INTENTS]
    names += ["emotion, macro-F1", "emotion, ECE", "urgency, macro-F1", "urgency, ECE", "toxicity, F1 of toxic"]
    rows_of_tasks = [f"| {name} | {one} | {two} |" for name, one, two in zip(names, *columns, strict=True)]
    return [*sentiment, "", "| intents and other tasks | Italian | English |", "|---|---|---|", *rows_of_tasks]


def _column(judged: Judged, hard: NDArray[np.bool_]) -> list[str]:
    intents = judged.intents()
    (emotion, emotion_error), (urgency, urgency_error) = judged.one_of("emotion"), judged.one_of("urgency")
    return [
        f"{len(hard)}, {int(hard.sum())} hard",
        str(intents.macro),
        str(intents.micro),
        str(judged.take(hard).intents().macro),
        f"{100 * intents.calibration:.1f}",
        f"{100 * intents.unsure:.0f} %",
        *(
            f"{100 * score:.0f} (of {int(count)})"
            for score, count in zip(intents.by_label, judged.gold["intent"].sum(axis=0), strict=True)
        ),
        str(emotion),
        f"{100 * emotion_error:.1f}",
        str(urgency),
        f"{100 * urgency_error:.1f}",
        f"{judged.toxicity()} (of {int(judged.gold['toxicity'].sum())})",
    ]


def report_public_sentiment(reader: Reader, folder: Path) -> list[str]:
    """Table of the public validation parts; languages without heads of their own are read by the English ones."""
    sets = [(f"umsab/{name}_val.jsonl", "it" if name == "italian" else "en") for name in _UMSAB]
    lines = [_SENTIMENT_HEADER]
    for name, language in [*sets, ("tweeteval_sentiment/val.jsonl", "en")]:
        texts, gold = _read(folder / name)
        raw = reader.scores(reader.vectors(texts), language)["sentiment"]
        head = reader.calibration.of(language).tasks["sentiment"]
        probabilities = head.probabilities(raw)
        figures = judge_sentiment(probabilities, head.unsure(probabilities), gold)
        lines.append(sentiment_row(f"{name} ({language} heads)", figures, len(gold), vader_figure(texts, gold)))
    return lines


def _read(path: Path) -> tuple[list[str], NDArray[np.int64]]:
    rows = read_lines(path)
    return [clean_tweet(str(row["text"])) for row in rows], np.array([int(str(row["label"])) for row in rows])


def _macro(gold: NDArray[np.int64], chosen: NDArray[np.int64]) -> Figure:
    classes = int(gold.max()) + 1
    return bootstrap(lambda rows: macro_f1(gold[rows], chosen[rows], classes), len(gold))


def _positive(gold: NDArray[np.int64], chosen: NDArray[np.int64]) -> Figure:
    def score(rows: NDArray[np.intp]) -> float:
        hits = float(((gold[rows] == 1) & (chosen[rows] == 1)).sum())
        return 2 * hits / max(1.0, float((gold[rows] == 1).sum() + (chosen[rows] == 1).sum()))

    return bootstrap(score, len(gold))


def report_public_tasks(reader: Reader, folder: Path) -> list[str]:
    """Table of other public tasks: what the shipped intents say of them, and a linear head on the frozen vectors."""
    lines = ["| set | how | n | figure |", "|---|---|---|---|"]
    for name in ("tweeteval_emotion", "tweeteval_offensive"):
        (texts, gold), (learnt, labels) = _read(folder / name / "val.jsonl"), _read(folder / name / "train.jsonl")
        head = LogisticRegression(C=0.5, max_iter=2000).fit(reader.vectors(learnt), labels)
        figure = _macro(gold, head.predict(reader.vectors(texts)).astype(np.int64))
        lines.append(f"| {name} val | linear head on frozen vectors, its training part | {len(gold)} | {figure} |")
    lines += _report_complaints(reader, folder)
    texts, gold = _read(folder / "suggestion_semeval19t9a/val.jsonl")
    chosen = _intent(reader, reader.vectors(texts), "suggestion")
    lines.append(
        f"| suggestion (SemEval-2019 9A) val | shipped intent, never trained on | {len(gold)} "
        f"| F1 of the class {_positive(gold, chosen)} |"
    )
    for code in ("EN", "DE"):
        texts, gold = _read(folder / f"churn_swisscom/{code}_chatbot_train.jsonl")
        found = _cross_validated(reader.vectors(texts), gold)
        lines.append(
            f"| churn (Swisscom) {code} | linear head, five folds; the encoder has seen these texts | {len(gold)} "
            f"| {_macro(gold, found)} |"
        )
    return lines


def _report_complaints(reader: Reader, folder: Path) -> list[str]:
    rows = read_lines(folder / "complaints_acl19/all_train.jsonl")
    gold = np.array([int(str(row["label"])) for row in rows])
    vectors = reader.vectors([clean_tweet(str(row["text"])) for row in rows])
    held = np.array([fold_of(str(row["id"])) == HELD_BACK for row in rows])
    head = LogisticRegression(C=0.5, max_iter=2000).fit(vectors[~held], gold[~held])
    ways: tuple[tuple[str, NDArray[np.int64], NDArray[np.bool_]], ...] = (
        ("linear head, fitted on the other folds", head.predict(vectors).astype(np.int64), held),
        ("shipped intent, as it is", _intent(reader, vectors, "complaint"), held),
        (
            "linear head, five folds; the encoder has seen five sixths of these texts",
            _cross_validated(vectors, gold),
            np.ones_like(held),
        ),
    )
    return [
        f"| complaints (ACL 2019) {'held-back sixth' if not part.all() else 'all'} | {way} | {int(part.sum())} "
        f"| {_macro(gold[part], chosen[part])} |"
        for way, chosen, part in ways
    ]


def _intent(reader: Reader, vectors: NDArray[np.float32], intent: str) -> NDArray[np.int64]:
    column = INTENTS.index(intent)
    head = reader.calibration.of("en").tasks["intent"]
    probabilities = head.probabilities(reader.scores(vectors, "en")["intent"])[:, column]
    chosen: NDArray[np.int64] = (probabilities >= 0.5).astype(np.int64)  # noqa: PLR2004 - more likely than not
    return chosen


def _cross_validated(vectors: NDArray[np.float32], gold: NDArray[np.int64]) -> NDArray[np.int64]:
    folds = StratifiedKFold(5, shuffle=True, random_state=7)
    found: NDArray[np.int64] = cross_val_predict(LogisticRegression(C=0.5, max_iter=2000), vectors, gold, cv=folds)
    return found


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--public", type=Path, required=True, help="folder of the public labelled sets")
    parser.add_argument("--model", type=Path, default=MODELS / "encoder-v1", help="folder of the model")
    options = parser.parse_args()
    reader = Reader(options.model)
    parts: tuple[Callable[[], list[str]], ...] = (
        lambda: report_own(reader),
        lambda: report_public_sentiment(reader, options.public),
        lambda: report_public_tasks(reader, options.public),
    )
    for part in parts:
        print("\n".join(part()) + "\n", flush=True)


if __name__ == "__main__":
    main()
