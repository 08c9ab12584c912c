"""Putting Tags of several batches together, and taking rows of them apart."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from nlp.base import Tags

_BY_ROW = ("errors", "rules", "stand_ins")


def take_tags(tags: Tags, rows: Sequence[int]) -> Tags:
    """Give these rows, in this order; a row may come more than once."""
    chosen: dict[str, Any] = {}
    for field in fields(tags):
        value = getattr(tags, field.name)
        if isinstance(value, np.ndarray):
            chosen[field.name] = value[np.array(rows, dtype=np.intp)]
        elif isinstance(value, tuple):
            chosen[field.name] = tuple(value[row] for row in rows)
        elif field.name in _BY_ROW:
            chosen[field.name] = {place: value[row] for place, row in enumerate(rows) if row in value}
        elif field.name == "strange":
            chosen[field.name] = frozenset(place for place, row in enumerate(rows) if row in value)
    return replace(tags, **chosen)


def join_tags(pieces: Sequence[Tags]) -> Tags:
    """Give the batches of one tagger as one, in order; at least one."""
    joined: dict[str, Any] = {}
    starts = np.cumsum([0, *map(len, pieces)]).tolist()
    for field in fields(pieces[0]):
        values = [getattr(piece, field.name) for piece in pieces]
        if isinstance(values[0], np.ndarray):
            joined[field.name] = np.concatenate(values)
        elif isinstance(values[0], tuple):
            joined[field.name] = tuple(one for value in values for one in value)
        elif field.name in _BY_ROW:
            joined[field.name] = {
                start + row: one for start, value in zip(starts, values, strict=False) for row, one in value.items()
            }
        elif field.name == "strange":
            joined[field.name] = frozenset(
                start + row for start, value in zip(starts, values, strict=False) for row in value
            )
    return replace(pieces[0], **joined)
