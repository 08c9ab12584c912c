"""The heads on the encoder's vectors: one linear layer a task and language, all tasks from one pass."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.calibration import TASKS
from nlp.model_files import ModelFileError

Scores = dict[str, NDArray[np.float32]]  # task → (n, labels of the task) raw scores
_Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Standard:
    """What brings a stacked model's raw scores to mean 0 and deviation 1; both arrays (extra inputs,) float32."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    def apply(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, extra inputs) → the same, standardised."""
        standardised: NDArray[np.float32] = ((scores - self.mean) / self.scale).astype(np.float32)
        return standardised


@dataclass(frozen=True, slots=True)
class Heads:
    """Linear heads by language: weights (inputs, labels of all tasks), biases (labels of all tasks), in TASKS order."""

    weights: _Arrays
    biases: _Arrays
    standard: Standard | None = None

    @property
    def inputs(self) -> int:
        """Numbers a text's row must have, extra inputs included."""
        return len(next(iter(self.weights.values())))

    def scores(self, rows: NDArray[np.float32], languages: Sequence[str]) -> Scores:
        """(n, inputs) float32 and a language that has heads for each → raw scores; a row depends on itself alone."""
        found = np.zeros((len(rows), sum(map(len, TASKS.values()))), dtype=np.float32)
        codes = np.array(languages)
        for language, weights in self.weights.items():
            chosen = np.flatnonzero(codes == language)
            if len(chosen):
                # One product a row: a product of all rows at once adds up in an order that depends on their number.
                found[chosen] = np.matmul(rows[chosen][:, None, :], weights)[:, 0, :] + self.biases[language]
        ends = np.cumsum([len(labels) for labels in TASKS.values()])
        return dict(zip(TASKS, np.split(found, ends[:-1], axis=1), strict=True))


def load_heads(file: Path, languages: Sequence[str], *, is_stacked: bool) -> Heads:
    """Read heads.npz; raises ModelFileError naming the file, and the head that does not fit the labels."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name].astype(np.float32) for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"cannot use the model file {file.name} in {file.parent}: {error}") from error
    try:
        parts = {language: [_head(arrays, task, language) for task in TASKS] for language in languages}
        weights = {code: np.concatenate([weight for weight, _ in found]).T.copy() for code, found in parts.items()}
        biases = {code: np.concatenate([bias for _, bias in found]) for code, found in parts.items()}
        standard = Standard(arrays["stack.mean"], arrays["stack.scale"]) if is_stacked else None
    except KeyError as error:
        raise ModelFileError(f"{file.name} in {file.parent} lacks {error}") from error
    except ValueError as error:
        raise ModelFileError(f"{file.name} in {file.parent} does not fit: {error}") from error
    if len({len(weight) for weight in weights.values()}) != 1:
        raise ModelFileError(f"{file.name} in {file.parent}: the languages' heads take different numbers of inputs")
    return Heads(weights, biases, standard)


def _head(arrays: _Arrays, task: str, language: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(labels, inputs) weights and (labels,) biases of one head."""
    name, labels = f"{task}.{language}", len(TASKS[task])
    weight, bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
    if weight.ndim != 2 or len(weight) != labels or bias.shape != (labels,):  # noqa: PLR2004 - rows and columns
        raise ValueError(f"{name} has {weight.shape} and {bias.shape} numbers for {labels} labels")
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ValueError(f"{name} holds something that is no number")
    return weight, bias
