"""Why a text got a label: the words without which the tagger would believe in it less.

Occlusion: the text is tagged again without each word, and without each two neighbours, in one batch; a word weighs
what its absence takes from the label's log-odds. It asks nothing of a tagger but tags, so it holds for every model,
rule and adaptation alike. Long texts are searched from large parts to small ones.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, URGENCIES, Tagger, Tags
from nlp.features import NEGATIONS

TOXIC = ("toxic",)
LABELS = {
    "sentiment": SENTIMENTS,
    "intents": INTENTS,
    "emotion": EMOTIONS,
    "toxicity": TOXIC,
    "urgency": URGENCIES,
}
_COLUMNS: dict[str, Callable[[Tags], NDArray[np.float32]]] = {
    "sentiment": lambda tags: tags.sentiment,
    "intents": lambda tags: tags.intents,
    "emotion": lambda tags: tags.emotion,
    "toxicity": lambda tags: tags.toxicity[:, None],
    "urgency": lambda tags: tags.urgency,
}

MAX_VARIANTS = 120
MAX_CHARS = 20_000  # as far as the tagger reads
_WORDS_AT_ONCE = 28  # read one by one and two by two in the last look at a long text
_PARTS = (36, 24)  # parts of the first and the second look at a long text: about 1 + 36 + 27 + 28 + 25 variants
_PARTS_KEPT = 3
_MAX_SHORT = MAX_VARIANTS // 2  # words of a text that needs one look only
_MIN_WEIGHT = 0.01
_MIN_SHARE = 0.1  # of the strongest reason
_JOINT_GAIN = 1.2  # two words are one reason where they weigh that much more together than the stronger alone,
_LESSER = 0.2  # and the weaker has at least this share of it
_NEGATION_REACH = 3  # words from a negation to what it denies, both counted
_LEAST_PROBABILITY = 1e-6
_FILLER = {"it": "e che", "en": "and that", "fr": "et que", "de": "und dass", "es": "y que", "pt": "e que"}

_MARKS_ON_LETTERS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0903\u093a-\u094f"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\u200c\u200d"
)
_PICTURE = "[\U0001f000-\U0001faff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff]"
_DRESS = "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"
_PIECE = re.compile(
    r"(?:https?://|www\.)\S+"
    r"|@\w+(?:[.@]\w+)*"
    rf"|\#?[^\W_](?:[\w{_MARKS_ON_LETTERS}]|['’](?=\w)|(?<=\d)[.,](?=\d))*"
    "|[\U0001f1e6-\U0001f1ff]{2}"  # a flag
    rf"|({_PICTURE}{_DRESS}(?:\u200d{_PICTURE}{_DRESS})*)\1*"  # one picture, or the same again and again
    r"|[:;=8][-'^]?[)\](\[DPpo3*/|]+|<3"
    r"|[!?…‼⁉]+|\.{2,}"
)
_BLANK = re.compile(r"[^\S\n]+")
_SMALL_TEXT = (
    "il lo la i gli le un uno una l' di a da in con su per tra fra del dello della dei degli delle al allo alla ai "
    "agli alle dal dalla nel nella sul sulla e ed o che si mi ti ci vi è sono ho ha hai hanno "
    "the a an of to in on at by for with from and or is are was were be been am i it it's this that as i'm you we they"
)
_SMALL_WORDS = frozenset(_SMALL_TEXT.split())

_Window = tuple[int, int]  # positions of pieces, the second not included


@dataclass(frozen=True, slots=True)
class Reason:
    """Words that weighed: where they stand in the text (characters), and what they add to the label's log-odds."""

    text: str
    start: int
    end: int
    weight: float  # above 0: speaks for the label; below: against it


def explain(
    tagger: Tagger, text: str, *, language: str | None, task: str, label: str, limit: int = 5
) -> tuple[Reason, ...]:
    """Give at most `limit` reasons: those for the label first, the heaviest before, then those against it.

    `task` and `label` are among LABELS (toxicity has the one label "toxic"); another raises ValueError. `language`:
    the one the post was tagged in. Never more than MAX_VARIANTS texts are tagged; same input, same answer.
    """
    labels = LABELS.get(task)
    if labels is None or label not in labels:
        raise ValueError(f'no label "{label}" of a task "{task}"')
    pieces = split_pieces(text)
    if not pieces or limit < 1:
        return ()
    belief = _Belief(tagger, text, pieces, language, _COLUMNS[task], labels.index(label))
    said = _Said(text, pieces)
    windows = _windows(_worth_reading(belief, len(pieces)), said)
    weights = belief.weigh(windows[: MAX_VARIANTS - belief.tagged])
    return _best(said, weights, limit)


def split_pieces(text: str) -> tuple[tuple[int, int], ...]:
    """Give where the words, hashtags, handles, emoji and shouting marks of a text stand, each whole."""
    return tuple(match.span() for match in _PIECE.finditer(text[:MAX_CHARS]))


class _Belief:
    """How much of the label's log-odds goes when pieces go."""

    def __init__(
        self,
        tagger: Tagger,
        text: str,
        pieces: Sequence[tuple[int, int]],
        language: str | None,
        columns: Callable[[Tags], NDArray[np.float32]],
        column: int,
    ) -> None:
        self._tagger, self._text, self._pieces = tagger, text[:MAX_CHARS], pieces
        self._columns, self._column = columns, column
        self.tagged = 0
        (whole,), (code,) = self._log_odds([self._text], language)
        self._whole, self._language = whole, code

    def weigh(self, windows: Sequence[_Window]) -> dict[_Window, float]:
        """Weight of each window. A text that looks like another language without it is read with a filler there."""
        if not windows:
            return {}
        without, codes = self._log_odds([self._without(window, "") for window in windows], self._language)
        turned = [place for place, code in enumerate(codes) if code != self._language]
        for place in turned:
            without[place] = self._whole
        filler = _FILLER.get(self._language)
        turned = turned[: max(0, MAX_VARIANTS - self.tagged)]
        if turned and filler:
            filled, codes = self._log_odds([self._without(windows[place], filler) for place in turned], self._language)
            for place, value, code in zip(turned, filled, codes, strict=True):
                if code == self._language:
                    without[place] = value
        return {window: self._whole - value for window, value in zip(windows, without, strict=True)}

    def heaviest(self, windows: Sequence[_Window]) -> list[_Window]:
        """Order windows by how much they weigh, whatever the sign."""
        weights = self.weigh(windows)
        return sorted(windows, key=lambda window: (-abs(weights[window]), window))

    def _without(self, window: _Window, filler: str) -> str:
        start, end = self._pieces[window[0]][0], self._pieces[window[1] - 1][1]
        return f"{self._text[:start]}{filler or ' '}{self._text[end:]}"

    def _log_odds(self, texts: Sequence[str], language: str | None) -> tuple[list[float], tuple[str, ...]]:
        self.tagged += len(texts)
        tags = self._tagger.tag(texts, [language] * len(texts))
        likely = self._columns(tags)[:, self._column].astype(np.float64)
        likely = np.clip(np.nan_to_num(likely, nan=0.5), _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY)
        return [float(value) for value in np.log(likely / (1.0 - likely))], tags.languages


def _worth_reading(belief: _Belief, count: int) -> list[_Window]:
    """The stretches of a text whose words are looked at one by one: all of a short one, the heaviest of a long one."""
    stretches = [(0, count)]
    for parts in _PARTS:
        words = sum(end - start for start, end in stretches)
        if words <= (_MAX_SHORT if len(stretches) == 1 else _WORDS_AT_ONCE):
            return stretches
        size = -(-words // parts)
        cut = [(at, min(at + size, end)) for start, end in stretches for at in range(start, end, size)]
        stretches = belief.heaviest(cut)[:_PARTS_KEPT]
    return _within(stretches, _WORDS_AT_ONCE)


def _within(stretches: Sequence[_Window], words: int) -> list[_Window]:
    """As many of these stretches as hold so many words together, the last cut short."""
    kept: list[_Window] = []
    for start, end in stretches:
        if words > 0:
            kept.append((start, min(end, start + words)))
            words -= end - start
    return kept


class _Said:
    """The pieces of a text as words, and which of them read on from one to the next."""

    def __init__(self, text: str, pieces: Sequence[tuple[int, int]]) -> None:
        self._text, self._pieces = text, pieces
        self.words = [text[start:end].lower() for start, end in pieces]

    def reason(self, window: _Window, weight: float) -> Reason:
        start, end = self._pieces[window[0]][0], self._pieces[window[1] - 1][1]
        return Reason(self._text[start:end], start, end, round(weight, 4))

    def is_phrase(self, window: _Window) -> bool:
        """Whether the window is words with nothing but blanks between them, the last with a meaning of its own."""
        inside = range(*window)
        return (
            self.carries(window[1] - 1)
            and all(self.words[at][0].isalnum() for at in inside)
            and all(_BLANK.fullmatch(self._text, self._pieces[at][1], self._pieces[at + 1][0]) for at in inside[:-1])
        )

    def carries(self, at: int) -> bool:
        return self.words[at] not in _SMALL_WORDS and not self.denies(at)

    def denies(self, at: int) -> bool:
        return self.words[at] in NEGATIONS

    def denied(self, at: int) -> _Window | None:
        """The phrase from a negation to what it denies: "non funziona", "non si presenta"."""
        if not self.denies(at):
            return None
        ends = range(at + 2, min(at + _NEGATION_REACH, len(self.words)) + 1)
        return next(((at, end) for end in ends if self.is_phrase((at, end))), None)


def _windows(stretches: Sequence[_Window], said: _Said) -> list[_Window]:
    """Every word, every phrase of two words, and every negation with what it denies."""
    singles = [(at, at + 1) for start, end in stretches for at in range(start, end)]
    pairs = [(at, at + 2) for start, end in stretches for at in range(start, end - 1)]
    denials = [window for start, end in stretches for at in range(start, end) if (window := said.denied(at))]
    return list(dict.fromkeys([*singles, *denials, *filter(said.is_phrase, pairs)]))


def _best(said: _Said, weights: dict[_Window, float], limit: int) -> tuple[Reason, ...]:
    """The heaviest windows that do not overlap; words stand together only where they act together."""
    heights = {window: _height(window, said, weights) for window in weights}
    least = max(_MIN_WEIGHT, max(heights.values(), default=0.0) * _MIN_SHARE)
    taken: set[int] = set()
    chosen: list[_Window] = []
    for window in sorted(heights, key=lambda window: (-heights[window], window)):
        if heights[window] >= least and taken.isdisjoint(range(*window)):
            chosen.append(window)
            taken.update(range(*window))
    chosen.sort(key=lambda window: (weights[window] < 0, -abs(weights[window]), window))
    return tuple(said.reason(window, weights[window]) for window in chosen[:limit])


def _height(window: _Window, said: _Said, weights: dict[_Window, float]) -> float:
    """How high a window ranks: its weight, 0 where it is no reason a reader would understand.

    A negation goes with what it denies, and ranks as high as either. Small words carry nothing alone.
    """
    first, end = window
    if end - first == 1:
        stands = said.carries(first) or (said.denies(first) and said.denied(first) is None)
        return abs(weights[window]) if stands else 0.0
    together, one, other = weights[window], weights[first, first + 1], weights.get((end - 1, end), 0.0)
    if said.denies(first):
        return max(abs(together), abs(one), abs(other))
    acts_as_one = min(one * together, other * together) > 0 and min(abs(one), abs(other)) >= _LESSER * abs(together)
    return abs(together) if acts_as_one and abs(together) >= _JOINT_GAIN * max(abs(one), abs(other)) else 0.0


__all__ = ["LABELS", "MAX_VARIANTS", "Reason", "explain", "split_pieces"]
