"""Fine-tune the full encoder on every task at once: the teacher of the student that is shipped.

    python -m nlp.train.teacher --base BASE --public FOLDER --out FILE [--start FILE] [--own 2] [--english 18000]

BASE holds the pruned network (weights.npz, tokenizer.json). Embeddings and the four lowest layers stay as they are.
`--start` goes on from an earlier teacher, for a second round mostly on our own posts.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from nlp.corpus.check import load_corpus
from nlp.train.encoder_data import Lessons, batches, join, own_lessons, pad, public_lessons, split_own
from nlp.train.encoder_net import (
    Forward,
    Gold,
    Tensors,
    fuse,
    gold_loss,
    groups_of,
    new_heads,
    pool,
    scores,
    states,
    trainable,
)
from nlp.train.encoder_source import load_source
from nlp.train.judged import judged_texts
from nlp.train.pair import Pair

MAX_TOKENS = 80
LAYERS = tuple(range(12))
FROZEN = 4
BATCH = 64  # 32 a process
_REPLAYED = ("umsab", "semeval", "complaint")  # in a second round


@dataclass(frozen=True, slots=True)
class Plan:
    """What one round of training is: rounds over the texts, learning rate of layers and of heads, dropout, seed."""

    epochs: float = 1.0
    rate: float = 1e-4
    head_rate: float = 2e-3
    dropout: float = 0.0  # in the layers; one round does not need it, and it costs a tenth of the time
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Taught:
    """A network and its heads."""

    weights: Tensors
    heads: Tensors

    def save(self, path: Path) -> None:
        """Write both to one file."""
        torch.save({"weights": self.weights, "heads": self.heads}, path)

    @classmethod
    def load(cls, path: Path) -> "Taught":
        """Read what `save` wrote."""
        raw = torch.load(path)
        return cls(raw["weights"], raw["heads"])

    @classmethod
    def fresh(cls, base: Path, seed: int) -> "Taught":
        """Start from the pruned network with untrained heads."""
        weights = {name: torch.from_numpy(value) for name, value in fuse(load_source(base)).items()}
        return cls(weights, new_heads(seed))


def load_tokenizer(folder: Path) -> Tokenizer:
    """The pruned tokeniser, cutting where the encoder stops reading."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def tokenise(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Ids of every text."""
    return [found.ids for found in tokenizer.encode_batch(list(texts))]


def say(*words: object) -> None:
    """Print with the time, at once."""
    print(time.strftime("%H:%M:%S", time.gmtime()), *words, flush=True)


def teach(taught: Taught, lessons: Lessons, tokenizer: Tokenizer, plan: Plan) -> None:
    """Train in place."""
    torch.manual_seed(plan.seed)
    ids, gold, pair = tokenise(tokenizer, lessons.texts), Gold.of(lessons), Pair.from_environment()
    body = trainable(taught.weights, LAYERS[FROZEN:])
    for tensor in taught.heads.values():
        tensor.requires_grad_(requires_grad=True)
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": plan.rate}, {"params": list(taught.heads.values()), "lr": plan.head_rate}],
        weight_decay=0.01,
    )
    rates = [plan.rate, plan.head_rate]
    how = Forward(LAYERS, FROZEN, plan.dropout)
    rng = np.random.default_rng(plan.seed)
    whole = int(np.ceil(plan.epochs))
    steps = [rows for _ in range(whole) for rows in batches([len(row) for row in ids], BATCH, rng)]
    steps = steps[: int(len(steps) * plan.epochs / whole)]
    begun, running = time.time(), 0.0
    for step, whole_batch in enumerate(steps):
        rows = pair.part(whole_batch)
        share = min(1.0, (step + 1) / 60) * max(0.02, 1 - step / len(steps))
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * share
        padded, mask = (torch.from_numpy(array) for array in pad([ids[row] for row in rows]))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pooled = pool(states(taught.weights, padded, mask, how), mask)
        found = scores(taught.heads, torch.nn.functional.dropout(pooled, 0.1), gold.groups[rows])
        loss = gold_loss(found, gold, rows)
        optimiser.zero_grad()
        loss.backward()
        pair.share([*body, *taught.heads.values()])
        torch.nn.utils.clip_grad_norm_([*body, *taught.heads.values()], 1.0)
        optimiser.step()
        running += float(loss.detach())
        if (step + 1) % 50 == 0:
            say(f"{step + 1}/{len(steps)} loss {running / 50:.4f} {time.time() - begun:.0f} s")
            running = 0.0
    for tensor in [*body, *taught.heads.values()]:
        tensor.requires_grad_(requires_grad=False)


def embed(weights: Tensors, ids: Sequence[Sequence[int]], how: Forward, *, size: int = 64) -> NDArray[np.float32]:
    """Pooled vectors (n, hidden) float32 of every text."""
    found = np.zeros((len(ids), weights["words"].shape[1]), dtype=np.float32)
    order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        padded, mask = (torch.from_numpy(array) for array in pad([ids[row] for row in rows]))
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            found[rows] = pool(states(weights, padded, mask, how), mask).numpy()
    return found


def predict(taught: Taught, lessons: Lessons, tokenizer: Tokenizer, how: Forward) -> dict[str, NDArray[np.float32]]:
    """Raw scores of every task by the heads used in training."""
    pooled = embed(taught.weights, tokenise(tokenizer, lessons.texts), how)
    with torch.no_grad():
        found = scores(taught.heads, torch.from_numpy(pooled), groups_of(lessons))
    return {task: value.numpy() for task, value in found.items()}


def gather(public: Path, *, own: int, english: int, replay: int | None, seed: int) -> Lessons:
    """Give what is learnt from: public sets (or `replay` texts of them) and `own` times our posts, none held back."""
    posts = load_corpus()
    learn, judge = split_own(posts)
    held_back = own_lessons(posts[at] for at in judge)
    ours = own_lessons(posts[at] for at in learn)
    judged = judged_texts(public, held_back.texts)
    learnt = public_lessons(public, judged, english=english, seed=seed)
    if replay is not None:
        learnt = learnt.take([at for at, origin in enumerate(learnt.origins) if origin in _REPLAYED])
        learnt = learnt.take(np.random.default_rng(seed).permutation(len(learnt))[:replay].tolist())
    return join(learnt, *[ours] * own)


def main() -> None:
    """Read the command line, teach, and write the teacher."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder of the pruned network")
    parser.add_argument("--public", type=Path, required=True, help="folder of the public labelled sets")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--start", type=Path, help="an earlier teacher to go on from")
    parser.add_argument("--own", type=int, default=2, help="how often our own posts are read")
    parser.add_argument("--english", type=int, default=18_000, help="English tweets with sentiment")
    parser.add_argument("--replay", type=int, help="only so many public texts, for a second round")
    parser.add_argument("--epochs", type=float, default=1.0, help="rounds over all texts")
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate of the layers")
    parser.add_argument("--head-rate", type=float, default=2e-3, help="learning rate of the heads")
    parser.add_argument("--seed", type=int, default=7, help="seed of order, dropout and new heads")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch in this process")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer = load_tokenizer(options.base)
    lessons = gather(options.public, own=options.own, english=options.english, replay=options.replay, seed=options.seed)
    say(len(lessons), "texts")
    taught = Taught.load(options.start) if options.start else Taught.fresh(options.base, options.seed)
    plan = Plan(epochs=options.epochs, rate=options.rate, head_rate=options.head_rate, seed=options.seed)
    teach(taught, lessons, tokenizer, plan)
    if Pair.from_environment().is_first:
        taught.save(options.out)


if __name__ == "__main__":
    main()
