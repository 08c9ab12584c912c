"""The space of topics: a text is the sum of its pieces, each by how much it tells, with and without its likes.

The encoder's own vectors will not do: taught moods and intents, it has pushed matters aside. So a point has two parts.
One is the text's pieces as such, each in a fixed direction of its own (random indexing, Kanerva 2000), weighed by
rarity (tf-idf): the same words lie close. The other is what multilingual-e5-small makes of each piece alone (as the
model2vec library does), so that related words lie close too, across languages a little. Only the tokeniser is run.

`topics.npz` of a model folder holds `rarity` (pieces,), `likes` (pieces, d) int8, `centre` and `spread`
(d,), and the similarities `join` and `merge`; nlp/train/topic_space.py makes it.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import structlog
from numpy.typing import NDArray

from nlp.encoder import normalise, open_tokenizer
from nlp.model_files import ModelFileError, ModelFolder, open_model
from nlp.topics import Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOPIC_FILE = "topics.npz"
OWN_DIRECTIONS = 256
MOST_TOKENS = 400
_WORDS = OWN_DIRECTIONS // 64
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PieceTable:
    """What is known of every piece: `rarity` (n,) float32, `likes` (n, d) float32, and the `spread` (d,) of sums."""

    rarity: NDArray[np.float32]
    likes: NDArray[np.int8]
    centre: NDArray[np.float32]
    spread: NDArray[np.float32]

    def embed(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """Give (n, 256 + d) rows of unit length; zeros for a text without pieces."""
        width = self.likes.shape[1]
        points = np.zeros((len(ids), OWN_DIRECTIONS + width), dtype=np.float32)
        for row, pieces in enumerate(ids):
            if not pieces:
                continue
            kinds, counts = np.unique(np.array(pieces), return_counts=True)
            weights = self.rarity[kinds] * (1 + np.log(counts)).astype(np.float32)
            if not weights.any():
                continue
            own = weights @ own_directions(kinds)
            alike = (self.sum_likes(pieces) - self.centre) / self.spread
            points[row] = np.concatenate([_unit(own), _unit(alike)]) / np.sqrt(2)
        return points

    def sum_likes(self, pieces: Sequence[int]) -> NDArray[np.float32]:
        """Give (d,): what a text's pieces are like, the rare ones counting more."""
        kinds, counts = np.unique(np.array(pieces), return_counts=True)
        weights = self.rarity[kinds] * (1 + np.log(counts)).astype(np.float32)
        found: NDArray[np.float32] = weights @ self.likes[kinds].astype(np.float32) / 127
        return found


def own_directions(pieces: NDArray[np.int64]) -> NDArray[np.float32]:
    """Give (n, 256) rows of +1 and -1, the same for a piece for ever: bits of its number mixed by splitmix64."""
    word = np.arange(_WORDS, dtype=np.uint64)
    with np.errstate(over="ignore"):
        mixed = (pieces.astype(np.uint64)[:, None] * np.uint64(_WORDS) + word + np.uint64(1)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    bits = (mixed[:, :, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    return bits.reshape(len(pieces), OWN_DIRECTIONS).astype(np.float32) * 2 - 1


def _unit(row: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(row))
    return row / length if length else row


class PieceSpace:
    """Topics by the pieces of a model folder's tokeniser. Raises ModelFileError where its files cannot be used."""

    def __init__(self, folder: ModelFolder) -> None:
        sums = folder.section("files")
        self._table, self.join, self.merge = _read(folder.checked(TOPIC_FILE, sums.get(TOPIC_FILE)))
        self._tokenizer: Tokenizer = open_tokenizer(
            folder.checked("tokenizer.json", sums.get("tokenizer.json")), MOST_TOKENS
        )
        self.name = f"{folder.described.get('name')}/pieces.1"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give (n, 256 + d) float32 rows of unit length; zeros for a text without letters."""
        return self._table.embed([self.pieces(text) for text in texts])

    def pieces(self, text: str) -> list[int]:
        """Numbers of a text's pieces without the marks around them; none where nothing is told."""
        if not any(character.isalpha() for character in text):
            return []
        return list(self._tokenizer.encode(normalise(text).lower()).ids[1:-1])


def load_topic_space(path: Path) -> PieceSpace | None:
    """Give the space of a model folder; None, with the reason in the log, where it has none that can be used."""
    try:
        return PieceSpace(open_model(path))
    except ModelFileError as error:
        log.warning("topics.no_space", reason=str(error))
        return None


def _read(file: Path) -> tuple[PieceTable, float, float]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            table = PieceTable(
                rarity=arrays["rarity"].astype(np.float32),
                likes=arrays["likes"].astype(np.int8),
                centre=arrays["centre"].astype(np.float32),
                spread=arrays["spread"].astype(np.float32),
            )
            join, merge = float(arrays["join"]), float(arrays["merge"])
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"cannot use the model file {file.name} in {file.parent}: {error}") from error
    width = table.likes.shape[1:]
    if (
        len(table.likes) != len(table.rarity)
        or table.spread.shape != width
        or table.centre.shape != width
        or not 0 < join <= merge <= 1
    ):
        raise ModelFileError(f"{file.name} in {file.parent}: its arrays do not fit each other")
    return table, join, merge
