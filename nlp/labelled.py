"""Texts that people labelled, read from JSON lines, for judging a tagger.

    {"text": "Pacco in ritardo", "sentiment": "negative", "intents": ["complaint"], "language": "it"}

Any of sentiment, intents, emotion, toxicity and urgency may be missing; `label` stands for the sentiment, by name or
number (0 negative, 1 neutral, 2 positive), as the public sets write it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nlp.adapt import LABELS, TOXICITIES
from nlp.base import SENTIMENTS

_MOST_SHOWN = 40


class LabelledFileError(ValueError):
    """A file of labelled texts cannot be used; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One text and its right labels by task; a task that is not there was not labelled."""

    text: str
    language: str | None
    labels: Mapping[str, tuple[str, ...]]


def read_labelled(path: Path) -> list[Labelled]:
    """Read every line. Raises LabelledFileError naming the first line that cannot be used; OSError as it comes."""
    found: list[Labelled] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    found.append(_read(line))
                except (ValueError, RecursionError) as error:
                    words = "nested too deeply" if isinstance(error, RecursionError) else error
                    raise LabelledFileError(f"{path}, line {number}: {words}") from error
    if not found:
        raise LabelledFileError(f"{path} holds no labelled text")
    return found


def _read(line: bytes) -> Labelled:
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"no readable JSON: {error}") from error
    if not isinstance(record, dict):
        raise ValueError('no JSON object with a "text"')  # noqa: TRY004 - a wrong file, not a wrong call
    text = record.get("text")
    if not isinstance(text, str) or not text.strip():
        raise ValueError('"text" is missing or empty')
    language = record.get("language")
    if language is not None and not isinstance(language, str):
        raise ValueError('"language" is no code such as "it"')
    if "label" in record and "sentiment" not in record:
        record["sentiment"] = _sentiment_of(record["label"])
    labels = {task: _labels(task, record[task]) for task in LABELS if record.get(task) is not None}
    if not labels:
        raise ValueError(f"no label: none of {', '.join(LABELS)}")
    return Labelled(text, language[:2].lower() if language else None, labels)


def _labels(task: str, value: object) -> tuple[str, ...]:
    known = LABELS[task]
    if task == "intents":
        wanted = value if isinstance(value, list) else [value]
    elif task == "toxicity" and isinstance(value, bool):
        wanted = [TOXICITIES[value]]
    else:
        wanted = [str(value) if isinstance(value, int) and not isinstance(value, bool) else value]
    for one in wanted:
        if one not in known:
            raise ValueError(f'"{task}": {_short(one)} is none of {", ".join(known)}')
    if not wanted:
        raise ValueError(f'"{task}" is empty')
    return tuple(dict.fromkeys(wanted))


def _sentiment_of(label: object) -> object:
    if isinstance(label, str) and label in {"0", "1", "2"}:
        label = int(label)
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(SENTIMENTS):
        return SENTIMENTS[label]
    return label


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"
