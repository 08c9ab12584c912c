"""Training by several processes at once, one thread each: every one takes its part of a batch, gradients are averaged.

Two processes are nearly twice as fast as one; two threads of one process are not, on a machine with other work.
Start each with RANK=0, RANK=1 … and WORLD_SIZE=2; without them a process trains alone.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True, slots=True)
class Pair:
    """This process's place among those that train together."""

    rank: int
    size: int

    @classmethod
    def from_environment(cls) -> "Pair":
        """Read RANK and WORLD_SIZE, and meet the others on the loopback address."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size > 1 and not distributed.is_initialized():
            os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
            os.environ.setdefault("MASTER_PORT", "29551")
            distributed.init_process_group("gloo")
        return cls(int(os.environ.get("RANK", "0")), size)

    @property
    def is_first(self) -> bool:
        """Whether this process writes the result."""
        return self.rank == 0

    def part(self, rows: Sequence[int]) -> list[int]:
        """Our rows of a batch; the same number for each, the longest with the shortest."""
        return list(rows[self.rank :: self.size]) or list(rows[:1])

    def share(self, tensors: Sequence[torch.Tensor]) -> None:
        """Average the gradients of all processes, in place."""
        if self.size == 1:
            return
        found = [tensor.grad if tensor.grad is not None else torch.zeros_like(tensor) for tensor in tensors]
        flat = torch.cat([gradient.reshape(-1) for gradient in found])
        distributed.all_reduce(flat)
        flat /= self.size
        at = 0
        for tensor, gradient in zip(tensors, found, strict=True):
            tensor.grad = flat[at : at + gradient.numel()].view_as(tensor)
            at += gradient.numel()

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.size > 1:
            distributed.barrier()

    def add_up(self, values: torch.Tensor) -> None:
        """Put the sum over all processes into `values`."""
        if self.size > 1:
            distributed.all_reduce(values)

    def agree(self, value: float) -> float:
        """Give the first process's value to all, so that all stop at the same step."""
        if self.size == 1:
            return value
        shared = torch.tensor([value])
        distributed.broadcast(shared, 0)
        return float(shared)
