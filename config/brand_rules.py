"""The part of a brand file that tells words apart: context words of names, and rules on labels."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

RuleLanguage = Literal["it", "en", "fr", "de", "es", "pt"]
# Every label a post can get (nlp/base.py); a test holds the two together.
LABELS: dict[str, tuple[str, ...]] = {
    "sentiment": ("negative", "neutral", "positive"),
    "intents": (
        "complaint", "question", "praise", "suggestion", "purchase_interest", "churn_threat", "advocacy",
        "crisis_signal", "spam", "other",
    ),
    "emotion": ("anger", "disappointment", "fear", "joy", "gratitude", "surprise", "none"),
    "toxicity": ("toxic",),
    "urgency": ("0", "1", "2", "3"),
}  # fmt: skip
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


def _known_label(label: str) -> str:
    task, _, name = label.partition(":")
    if name not in LABELS.get(task, ()):
        known = ", ".join(LABELS)
        raise ValueError(f'there is no label "{label}"; write one such as sentiment:positive (tasks: {known})')
    return label


LabelName = Annotated[str, AfterValidator(_known_label)]


class Part(BaseModel):
    """A part of the file: nothing but its fields, and fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Homonym(Part):
    """What tells a name from the common word it may be."""

    context: tuple[Name, ...] = Field(
        default=(), description="It counts only where one of these words stands near, if any is given"
    )
    not_with: tuple[Name, ...] = Field(default=(), description="It does not count where one of these stands near")


class LabelRule(Homonym):
    """Words of the brand's that decide a label, whatever the machine believes."""

    name: Name = Field(description="What the rule is called; shown where it decided")
    terms: tuple[Name, ...] = Field(
        min_length=1, description="The words, in any inflection; * stands for any letters; hashtags and emoji too"
    )
    language: RuleLanguage | None = Field(default=None, description="Language of the posts; every one if left out")
    force: tuple[LabelName, ...] = Field(default=(), description="Labels it always has, such as sentiment:positive")
    forbid: tuple[LabelName, ...] = Field(default=(), description="Labels it never has, such as intents:crisis_signal")

    @model_validator(mode="after")
    def says_something(self) -> "LabelRule":
        """It forces or forbids something, and never both of one label."""
        if not self.force and not self.forbid:
            raise ValueError(f'"{self.name}" neither forces nor forbids a label')
        both = sorted(set(self.force) & set(self.forbid))
        if both:
            raise ValueError(f'"{self.name}" forces and forbids {both[0]}; choose one')
        return self


def write_rules(rules: Iterable[Mapping[str, str | Sequence[str]]]) -> str:
    """Give rules as a part of a brand file, to be pasted into one."""
    blocks = (
        "\n".join(["[[rules]]", *(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in rule.items())])
        for rule in rules
    )
    return "\n\n".join(blocks) + "\n"
