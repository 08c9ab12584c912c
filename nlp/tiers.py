"""The models that read texts, cheapest first: the n-gram heads (tier 0) and the encoder with its heads (tier 1).

A tier gives raw scores and the calibration to read them by; nlp/pipeline.py decides which texts it gets. Weights are
loaded at the first text, so that a tier that is never asked costs nothing.
"""

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nlp.base import INTENTS, SENTIMENTS
from nlp.calibration import TASKS, Calibration, CalibrationError
from nlp.encoder import open_encoder
from nlp.features import tokenise
from nlp.heads import Heads, Scores, load_heads
from nlp.intent import Leans
from nlp.model_files import ModelFileError, ModelFolder
from nlp.ngrams import NgramModel, load_ngrams


class Tier(Protocol):
    """A model that gives raw scores. Raises ModelFileError at first use where its files cannot be used."""

    @property
    def name(self) -> str:
        """Name and version ("encoder.v1")."""

    @property
    def calibration(self) -> Calibration:
        """How to read the scores; its languages are those that have heads."""

    def scores(self, texts: Sequence[str], languages: Sequence[str]) -> Scores:
        """Task → (n, labels) float32 for texts in languages that have heads; a tier may lack tasks."""


_Loaded = tuple[NgramModel, dict[str, list[int]]]  # a language's heads, and the columns of each task


class NgramTier:
    """Tier 0: n-gram heads, one file a language. Some tasks may be lacking."""

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        described = folder.section("languages")
        tasks: dict[str, object] = {}
        self._leans: dict[str, Leans] = {}
        for language, entry in described.items():
            if not isinstance(entry, dict):
                raise ModelFileError(f"model.json in {folder.path} is incomplete for {language}")
            self._leans[language], tasks[language] = _read_entry(folder, language, entry)
        self._calibration = _read_calibration(folder, tasks)
        self._models: dict[str, _Loaded] = {}

    @property
    def name(self) -> str:
        """Name and version."""
        return self._folder.name

    @property
    def calibration(self) -> Calibration:
        """How to read the scores."""
        return self._calibration

    def load(self) -> None:
        """Read all files now instead of at the first text."""
        for language in self._calibration.languages:
            self._model(language)

    def scores(self, texts: Sequence[str], languages: Sequence[str]) -> Scores:
        """Raw scores of the tasks that are learnt; the intents' lean on the sentiment already."""
        found: Scores = {}
        for language, rows in rows_by_language(languages).items():
            raw = self._outputs(language, [texts[row] for row in rows])
            sentiment = self._calibration.of(language).apply("sentiment", raw["sentiment"])
            raw["intent"] = self._leans[language].apply(raw["intent"], sentiment)
            for task, part in raw.items():
                if task not in found:
                    found[task] = np.zeros((len(texts), part.shape[1]), dtype=np.float32)
                found[task][rows] = part
        return found

    def stacked(self, texts: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
        """(n, 13) float32: the bare scores of sentiment and intents, as the encoder's heads may take them."""
        found = np.zeros((len(texts), len(SENTIMENTS) + len(INTENTS)), dtype=np.float32)
        for language, rows in rows_by_language(languages).items():
            raw = self._outputs(language, [texts[row] for row in rows])
            found[rows] = np.concatenate([raw["sentiment"], raw["intent"]], axis=1)
        return found

    def _outputs(self, language: str, texts: Sequence[str]) -> Scores:
        model, columns = self._model(language)
        scores = model.scores([tokenise(text) for text in texts])
        return {task: scores[:, places] for task, places in columns.items()}

    def _model(self, language: str) -> _Loaded:
        if language not in self._models:
            with self._lock:
                if language not in self._models:
                    self._models[language] = self._load(language)
        return self._models[language]

    def _load(self, language: str) -> _Loaded:
        name = f"{language}.npz"
        model = load_ngrams(self._folder.checked(name, self._folder.sums()[name]), language)
        tasks = self._calibration.of(language).tasks
        wanted = {task: [f"{task}:{label}" for label in labels] for task, labels in TASKS.items() if task in tasks}
        if sorted(model.outputs) != sorted(output for outputs in wanted.values() for output in outputs):
            raise ModelFileError(f"{name} in {self._folder.path} has other labels than this version")
        return model, {task: [model.outputs.index(output) for output in outputs] for task, outputs in wanted.items()}


class EncoderTier:
    """Tier 1: the encoder, and heads for every task from one pass; the n-gram scores may be further inputs."""

    def __init__(self, folder: ModelFolder, *, below: NgramTier) -> None:
        self._folder = folder
        self.below = below
        self._calibration = _read_calibration(folder, folder.section("calibration"))
        for language, found in self._calibration.languages.items():
            lacking = [task for task in TASKS if task not in found.tasks]
            if lacking:
                raise ModelFileError(f"model.json in {folder.path}: {language} lacks {', '.join(lacking)}")
        stack = folder.described.get("stack")
        if stack is not None and below.name != str(stack).replace("-", "."):
            raise ModelFileError(f"the model in {folder.path} needs {stack} below it, not {below.name}")
        self._is_stacked = stack is not None
        self.encoder = open_encoder(folder)

    @property
    def name(self) -> str:
        """Name and version."""
        return self._folder.name

    @property
    def calibration(self) -> Calibration:
        """How to read the scores."""
        return self._calibration

    def load(self) -> None:
        """Read all files now instead of at the first text."""
        self.encoder.load()
        _ = self._heads

    def scores(self, texts: Sequence[str], languages: Sequence[str]) -> Scores:
        """Raw scores of every task."""
        heads = self._heads
        rows = self.encoder.encode(texts)
        if heads.standard is not None:
            extra = heads.standard.apply(self.below.stacked(texts, languages))
            rows = np.concatenate([rows, extra], axis=1)
        if rows.shape[1] != heads.inputs:
            raise ModelFileError(
                f"heads.npz in {self._folder.path} takes {heads.inputs} inputs, the encoder gives {rows.shape[1]}"
            )
        return heads.scores(rows, languages)

    @cached_property
    def _heads(self) -> Heads:
        name = "heads.npz"
        file = self._folder.checked(name, self._folder.section("files").get(name))
        return load_heads(file, tuple(self._calibration.languages), is_stacked=self._is_stacked)


def rows_by_language(languages: Sequence[str]) -> Mapping[str, list[int]]:
    """Language → positions of its texts."""
    rows: dict[str, list[int]] = {}
    for row, code in enumerate(languages):
        rows.setdefault(code, []).append(row)
    return rows


def _read_calibration(folder: ModelFolder, found: Mapping[str, object]) -> Calibration:
    try:
        return Calibration.from_json(found)
    except CalibrationError as error:
        raise ModelFileError(f"model.json in {folder.path}: {error}") from error


def _read_entry(folder: ModelFolder, language: str, entry: Mapping[str, object]) -> tuple[Leans, dict[str, object]]:
    """What model.json tells of one language: how intents lean on the sentiment, and every task's calibration."""
    intents = entry.get("intents")
    if not isinstance(intents, dict) or "sentiment" not in entry:
        raise ModelFileError(f"model.json in {folder.path} is incomplete for {language}: no sentiment or intents")
    even = {"slopes": [1.0] * len(INTENTS)}
    tasks: dict[str, object] = {name: entry[name] for name in TASKS if name in entry}
    tasks["intent"] = {**intents, **even}
    try:
        return _read_leans(intents), tasks
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"model.json in {folder.path} is incomplete for {language}: {error!r}") from error


def _read_leans(intents: Mapping[str, Any]) -> Leans:
    slopes = tuple(float(slope) for slope in intents["slopes"])
    leans = tuple((float(against), float(towards)) for against, towards in intents["leans"])
    if len(slopes) != len(INTENTS) or len(leans) != len(INTENTS):
        raise ValueError(f"{len(slopes)} slopes and {len(leans)} leans for {len(INTENTS)} intents")
    return Leans(slopes, leans)
