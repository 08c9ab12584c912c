"""The small multilingual encoder: texts in, one vector each out; nothing heavy is loaded until the first text.

`normalise` is the one preparation of a text before its tokeniser, in training and in use. Texts are run in small
batches of one length each, which is rounded up from the text's own: so a vector is the same, bit for bit, whatever is
beside the text (nlp/train/export.py writes graphs that keep this).
"""

import html
import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from nlp.model_files import ModelFileError, ModelFolder, open_model

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

MAX_CHARS = 2_000  # far more than the tokens the encoder reads; keeps a text of megabytes cheap
_ROUND_TO = 2  # tokens; the length of a text is padded to a multiple of it
_TOKENS_AT_ONCE = 640  # about what stays in a core's cache
_TEXTS_AT_ONCE = 16

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2060\ufeff\ud800-\udfff]")
_ADDRESS = re.compile(r"(?i:https?://|www\.)\S+")
_HANDLE = re.compile(r"(?<![\w.@])@\w[\w.]*(?:@[\w.]+)?")
_PILED_MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{2})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)


def normalise(text: str) -> str:
    """Give a text as the encoder reads it: entities resolved, addresses " http ", handles "@user", blanks collapsed.

    Never fails, whatever the characters are; "" where nothing is left.
    """
    plain = html.unescape(text[:MAX_CHARS])
    plain = _CONTROLS.sub(" ", plain)
    plain = _ADDRESS.sub(" http ", plain)
    plain = _HANDLE.sub("@user", plain)
    plain = _PILED_MARKS.sub(r"\1", plain)
    return " ".join(plain.split())


class EncoderError(RuntimeError):
    """The encoder could not read texts, though its files are whole."""


class _Session(Protocol):
    def run(
        self, output_names: Sequence[str] | None, input_feed: dict[str, NDArray[np.int64]]
    ) -> list[NDArray[np.float32]]: ...


class Encoder:
    """An encoder of a model folder; `encode` may be called from several threads. Raises ModelFileError at first use."""

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._prefix = str(folder.described.get("prefix") or "")
        self._max_tokens = _whole_number(folder, "max_tokens")
        self._lock = threading.Lock()
        self._loaded: tuple[_Session, Tokenizer] | None = None

    def load(self) -> None:
        """Read the files now instead of at the first text."""
        self._parts()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, width) float32; each row depends on its own text alone. Raises EncoderError where a run fails.

        A text of more tokens than the encoder reads at once is read at its beginning and at its end, where the
        verdict stands; its vector is their mean.
        """
        session, tokenizer = self._parts()
        tokens: list[list[int]] = []
        ends: dict[int, list[int]] = {}
        for row, text in enumerate(texts):
            found = tokenizer.encode(self._prefix + normalise(text))
            tokens.append(found.ids)
            if found.overflowing:
                ends[row] = found.ids[:1] + _tail(found)[-(self._max_tokens - 1) :]
        vectors = _encode(session, tokens)
        if ends:
            rows = list(ends)
            vectors[rows] = (vectors[rows] + _encode(session, list(ends.values()))) / 2
        return vectors

    def _parts(self) -> "tuple[_Session, Tokenizer]":
        if self._loaded is None:
            with self._lock:
                if self._loaded is None:
                    self._loaded = self._load()
        return self._loaded

    def _load(self) -> "tuple[_Session, Tokenizer]":
        sums = self._folder.section("files")
        tokenizer_file = self._folder.checked("tokenizer.json", sums.get("tokenizer.json"))
        graph_file = self._folder.checked("encoder.onnx", sums.get("encoder.onnx"))
        return _open_session(graph_file), open_tokenizer(tokenizer_file, self._max_tokens)


@lru_cache(maxsize=2)
def _encoder_of(path: Path, sums: str) -> Encoder:  # noqa: ARG001 - other files in the same place are another encoder
    return Encoder(open_model(path))


def open_encoder(folder: ModelFolder) -> Encoder:
    """Give the process's one encoder of a model folder, so that its weights are in memory once."""
    return _encoder_of(folder.path.resolve(), repr(folder.described.get("files")))


def _whole_number(folder: ModelFolder, name: str) -> int:
    found = folder.described.get(name)
    if not isinstance(found, int) or found < 1:
        raise ModelFileError(f'model.json in {folder.path}: "{name}" is not a whole number above 0')
    return found


def open_tokenizer(file: Path, max_tokens: int) -> "Tokenizer":
    """Read a tokeniser that cuts texts at `max_tokens`; raises ModelFileError naming the file."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing narrower
        raise ModelFileError(f"cannot use the model file {file.name} in {file.parent}: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _open_session(file: Path) -> _Session:
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise ModelFileError(f"{file.name} in {file.parent} needs onnxruntime: pip install onnxruntime") from error
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # more threads collapse where processes share the cores
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        session: _Session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors share no narrower class
        raise ModelFileError(f"cannot use the model file {file.name} in {file.parent}: {error}") from error
    return session


def _tail(found: "Encoding") -> list[int]:
    """All inner tokens of a text in order, and the closing mark."""
    inner = [token for part in (found, *found.overflowing) for token in part.ids[1:-1]]
    return [*inner, found.ids[-1]]


def _encode(session: _Session, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] | None = None
    for length, rows in _by_length(tokens):
        found = _run(session, [tokens[row] for row in rows], length)
        if vectors is None:
            vectors = np.zeros((len(tokens), found.shape[1]), dtype=np.float32)
        vectors[rows] = found
    return np.zeros((0, 0), dtype=np.float32) if vectors is None else vectors


def _by_length(tokens: Sequence[Sequence[int]]) -> list[tuple[int, list[int]]]:
    """(length, rows) of batches: texts of one padded length each, few enough at once."""
    groups: dict[int, list[int]] = {}
    for row, ids in enumerate(tokens):
        groups.setdefault(-(-max(len(ids), 1) // _ROUND_TO) * _ROUND_TO, []).append(row)
    batches: list[tuple[int, list[int]]] = []
    for length, rows in sorted(groups.items()):
        size = max(1, min(_TEXTS_AT_ONCE, _TOKENS_AT_ONCE // length))
        batches.extend((length, rows[at : at + size]) for at in range(0, len(rows), size))
    return batches


def _run(session: _Session, tokens: Sequence[Sequence[int]], length: int) -> NDArray[np.float32]:
    ids = np.zeros((len(tokens), length), dtype=np.int64)
    mask = np.zeros((len(tokens), length), dtype=np.int64)
    for row, found in enumerate(tokens):
        ids[row, : len(found)] = found
        mask[row, : max(len(found), 1)] = 1
    try:
        return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    except Exception as error:  # the library's errors share no narrower class
        raise EncoderError(f"the encoder failed on {len(tokens)} texts: {type(error).__name__}: {error}") from error
