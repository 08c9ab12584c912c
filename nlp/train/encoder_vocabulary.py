"""A smaller vocabulary for the encoder: the pieces that our languages use, all single characters, and emoji.

Most of the network's bytes are one row a piece for a hundred languages. Pieces that are never met are dropped; a word
that needed one is cut into smaller pieces by the same tokeniser, so nothing becomes unreadable but foreign scripts.

    python -m nlp.train.encoder_vocabulary --source E5 --public FOLDER --out BASE
"""

import argparse
import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from nlp.corpus.check import load_corpus
from nlp.train.encoder_data import own_lessons, public_lessons
from nlp.train.encoder_source import load_source
from nlp.train.judged import judged_texts

LANGUAGE_WEIGHTS = {"it": 1.0, "en": 1.0, "es": 0.35, "fr": 0.35, "de": 0.35, "pt": 0.35}
SPECIAL = 4  # <s>, <pad>, </s>, <unk> come first and keep their places
_WORDS = 120_000  # commonest words of a language that are looked at
_CAPITALISED = 60_000  # of these also with a capital
_CAPITAL_SHARE = 0.12  # how often a word is taken to be written so
_EMOJI_FROM = 0x2190
_MARK = "▁"  # the tokeniser's own sign for a blank


def count_pieces(tokenizer: Tokenizer, texts: Mapping[str, float]) -> dict[int, float]:
    """Count every piece, each text as often as its weight says; the counts add up to 1."""
    counts: dict[int, float] = defaultdict(float)
    entries = list(texts.items())
    for start in range(0, len(entries), 5000):
        part = entries[start : start + 5000]
        encoded = tokenizer.encode_batch([text for text, _ in part], add_special_tokens=False)
        for found, (_, weight) in zip(encoded, part, strict=True):
            for piece in found.ids:
                counts[piece] += weight
    total = sum(counts.values())
    return {piece: count / total for piece, count in counts.items()}


def common_words(language: str) -> dict[str, float]:
    """Give the commonest words of a language and how common they are (wordfreq)."""
    from wordfreq import get_frequency_dict

    ordered = sorted(get_frequency_dict(language, wordlist="best").items(), key=lambda pair: -pair[1])[:_WORDS]
    words = dict(ordered)
    for word, share in ordered[:_CAPITALISED]:
        words.setdefault(word.capitalize(), share * _CAPITAL_SHARE)
    return words


def is_always_kept(piece: str) -> bool:
    """Whether a piece stays however rare: one Latin letter, digit, sign or emoji."""
    bare = piece.replace(_MARK, "")
    if len(bare) > 1:
        return not any(char.isalnum() for char in bare) and all(ord(char) >= _EMOJI_FROM for char in bare)
    return not any(char.isalpha() and not unicodedata.name(char, "").startswith("LATIN") for char in bare)


def choose_pieces(pieces: list[str], counts: Mapping[int, float], size: int) -> list[int]:
    """Give the positions to keep in their old order: the special ones, those always kept, then the commonest."""
    kept = set(range(SPECIAL)) | {at for at in range(SPECIAL, len(pieces)) if is_always_kept(pieces[at])}
    for at in sorted(counts, key=lambda piece: -counts[piece]):
        if len(kept) >= size:
            break
        kept.add(at)
    return sorted(kept)


def prune_tokenizer(description: str, kept: list[int]) -> str:
    """Give the tokeniser's JSON with only the kept pieces; `kept` begins with the special ones."""
    raw = json.loads(description)
    pieces = raw["model"]["vocab"]
    raw["model"]["vocab"] = [pieces[at] for at in kept]
    raw["added_tokens"] = [token for token in raw["added_tokens"] if token["id"] < SPECIAL]
    raw["truncation"] = raw["padding"] = None
    return json.dumps(raw, ensure_ascii=False)


def prune(source: Path, texts: Iterable[str], *, size: int) -> tuple[str, NDArray[np.intp]]:
    """Choose by common words and by `texts` (half the weight); gives the new tokeniser and the kept positions."""
    description = (source / "tokenizer.json").read_text(encoding="utf-8")
    tokenizer = Tokenizer.from_str(description)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    counts: dict[int, float] = defaultdict(float)
    for language, weight in LANGUAGE_WEIGHTS.items():
        for piece, share in count_pieces(tokenizer, common_words(language)).items():
            counts[piece] += weight * share
    for piece, share in count_pieces(tokenizer, dict.fromkeys(texts, 1.0)).items():
        counts[piece] += 2.0 * share
    pieces = [piece for piece, _ in json.loads(description)["model"]["vocab"]]
    kept = choose_pieces(pieces, counts, size)
    return prune_tokenizer(description, kept), np.array(kept, dtype=np.intp)


def main() -> None:
    """Read the command line and write the pruned network and its tokeniser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="folder of the whole network")
    parser.add_argument("--public", type=Path, required=True, help="folder of the public labelled sets")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--size", type=int, default=43_000, help="pieces to keep")
    options = parser.parse_args()
    texts = public_lessons(options.public, judged_texts(options.public)).texts + own_lessons(load_corpus()).texts
    tokenizer, kept = prune(options.source, texts, size=options.size)
    weights = load_source(options.source)
    arrays = {**weights, "words": weights["words"][kept]}
    options.out.mkdir(parents=True, exist_ok=True)
    np.savez(options.out / "weights.npz", allow_pickle=False, **arrays)
    (options.out / "tokenizer.json").write_text(tokenizer, encoding="utf-8")


if __name__ == "__main__":
    main()
