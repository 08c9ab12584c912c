"""Texts that figures are reported on: none of them, nor a retweet or a cut of one, may be learnt from."""

from collections.abc import Iterable
from pathlib import Path

from nlp.train.cleaning import read_lines, shingles_of, text_key

PUBLIC = (
    "umsab/*_val.jsonl",
    "tweeteval_*/val.jsonl",
    "clinc150/*val.jsonl",
    "suggestion_semeval19t9a/val.jsonl",
)
SHARED = 0.34  # of a text's shingles; the sets write addresses and handles differently, and cut texts short


class JudgedTexts:
    """Membership by normalised key, or by a third of a text's runs of four words."""

    def __init__(self, texts: Iterable[str]) -> None:
        kept = list(texts)
        self._keys = frozenset(text_key(text) for text in kept)
        self._shingles = frozenset(shingle for text in kept for shingle in shingles_of(text))

    def __contains__(self, text: str) -> bool:
        if text_key(text) in self._keys:
            return True
        found = shingles_of(text)
        return bool(found) and sum(shingle in self._shingles for shingle in found) >= SHARED * len(found)


def judged_texts(folder: Path, own: Iterable[str] = ()) -> JudgedTexts:
    """Every validation part in the folder, and our own posts that are held back."""
    texts = [
        str(row["text"]) for pattern in PUBLIC for path in sorted(folder.glob(pattern)) for row in read_lines(path)
    ]
    return JudgedTexts([*texts, *own])
