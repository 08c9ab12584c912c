"""What every background step answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """What a handler did: rows moved on, steps that may have become due, whether more of its own is waiting."""

    rows: int = 0
    due: tuple[str, ...] = ()
    has_more: bool = False
