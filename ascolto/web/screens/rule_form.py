"""The form of a rule on labels: what was typed, the rule it makes, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ascolto.web.conversations.words import LABEL_WORDS, TASK_WORDS
from ascolto.web.i18n import N_, Words
from ascolto.web.screens.setup_brand import split_names
from inbox.errors import InvalidError
from inbox.store.tables import TagRule
from nlp.rules import LABELS, Rule

LANGUAGES = ("it", "en", "fr", "de", "es", "pt")
MAX_NAME = 120
MAX_TEXT = 4000
SINGLE = ("sentiment", "emotion", "urgency", "toxicity")  # one label each can be forced
FIELD_OF = {
    "name": ("Give the rule a name.", "Two rules are called"),
    "terms": ("has no word to look for", "would be found everywhere", 'At "%(term)s"'),
    "forces": ("neither forces nor forbids", "forces and forbids", "a post cannot have both", "forbids every label"),
}


@dataclass(frozen=True, slots=True)
class RuleForm:
    """A rule as it was typed. `errors`: field → words, already translated; "" where none is meant."""

    name: str = ""
    language: str = ""
    terms: str = ""
    context: str = ""
    not_with: str = ""
    forces: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    is_active: bool = True
    text: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def read(values: Mapping[str, str]) -> "RuleForm":
        """Read what came from the browser; unknown labels and languages are left out."""
        forced = [f"{task}:{values.get(f'force.{task}', '')}" for task in SINGLE]
        known = [f"{task}:{label}" for task, labels in LABELS.items() for label in labels]
        forced += [label for label in known if f"force.{label}" in values]
        return RuleForm(
            name=" ".join(values.get("rule_name", "").split())[:MAX_NAME],
            language=values.get("language", "") if values.get("language") in LANGUAGES else "",
            terms=values.get("terms", ""),
            context=values.get("context", ""),
            not_with=values.get("not_with", ""),
            forces=tuple(label for label in dict.fromkeys(forced) if label in known),
            forbids=tuple(label for label in known if f"forbid.{label}" in values),
            is_active="is_active" in values,
            text=values.get("text", "")[:MAX_TEXT],
        )

    @staticmethod
    def of(row: TagRule) -> "RuleForm":
        """Give the form of a stored rule."""
        return RuleForm(
            name=row.name,
            language=row.language or "",
            terms="\n".join(row.terms),
            context="\n".join(row.context),
            not_with="\n".join(row.not_with),
            forces=tuple(row.forces),
            forbids=tuple(row.forbids),
            is_active=row.is_active,
        )

    @property
    def rule(self) -> Rule:
        """The rule as it would be stored."""
        return Rule(
            name=self.name,
            terms=tuple(split_names(self.terms)),
            forces=self.forces,
            forbids=self.forbids,
            language=self.language or None,
            context=tuple(split_names(self.context)),
            not_with=tuple(split_names(self.not_with)),
        )

    def forced(self, task: str) -> str:
        """The label of a task with one label that is forced, "" for none."""
        return next((label.partition(":")[2] for label in self.forces if label.startswith(f"{task}:")), "")


def error_in_words(error: InvalidError, words: Words) -> dict[str, str]:
    """Give an error beside the field it is about."""
    values = {name: _label_or_text(str(value), words) for name, value in error.values.items()}
    about = next((name for name, parts in FIELD_OF.items() if any(part in error.message for part in parts)), "")
    return {about: words.fill(error.message, values)}


def label_in_words(label: str, words: Words) -> str:
    """Give "task:label" as people say it."""
    task, _, name = label.partition(":")
    known = LABEL_WORDS.get(task, {})
    return words.gettext(known[name]) if name in known else name


def _label_or_text(value: str, words: Words) -> str:
    task, _, name = value.partition(":")
    if task not in LABELS:
        return value
    return label_in_words(value, words) if name else words.gettext(TASK_WORDS[task])


# What nlp/rules.py says, so that the catalogs hold it.
REFUSALS = (
    N_("Give the rule a name."),
    N_('Two rules are called "%(name)s"; give each a name of its own.'),
    N_('"%(name)s" has no word to look for.'),
    N_('"%(name)s": "%(word)s" would be found everywhere; write more letters.'),
    N_('"%(name)s" neither forces nor forbids a label.'),
    N_('"%(name)s": there is no label "%(label)s"; write one such as sentiment:positive.'),
    N_('"%(name)s" forces and forbids %(label)s; choose one.'),
    N_('"%(name)s" forces %(label)s and %(other)s; a post cannot have both.'),
    N_('"%(name)s" forbids every label of %(task)s; leave one.'),
    N_('At "%(term)s", "%(name)s" forces %(label)s and "%(other)s" forbids it; change one of them.'),
    N_('At "%(term)s", "%(name)s" forces %(label)s and "%(other)s" forces %(second)s; change one of them.'),
)
