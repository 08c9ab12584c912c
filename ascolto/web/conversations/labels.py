"""What the machine read in one post, ready for its panel: labels with their chances, people's words, reasons."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from ascolto.web.conversations.words import LABEL_WORDS, TASK_WORDS
from inbox.listening.corrections import ALLOWED, machine_value
from inbox.store.queries.posts import text_to_tag
from inbox.store.tables import Correction, Post, PostTags
from nlp.base import Tagger
from nlp.why import Reason, explain

log = structlog.get_logger(__name__)

EXPLAINED = tuple(task for task in ALLOWED if task != "language")
MOST_REASONS = 5
SHOWN_CHARACTERS = 900
LEAD_CHARACTERS = 160  # shown before the first marked word of a long text
# Explaining tags a post some dozens of times: one at a time leaves the rest of the process its turn.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class Option:
    """A label that may be chosen; `share` is the machine's probability, None where it gives none."""

    value: str
    words: str  # msgid, or a language's code
    share: float | None
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class TaskReading:
    """What stands for one task: the machine's labels, and those that count because a person said so."""

    task: str
    title: str
    machine: tuple[str, ...]
    counts: tuple[str, ...]
    is_unsure: bool
    is_corrected: bool
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text: `weight` from -1 to 1 where it weighed, 0 elsewhere."""

    text: str
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one label: the reasons, strongest first, and the text cut at them."""

    label: str
    reasons: tuple[Reason, ...]
    pieces: tuple[Piece, ...]
    is_cut_before: bool
    is_cut_after: bool

    @property
    def listed(self) -> tuple[Reason, ...]:
        """The reasons as a list shows them: a word that stands twice in the text is said once."""
        once: dict[tuple[str, bool], Reason] = {}
        for reason in self.reasons:
            once.setdefault((reason.text.casefold(), reason.weight > 0), reason)
        return tuple(once.values())

    @property
    def heaviest(self) -> float:
        """The weight bars are drawn against."""
        return max((abs(reason.weight) for reason in self.reasons), default=1.0) or 1.0


def read_task(tags: PostTags, corrections: Mapping[str, Correction], task: str) -> TaskReading:
    """Give what the machine and people say on one task."""
    fixed = corrections.get(task)
    machine = machine_value(tags, task)
    counts = [str(value) for value in fixed.value] if fixed and fixed.value else machine
    shares = shares_of(tags, task)
    words = LABEL_WORDS.get(task, {})
    return TaskReading(
        task=task,
        title=TASK_WORDS[task],
        machine=tuple(machine),
        counts=tuple(counts),
        is_unsure=is_unsure(tags, task),
        is_corrected=fixed is not None,
        options=tuple(
            Option(value, words.get(value, value), shares.get(value), value in counts) for value in ALLOWED[task]
        ),
    )


def shares_of(tags: PostTags, task: str) -> dict[str, float]:
    """Give the machine's probability by label."""
    match task:
        case "sentiment":
            found = tags.sentiment
        case "intents":
            found = tags.intents
        case "emotion":
            found = tags.emotion
        case "urgency":
            found = tags.urgency_probabilities
        case "toxicity":
            found = {"civil": 1.0 - tags.toxicity, "toxic": tags.toxicity}
        case _:
            found = {tags.language: tags.language_confidence}
    return {str(label): float(share) for label, share in found.items() if isinstance(share, int | float)}


def is_unsure(tags: PostTags, task: str) -> bool:
    """Whether the machine is too unsure of a task to be believed."""
    by_task: dict[str, Callable[[], bool]] = {
        "sentiment": lambda: tags.sentiment_unsure,
        "intents": lambda: tags.intents_unsure,
        "emotion": lambda: tags.emotion_unsure,
        "urgency": lambda: tags.urgency_unsure,
        "toxicity": lambda: tags.toxicity_unsure,
        "language": lambda: tags.language == "und",
    }
    return by_task[task]()


def labels_to_explain(tags: PostTags, task: str) -> list[str]:
    """Give the machine's labels whose reasons are worth showing: its own, or the likeliest where it named none."""
    if task == "toxicity":
        return ["toxic"]
    named = machine_value(tags, task)
    if named:
        return named
    shares = shares_of(tags, task)
    return [max(shares, key=shares.__getitem__)] if shares else []


def explain_task(tagger: Tagger, post: Post, tags: PostTags, task: str) -> list[Explanation] | None:
    """Give why the machine chose its labels; None when the tagger cannot say. Takes up to some seconds."""
    if task not in EXPLAINED:
        return []
    text = text_to_tag(post.title, post.text)
    language = None if tags.language == "und" else tags.language
    found = []
    for label in labels_to_explain(tags, task):
        try:
            with _ONE_AT_A_TIME:
                reasons = explain(tagger, text, language=language, task=task, label=label, limit=MOST_REASONS)
        except Exception as error:  # noqa: BLE001 - whatever a model raises, the labels can still be shown
            log.warning("why.failed", post=post.id, task=task, kind=type(error).__name__)
            return None
        found.append(mark(text, label, reasons))
    return found


def mark(text: str, label: str, reasons: Sequence[Reason]) -> Explanation:
    """Cut a text at the words that weighed; a long one is shown around the first of them."""
    heaviest = max((abs(reason.weight) for reason in reasons), default=1.0) or 1.0
    placed = sorted((reason for reason in reasons if 0 <= reason.start < reason.end <= len(text)), key=_place)
    start = max(0, placed[0].start - LEAD_CHARACTERS) if placed and placed[0].start > SHOWN_CHARACTERS // 2 else 0
    end = min(len(text), start + SHOWN_CHARACTERS)
    pieces: list[Piece] = []
    at = start
    for reason in placed:
        if reason.start < at or reason.end > end:
            continue
        if reason.start > at:
            pieces.append(Piece(text[at : reason.start]))
        pieces.append(Piece(text[reason.start : reason.end], reason.weight / heaviest))
        at = reason.end
    if at < end:
        pieces.append(Piece(text[at:end]))
    return Explanation(label, tuple(reasons), tuple(pieces), is_cut_before=start > 0, is_cut_after=end < len(text))


def _place(reason: Reason) -> tuple[int, int]:
    return reason.start, -reason.end
