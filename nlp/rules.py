"""A brand's rule on its own words, and what makes a list of them one that can be used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, URGENCIES
from nlp.terms import TermIndex

LABELS: Mapping[str, tuple[str, ...]] = {
    "sentiment": SENTIMENTS,
    "intents": INTENTS,
    "emotion": EMOTIONS,
    "toxicity": ("toxic",),
    "urgency": URGENCIES,
}
ALONE = ("spam", "other")  # these intents never stand beside another
_MANY_LABELS = ("intents", "toxicity")  # tasks that may do without any label


class RuleError(ValueError):
    """Rules that cannot be used. `message` has %(name)s places for `values`, so that it can be translated."""

    def __init__(self, message: str, **values: str) -> None:
        self.message, self.values = message, values
        super().__init__(message % values)


@dataclass(frozen=True, slots=True)
class Rule:
    """Where one of `terms` stands in a text, labels are forced or forbidden. Labels are written "task:label".

    A term is a word in any of its inflections, several words, a hashtag, an account, an emoji; "*" stands for any
    letters. `language` None: in every one. `context`, `not_with`: as for brand terms (entities.py).
    """

    name: str
    terms: tuple[str, ...]
    forces: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    language: str | None = None
    context: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()


def check_rules(rules: Sequence[Rule]) -> None:
    """Raise RuleError where a rule says nothing, names an unknown label, or contradicts itself or another.

    Two rules contradict each other where they share a term and a language, and one forces what the other forbids or
    forces another label of a task that has one label only. Rules with different terms may meet in a text: there the
    first in order wins.
    """
    for place, rule in enumerate(rules):
        _check_words(rule)
        _check_labels(rule)
        for other in rules[place + 1 :]:
            if rule.name.casefold() == other.name.casefold():
                raise RuleError('Two rules are called "%(name)s"; give each a name of its own.', name=rule.name)
            _check_together(rule, other)


def _check_words(rule: Rule) -> None:
    if not rule.name.strip():
        raise RuleError("Give the rule a name.")
    if not any(term.strip() for term in rule.terms):
        raise RuleError('"%(name)s" has no word to look for.', name=rule.name)
    for words in (rule.terms, rule.context, rule.not_with):
        for word in words:
            try:
                index_words((word,))
            except ValueError as error:
                raise RuleError(
                    '"%(name)s": "%(word)s" would be found everywhere; write more letters.', name=rule.name, word=word
                ) from error


def _check_labels(rule: Rule) -> None:
    if not rule.forces and not rule.forbids:
        raise RuleError('"%(name)s" neither forces nor forbids a label.', name=rule.name)
    for label in (*rule.forces, *rule.forbids):
        task, _, name = label.partition(":")
        if name not in LABELS.get(task, ()):
            raise RuleError(
                '"%(name)s": there is no label "%(label)s"; write one such as sentiment:positive.',
                name=rule.name,
                label=label,
            )
        if label in rule.forces and label in rule.forbids:
            raise RuleError('"%(name)s" forces and forbids %(label)s; choose one.', name=rule.name, label=label)
    for task, labels in LABELS.items():
        forced = sorted({label for label in rule.forces if label.startswith(f"{task}:")})
        if len(forced) > 1 and (task != "intents" or any(label.partition(":")[2] in ALONE for label in forced)):
            raise RuleError(
                '"%(name)s" forces %(label)s and %(other)s; a post cannot have both.',
                name=rule.name,
                label=forced[0],
                other=forced[1],
            )
        if task not in _MANY_LABELS and {f"{task}:{name}" for name in labels} <= set(rule.forbids):
            raise RuleError('"%(name)s" forbids every label of %(task)s; leave one.', name=rule.name, task=task)


def _check_together(rule: Rule, other: Rule) -> None:
    """Refuse two rules that cannot both hold; one with other context words is an exception of the other."""
    speak_apart = rule.language and other.language and rule.language != other.language
    shared = {_plain(term) for term in rule.terms} & {_plain(term) for term in other.terms}
    if speak_apart or not shared or (rule.context, rule.not_with) != (other.context, other.not_with):
        return
    for one, two in ((rule, other), (other, rule)):
        for label in one.forces:
            if label in two.forbids:
                raise RuleError(
                    'At "%(term)s", "%(name)s" forces %(label)s and "%(other)s" forbids it; change one of them.',
                    term=min(shared),
                    name=one.name,
                    other=two.name,
                    label=label,
                )
    for label in rule.forces:
        task = label.partition(":")[0]
        against = [found for found in other.forces if found.startswith(f"{task}:") and found != label]
        if task != "intents" and against:
            raise RuleError(
                'At "%(term)s", "%(name)s" forces %(label)s and "%(other)s" forces %(second)s; change one of them.',
                term=min(shared),
                name=rule.name,
                other=other.name,
                label=label,
                second=against[0],
            )


def _plain(term: str) -> str:
    return " ".join(term.casefold().split())


@lru_cache(maxsize=1024)
def index_words(words: tuple[str, ...]) -> TermIndex:
    """Give words ready to be looked for, the key of each its place; blank ones are left out."""
    return TermIndex([(place, word) for place, word in enumerate(words) if word.strip()], is_name=False)
