"""Topics: what complaints and questions are about, found as they come, without a list made beforehand.

A text is a point in a space where texts on the same matter lie close, whatever their language or mood
(`TopicSpace`). A known topic is the mean of its posts: new posts join the nearest one that is near enough, and its
mean follows them slowly, so that it keeps its identity while its words change. What joins none waits in a pool; dense
places in the pool become new topics. The pool is bounded by its keeper, so memory does not grow with the posts.

Nothing is stored here. Vectors are float32 rows of unit length; similarity is their cosine, from -1 to 1.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nlp.features import tokenise
from nlp.lexicon import LANGUAGES, load_lists, polarity_of

Vectors = NDArray[np.float32]
FEWEST = 5  # posts that make a topic
MEMORY = 300.0  # posts after which a topic's mean gives old ones less weight than new ones
_ROWS = 512  # similarities are computed in strips of this many rows
_TERM_POSTS = 2  # a term of a name stands in at least this many posts
_TERM_SHARE = 0.15  # and in this share of the topic's
_SHORT = 3  # letters
_TERMS = 2


class TopicSpace(Protocol):
    """Turns texts into points, and says how near is near in it."""

    @property
    def name(self) -> str:
        """Name and version: points of different spaces cannot be compared."""

    @property
    def join(self) -> float:
        """Least similarity of a post to a topic's mean."""

    @property
    def merge(self) -> float:
        """Least similarity of the means of two topics that are one."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give (n, d) float32 rows of unit length, each of its own text alone; zeros for a text without words."""


@dataclass(frozen=True, slots=True)
class Centre:
    """Where a topic lies: the mean direction of its posts and how many it stands for, at most MEMORY."""

    vector: Vectors  # (d,), unit length
    weight: float


def assign(points: Vectors, centres: Sequence[Centre], *, join: float) -> tuple[NDArray[np.int64], Vectors]:
    """Give (n,) positions of the nearest centre, -1 where none is near enough, and (n,) similarities to it."""
    if not centres or not len(points):
        return np.full(len(points), -1, dtype=np.int64), np.zeros(len(points), dtype=np.float32)
    means = np.stack([centre.vector for centre in centres])
    places = np.empty(len(points), dtype=np.int64)
    nearness = np.empty(len(points), dtype=np.float32)
    for start in range(0, len(points), _ROWS):
        similarities = points[start : start + _ROWS] @ means.T
        places[start : start + _ROWS] = similarities.argmax(axis=1)
        nearness[start : start + _ROWS] = similarities.max(axis=1)
    places[nearness < join] = -1
    return places, nearness


def move(centre: Centre, points: Vectors) -> Centre:
    """Let a centre follow the posts that joined it; a full memory forgets as much as it learns."""
    total = centre.vector * centre.weight + points.sum(axis=0)
    length = float(np.linalg.norm(total))
    if length == 0.0:
        return centre
    return Centre(vector=(total / length).astype(np.float32), weight=min(MEMORY, centre.weight + len(points)))


def find_dense(
    points: Vectors, *, join: float, fewest: int = FEWEST, fresh: int | None = None
) -> list[NDArray[np.int64]]:
    """Find places where at least `fewest` points lie near one: the densest first, each point in one place at most.

    The neighbours of a point are those at least `join` from it. The point with most neighbours opens a place; its
    mean then gathers what is near the mean. Where the points were searched before, all but the first `fresh`, only
    those and their neighbours can open one. Time grows with n times what is fresh; keep n to a few thousand.
    """
    free = np.ones(len(points), dtype=np.bool_)
    seeds = np.arange(len(points)) if fresh is None else _near_any(points, points[:fresh], join)
    density = _count_neighbours(points[seeds], points, join)
    found: list[NDArray[np.int64]] = []
    for place in np.argsort(-density, kind="stable"):
        seed = seeds[place]
        if density[place] < fewest:
            break
        if not free[seed]:
            continue
        near = free & (points @ points[seed] >= join)
        if near.sum() < fewest:
            continue
        mean = points[near].sum(axis=0)
        mean /= max(float(np.linalg.norm(mean)), 1e-9)
        members = np.flatnonzero(free & (points @ mean >= join))
        if len(members) >= fewest:
            found.append(members)
            free[members] = False
    return found


def _near_any(points: Vectors, some: Vectors, join: float) -> NDArray[np.int64]:
    near = np.zeros(len(points), dtype=np.bool_)
    for start in range(0, len(some), _ROWS):
        near |= (some[start : start + _ROWS] @ points.T >= join).any(axis=0)
    return np.flatnonzero(near)


def _count_neighbours(seeds: Vectors, points: Vectors, join: float) -> NDArray[np.int64]:
    counts = np.zeros(len(seeds), dtype=np.int64)
    for start in range(0, len(seeds), _ROWS):
        counts[start : start + _ROWS] = (seeds[start : start + _ROWS] @ points.T >= join).sum(axis=1)
    return counts


def centre_of(points: Vectors) -> Centre:
    """Give the centre of a new topic's posts."""
    return move(Centre(vector=np.zeros(points.shape[1], dtype=np.float32), weight=0.0), points)


def find_same(centres: Mapping[int, Centre], *, merge: float) -> list[tuple[int, int]]:
    """Give pairs (kept, given up) of topic ids that have come to lie in one place; the older id is kept."""
    if not centres:
        return []
    ids = sorted(centres)
    means = np.stack([centres[key].vector for key in ids])
    gone: set[int] = set()
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(ids), _ROWS):
        alike = means[start : start + _ROWS] @ means.T >= merge
        for row, column in np.argwhere(alike):
            kept, other = int(row) + start, int(column)
            if kept < other and kept not in gone and other not in gone:
                pairs.append((ids[kept], ids[other]))
                gone.add(other)
    return pairs


@dataclass(frozen=True, slots=True)
class Background:
    """What a brand's complaints and questions of a language talk of at large: in how many of them a term stands.

    `avoid` are words that tell no matter here: the brand's own names.
    """

    language: str
    texts: int
    counts: Counter[str]
    avoid: frozenset[str]


def read_background(texts: Sequence[str], language: str, *, avoid: Iterable[str] = ()) -> Background:
    """Count the terms of texts once, for the names of many topics."""
    banned = frozenset(part for name in avoid for part in name.lower().split())
    counts = Counter(term for text in texts for term in _terms(text, language, banned))
    return Background(language=language, texts=len(texts), counts=counts, avoid=banned)


def name_topic(texts: Sequence[str], background: Background) -> tuple[str, ...]:
    """Give the one or two terms of a language that tell a topic's posts from others; none where nothing is told.

    Terms are words and pairs of words, weighed by share in the topic times the logarithm of how much commoner they
    are there than in `background` (class-based tf-idf, after Grootendorst 2022). Words without a matter (stop words,
    moods, numbers, the brand's own names) do not count.
    """
    inside = [_terms(text, background.language, background.avoid) for text in texts]
    counts = Counter(term for terms in inside for term in terms)
    needed = max(_TERM_POSTS, _TERM_SHARE * len(texts))
    weights = {
        term: _weigh(count / len(texts), (background.counts[term] + 1) / (background.texts + 2), pair=" " in term)
        for term, count in counts.items()
        if count >= needed
    }
    chosen: list[str] = []
    for term in sorted(weights, key=lambda term: (-weights[term], term)):
        if weights[term] <= 0 or len(chosen) == _TERMS:
            break
        if not any(set(term.split()) & set(other.split()) for other in chosen):
            chosen.append(term)
    return tuple(chosen)


def _weigh(share: float, elsewhere: float, *, pair: bool) -> float:
    # A pair says more than its words, and is rarer: it may stand in fewer posts than a word and still be the name.
    return share * float(np.log(share / elsewhere)) * (1.8 if pair else 1.0)


def _terms(text: str, language: str, banned: frozenset[str]) -> set[str]:
    words = [token.lstrip("°¬") for token in tokenise(text).tokens]
    told = [word if word not in banned and _tells(word, language) else "" for word in words]
    pairs = {f"{first} {second}" for first, second in pairwise(told) if first and second}
    return {word for word in told if word} | pairs


@lru_cache(maxsize=50_000)
def _tells(word: str, language: str) -> bool:
    if len(word) < _SHORT or not word.isalpha() or word in _empty_words(language):
        return False
    polarity = polarity_of(word, load_lists(language).polarity) if language in LANGUAGES else ""
    # "broken" and "refund" lean to the bad side and are matters all the same; "awful" and "lovely" are moods.
    return not polarity.startswith("pos") and polarity != "neg3"


@cache
def _empty_words(language: str) -> frozenset[str]:
    """Words that tell no matter: spaCy's stop words, and what every message to a company holds."""
    try:
        module = import_module(f"spacy.lang.{language}.stop_words")
    except ImportError:
        return frozenset()
    return frozenset(module.STOP_WORDS) | frozenset(_COURTESY.get(language, "").split())


_COURTESY = {
    "it": (
        "grazie ciao salve buongiorno buonasera scusate scusa prego favore possibile sapere volta volte giorni giorno "
        "ore ora oggi ieri domani mese mesi anno anni settimana settimane sempre mai già ancora proprio solo fare "
        "fatto dire detto vado voglio vorrei posso potete avete siete sono hanno cosa cose roba qualcuno nessuno "
        "tutti niente nulla gente vero bene male meno troppo tanto molto poi però quindi allora adesso"
    ),
    "en": (
        "thanks thank hello hey please sorry possible know time times day days hour hours today yesterday tomorrow "
        "month months year years week weeks always never still just really get got going want would could anyone "
        "someone thing things stuff people guys well dont cant didnt ive youre isnt actually"
    ),
}
