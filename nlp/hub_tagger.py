"""A tagger some of whose tasks are answered by models of the hub; all else stays with the tagger in the package."""

import logging
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.base import Tags
from nlp.calibration import TASKS, Calibration
from nlp.hub import HubError, HubModel
from nlp.hub_labels import LabelMap, LabelMapError, map_labels, read_label_file
from nlp.intent import choose_intents
from nlp.pipeline import EmbeddedTagger, Health

log = logging.getLogger(__name__)
_EVEN = 0.5


@dataclass(slots=True)
class HubTask:
    """A model and how to read it.

    `task` and `labels` (its label → ours, None to leave one out; `label_file` holds such as JSON) where its names do
    not tell; `languages`: the only ones it reads (empty: all). Under `threshold` a text is unsure: such models are not
    calibrated on posts to brands.
    """

    model: HubModel
    task: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)
    label_file: Path | None = None
    languages: frozenset[str] = frozenset()
    threshold: float = 0.6


class HubTagger:
    """Tags as the embedded tagger gives them, with the hub models' answers in their tasks.

    A model that cannot be used is left out, and health() says so.
    """

    def __init__(self, embedded: EmbeddedTagger, tasks: Sequence[HubTask]) -> None:
        self._embedded = embedded
        self._tasks = tuple(tasks)
        self._maps: dict[int, LabelMap] = {}
        self._failed: dict[int, str] = {}

    @property
    def name(self) -> str:
        """The embedded tagger's name and the models in use ("encoder.v1+feel-it-italian-sentiment")."""
        names = [_short(task.model.name) for place, task in enumerate(self._tasks) if place not in self._failed]
        return "+".join([self._embedded.name, *names])

    @property
    def calibration(self) -> Calibration:
        """How the embedded tagger's scores are read."""
        return self._embedded.calibration

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages the embedded tagger has learnt."""
        return self._embedded.languages

    def unhurried(self) -> "HubTagger":
        """The same over a tagger without a budget."""
        twin = copy(self)
        twin._embedded = self._embedded.unhurried()  # noqa: SLF001 - of its own class
        return twin

    def health(self) -> Health:
        """What answers now, and why a model does not."""
        below = self._embedded.health()
        words = [*([below.degraded] if below.degraded else ()), *self._failed.values()]
        return Health(self.name, "; ".join(words) or None)

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        """Tag a batch."""
        tags = self._embedded.tag(texts, languages)
        for place, task in enumerate(self._tasks):
            rows = self._rows(tags, task)
            if len(rows) and place not in self._failed:
                tags = self._answer(tags, place, task, texts, rows)
        return replace(tags, tagger=self.name)

    def _rows(self, tags: Tags, task: HubTask) -> NDArray[np.intp]:
        """Texts the model reads: those without errors, in its languages."""
        read = [not task.languages or code in task.languages for code in tags.languages]
        return np.array([row for row, is_read in enumerate(read) if is_read and row not in tags.errors], dtype=np.intp)

    def _answer(self, tags: Tags, place: int, task: HubTask, texts: Sequence[str], rows: NDArray[np.intp]) -> Tags:
        try:
            if place not in self._maps:
                written = read_label_file(task.label_file) if task.label_file else {}
                self._maps[place] = map_labels(
                    task.model.labels, task=task.task, given={**written, **task.labels}, model=task.model.name
                )
            found = to_ours(task.model.classify([texts[row] for row in rows]), self._maps[place])
        except (HubError, LabelMapError) as error:
            self._failed[place] = str(error)
            log.warning("hub.unusable %s", error)
            return tags
        return with_task(tags, self._maps[place].task, rows, found, threshold=task.threshold)


def read_hub_tasks(names: str, *, device: str = "auto", label_file: Path | None = None) -> tuple[HubTask, ...]:
    """Read "name, name@it, folder": models, each for all languages or for those after the @, joined by +."""
    tasks: list[HubTask] = []
    for part in filter(None, map(str.strip, names.split(","))):
        name, _, codes = part.partition("@")
        languages = frozenset(filter(None, codes.split("+")))
        tasks.append(HubTask(HubModel(name, device=device), languages=languages, label_file=label_file))
    return tuple(tasks)


def to_ours(probabilities: NDArray[np.float32], labels: LabelMap) -> NDArray[np.float32]:
    """(n, labels of the model) → (n, labels of our task) float32; single-label tasks' rows sum to 1."""
    found = np.zeros((len(probabilities), len(TASKS[labels.task])), dtype=np.float64)
    for column, ours in enumerate(labels.columns):
        if ours is None:
            continue
        if labels.task == "intent":
            found[:, ours] = np.maximum(found[:, ours], probabilities[:, column])
        else:
            found[:, ours] += probabilities[:, column]
    if labels.task == "toxicity":
        whole = np.minimum(found, 1.0)
    elif labels.task == "intent":
        whole = found
    else:
        total = found.sum(axis=1, keepdims=True)
        whole = np.divide(found, total, out=np.full_like(found, 1 / found.shape[1]), where=total > 0)
    return whole.astype(np.float32)


def with_task(tags: Tags, task: str, rows: NDArray[np.intp], found: NDArray[np.float32], *, threshold: float) -> Tags:
    """Give the tags with one task of these rows answered anew."""
    sure = np.maximum(found, 1 - found)[:, 0] if task == "toxicity" else found.max(axis=1)
    name = "intents" if task == "intent" else task
    values, unsure = np.array(getattr(tags, name)), np.array(getattr(tags, f"{name}_unsure"))
    values[rows] = found[:, 0] if task == "toxicity" else found
    unsure[rows] = sure < threshold
    if task != "intent":
        changes: dict[str, Any] = {name: values, f"{name}_unsure": unsure}
        return replace(tags, **changes)
    labels = list(tags.intent_labels)
    for row, chosen in zip(rows, choose_intents(found, (_EVEN,) * found.shape[1]), strict=True):
        labels[row] = chosen
    return replace(tags, intents=values, intents_unsure=unsure, intent_labels=tuple(labels))


def _short(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1]
