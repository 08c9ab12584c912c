"""Cuts long lists of ids into parts a statement can bind (SQLite takes at most 32,766 values)."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

CHUNK = 500
Item = TypeVar("Item")


def chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[Sequence[Item]]:
    """Give the items in runs of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))
