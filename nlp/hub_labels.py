"""From other people's label names to ours: which task a model answers, and which of its labels mean which of ours."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp.calibration import TASKS

# Ours → what models call it, lower case. Names that only number the labels ("LABEL_0") are nobody's word.
_NAMES: Mapping[str, Mapping[str, str]] = {
    "sentiment": {
        "negative": "negative neg negativo negativa négatif negatif negativ 1_star 2_stars very_negative",
        "neutral": "neutral neu neutro neutra neutre mixed 3_stars",
        "positive": "positive pos positivo positiva positif positiv 4_stars 5_stars very_positive",
    },
    "emotion": {
        "anger": "anger angry rabbia annoyance disgust disgusto contempt",
        "disappointment": "disappointment disappointed sadness sad tristezza grief remorse disapproval pessimism",
        "fear": "fear paura nervousness anxiety",
        "joy": "joy gioia happy happiness love amusement excitement optimism pride admiration relief approval",
        "gratitude": "gratitude thankful gratitudine caring",
        "surprise": "surprise sorpresa surprised realization confusion curiosity desire embarrassment",
        "none": "neutral none no_emotion neutro",
    },
    "toxicity": {
        "toxic": "toxic toxicity hate hateful hate_speech offensive abusive insult obscene threat identity_hate "
        "identity_attack severe_toxic severe_toxicity sexual_explicit offensive_language odio tossico",
        "": "non_toxic not_toxic nontoxic non_hate not_hate nothate non_offensive not_offensive normal neutral clean "
        "acceptable neither nohate",
    },
    "intent": {label: label for label in TASKS["intent"]},
    "urgency": {label: f"urgency_{label} p{label} level_{label}" for label in TASKS["urgency"]},
}
_NOT = {"toxicity": ("toxic",)}  # a model that names only "not toxic" answers another question


class LabelMapError(ValueError):
    """Labels that cannot be read as ours; the message lists them and says what to write down."""


@dataclass(frozen=True, slots=True)
class LabelMap:
    """How a model's labels read as one of our tasks: label i goes to column `columns[i]` of TASKS[task], or nowhere."""

    task: str
    columns: tuple[int | None, ...]


def map_labels(
    labels: Sequence[str],
    *,
    task: str | None = None,
    given: Mapping[str, str | None] | None = None,
    model: str = "model",
) -> LabelMap:
    """Find what a model's labels mean.

    `given`: label → ours, or None for a label to leave out; it wins over what is known of common names. `task`: one
    of TASKS; without it, the only task in which all labels mean something. Raises LabelMapError.
    """
    if task is not None and task not in TASKS:
        raise LabelMapError(f'{model}: no task "{task}"; there are {", ".join(TASKS)}')
    tried = [task] if task else list(TASKS)
    found = {name: _read(labels, name, given or {}) for name in tried}
    whole = [name for name, (_, strange) in found.items() if not strange and _has_ours(name, found[name][0])]
    if len(whole) > 1 and "sentiment" in whole:
        whole = ["sentiment"]
    if len(whole) == 1:
        return LabelMap(whole[0], found[whole[0]][0])
    best = task or min(found, key=lambda name: len(found[name][1]))
    strange = ", ".join(found[best][1]) or "none of them alone tells the task"
    raise LabelMapError(
        f"{model} has the labels {', '.join(labels)}; as {best}, not understood: {strange}. Give a mapping of each to "
        f"one of {', '.join(TASKS[best])} (or null to leave it out), and the task"
    )


def read_label_file(path: Path) -> dict[str, str | None]:
    """Read a JSON object of label → ours or null; raises LabelMapError naming the file and the line."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise LabelMapError(f"{path}, line {error.lineno}: {error.msg}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise LabelMapError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict) or not all(value is None or isinstance(value, str) for value in found.values()):
        raise LabelMapError(f"{path} must hold one JSON object of label names, each with one of ours or null")
    return found


def _read(
    labels: Sequence[str], task: str, given: Mapping[str, str | None]
) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    """Columns of the labels in this task, and the labels that mean nothing in it."""
    ours = TASKS[task]
    known = {name: label for label, names in _NAMES[task].items() for name in names.split()}
    columns: list[int | None] = []
    strange: list[str] = []
    for label in labels:
        meant = given[label] if label in given else known.get(_plain(label), "?")
        if meant in ours:
            columns.append(ours.index(str(meant)))
        else:
            columns.append(None)
            if meant not in {None, ""}:
                strange.append(label)
    return tuple(columns), tuple(strange)


def _has_ours(task: str, columns: tuple[int | None, ...]) -> bool:
    """Whether enough of our labels are named: all that the task cannot do without, else at least two."""
    named = {TASKS[task][column] for column in columns if column is not None}
    needed = _NOT.get(task)
    return named >= set(needed) if needed else len(named) > 1


def _plain(label: str) -> str:
    return re.sub(r"[\s\-]+", "_", label.strip().lower())
