"""Texts to learn from: the public sets that may be trained on, cleaned of every text kept for judging, and our own.

The public sets are not part of the project: the training command is given their folder. Sets with a non-commercial
clause are not even read here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.base import INTENTS, SENTIMENTS
from nlp.corpus.check import LabelledPost
from nlp.train.cleaning import clean_tweet, read_lines, text_key
from nlp.train.judged import judged_texts


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled texts: sentiment (n,) int, intents (n, 10) float, NaN unknown."""

    texts: list[str]
    sentiment: NDArray[np.int64]
    intents: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.texts)


def own_examples(posts: Iterable[LabelledPost]) -> Examples:
    """Posts of the corpus as examples."""
    kept = list(posts)
    return Examples(
        texts=[post.text for post in kept],
        sentiment=np.array([SENTIMENTS.index(post.sentiment) for post in kept], dtype=np.int64),
        intents=np.array([[intent in post.intents for intent in INTENTS] for post in kept], dtype=np.float64).reshape(
            -1, len(INTENTS)
        ),
    )


def public_sentiment(folder: Path) -> Examples:
    """English posts labelled with sentiment (SemEval-2017), less every judged text."""
    forbidden = judged_texts(folder)
    seen: set[str] = set()
    texts: list[str] = []
    labels: list[int] = []
    for row in read_lines(folder / "semeval2017/train.jsonl"):
        text = clean_tweet(str(row["text"]))
        key = text_key(text)
        if key in seen or text in forbidden:
            continue
        seen.add(key)
        texts.append(text)
        labels.append(int(str(row["label"])))
    return Examples(
        texts=texts,
        sentiment=np.array(labels, dtype=np.int64),
        intents=np.full((len(texts), len(INTENTS)), np.nan),
    )


def join(*parts: Examples) -> Examples:
    """One set of several."""
    return Examples(
        texts=[text for part in parts for text in part.texts],
        sentiment=np.concatenate([part.sentiment for part in parts]),
        intents=np.concatenate([part.intents for part in parts]),
    )
