"""Reading our own labelled posts, and refusing what does not fit: bad fields, forbidden label pairs, near-duplicates.

    python -m nlp.corpus.check

The meaning of fields and labels is in card.md beside the batches.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS

FOLDER = Path(__file__).parent

LANGUAGES = ("it", "en")
DIFFICULTIES = (
    "balanced",
    "code_switching",
    "dialect",
    "emoji",
    "false_crisis",
    "homonym",
    "irony",
    "mock_insult",
    "negation",
    "praise_with_but",
    "question_complaint",
    "rumour",
    "sarcasm",
    "scam",
    "solved_fault",
    "typos",
    "understatement",
)
NEAR = 0.55  # share of common shingles from which two texts count as one
_SHINGLE = 5
_MAX_INTENTS = 3
_MAX_URGENCY = 3
_LETTERS = re.compile(r"[^\w]+")


@dataclass(frozen=True, slots=True)
class LabelledPost:
    """One post of the corpus."""

    id: str
    language: str
    text: str
    sentiment: str
    intents: tuple[str, ...]
    emotion: str
    toxicity: bool
    urgency: int
    sector: str
    difficulty: tuple[str, ...]
    batch: int


class CorpusError(ValueError):
    """A line of the corpus cannot be used; the message names file and line."""


def load_corpus(folder: Path = FOLDER) -> list[LabelledPost]:
    """Read every batch in order; raises CorpusError naming file and line."""
    posts: list[LabelledPost] = []
    for file in sorted(folder.glob("batch*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                raw = json.loads(line)
                raw["intents"], raw["difficulty"] = tuple(raw["intents"]), tuple(raw["difficulty"])
                posts.append(LabelledPost(**raw))
            except (ValueError, TypeError, KeyError) as error:
                raise CorpusError(f"{file.name} line {number}: {error}") from error
    return posts


def find_faults(posts: Sequence[LabelledPost]) -> list[str]:
    """Say in words what is wrong with which post; empty where all is well."""
    faults = [f"{post.id}: {fault}" for post in posts for fault in _faults_of(post)]
    seen: set[str] = set()
    for post in posts:
        if post.id in seen:
            faults.append(f"{post.id}: the id is used twice")
        seen.add(post.id)
    faults.extend(f"{a} and {b} are nearly the same text" for a, b in near_duplicates(posts))
    return faults


def _faults_of(post: LabelledPost) -> list[str]:
    alone = {"spam", "other"} & set(post.intents)
    checks = (
        (post.language in LANGUAGES, f"unknown language {post.language!r}"),
        (bool(post.text.strip()) and "\x00" not in post.text, "text is empty or holds NUL"),
        (post.sentiment in SENTIMENTS, f"unknown sentiment {post.sentiment!r}"),
        (1 <= len(post.intents) <= _MAX_INTENTS, "one to three intents are wanted"),
        (len(set(post.intents)) == len(post.intents), "an intent stands twice"),
        (set(post.intents) <= set(INTENTS), f"unknown intent in {post.intents}"),
        (not alone or len(post.intents) == 1, "spam and other stand alone"),
        ("spam" not in post.intents or post.sentiment == "neutral", "spam is neutral"),
        (post.emotion in EMOTIONS, f"unknown emotion {post.emotion!r}"),
        (isinstance(post.toxicity, bool), "toxicity is true or false"),
        (0 <= post.urgency <= _MAX_URGENCY, "urgency is 0 to 3"),
        (bool(post.sector), "sector is missing"),
        (set(post.difficulty) <= set(DIFFICULTIES), f"unknown difficulty in {post.difficulty}"),
    )
    return [fault for fits, fault in checks if not fits]


def near_duplicates(posts: Sequence[LabelledPost]) -> list[tuple[str, str]]:
    """Give pairs of ids whose texts share most of their five-letter shingles."""
    shingles = [_shingles(post.text) for post in posts]
    holders: dict[str, list[int]] = defaultdict(list)
    pairs: list[tuple[str, str]] = []
    for position, found in enumerate(shingles):
        common: dict[int, int] = defaultdict(int)
        for shingle in found:
            for other in holders[shingle]:
                common[other] += 1
            holders[shingle].append(position)
        for other, count in common.items():
            union = len(found) + len(shingles[other]) - count
            if count / union >= NEAR:
                pairs.append((posts[other].id, posts[position].id))
    return pairs


def _shingles(text: str) -> frozenset[str]:
    plain = _LETTERS.sub(" ", text.lower())
    return frozenset(plain[at : at + _SHINGLE] for at in range(max(1, len(plain) - _SHINGLE + 1)))


def main() -> int:
    """Print what is wrong and give the exit code."""
    posts = load_corpus()
    faults = find_faults(posts)
    sys.stdout.write("\n".join([*faults, f"{len(posts)} posts, {len(faults)} faults"]) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
