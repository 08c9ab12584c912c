"""Paging as Mastodon does it: max_id, since_id, min_id, Link headers; ids compared as text of growing length."""

import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from ascolto.demo.town.state import TownRequest

Item = TypeVar("Item")
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's, as ULIDs use it


@dataclass(frozen=True, slots=True)
class TownPage(Generic[Item]):
    """A page as it goes out. `ids` newest first; `is_full` says that there may be more."""

    items: list[Item]
    ids: list[str]
    is_full: bool


def id_order(post_id: str) -> tuple[int, str]:
    """Give a key that orders decimals of any length, and ULIDs among themselves."""
    return len(post_id), post_id


def page_of(
    items: Sequence[Item],
    request: TownRequest,
    *,
    key: Callable[[Item], str],
    most: int,
    newest_first: bool,
) -> TownPage[Item]:
    """Cut a page out of items that stand oldest first.

    `min_id` gives the window just after it, `since_id` and no id the newest.
    """
    limit = request.number("limit", 20, high=most)
    low = request.first("min_id") or request.first("since_id")
    high = request.first("max_id")
    fitting = [
        item
        for item in items
        if (not low or id_order(key(item)) > id_order(low)) and (not high or id_order(key(item)) < id_order(high))
    ]
    chosen = fitting[:limit] if request.first("min_id") else fitting[-limit:]
    newest = chosen[::-1]
    return TownPage(newest if newest_first else chosen, [key(item) for item in newest], len(chosen) == limit)


def link_header(request: TownRequest, ids: Sequence[str], *, is_full: bool) -> dict[str, str]:
    """Give the Link header: `prev` to newer ones, `next` to older ones if the page is full."""
    if not ids:
        return {}
    kept = [(k, v) for k, values in request.query.items() if k not in {"min_id", "max_id", "since_id"} for v in values]

    def address(name: str, value: str) -> str:
        return f"{request.base_url}{request.path}?{urllib.parse.urlencode([*kept, (name, value)])}"

    links = [f'<{address("min_id", ids[0])}>; rel="prev"']
    if is_full:
        links.insert(0, f'<{address("max_id", ids[-1])}>; rel="next"')
    return {"Link": ", ".join(links)}


def new_ulid(moment: datetime, number: int) -> str:
    """Give a ULID: milliseconds, then a counter in the place of chance, so that the town is repeatable."""
    value = (int(moment.timestamp() * 1000) << 80) | number
    letters = []
    for _ in range(26):
        value, digit = divmod(value, 32)
        letters.append(_BASE32[digit])
    return "".join(reversed(letters))
