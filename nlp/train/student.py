"""Teach a half-depth encoder to see what the teacher sees: the network that is shipped.

    python -m nlp.train.student label --teacher T.pt --base BASE --public FOLDER --out CACHE
    python -m nlp.train.student learn --teacher T.pt --base BASE --public FOLDER --cache CACHE --out S.pt --minutes 20

`label` keeps the teacher's scores and the states of every token (float16). `learn` starts from six of the teacher's
layers and follows both, and our own labels; it reckons with the roundings of the shipped file, so that plain 8-bit
products cost little: one step a token, weights as they are, and the inner part between -0.17 and 6.03.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn import functional

from nlp.corpus.check import load_corpus
from nlp.train.encoder_data import (
    CHOICES,
    Lessons,
    batches,
    join,
    own_lessons,
    pad,
    plain_texts,
    public_lessons,
    split_own,
)
from nlp.train.encoder_net import WEIGHTS_OF_TASKS, Forward, Gold, Tensors, gold_loss, pool, scores, states, trainable
from nlp.train.judged import judged_texts
from nlp.train.pair import Pair
from nlp.train.teacher import LAYERS, Taught, load_tokenizer, say, tokenise
from nlp.train.variants import vary

KEPT = (0, 2, 4, 7, 9, 11)  # of the teacher's layers
FROZEN = 2
BATCH = 64
HEAT = 2.0  # softens the teacher's scores
GELU_ZERO, GELU_STEP = 7, 6.2 / 255  # as in nlp.train.export
_STEPS = 127


def round_like_export(name: str, value: torch.Tensor) -> torch.Tensor:
    """Round the input of a product as the shipped file does; gradients pass as if nothing had happened."""
    with torch.no_grad():
        if name.endswith(".outer"):
            rounded = ((value / GELU_STEP).round().clamp(-GELU_ZERO, 255 - GELU_ZERO)) * GELU_STEP
        else:
            step = value.abs().amax(dim=-1, keepdim=True) / _STEPS + 1e-6
            rounded = (value / step).round() * step
    if name.endswith(".outer"):
        value = value.clamp(max=(255 - GELU_ZERO) * GELU_STEP)
    return value + (rounded - value).detach()


@dataclass(frozen=True, slots=True)
class Cache:
    """The teacher's scores by task and token states (all tokens one after the other) of a list of texts."""

    lessons: Lessons
    ids: list[list[int]]
    starts: NDArray[np.int64]
    states: NDArray[np.float16]
    scores: dict[str, torch.Tensor]

    @classmethod
    def load(cls, folder: Path) -> "Cache":
        """Read what `label` wrote."""
        raw = json.loads((folder / "lessons.json").read_text(encoding="utf-8"))
        lengths = [len(row) for row in raw["ids"]]
        with np.load(folder / "scores.npz") as file:
            found = {task: torch.from_numpy(file[task]) for task in file.files}
        return cls(
            Lessons(**raw["lessons"]),
            raw["ids"],
            np.concatenate([[0], np.cumsum(lengths)]),
            np.load(folder / "states.npy", mmap_mode="r"),
            found,
        )

    def states_of(self, rows: list[int], width: int) -> torch.Tensor:
        """Token states (batch, width, hidden) float32, zero where there is no token."""
        found = np.zeros((len(rows), width, self.states.shape[1]), dtype=np.float32)
        for at, row in enumerate(rows):
            found[at, : len(self.ids[row])] = self.states[self.starts[row] : self.starts[row + 1]]
        return torch.from_numpy(found)


def gather_texts(public: Path, *, english: int, variants: int, plain: int, replay: int | None, seed: int) -> Lessons:
    """Own posts, variants of them without labels, public texts (or `replay` of them), and plain questions."""
    posts = load_corpus()
    learn, judge = split_own(posts)
    held_back = own_lessons(posts[at] for at in judge)
    judged = judged_texts(public, held_back.texts)
    ours = own_lessons(posts[at] for at in learn)
    rng = np.random.default_rng(seed)
    questions = plain_texts(public, judged)
    shared = public_lessons(public, judged, english=english, seed=seed)
    if replay is not None:
        shared = shared.take(rng.permutation(len(shared))[:replay].tolist())
    asked = questions.take(rng.permutation(len(questions))[:plain].tolist())
    return join(ours, vary(ours, variants, rng), shared, asked)


def label(taught: Taught, lessons: Lessons, tokenizer: Tokenizer, out: Path) -> None:
    """Write the teacher's scores and states; with two processes each does every other batch."""
    pair = Pair.from_environment()
    out.mkdir(parents=True, exist_ok=True)
    ids = tokenise(tokenizer, lessons.texts)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in ids])])
    shape = (int(starts[-1]), taught.weights["words"].shape[1])
    if pair.is_first:
        np.lib.format.open_memmap(out / "states.npy", "w+", np.float16, shape).flush()
        (out / "lessons.json").write_text(json.dumps({"lessons": lessons.__dict__, "ids": ids}), encoding="utf-8")
    pair.wait()
    kept = np.load(out / "states.npy", mmap_mode="r+")
    pooled = torch.zeros(len(ids), shape[1])
    order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
    steps = [order[at : at + BATCH] for at in range(0, len(order), BATCH)][pair.rank :: pair.size]
    for done, rows in enumerate(steps):
        padded, mask = (torch.from_numpy(array) for array in pad([ids[row] for row in rows]))
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            found = states(taught.weights, padded, mask, Forward(LAYERS)).float()
        pooled[rows] = pool(found, mask)
        plain = found.clamp(-6e4, 6e4).numpy()
        for at, row in enumerate(rows):
            kept[starts[row] : starts[row + 1]] = plain[at, : len(ids[row])]
        if (done + 1) % 50 == 0:
            say(f"labelled {done + 1}/{len(steps)}")
    kept.flush()
    pair.add_up(pooled)
    if pair.is_first:
        with torch.no_grad():
            found_scores = scores(taught.heads, pooled, Gold.of(lessons).groups)
        np.savez(
            out / "scores.npz", allow_pickle=False, **{task: value.numpy() for task, value in found_scores.items()}
        )


def follow_loss(found: Tensors, wanted: Tensors) -> torch.Tensor:
    """Divergence from the teacher's softened scores, over all tasks."""
    total = torch.zeros(())
    for task, value in found.items():
        target = wanted[task]
        if task in CHOICES:
            each = (
                functional.kl_div((value / HEAT).log_softmax(1), (target / HEAT).softmax(1), reduction="batchmean")
                * HEAT**2
            )
        else:
            soft = torch.sigmoid(target)
            floor = functional.binary_cross_entropy(soft, soft)
            each = functional.binary_cross_entropy_with_logits(value, soft) - floor
        total = total + WEIGHTS_OF_TASKS[task] * each
    return total


def start_student(taught: Taught) -> Taught:
    """Six of the teacher's layers under new numbers, and its heads."""
    weights = {name: value for name, value in taught.weights.items() if not name[0].isdigit()}
    for new, old in enumerate(KEPT):
        prefix = f"{old}."
        for name, value in taught.weights.items():
            if name.startswith(prefix):
                weights[f"{new}.{name.removeprefix(prefix)}"] = value.clone()
    return Taught(weights, {name: value.clone() for name, value in taught.heads.items()})


def learn(student: Taught, cache: Cache, *, minutes: float, rate: float, gold_share: float, seed: int) -> None:
    """Train in place until the time is over."""
    pair, gold = Pair.from_environment(), Gold.of(cache.lessons)
    spread = torch.from_numpy(np.asarray(cache.states[:200_000], dtype=np.float32).var(axis=0) + 1e-3)
    body = trainable(student.weights, range(FROZEN, len(KEPT)))
    heads = list(student.heads.values())
    for tensor in heads:
        tensor.requires_grad_(requires_grad=True)
    optimiser = torch.optim.AdamW([{"params": body, "lr": rate}, {"params": heads, "lr": 2 * rate}], weight_decay=0.01)
    how = Forward(tuple(range(len(KEPT))), FROZEN, watch=round_like_export)
    rng = np.random.default_rng(seed)
    own = [at for at, label in enumerate(cache.lessons.choices["urgency"]) if label >= 0]  # labelled by us: read twice
    places = [*range(len(cache.ids)), *own]
    lengths = [len(cache.ids[at]) for at in places]
    begun, step, sums = time.time(), 0, np.zeros(3)
    queue: list[list[int]] = []
    while True:
        share = pair.agree((time.time() - begun) / (60 * minutes))
        if share >= 1:
            break
        if not queue:
            queue = batches(lengths, BATCH, rng)
        rows = [places[at] for at in pair.part(queue.pop())]
        for group, top in zip(optimiser.param_groups, (rate, 2 * rate), strict=True):
            group["lr"] = top * min(1.0, (step + 1) / 40) * max(0.01, 1 - share)
        padded, mask = (torch.from_numpy(array) for array in pad([cache.ids[row] for row in rows]))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            seen = states(student.weights, padded, mask, how)
        found = scores(student.heads, pool(seen, mask), gold.groups[rows])
        away = (seen.float() - cache.states_of(rows, padded.shape[1])) ** 2 / spread
        losses = (
            follow_loss(found, {task: value[rows] for task, value in cache.scores.items()}),
            (away.mean(2) * mask).sum() / mask.sum(),
            gold_loss(found, gold, rows),
        )
        optimiser.zero_grad()
        (losses[0] + losses[1] + gold_share * losses[2]).backward()
        pair.share([*body, *heads])
        torch.nn.utils.clip_grad_norm_([*body, *heads], 1.0)
        optimiser.step()
        step += 1
        sums += [float(loss.detach()) for loss in losses]
        if step % 50 == 0:
            say(f"{step} ({step * BATCH} texts)", *(f"{value / 50:.4f}" for value in sums), f"{100 * share:.0f} %")
            sums[:] = 0
    for tensor in [*body, *heads]:
        tensor.requires_grad_(requires_grad=False)


def main() -> None:
    """Read the command line; label or learn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("label", "learn"))
    parser.add_argument("--teacher", type=Path, required=True, help="file of the teacher")
    parser.add_argument("--base", type=Path, required=True, help="folder of the pruned network")
    parser.add_argument("--public", type=Path, help="folder of the public labelled sets")
    parser.add_argument("--cache", type=Path, help="folder that `label` wrote")
    parser.add_argument("--start", type=Path, help="an earlier student to go on from")
    parser.add_argument("--out", type=Path, required=True, help="folder or file to write")
    parser.add_argument("--english", type=int, default=12_000, help="English tweets with sentiment")
    parser.add_argument("--replay", type=int, help="only so many public texts, for a short last round")
    parser.add_argument("--variants", type=int, default=2, help="variants of each of our posts")
    parser.add_argument("--plain", type=int, default=8_000, help="plain questions")
    parser.add_argument("--minutes", type=float, default=20.0, help="time to learn")
    parser.add_argument("--rate", type=float, default=2.5e-4, help="learning rate")
    parser.add_argument("--gold", type=float, default=0.5, help="share of our own labels in the loss")
    parser.add_argument("--seed", type=int, default=7, help="seed of order and variants")
    options = parser.parse_args()
    torch.set_num_threads(1)
    taught = Taught.load(options.teacher)
    if options.step == "label":
        texts = gather_texts(
            options.public,
            english=options.english,
            variants=options.variants,
            plain=options.plain,
            replay=options.replay,
            seed=options.seed,
        )
        say(len(texts), "texts")
        label(taught, texts, load_tokenizer(options.base), options.out)
        return
    student = Taught.load(options.start) if options.start else start_student(taught)
    cache = Cache.load(options.cache)
    learn(student, cache, minutes=options.minutes, rate=options.rate, gold_share=options.gold, seed=options.seed)
    if Pair.from_environment().is_first:
        student.save(options.out)


if __name__ == "__main__":
    main()
