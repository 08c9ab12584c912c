"""Facebook's records read into posts, one at a time, so that a bad one spoils none of its neighbours."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.base import Author, BadRecord, FetchedPost, Media, PostKind
from connectors.text import clean_text

FROM_FIELDS = "from{id,name,link,picture{url}}"
POST_FIELDS = (
    f"id,message,story,created_time,updated_time,permalink_url,{FROM_FIELDS},shares,"
    "attachments{media_type,unshimmed_url,url,media,title,description},"
    "reactions.summary(total_count).limit(0),comments.summary(total_count).limit(0)"
)
COMMENT_FIELDS = (
    f"id,message,created_time,permalink_url,{FROM_FIELDS},parent{{id}},like_count,comment_count,is_hidden,"
    "attachment{media_type,url,media,type}"
)
_SITE = "https://www.facebook.com"
_RAW_LIMIT = 20_000
_NODE_ID = re.compile(r"\d+(?:_\d+)*")
_MEDIA_KINDS = {"photo": "image", "album": "image", "sticker": "image", "video": "video", "video_inline": "video"}
_COMMENT_LINK = re.compile(r"/posts/(\d+)/?\?comment_id=(\d+)(?:&reply_comment_id=(\d+))?")
_OFFSET = re.compile(r"([+-]\d{2})(\d{2})$")
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Where:
    """Why a record was read: what it is, which page is ours, and the post a comment stands under."""

    page_id: str
    kind: PostKind
    post_id: str | None = None


def read_records(records: list[Any], where: Where) -> tuple[tuple[FetchedPost, ...], tuple[BadRecord, ...]]:
    """Read the records of a page in the order they came; the unreadable ones apart."""
    posts: list[FetchedPost] = []
    bad: list[BadRecord] = []
    for record in records:
        try:
            posts.append(read_post(record, where))
        except UNREADABLE as error:
            bad.append(_bad(record, error))
    return tuple(posts), tuple(bad)


def read_post(record: Mapping[str, Any], where: Where) -> FetchedPost:
    """Read a post or comment; raises one of UNREADABLE when it is broken."""
    post_id = read_id(record)
    author = read_author(record, post_id)
    is_comment = where.kind is PostKind.COMMENT
    is_ours = author.external_id == where.page_id
    return FetchedPost(
        network="facebook",
        external_id=post_id,
        author=author,
        text=_words(record),
        created_at=read_time(record.get("created_time") or record["tagged_time"]),
        kind=PostKind.POST if is_ours and not is_comment else where.kind,
        url=str(record.get("permalink_url") or f"{_SITE}/{post_id}"),
        parent_id=_parent(record, where) if is_comment else None,
        thread_id=(where.post_id or _post_of(record)) if is_comment else post_id,
        mentions_us=not is_ours,
        likes=_likes(record),
        replies=_summary(record, "comments") if not is_comment else _number(record.get("comment_count")),
        reposts=_shares(record),
        media=_media(record),
    )


def read_id(record: Mapping[str, Any]) -> str:
    """Give a record's id; comments asked for without it have it in their permalink."""
    post_id = record.get("id")
    if post_id is None:
        found = _COMMENT_LINK.search(str(record["permalink_url"]))
        post_id = f"{found.group(1)}_{found.group(3) or found.group(2)}" if found else None
    if not isinstance(post_id, str) or not _NODE_ID.fullmatch(post_id):
        raise ValueError("no id of Facebook's")
    return post_id


def read_author(record: Mapping[str, Any], post_id: str) -> Author:
    """Give who wrote it. Facebook hides many: then a made-up id, one a post, so that no two become one person."""
    source = record.get("from")
    hidden = f"unknown:{post_id}"
    if source is None:
        return Author(external_id=hidden, handle="")
    if not isinstance(source, dict):
        raise TypeError("author is no object")
    account_id = str(source.get("id") or hidden)
    name = clean_text(str(source.get("name") or ""))
    picture = source.get("picture")
    data = picture.get("data") if isinstance(picture, dict) else None
    avatar = data.get("url") if isinstance(data, dict) else None
    return Author(
        external_id=account_id,
        handle=name,
        display_name=name,
        url=str(source["link"]) if source.get("link") else (f"{_SITE}/{account_id}" if account_id != hidden else None),
        avatar_url=str(avatar) if avatar else None,
    )


def read_time(value: object) -> datetime:
    """Read "2026-11-22T10:00:00+0000", or epoch seconds where an old version gives those."""
    if isinstance(value, int) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, tz=UTC)
    if not isinstance(value, str):
        raise TypeError("time is no text")
    moment = datetime.fromisoformat(_OFFSET.sub(r"\1:\2", value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def updated_at(record: object) -> int:
    """Give when a post or its comments last changed, in epoch seconds; 0 where Facebook does not say."""
    value = record.get("updated_time") if isinstance(record, dict) else None
    try:
        return int(read_time(value).timestamp())
    except UNREADABLE:
        return 0


def has_comments(record: object) -> bool:
    """Whether a post may have comments: only a count of zero says no."""
    return not isinstance(record, dict) or _summary(record, "comments") != 0


def _words(record: Mapping[str, Any]) -> str:
    message = record.get("message")
    if message is None:
        message = record.get("story") or _titles(record)
    if not isinstance(message, str):
        raise TypeError("message is no text")
    return clean_text(message).strip()


def _titles(record: Mapping[str, Any]) -> str:
    """Give a shared link's own words where the post has none."""
    entries = _attachments(record)
    return " ".join(str(entry["title"]) for entry in entries if entry.get("title"))


def _parent(record: Mapping[str, Any], where: Where) -> str | None:
    parent = record.get("parent")
    parent_id = parent.get("id") if isinstance(parent, dict) else None
    return str(parent_id) if parent_id else (where.post_id or _post_of(record))


def _post_of(record: Mapping[str, Any]) -> str | None:
    target = record.get("object")
    return str(target["id"]) if isinstance(target, dict) and target.get("id") else None


def _attachments(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    held = record.get("attachments")
    entries = held.get("data") if isinstance(held, dict) else None
    single = record.get("attachment")
    found = entries if isinstance(entries, list) else [single]
    return [entry for entry in found if isinstance(entry, dict)]


def _media(record: Mapping[str, Any]) -> tuple[Media, ...]:
    found: list[Media] = []
    for entry in _attachments(record):
        kind = _MEDIA_KINDS.get(str(entry.get("media_type") or entry.get("type")), "link")
        media = entry.get("media")
        image = media.get("image") if isinstance(media, dict) else None
        source = image.get("src") if kind == "image" and isinstance(image, dict) else None
        url = source or entry.get("unshimmed_url") or entry.get("url")
        if isinstance(url, str) and url.startswith("http"):
            found.append(Media(url=url, kind=kind, alt_text=clean_text(str(entry.get("title") or ""))))
    return tuple(found)


def _likes(record: Mapping[str, Any]) -> int | None:
    for name in ("reactions", "likes"):
        count = _summary(record, name)
        if count is not None:
            return count
    return _number(record.get("like_count"))


def _summary(record: Mapping[str, Any], name: str) -> int | None:
    held = record.get(name)
    summary = held.get("summary") if isinstance(held, dict) else None
    return _number(summary.get("total_count")) if isinstance(summary, dict) else None


def _shares(record: Mapping[str, Any]) -> int | None:
    shares = record.get("shares")
    return _number(shares.get("count")) if isinstance(shares, dict) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _bad(record: object, error: Exception) -> BadRecord:
    raw = clean_text(json.dumps(record, ensure_ascii=False, default=str))[:_RAW_LIMIT]
    post_id = record.get("id") if isinstance(record, dict) else None
    return BadRecord(
        raw=raw,
        reason=f"Facebook record unreadable: {type(error).__name__} {str(error)[:200]}",
        external_id=str(post_id) if post_id else None,
    )
