"""Learns the space of topics for an encoder: a turn of its vectors toward those of the network it was distilled from.

    python -m nlp.train.topic_space MODEL_FOLDER --source E5_FOLDER --public PUBLIC_SETS

A model tuned to moods and intents has pushed matters aside, but not lost them: ridge regression finds them again.
The target is multilingual-e5-small's own sentence vector, centred by language, in its main directions. `join` and
`merge` are chosen on kinds of questions that the regression has not seen (half of the kinds of banking77 and
clinc150): `join` where clusters found by nlp.topics agree best with the kinds, pair by pair. Needs torch.
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
from nlp.encoder import open_encoder
from nlp.model_files import DESCRIPTION, open_model
from nlp.topic_space import TOPIC_FILE
from nlp.topics import Vectors, find_dense
from nlp.train.cleaning import read_lines
from nlp.train.encoder_source import load_source

DIRECTIONS = 160
RIDGE = 30.0
JOINS = tuple(round(0.40 + 0.02 * step, 2) for step in range(21))
MERGE_ABOVE_JOIN = 0.5  # of the way from join to 1: two means lie closer than two posts
_QUESTIONS = ("banking77/train.jsonl", "clinc150/train.jsonl")
_EACH = 3000
_BATCH = 32


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


def unit(rows: NDArray[np.floating]) -> Vectors:
    """Rows of unit length."""
    scaled: Vectors = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return scaled


def centre_by_language(rows: NDArray[np.float32], languages: Sequence[str]) -> NDArray[np.float32]:
    """Take each language's mean away: what is left differs by matter, not by language."""
    codes = np.array(languages)
    centred = rows.copy()
    for code in set(languages):
        centred[codes == code] -= rows[codes == code].mean(axis=0)
    return centred


def learn_turn(
    vectors: NDArray[np.float32], target: NDArray[np.float32], learn: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give (mean (width,), turn (width, d)): ridge regression of the target on the centred vectors."""
    mean = vectors[learn].mean(axis=0)
    spread = vectors[learn].std(axis=0) + 1e-6
    given = (vectors[learn] - mean) / spread
    gram = given.T @ given + RIDGE * np.eye(given.shape[1], dtype=np.float32)
    turn = np.linalg.solve(gram, given.T @ target[learn]) / spread[:, None]
    return mean.astype(np.float32), turn.astype(np.float32)


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


def source_vectors(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """Give (n, 384) sentence vectors of the network the encoder was distilled from."""
    import torch
    from tokenizers import Tokenizer

    from nlp.encoder import normalise
    from nlp.train.encoder_data import pad
    from nlp.train.encoder_net import Forward, fuse, pool, states

    weights = {name: torch.tensor(value) for name, value in fuse(load_source(folder)).items()}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(80)
    ids = [tokenizer.encode(f"query: {normalise(text)}").ids for text in texts]
    how = Forward(layers=tuple(range(12)))
    order = np.argsort([len(row) for row in ids], kind="stable")
    found = np.zeros((len(texts), 384), dtype=np.float32)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for at in range(0, len(order), _BATCH):
            rows = order[at : at + _BATCH]
            padded, mask = (torch.tensor(part) for part in pad([ids[row] for row in rows]))
            found[rows] = pool(states(weights, padded, mask, how), mask).numpy()
    return found


def write_space(
    folder: Path, *, mean: NDArray[np.float32], turn: NDArray[np.float32], join: float, merge: float
) -> None:
    """Write topics.npz and its checksum into model.json."""
    np.savez_compressed(
        folder / TOPIC_FILE, mean=mean, turn=turn.astype(np.float16), join=np.float32(join), merge=np.float32(merge)
    )
    described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    described["files"][TOPIC_FILE] = hashlib.sha256((folder / TOPIC_FILE).read_bytes()).hexdigest()
    (folder / DESCRIPTION).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Learn the space, choose its similarities, write them, and tell the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of the encoder")
    parser.add_argument("--source", type=Path, required=True, help="folder of multilingual-e5-small")
    parser.add_argument("--public", type=Path, required=True, help="folder of the public sets")
    options = parser.parse_args()
    texts = read_texts(options.public)
    target = centre_by_language(source_vectors(options.source, texts.texts), texts.languages)
    unseen = texts.unseen()
    directions = np.linalg.svd(target[~unseen], full_matrices=False)[2][:DIRECTIONS].T
    target = unit(target @ directions)
    vectors = open_encoder(open_model(options.model)).encode(texts.texts)
    mean, turn = learn_turn(vectors, target, ~unseen)
    points = unit((vectors - mean) @ turn)
    judged = [kind for kind, is_unseen in zip(texts.kinds, unseen, strict=True) if is_unseen]
    figures = {join: pair_f1(points[unseen], judged, join) for join in JOINS}
    best = max(figures, key=lambda join: figures[join])
    ceiling = max(pair_f1(target[unseen], judged, join) for join in JOINS)
    write_space(options.model, mean=mean, turn=turn, join=best, merge=best + MERGE_ABOVE_JOIN * (1 - best))
    print(json.dumps({"join": best, "pair_f1": figures[best], "source_pair_f1": ceiling, "by_join": figures}))


if __name__ == "__main__":
    main()
