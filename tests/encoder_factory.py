"""Small real model folders for tests: a transformer of two narrow layers with its own tokeniser and heads."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from nlp.calibration import TASKS
from nlp.train.export import write_encoder

WIDTH = 32
HEADS = 4
LAYERS = 2
INNER = 64
MAX_TOKENS = 16
LANGUAGES = ("it", "en")
_KNOWN_WORDS = (
    "grazie ottimo pessimo vergogna treno ritardo pacco bolletta quanto costa spedizione non funziona mai più "
    "thanks great awful train late parcel bill how much shipping does not work never again user http lumea 😡 😍"
)
_WORDS = _KNOWN_WORDS.split()
CALIBRATION: dict[str, dict[str, Any]] = {
    "sentiment": {"temperature": 1.0, "biases": [0.0, 0.0, 0.0], "threshold": 0.4},
    "emotion": {"temperature": 1.5, "biases": [0.0] * 7, "threshold": 0.3},
    "intent": {"slopes": [1.0] * 10, "offsets": [0.0] * 10, "thresholds": [0.5] * 10, "floor": 0.5},
    "toxicity": {"slope": 1.0, "offset": -1.0, "threshold": 0.6},
    "urgency": {"temperature": 1.0, "biases": [0.0] * 4, "threshold": 0.3},
}


def write_encoder_model(path: Path, *, seed: int = 5, changes: Mapping[str, Any] | None = None) -> Path:
    """Write a whole model folder with random weights; `changes` replaces entries of its model.json."""
    path.mkdir(parents=True)
    _write_tokenizer(path / "tokenizer.json")
    draw = np.random.default_rng(seed)
    write_encoder(random_weights(draw), path / "encoder.onnx", heads=HEADS, max_tokens=MAX_TOKENS)
    write_heads(path / "heads.npz", random_heads(draw))
    files = {name: _sha256(path / name) for name in ("encoder.onnx", "tokenizer.json", "heads.npz")}
    described = {
        "format": 1,
        "kind": "encoder",
        "name": "encoder.v9",
        "languages": list(LANGUAGES),
        "max_tokens": MAX_TOKENS,
        "prefix": "",
        "stack": None,
        "files": files,
        "calibration": dict.fromkeys(LANGUAGES, CALIBRATION),
        **(changes or {}),
    }
    (path / "model.json").write_text(json.dumps(described), encoding="utf-8")
    return path


def describe(path: Path, **changes: Any) -> None:
    """Change entries of a folder's model.json; the checksums of its files are taken anew."""
    described = json.loads((path / "model.json").read_text(encoding="utf-8"))
    described["files"] = {name: _sha256(path / name) for name in described["files"]}
    (path / "model.json").write_text(json.dumps({**described, **changes}), encoding="utf-8")


def random_weights(draw: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Weights as in a BertModel's state_dict."""

    def some(*shape: int) -> NDArray[np.float32]:
        return (draw.standard_normal(shape) * 0.3).astype(np.float32)

    def norm(name: str) -> dict[str, NDArray[np.float32]]:
        return {f"{name}.weight": 1 + some(WIDTH), f"{name}.bias": some(WIDTH)}

    weights = {
        "embeddings.word_embeddings.weight": some(len(_WORDS) + 260, WIDTH),
        "embeddings.position_embeddings.weight": some(MAX_TOKENS, WIDTH),
        **norm("embeddings.LayerNorm"),
    }
    for layer in range(LAYERS):
        before = f"encoder.layer.{layer}."
        linear = {f"attention.self.{name}": (WIDTH, WIDTH) for name in ("query", "key", "value")}
        linear |= {
            "attention.output.dense": (WIDTH, WIDTH),
            "intermediate.dense": (INNER, WIDTH),
            "output.dense": (WIDTH, INNER),
        }
        for name, shape in linear.items():
            weights[f"{before}{name}.weight"] = some(*shape)
            weights[f"{before}{name}.bias"] = some(shape[0])
        weights |= norm(f"{before}attention.output.LayerNorm") | norm(f"{before}output.LayerNorm")
    return weights


def random_heads(draw: np.random.Generator, *, inputs: int = WIDTH) -> dict[str, NDArray[np.float32]]:
    """Heads of every task and language."""
    arrays = {}
    for language in LANGUAGES:
        for task, labels in TASKS.items():
            arrays[f"{task}.{language}.weight"] = draw.standard_normal((len(labels), inputs)).astype(np.float32)
            arrays[f"{task}.{language}.bias"] = draw.standard_normal(len(labels)).astype(np.float32)
    return arrays


def write_heads(file: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Write heads.npz."""
    np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's own signature mixes arrays with a flag


def _write_tokenizer(file: Path) -> None:
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    characters = [chr(code) for code in range(33, 256)]
    for piece in [*_WORDS, *characters]:
        vocabulary.setdefault(piece, len(vocabulary))
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(file))


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
