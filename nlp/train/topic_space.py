"""Makes the space of topics of nlp/topic_space.py: how rare every piece is, and what it is like.

    python -m nlp.train.topic_space MODEL_FOLDER --source E5_FOLDER --public PUBLIC_SETS

E5_FOLDER holds multilingual-e5-small with the vocabulary cut as in the model. `join` is chosen where the clusters that
nlp.topics finds agree best, pair by pair, with kinds of questions that nothing was learnt from: half of the kinds of
banking77 and clinc150. Needs torch.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.corpus.check import load_corpus
from nlp.encoder import normalise, open_tokenizer
from nlp.model_files import DESCRIPTION
from nlp.topic_space import MOST_TOKENS, TOPIC_FILE, PieceTable
from nlp.topics import Vectors, find_dense
from nlp.train.cleaning import read_lines
from nlp.train.encoder_source import load_source

LIKES = 96
JOINS = tuple(round(0.30 + 0.02 * step, 2) for step in range(26))
MERGE_ABOVE_JOIN = 0.5  # of the way from join to 1: two means lie closer than two posts
_QUESTIONS = ("banking77/train.jsonl", "clinc150/train.jsonl")
_EACH = 3000
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts with language and kind; kinds are "" for our own posts, which have none."""

    texts: list[str]
    languages: list[str]
    kinds: list[str]

    def unseen(self) -> NDArray[np.bool_]:
        """Rows of the kinds that no direction is learnt from: every second kind by its hash."""
        return np.array([bool(kind) and hashlib.sha256(kind.encode()).digest()[0] % 2 == 0 for kind in self.kinds])


def read_texts(public: Path, *, seed: int = 5) -> Texts:
    """Our own posts, and questions to a bank and to a helper with their kinds."""
    found = Texts([], [], [])
    for post in load_corpus():
        found.texts.append(post.text)
        found.languages.append(post.language)
        found.kinds.append("")
    draw = np.random.default_rng(seed)
    for name in _QUESTIONS:
        rows = read_lines(public / name)
        for at in draw.permutation(len(rows))[:_EACH]:
            found.texts.append(str(rows[at]["text"]))
            found.languages.append("en")
            found.kinds.append(f"{name}:{rows[at]['label']}")
    return found


def pair_f1(points: Vectors, kinds: Sequence[str], join: float) -> float:
    """F1 of "these two belong together", between the topics found at a similarity and the kinds."""
    codes = np.unique(np.array(kinds), return_inverse=True)[1]
    found = np.full(len(points), -1)
    for number, members in enumerate(find_dense(points, join=join)):
        found[members] = number
    told = found >= 0
    together = sum(int(count * (count - 1) // 2) for count in np.bincount(found[told])) if told.any() else 0
    table = np.zeros((found.max() + 1, codes.max() + 1), dtype=np.int64)
    np.add.at(table, (found[told], codes[told]), 1)
    right = int((table * (table - 1) // 2).sum())
    wanted = sum(int(count * (count - 1) // 2) for count in np.bincount(codes))
    return 2 * right / (together + wanted) if together + wanted else 0.0


def piece_vectors(folder: Path) -> NDArray[np.float32]:
    """Give (pieces, 384): what the network makes of every piece of its tokeniser alone, after "query:"."""
    import torch
    from tokenizers import Tokenizer

    from nlp.train.encoder_data import pad
    from nlp.train.encoder_net import Forward, fuse, pool, states

    weights = {name: torch.tensor(value) for name, value in fuse(load_source(folder)).items()}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    query = tokenizer.encode("query: ").ids
    pieces = [[*query[:-1], piece, query[-1]] for piece in range(tokenizer.get_vocab_size())]
    how = Forward(layers=tuple(range(12)))
    found = np.zeros((len(pieces), 384), dtype=np.float32)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for at in range(0, len(pieces), _BATCH):
            padded, mask = (torch.tensor(part) for part in pad(pieces[at : at + _BATCH]))
            found[at : at + _BATCH] = pool(states(weights, padded, mask, how), mask).numpy()
    return found


def learn_table(ids: Sequence[Sequence[int]], vectors: NDArray[np.float32]) -> PieceTable:
    """Give the table of pieces from texts as numbers of pieces: rarity from these texts, likes from the vectors."""
    counts = np.ones(len(vectors), dtype=np.float32)
    for pieces in ids:
        counts[list(set(pieces))] += 1
    rarity = np.maximum(np.log(len(ids) / counts), 0.0).astype(np.float32)
    seen = np.flatnonzero(counts > 1)
    plain = vectors - vectors[seen].mean(axis=0)
    plain /= plain[seen].std(axis=0) + 1e-6
    turned = plain @ np.linalg.svd(plain[seen], full_matrices=False)[2][:LIKES].T
    limit = np.abs(turned).max(axis=1, keepdims=True) + 1e-6
    likes = np.round(127 * turned / limit.max() * 4).clip(-127, 127).astype(np.int8)
    blank = PieceTable(rarity, likes, np.zeros(LIKES, dtype=np.float32), np.ones(LIKES, dtype=np.float32))
    sums = np.stack([blank.sum_likes(pieces) for pieces in ids if pieces])
    return PieceTable(rarity, likes, sums.mean(axis=0), sums.std(axis=0) + 1e-6)


def write_space(folder: Path, table: PieceTable, *, join: float, merge: float) -> None:
    """Write topics.npz and its checksum into model.json."""
    np.savez_compressed(
        folder / TOPIC_FILE,
        rarity=table.rarity.astype(np.float16),
        likes=table.likes,
        centre=table.centre,
        spread=table.spread,
        join=np.float32(join),
        merge=np.float32(merge),
    )
    described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    described["files"][TOPIC_FILE] = hashlib.sha256((folder / TOPIC_FILE).read_bytes()).hexdigest()
    (folder / DESCRIPTION).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Learn the space, choose its similarities, write them, and tell the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of the encoder")
    parser.add_argument("--source", type=Path, required=True, help="folder of multilingual-e5-small, vocabulary cut")
    parser.add_argument("--public", type=Path, required=True, help="folder of the public sets")
    options = parser.parse_args()
    texts = read_texts(options.public)
    unseen = texts.unseen()
    tokenizer = open_tokenizer(options.model / "tokenizer.json", MOST_TOKENS)
    ids = [tokenizer.encode(normalise(text).lower()).ids[1:-1] for text in texts.texts]
    learnt = [pieces for pieces, is_unseen in zip(ids, unseen, strict=True) if not is_unseen]
    table = learn_table(learnt, piece_vectors(options.source))
    points = table.embed(ids)
    judged = [kind for kind, is_unseen in zip(texts.kinds, unseen, strict=True) if is_unseen]
    figures = {join: pair_f1(points[unseen], judged, join) for join in JOINS}
    best = max(figures, key=lambda join: figures[join])
    write_space(options.model, table, join=best, merge=best + MERGE_ABOVE_JOIN * (1 - best))
    print(json.dumps({"join": best, "pair_f1": figures[best], "by_join": figures}))


if __name__ == "__main__":
    main()
