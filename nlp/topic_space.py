"""The space of topics: the encoder's vectors, turned so that matters lie apart and moods do not count.

`topics.npz` of a model folder holds `mean` (width,) and `turn` (width, d), learnt in nlp/train/topic_space.py, and
the similarities `join` and `merge` at which posts and topics belong together, chosen there on labelled questions.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from nlp.encoder import open_encoder
from nlp.model_files import ModelFileError, ModelFolder, open_model
from nlp.topics import Vectors

TOPIC_FILE = "topics.npz"
log = structlog.get_logger(__name__)


class EncoderSpace:
    """Topics by the encoder of a model folder; loaded at the first text. Raises ModelFileError then."""

    def __init__(self, folder: ModelFolder) -> None:
        self._encoder = open_encoder(folder)
        file = folder.checked(TOPIC_FILE, folder.section("files").get(TOPIC_FILE))
        self._mean, self._turn, self.join, self.merge = _read(file)
        self.name = f"{folder.described.get('name')}/{self._turn.shape[1]}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give (n, d) float32 rows of unit length; zeros for a text without words."""
        if not texts:
            return np.zeros((0, self._turn.shape[1]), dtype=np.float32)
        found = (self._encoder.encode(texts) - self._mean) @ self._turn
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
        # What holds no letter says nothing of any matter.
        found[[not any(character.isalpha() for character in text) for text in texts]] = 0.0
        return found.astype(np.float32)


def load_topic_space(path: Path) -> EncoderSpace | None:
    """Give the space of a model folder; None, with the reason in the log, where it has none that can be used."""
    try:
        return EncoderSpace(open_model(path))
    except ModelFileError as error:
        log.warning("topics.no_space", reason=str(error))
        return None


def _read(file: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], float, float]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            mean, turn = arrays["mean"].astype(np.float32), arrays["turn"].astype(np.float32)
            join, merge = float(arrays["join"]), float(arrays["merge"])
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"cannot use the model file {file.name} in {file.parent}: {error}") from error
    if mean.ndim != 1 or turn.ndim != 2 or turn.shape[0] != len(mean) or not 0 < join <= merge <= 1:  # noqa: PLR2004 - a matrix
        raise ModelFileError(f"{file.name} in {file.parent}: its arrays do not fit each other")
    return mean, turn, join, merge
