"""Reddit's records read into posts by praw's own models, one at a time."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import praw
from praw.models import Comment, Submission

from connectors.base import Author, BadRecord, FetchedPost, Media, PostKind, PostStatus
from connectors.text import clean_text

SITE = "https://www.reddit.com"
_GONE = {"[deleted]", "[removed]", "[ Removed by Reddit ]", "[ Removed by Reddit in response to a copyright notice. ]"}
_LINK_IN_PATH = re.compile(r"/comments/([a-z0-9]+)/")
_FULLNAME = re.compile(r"t[13]_[a-z0-9]+")
_RAW_LIMIT = 20_000
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError)


@dataclass(frozen=True, slots=True)
class RedditRecords:
    """What a listing held, newest first as Reddit gave it; `names` are all full names seen, read or not."""

    posts: tuple[FetchedPost, ...]
    bad: tuple[BadRecord, ...]
    names: tuple[str, ...]
    after: str | None


def read_listing(reddit: "praw.Reddit", body: object, *, kind: PostKind | None = None) -> RedditRecords:
    """Read a listing's JSON. `kind` says why we read it (mentions, answers to us), None for what it is.

    Raises ValueError where the answer is no listing at all.
    """
    data = body.get("data") if isinstance(body, dict) else None
    children = data.get("children") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(children, list):
        raise ValueError("no listing")  # noqa: TRY004 - the answer is at fault, not a type of ours
    posts: list[FetchedPost] = []
    bad: list[BadRecord] = []
    names: list[str] = []
    for child in children:
        try:
            thing = objectify(reddit, child)
            if thing is None:
                continue
            post = read_post(thing, kind=kind)
        except _UNREADABLE as error:
            bad.append(_bad(child, error))
            continue
        names.append(post.external_id)
        if not is_gone(thing):
            posts.append(post)
    after = data.get("after")
    return RedditRecords(tuple(posts), tuple(bad), tuple(names), str(after) if after else None)


def objectify(reddit: "praw.Reddit", child: object) -> "Comment | Submission | None":
    """Make praw's object of one record; None for kinds we do not read (messages, accounts, "more")."""
    if not isinstance(child, dict):
        raise TypeError("a record that is no object")
    data = child.get("data")
    if child.get("kind") not in {"t1", "t3"}:
        return None
    if not isinstance(data, dict) or not _FULLNAME.fullmatch(str(data.get("name"))):
        raise ValueError("no full name")
    return (Comment if child["kind"] == "t1" else Submission).parse(data, reddit)


def read_post(thing: "Comment | Submission", *, kind: PostKind | None = None) -> FetchedPost:
    """Read a comment or submission. Only what the record holds: praw would fetch a missing field by itself."""
    held = vars(thing)
    is_comment = isinstance(thing, Comment)
    words = held["body"] if is_comment else (held.get("selftext") or held["title"])
    if not isinstance(words, str):
        raise TypeError("text is no string")
    name = str(held["name"])
    return FetchedPost(
        network="reddit",
        external_id=name,
        author=_author(held),
        text=clean_text(words).strip(),
        created_at=_time(held["created_utc"]),
        kind=kind or (PostKind.COMMENT if is_comment else PostKind.POST),
        url=_permalink(held, name),
        parent_id=str(held["parent_id"]) if is_comment else None,
        thread_id=_thread_id(held) if is_comment else name,
        mentions_us=kind is not None,
        edited_at=_edited(held.get("edited")),
        likes=_number(held.get("score")),
        replies=None if is_comment else _number(held.get("num_comments")),
        audience=_number(held.get("subreddit_subscribers")),
        # A comment's link_title is the thread's, and a submission without text has its title for text already.
        title="" if is_comment or not held.get("selftext") else clean_text(str(held.get("title") or "")),
        media=() if is_comment else _media(held),
    )


def is_gone(thing: "Comment | Submission") -> bool:
    """Whether only the place of a deleted or removed item is left."""
    held = vars(thing)
    words = held.get("body") if isinstance(thing, Comment) else held.get("selftext")
    author_left = held.get("author") is None
    if isinstance(thing, Comment):
        return words in _GONE
    return words in _GONE or (author_left and not words) or bool(held.get("removed_by_category"))


def read_statuses(reddit: "praw.Reddit", body: object) -> tuple[PostStatus, ...]:
    """Read a look-up by full names; what Reddit leaves out cannot be judged."""
    data = body.get("data") if isinstance(body, dict) else None
    statuses: list[PostStatus] = []
    for child in (data.get("children") or ()) if isinstance(data, dict) else ():
        try:
            thing = objectify(reddit, child)
            if thing is None:
                continue
            post = read_post(thing)
        except _UNREADABLE:
            continue
        gone = is_gone(thing)
        statuses.append(
            PostStatus(
                external_id=post.external_id,
                is_deleted=gone,
                text=None if gone else post.text,
                edited_at=post.edited_at,
                likes=post.likes,
                replies=post.replies,
            )
        )
    return tuple(statuses)


def _author(held: Mapping[str, Any]) -> Author:
    redditor = held.get("author")
    if redditor is None:
        return Author(external_id=f"unknown:{held['name']}", handle="[deleted]")  # never one person for all
    handle = clean_text(str(redditor))
    return Author(
        external_id=str(held.get("author_fullname") or handle),
        handle=handle,
        display_name=handle,
        url=f"{SITE}/user/{handle}",
    )


def _thread_id(held: Mapping[str, Any]) -> str | None:
    """Give the submission's full name: inbox records have it in their path only."""
    if held.get("link_id"):
        return str(held["link_id"])
    found = _LINK_IN_PATH.search(str(held.get("context") or held.get("permalink") or ""))
    if found:
        return f"t3_{found.group(1)}"
    parent = str(held.get("parent_id"))
    return parent if parent.startswith("t3_") else None


def _permalink(held: Mapping[str, Any], name: str) -> str:
    path = str(held.get("permalink") or held.get("context") or "").split("?", 1)[0]
    if path.startswith("/"):
        return f"{SITE}{path}"
    thread = _thread_id(held)
    if name.startswith("t1_") and thread:
        return f"{SITE}/comments/{thread[3:]}/_/{name[3:]}/"
    return f"{SITE}/comments/{name[3:]}/"


def _media(held: Mapping[str, Any]) -> tuple[Media, ...]:
    url = held.get("url")
    if held.get("is_self") or not isinstance(url, str) or not url.startswith("http"):
        return ()
    kind = {"image": "image", "hosted:video": "video", "rich:video": "video"}.get(str(held.get("post_hint")), "link")
    return (Media(url=url, kind=kind),)


def _time(seconds: object) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError("time is no number")
    return datetime.fromtimestamp(seconds, tz=UTC)


def _edited(value: object) -> datetime | None:
    """`edited` is False, or a time; very old comments have True, which tells no time."""
    return None if isinstance(value, bool) or value is None else _time(value)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _bad(child: object, error: Exception) -> BadRecord:
    raw = clean_text(json.dumps(child, ensure_ascii=False, default=str))[:_RAW_LIMIT]
    data = child.get("data") if isinstance(child, dict) else None
    name = data.get("name") if isinstance(data, dict) else None
    return BadRecord(
        raw=raw,
        reason=f"Reddit record unreadable: {type(error).__name__} {str(error)[:200]}",
        external_id=str(name) if name else None,
    )
