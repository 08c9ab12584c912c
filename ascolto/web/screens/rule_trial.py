"""What rules on labels do to a text, and to the posts of the last days, in words a person reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from markupsafe import Markup, escape

from ascolto.web.conversations.words import TASK_WORDS
from ascolto.web.i18n import Words
from ascolto.web.screens.rule_form import label_in_words
from ascolto.wiring import House
from inbox.listening.rule_trials import MAX_TRIED, Trial, dry_run, labels_of, try_text
from inbox.store.queries.tag_rules import TaggedText
from nlp.base import INTENTS, Tagger, Tags
from nlp.rules import LABELS, Rule, index_words
from nlp.terms import Reading, longest

SHOWN_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Line:
    """One task before and after: labels in words, how sure (0 to 1), and whether it is another label now."""

    task: str
    before: str
    after: str
    confidence_before: float
    confidence_after: float
    unsure_before: bool
    unsure_after: bool
    is_changed: bool
    is_ruled: bool  # a rule decided, even where the machine said the same


@dataclass(frozen=True, slots=True)
class ShownTrial:
    """A text with the rules' words marked, the rules that decided, and its labels before and after."""

    text: Markup
    rules: tuple[str, ...]
    lines: tuple[Line, ...]
    language: str


@dataclass(frozen=True, slots=True)
class ShownExample:
    """A post that would have another label, and what would change."""

    text: Markup
    conversation_id: int | None
    created_at: datetime
    rules: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class ShownDryRun:
    """What the rules would have changed: figures and examples."""

    posts: int
    matching: int
    tried: int
    changed: int
    is_truncated: bool
    examples: tuple[ShownExample, ...]
    most_tried: int = MAX_TRIED

    @property
    def is_partial(self) -> bool:
        """Whether not every post that holds a word of the rules was read again."""
        return self.matching > self.tried


def show_trial(house: House, brand_id: int, rules: Sequence[Rule], text: str, words: Words) -> ShownTrial:
    """Tag a text without and with the rules."""
    trial = try_text(_tagger(house, brand_id), rules, text)
    return ShownTrial(
        text=_mark(text, rules, trial.rules),
        rules=trial.rules,
        lines=_lines(trial, words),
        language=trial.after.languages[0],
    )


def show_dry_run(
    house: House,
    brand_id: int,
    rules: Sequence[Rule],
    posts: Sequence[TaggedText],
    words: Words,
    *,
    without: Sequence[Rule] = (),
) -> ShownDryRun:
    """Tell what the rules would have changed among these posts, against those `without` the one being written."""
    found = dry_run(_tagger(house, brand_id), rules, posts, without=without)
    return ShownDryRun(
        posts=found.posts,
        matching=found.matching,
        tried=found.tried,
        changed=found.changed,
        is_truncated=found.is_truncated,
        examples=tuple(
            ShownExample(
                text=_mark(trial.text, rules, trial.rules),
                conversation_id=post.conversation_id,
                created_at=post.created_at,
                rules=trial.rules,
                lines=tuple(line for line in _lines(trial, words) if line.is_changed),
            )
            for post, trial in found.examples
        ),
    )


def _tagger(house: House, brand_id: int) -> Tagger:
    from ascolto.jobs.tag_steps import taggers

    return taggers(house).of(brand_id)


def _lines(trial: Trial, words: Words) -> tuple[Line, ...]:
    before, after = labels_of(trial.before), labels_of(trial.after)
    return tuple(
        Line(
            task=words.gettext(TASK_WORDS[task]),
            before=_say(task, before[task], words),
            after=_say(task, after[task], words),
            confidence_before=_confidence(trial.before, task, before[task]),
            confidence_after=_confidence(trial.after, task, after[task]),
            unsure_before=bool(getattr(trial.before, f"{task}_unsure")[0]),
            unsure_after=bool(getattr(trial.after, f"{task}_unsure")[0]),
            is_changed=task in trial.changes,
            is_ruled=not np.array_equal(getattr(trial.before, task), getattr(trial.after, task)),
        )
        for task in LABELS
    )


def _say(task: str, labels: Sequence[str], words: Words) -> str:
    named = labels or (("civil",) if task == "toxicity" else ())
    return ", ".join(label_in_words(f"{task}:{label}", words) for label in named) or "–"


def _confidence(tags: Tags, task: str, labels: Sequence[str]) -> float:
    if task == "toxicity":
        return float(tags.toxicity[0]) if labels else 1.0 - float(tags.toxicity[0])
    if task == "intents":
        return max((float(tags.intents[0, INTENTS.index(label)]) for label in labels), default=0.0)
    return float(getattr(tags, task)[0].max())


def _mark(text: str, rules: Sequence[Rule], names: Sequence[str]) -> Markup:
    """The text, shortened around the first word of a rule that decided, with those words marked."""
    terms = tuple(term for rule in rules if rule.name in names for term in rule.terms)
    hits = longest(index_words(terms).find(Reading(text))) if terms else []
    start = max(0, hits[0].start - SHOWN_CHARACTERS // 2) if hits and hits[0].start > SHOWN_CHARACTERS // 2 else 0
    end = min(len(text), start + SHOWN_CHARACTERS)
    parts: list[Markup] = [Markup("…")] if start else []
    at = start
    for hit in hits:
        if hit.start >= at and hit.end <= end:
            parts += [escape(text[at : hit.start]), Markup("<mark>{}</mark>").format(text[hit.start : hit.end])]
            at = hit.end
    parts.append(escape(text[at:end]))
    return Markup("").join(parts + ([Markup("…")] if end < len(text) else []))
