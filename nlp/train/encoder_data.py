"""What the encoder learns from: public sets that may be shipped upon and our own posts, less every judged text.

One `Lessons` holds all texts in columns; what a text is not labelled with is -1 (one label of many) or NaN (yes or no).
A public set whose labels mean something else than ours teaches a head of its own, which is not shipped.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, URGENCIES
from nlp.corpus.check import LabelledPost
from nlp.encoder import normalise
from nlp.train.cleaning import clean_tweet, read_lines, text_key
from nlp.train.judged import JudgedTexts

CHOICES = {"sentiment": len(SENTIMENTS), "emotion": len(EMOTIONS), "urgency": len(URGENCIES), "tweet_emotion": 4}
MARKS = {"intent": len(INTENTS), "toxicity": 1, "offensive": 1}
SHIPPED = ("sentiment", "emotion", "intent", "toxicity", "urgency")
FOLDS = 6
HELD_BACK = 0  # the fold of own posts and of complaints that no encoder learns from
_OTHER_LANGUAGES = ("french", "german", "spanish", "portuguese")


@dataclass
class Lessons:
    """Texts in columns: language ("it", "en", "xx"), origin, weight in the loss, and labels by task."""

    texts: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    choices: dict[str, list[int]] = field(default_factory=lambda: {task: [] for task in CHOICES})
    marks: dict[str, list[list[float]]] = field(default_factory=lambda: {task: [] for task in MARKS})

    def __len__(self) -> int:
        return len(self.texts)

    def add(
        self,
        text: str,
        *,
        language: str,
        origin: str,
        choices: dict[str, int] | None = None,
        marks: dict[str, list[float]] | None = None,
    ) -> None:
        """Append one text with what is known of it."""
        self.texts.append(text)
        self.languages.append(language)
        self.origins.append(origin)
        for task, column in self.choices.items():
            column.append((choices or {}).get(task, -1))
        for task, width in MARKS.items():
            self.marks[task].append((marks or {}).get(task, [float("nan")] * width))

    def take(self, rows: Iterable[int]) -> "Lessons":
        """Give some rows, in the order asked for."""
        kept = list(rows)
        return Lessons(
            texts=[self.texts[row] for row in kept],
            languages=[self.languages[row] for row in kept],
            origins=[self.origins[row] for row in kept],
            choices={task: [column[row] for row in kept] for task, column in self.choices.items()},
            marks={task: [column[row] for row in kept] for task, column in self.marks.items()},
        )


def join(*parts: Lessons) -> Lessons:
    """One set of several."""
    joined = Lessons()
    for part in parts:
        joined.texts += part.texts
        joined.languages += part.languages
        joined.origins += part.origins
        for task in CHOICES:
            joined.choices[task] += part.choices[task]
        for task in MARKS:
            joined.marks[task] += part.marks[task]
    return joined


def fold_of(identity: str) -> int:
    """Fold of a post by its id alone, so that it stays where it is when the corpus grows."""
    return int(hashlib.sha256(identity.encode()).hexdigest()[:8], 16) % FOLDS


def own_lessons(posts: Iterable[LabelledPost]) -> Lessons:
    """Posts of the corpus with all five labels."""
    lessons = Lessons()
    for post in posts:
        lessons.add(
            normalise(post.text),
            language=post.language,
            origin="own",
            choices={
                "sentiment": SENTIMENTS.index(post.sentiment),
                "emotion": EMOTIONS.index(post.emotion),
                "urgency": post.urgency,
            },
            marks={
                "intent": [float(intent in post.intents) for intent in INTENTS],
                "toxicity": [float(post.toxicity)],
            },
        )
    return lessons


def split_own(posts: Sequence[LabelledPost], *, held_back: int = HELD_BACK) -> tuple[list[int], list[int]]:
    """Positions to learn from and positions held back; near-duplicates cannot stand on both sides (corpus check)."""
    folds = [fold_of(post.id) for post in posts]
    learn = [at for at, fold in enumerate(folds) if fold != held_back]
    judge = [at for at, fold in enumerate(folds) if fold == held_back]
    return learn, judge


def public_lessons(folder: Path, judged: JudgedTexts, *, english: int | None = None, seed: int = 7) -> Lessons:
    """Every public set that may be shipped upon; `english` limits the English tweets with sentiment."""
    keep = _Keeper(judged)
    lessons = Lessons()
    for name in ("english", *_OTHER_LANGUAGES):
        language = "en" if name == "english" else "xx"
        for text, label in keep.rows(folder / f"umsab/{name}_train.jsonl"):
            lessons.add(text, language=language, origin="umsab", choices={"sentiment": int(str(label))})
    tweets = list(keep.rows(folder / "semeval2017/train.jsonl"))
    if english is not None:
        chosen = np.random.default_rng(seed).permutation(len(tweets))[:english]
        tweets = [tweets[at] for at in chosen]
    for text, label in tweets:
        lessons.add(text, language="en", origin="semeval", choices={"sentiment": int(str(label))})
    for text, label in keep.rows(folder / "tweeteval_emotion/train.jsonl"):
        lessons.add(text, language="en", origin="tweet_emotion", choices={"tweet_emotion": int(str(label))})
    rude = list(keep.rows(folder / "tweeteval_offensive/train.jsonl"))
    for text, label in rude if english is None else rude[: english // 2]:
        lessons.add(text, language="en", origin="offensive", marks={"offensive": [float(str(label))]})
    _add_customers(lessons, folder, keep)
    return lessons


def _add_customers(lessons: Lessons, folder: Path, keep: "_Keeper") -> None:
    """Messages of customers: complaints (all but the held-back fold), threats to leave, questions to a bank."""
    for row in read_lines(folder / "complaints_acl19/all_train.jsonl"):
        if fold_of(str(row["id"])) == HELD_BACK:
            continue
        text = keep.text(str(row["text"]))
        if text is not None:
            lessons.add(
                text, language="en", origin="complaint", marks=known_intent("complaint", yes=bool(row["label"]))
            )
    for code, language in (("EN", "en"), ("DE", "xx")):
        for row in read_lines(folder / f"churn_swisscom/{code}_chatbot_train.jsonl"):
            text = keep.text(str(row["text"]))
            if text is not None:
                marks = known_intent("churn_threat", yes=bool(row["label"]))
                lessons.add(text, language=language, origin="churn", marks=marks)


def known_intent(intent: str, *, yes: bool) -> dict[str, list[float]]:
    """Marks of a text of which only one intent is known."""
    marks = [float("nan")] * len(INTENTS)
    marks[INTENTS.index(intent)] = float(yes)
    return {"intent": marks}


def plain_texts(folder: Path, judged: JudgedTexts) -> Lessons:
    """Texts without a label of ours, for the student to see more of the world: questions to a bank and to a helper."""
    keep = _Keeper(judged)
    lessons = Lessons()
    for name in ("banking77/train.jsonl", "clinc150/train.jsonl", "clinc150/oos_train.jsonl"):
        for text, _ in keep.rows(folder / name):
            lessons.add(text, language="en", origin="plain")
    return lessons


class _Keeper:
    """Cleans texts and lets each through once, and none that is judged."""

    def __init__(self, judged: JudgedTexts) -> None:
        self._judged = judged
        self._seen: set[str] = set()

    def text(self, raw: str) -> str | None:
        text = normalise(clean_tweet(raw))
        key = text_key(text)
        if not text or key in self._seen or text in self._judged:
            return None
        self._seen.add(key)
        return text

    def rows(self, path: Path) -> Iterable[tuple[str, object]]:
        for row in read_lines(path):
            text = self.text(str(row["text"]))
            if text is not None:
                yield text, row["label"]


Tokenise = Callable[[Sequence[str]], list[list[int]]]


def batches(lengths: Sequence[int], size: int, rng: np.random.Generator, pool: int = 16) -> list[list[int]]:
    """Shuffle into batches of like length: `pool` batches are drawn, sorted by length, cut, and shuffled again."""
    order = rng.permutation(len(lengths))
    found: list[list[int]] = []
    for start in range(0, len(order), size * pool):
        part = sorted(order[start : start + size * pool].tolist(), key=lambda at: lengths[at])
        found.extend(part[at : at + size] for at in range(0, len(part), size))
    return [found[at] for at in rng.permutation(len(found))]


def pad(rows: Sequence[Sequence[int]], *, filler: int = 1) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give (n, longest) int64 ids filled up with `filler`, and the mask."""
    width = max(len(row) for row in rows)
    ids = np.full((len(rows), width), filler, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
        mask[at, : len(row)] = 1
    return ids, mask
