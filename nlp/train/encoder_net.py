"""The encoder in torch, as plain functions over named tensors: forward pass, heads, and losses of all tasks.

torch is needed for training only. The names of the tensors are those of nlp.train.encoder_source; `mean` over the
tokens of the last layer is what every head reads.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from nlp.train.encoder_data import CHOICES, MARKS, Lessons

HEADS = 12
HIDDEN = 384
EPSILON = 1e-12
GROUPS = ("own-it", "own-en", "public")  # each with a bias of its own: what is common differs, what it means does not
WEIGHTS_OF_TASKS = {
    "sentiment": 1.0,
    "emotion": 0.8,
    "urgency": 0.5,
    "tweet_emotion": 0.4,
    "intent": 12.0,  # a mean over ten labels, so a little more than one each
    "toxicity": 1.0,
    "offensive": 0.4,
}
Tensors = dict[str, torch.Tensor]
Watch = Callable[[str, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Forward:
    """How to run the layers: which are frozen, dropout, and what is done to the input of every matrix product."""

    layers: tuple[int, ...]
    frozen: int = 0
    dropout: float = 0.0
    watch: Watch | None = None


def states(weights: Tensors, ids: torch.Tensor, mask: torch.Tensor, how: Forward) -> torch.Tensor:
    """Give the states (batch, tokens, hidden) of the last layer."""
    with torch.no_grad():
        x = functional.embedding(ids, weights["words"]) + weights["positions"][: ids.shape[1]]
        x = functional.layer_norm(x, (HIDDEN,), weights["norm.weight"], weights["norm.bias"], EPSILON)
    seen = mask.bool()[:, None, None, :]
    for depth, layer in enumerate(how.layers):
        with torch.set_grad_enabled(torch.is_grad_enabled() and depth >= how.frozen):
            x = _layer(weights, layer, x, seen, how, drop=how.dropout if depth >= how.frozen else 0.0)
    return x


def _layer(
    weights: Tensors, layer: int, x: torch.Tensor, seen: torch.Tensor, how: Forward, *, drop: float
) -> torch.Tensor:
    def product(name: str, value: torch.Tensor, bias: str | None = None) -> torch.Tensor:
        watched = how.watch(f"{layer}.{name}", value) if how.watch else value
        return functional.linear(watched, weights[f"{layer}.{name}.weight"], weights[f"{layer}.{bias or name}.bias"])

    def norm(name: str, value: torch.Tensor) -> torch.Tensor:
        pair = weights[f"{layer}.{name}.weight"], weights[f"{layer}.{name}.bias"]
        return functional.layer_norm(value, (HIDDEN,), *pair, EPSILON)

    batch, tokens, _ = x.shape
    split = product("qkv", x).view(batch, tokens, 3, HEADS, HIDDEN // HEADS).permute(2, 0, 3, 1, 4)
    likeness = split[0] @ split[1].transpose(2, 3) * (HIDDEN // HEADS) ** -0.5
    mixed = likeness.masked_fill(~seen, -1e4).softmax(3).to(split.dtype) @ split[2]
    mixed = product("attention_out", mixed.transpose(1, 2).reshape(batch, tokens, HIDDEN))
    x = norm("attention_norm", x + functional.dropout(mixed, drop, training=drop > 0))
    inner = functional.gelu(product("inner", x))
    outer = product("outer", inner)
    return norm("outer_norm", x + functional.dropout(outer, drop, training=drop > 0))


def pool(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the tokens that are there; (batch, hidden) float32."""
    share = mask[..., None].float()
    return (x.float() * share).sum(1) / share.sum(1)


def fuse(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Put query, key and value of every layer into one matrix `<layer>.qkv`."""
    fused = {
        name: value for name, value in weights.items() if name.split(".")[1:2] not in (["query"], ["key"], ["value"])
    }
    layers = {int(name.split(".")[0]) for name in weights if name[0].isdigit()}
    for layer in layers:
        for kind in ("weight", "bias"):
            parts = [weights[f"{layer}.{part}.{kind}"] for part in ("query", "key", "value")]
            fused[f"{layer}.qkv.{kind}"] = np.concatenate(parts)
    return fused


def new_heads(seed: int) -> Tensors:
    """One linear head a task and a bias a group."""
    generator = torch.Generator().manual_seed(seed)
    heads: Tensors = {}
    for task, width in {**CHOICES, **MARKS}.items():
        heads[f"{task}.weight"] = torch.randn(width, HIDDEN, generator=generator) * 0.02
        heads[f"{task}.bias"] = torch.zeros(len(GROUPS), width)
    return heads


def scores(heads: Tensors, pooled: torch.Tensor, groups: torch.Tensor) -> Tensors:
    """Raw scores of every task; `groups` says whose bias is taken."""
    tasks = {**CHOICES, **MARKS}
    return {task: pooled @ heads[f"{task}.weight"].T + heads[f"{task}.bias"][groups] for task in tasks}


def groups_of(lessons: Lessons) -> torch.Tensor:
    """Group of every text."""
    names = [
        f"own-{language}" if origin == "own" else "public"
        for origin, language in zip(lessons.origins, lessons.languages, strict=True)
    ]
    return torch.tensor([GROUPS.index(name) for name in names])


@dataclass(frozen=True, slots=True)
class Gold:
    """Labels as tensors by task: int64 with -1, or float32 with NaN, where unknown; own: whether a post is ours."""

    choices: Tensors
    marks: Tensors
    groups: torch.Tensor

    @classmethod
    def of(cls, lessons: Lessons) -> "Gold":
        """Take the columns of the lessons."""
        return cls(
            {task: torch.tensor(column) for task, column in lessons.choices.items()},
            {task: torch.tensor(column, dtype=torch.float32) for task, column in lessons.marks.items()},
            groups_of(lessons),
        )


def gold_loss(found: Tensors, gold: Gold, rows: Sequence[int], *, smoothing: float = 0.05) -> torch.Tensor:
    """Sum over tasks of the mean loss of what is labelled, weighted by the share of the batch that is."""
    picked = torch.tensor(rows)
    total = torch.zeros(())
    for task, column in gold.choices.items():
        wanted = column[picked]
        known = wanted >= 0
        if known.any():
            each = functional.cross_entropy(
                found[task][known], wanted[known], reduction="sum", label_smoothing=smoothing
            )
            total = total + WEIGHTS_OF_TASKS[task] * each / len(rows)
    for task, column in gold.marks.items():
        target = column[picked]
        there = ~torch.isnan(target)
        if there.any():
            each = functional.binary_cross_entropy_with_logits(found[task][there], target[there], reduction="sum")
            total = total + WEIGHTS_OF_TASKS[task] / target.shape[1] * each / len(rows)
    return total


def trainable(weights: Tensors, layers: Iterable[int]) -> list[torch.Tensor]:
    """The tensors of some layers, made to take gradients."""
    chosen = {f"{layer}" for layer in layers}
    found = [tensor for name, tensor in weights.items() if name.split(".")[0] in chosen]
    for tensor in found:
        tensor.requires_grad_(requires_grad=True)
    return found
