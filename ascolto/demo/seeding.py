"""Puts the history into the town, and gives it back as the connectors would have fetched it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ascolto.demo.brand import FEED, OWN_HANDLES, SUBREDDIT
from ascolto.demo.history import DemoPost
from ascolto.demo.listening import MASTODON_HOST
from ascolto.demo.town import Town, TownNetwork
from ascolto.demo.voices import DemoAuthor
from connectors.base import Author, FetchedPost, PostKind

_TOWN_OF = {"rss": "feeds"}


@dataclass(frozen=True, slots=True)
class SettledPost:
    """A post of the history with the id it has in the town."""

    post: DemoPost
    external_id: str
    parent_id: str | None
    root_id: str
    account_id: str


def settle(town: Town, posts: Sequence[DemoPost]) -> Iterator[SettledPost]:
    """Let everybody move in and say what they said, oldest first."""
    ids: dict[int, str] = {}
    for post in posts:
        settled = add_to_town(town, post, parent_id=None if post.parent is None else ids[post.parent])
        ids[post.number] = settled.external_id
        yield SettledPost(post, settled.external_id, settled.parent_id, ids[post.root], settled.account_id)


def add_to_town(town: Town, post: DemoPost, *, parent_id: str | None, at: datetime | None = None) -> SettledPost:
    """Say one post in the town; its author moves in first."""
    network = town.networks[_TOWN_OF.get(post.network, post.network)]
    account_id = _move_in(network, post.author)
    external_id = network.add_post(
        FEED if post.network == "rss" else post.author.handle,
        post.text,
        parent_id=parent_id,
        created_at=at or post.created_at,
        place={"reddit": SUBREDDIT, "facebook": OWN_HANDLES["facebook"]}.get(post.network, ""),
        title=post.title,
        language=post.language,
        likes=post.likes,
    )
    return SettledPost(post, external_id, parent_id, external_id, account_id)


def as_fetched(settled: SettledPost) -> FetchedPost:
    """Give a settled post as its connector reads it: same ids, same author, so that later polls know it."""
    post = settled.post
    given: dict[str, Any] = {
        "network": post.network,
        "external_id": settled.external_id,
        "author": _author(post.author, settled.account_id),
        "text": post.text,
        "created_at": post.created_at.replace(microsecond=0),
        "title": post.title,
        "parent_id": settled.parent_id,
        "thread_id": settled.root_id,
        "mentions_us": post.mentions_us,
        "language_hint": post.language,
        "likes": post.likes,
        "kind": _kind(post),
        "url": _url(post, settled),
    }
    if post.network in {"mastodon", "rss"}:
        given |= {"thread_id": None}
    elif post.network == "facebook":
        given |= {"mentions_us": not post.author.is_own, "language_hint": None}
    elif post.network == "reddit":
        given |= {"audience": 12_345, "language_hint": None}
    return FetchedPost(**given)


def _move_in(network: TownNetwork, author: DemoAuthor) -> str:
    handle = FEED if author.network == "rss" else author.handle
    return network.add_account(handle, author.name, followers=author.followers).id


def _author(author: DemoAuthor, account_id: str) -> Author:
    handle, external_id, url = author.handle, account_id, None
    match author.network:
        case "x":
            url = f"https://x.com/{handle}"
        case "facebook":
            handle, url = author.name, f"https://www.facebook.com/{account_id}"
        case "reddit":
            external_id, url = f"t2_{account_id}", f"https://www.reddit.com/user/{handle}"
        case "mastodon":
            url = f"https://{MASTODON_HOST}/@{handle}"
            external_id, handle = url, f"{handle}@{MASTODON_HOST}"
        case _:
            handle, external_id = author.name, f"127.0.0.1/{author.name}"
    is_counted = author.network in {"x", "mastodon"}
    return Author(
        external_id=external_id,
        handle=handle,
        display_name=handle if author.network == "reddit" else author.name,
        url=url,
        followers=author.followers if is_counted else None,
        is_verified=author.is_verified and author.network == "x" and not author.is_own,
    )


def _kind(post: DemoPost) -> PostKind:
    if post.parent is None:
        return PostKind.MENTION if post.mentions_us else PostKind.POST
    return PostKind.COMMENT if post.network in {"facebook", "reddit"} else PostKind.REPLY


def _url(post: DemoPost, settled: SettledPost) -> str | None:
    match post.network:
        case "x":
            return f"https://x.com/{post.author.handle}/status/{settled.external_id}"
        case "facebook":
            return f"https://www.facebook.com/{settled.external_id}"
        case "reddit":
            return f"https://www.reddit.com/comments/{settled.root_id.removeprefix('t3_')}/"
        case "mastodon":
            return f"https://{MASTODON_HOST}/@{post.author.handle}/{settled.external_id.rsplit('/', 1)[-1]}"
        case _:
            return settled.external_id
