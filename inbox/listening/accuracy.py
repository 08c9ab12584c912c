"""How often the machine was right where people spoke: by task, label and language, with n and interval.

People look at what seems wrong, so these shares are of the posts they spoke about, not of all posts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from inbox.reputation.metrics import wilson_interval
from inbox.store.queries.adaptations import SaidLabel, list_said_labels
from nlp.adapt import LABELS, TASKS

LEAST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Share:
    """`right` of `n` with the 95 % interval (Wilson)."""

    right: int
    n: int

    @property
    def is_told(self) -> bool:
        """Whether there are enough to say anything."""
        return self.n >= LEAST_TOLD

    @property
    def value(self) -> float:
        """The share, in [0, 1]."""
        return self.right / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends, in [0, 1]."""
        return wilson_interval(self.right, self.n)


@dataclass(frozen=True, slots=True)
class LabelAccuracy:
    """Of the posts people called `label`: the share the machine had called so too, in all and by language."""

    label: str
    share: Share
    by_language: dict[str, Share]


@dataclass(frozen=True, slots=True)
class TaskAccuracy:
    """One task: the share where the machine said just what people say."""

    task: str
    share: Share
    by_language: dict[str, Share]
    labels: tuple[LabelAccuracy, ...]


def read_accuracy(session: Session, brand_id: int) -> tuple[list[TaskAccuracy], list[str]]:
    """Give the tasks people spoke about, and the languages of these posts, the commonest first."""
    said = list_said_labels(session, brand_id, TASKS)
    counts: dict[str, int] = {}
    for one in said:
        counts[_language(one)] = counts.get(_language(one), 0) + 1
    languages = sorted(counts, key=lambda code: (-counts[code], code))
    found = [_of_task(task, [one for one in said if one.task == task], languages) for task in TASKS]
    return [one for one in found if one.share.n], languages


def _of_task(task: str, said: Sequence[SaidLabel], languages: Sequence[str]) -> TaskAccuracy:
    labels = []
    for label in LABELS[task]:
        own = [one for one in said if label in one.value]
        if own:
            shares = {
                code: _share((label in one.machine_value) for one in own if _language(one) == code)
                for code in languages
            }
            labels.append(LabelAccuracy(label, _share(label in one.machine_value for one in own), shares))
    return TaskAccuracy(
        task=task,
        share=_share(_is_right(one) for one in said),
        by_language={code: _share(_is_right(one) for one in said if _language(one) == code) for code in languages},
        labels=tuple(labels),
    )


def _share(outcomes: Iterable[bool]) -> Share:
    known = list(outcomes)
    return Share(sum(known), len(known))


def _is_right(one: SaidLabel) -> bool:
    return set(one.value) == set(one.machine_value)


def _language(one: SaidLabel) -> str:
    return one.language or "und"
