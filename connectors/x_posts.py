"""X's answers read into posts: one record at a time, so that a bad one spoils none of its neighbours."""

import html
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import tweepy

from connectors.base import Author, BadRecord, FetchedPost, Media, PostKind, PostStatus
from connectors.text import clean_text

POST_FIELDS = [
    "attachments",
    "author_id",
    "conversation_id",
    "created_at",
    "edit_history_tweet_ids",
    "entities",
    "in_reply_to_user_id",
    "lang",
    "note_tweet",
    "public_metrics",
    "referenced_tweets",
]
USER_FIELDS = ["name", "profile_image_url", "public_metrics", "username", "verified"]
MEDIA_FIELDS = ["alt_text", "preview_image_url", "type", "url"]
_MEDIA_KINDS = {"photo": "image", "video": "video", "animated_gif": "video"}
_X_EPOCH = datetime.fromtimestamp(1288834974.657, tz=UTC)  # first millisecond of X's id scheme
_LEADING_MENTIONS = re.compile(r"^(?:\s*@\w{1,15}\b)+\s*", re.ASCII)
_LINK = re.compile(r"https?://\S+")
_RAW_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class OwnNames:
    """How X names us: what makes a post one that mentions us."""

    account_id: str = ""
    handles: Collection[str] = ()

    def is_us(self, *, user_id: str = "", handle: str = "") -> bool:
        """Whether an id or a handle is ours."""
        return bool(user_id and user_id == self.account_id) or handle.casefold() in {
            own.casefold() for own in self.handles if own
        }


@dataclass(frozen=True, slots=True)
class XRecords:
    """What one answer held: posts in the order X gave them, and the records that could not be read."""

    posts: tuple[FetchedPost, ...]
    bad: tuple[BadRecord, ...]
    users: int = 0
    ids: tuple[str, ...] = field(default=())


def time_of(post_id: str) -> datetime:
    """Give the moment an id was made: X's ids carry it in milliseconds."""
    return _X_EPOCH + timedelta(milliseconds=int(post_id) >> 22)


def permalink(handle: str, post_id: str) -> str:
    """Give the public address; X redirects from /i/ where we do not know the author's handle."""
    return f"https://x.com/{handle or 'i'}/status/{post_id}"


def read_records(body: Mapping[str, Any], *, own: OwnNames, all_mention_us: bool = False) -> XRecords:
    """Read the posts of an answer with its expansions (`includes`)."""
    includes = body.get("includes")
    includes = includes if isinstance(includes, dict) else {}
    users = _index(includes.get("users"), "id")
    media = _index(includes.get("media"), "media_key")
    posts: list[FetchedPost] = []
    bad: list[BadRecord] = []
    ids: list[str] = []
    for item in _items(body.get("data")):
        try:
            post = read_post(item, users=users, media=media, own=own, all_mention_us=all_mention_us)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            bad.append(_bad(item, error))
            continue
        posts.append(post)
        ids.append(post.external_id)
    return XRecords(posts=tuple(posts), bad=tuple(bad), users=len(users), ids=tuple(ids))


def read_post(
    item: Mapping[str, Any],
    *,
    users: Mapping[str, Mapping[str, Any]],
    media: Mapping[str, Mapping[str, Any]],
    own: OwnNames,
    all_mention_us: bool = False,
) -> FetchedPost:
    """Read one record by tweepy's own model; raises KeyError, TypeError or ValueError when it is broken."""
    data = {"edit_history_tweet_ids": [item["id"]], **item}  # tweepy warns where X left the list out
    tweet = tweepy.Tweet(data)
    post_id = str(tweet.id)
    author = _author(str(tweet.author_id or hidden_author(post_id)), users)
    references = {reference.type: str(reference.id) for reference in tweet.referenced_tweets or ()}
    parent_id = references.get("replied_to")
    mentions_us = all_mention_us or _names_us(tweet, references, own)
    history = [str(edit) for edit in tweet.edit_history_tweet_ids]
    metrics = tweet.public_metrics or {}
    return FetchedPost(
        network="x",
        external_id=post_id,
        author=author,
        text=full_text(item),
        created_at=tweet.created_at or time_of(post_id),
        kind=_kind(parent_id=parent_id, mentions_us=mentions_us),
        url=permalink(author.handle, post_id),
        parent_id=parent_id,
        thread_id=str(tweet.conversation_id or "") or None,
        repost_of=references.get("retweeted"),
        mentions_us=mentions_us,
        language_hint=_language(tweet.lang),
        edited_at=time_of(max(history, key=int)) if len(history) > 1 else None,
        likes=_count(metrics, "like_count"),
        replies=_count(metrics, "reply_count"),
        reposts=_count(metrics, "retweet_count"),
        media=_media(item, media),
    )


def hidden_author(post_id: str) -> str:
    """Give a made-up id for an author X does not name: one a post, so that strangers are never taken for one."""
    return f"unknown:{post_id}"


def full_text(item: Mapping[str, Any]) -> str:
    """Give the words as people read them: long posts whole, entities decoded, short links written out."""
    note = item.get("note_tweet")
    source = note if isinstance(note, dict) and isinstance(note.get("text"), str) else item
    text = source["text"]
    if not isinstance(text, str):
        raise TypeError("text is no string")
    text = html.unescape(text)
    for link in _entities(source, "urls"):
        short, long = link.get("url"), link.get("expanded_url")
        if isinstance(short, str) and isinstance(long, str) and short:
            text = text.replace(short, "" if link.get("media_key") else long)
    return clean_text(text).strip()


def same_words(ours: str, theirs: str) -> bool:
    """Whether a post on X holds the text we sent: X puts mentions in front and shortens links."""
    return _bare(ours) == _bare(theirs)


def read_statuses(body: Mapping[str, Any], asked: Iterable[str]) -> tuple[PostStatus, ...]:
    """Read a look-up by ids: found, or gone (deleted, or no longer public, which must go as well)."""
    found: dict[str, PostStatus] = {}
    for item in _items(body.get("data")):
        try:
            post = read_post(item, users={}, media={}, own=OwnNames())
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue
        found[post.external_id] = PostStatus(
            external_id=post.external_id,
            is_deleted=False,
            text=post.text,
            edited_at=post.edited_at,
            likes=post.likes,
            replies=post.replies,
        )
    for problem in _items(body.get("errors")):
        kind = str(problem.get("type", ""))
        if kind.endswith(("resource-not-found", "not-authorized-for-resource")):
            post_id = str(problem.get("resource_id") or problem.get("value") or "")
            found.setdefault(post_id, PostStatus(external_id=post_id, is_deleted=True))
    return tuple(found[post_id] for post_id in asked if post_id in found)


def newer_versions(body: Mapping[str, Any]) -> dict[str, str]:
    """Give, for posts of a look-up that were edited since, id asked for → id of the newest version."""
    newer: dict[str, str] = {}
    for item in _items(body.get("data")):
        history = item.get("edit_history_tweet_ids") if isinstance(item, dict) else None
        ids = [str(edit) for edit in history if str(edit).isdecimal()] if isinstance(history, list) else []
        if ids and max(ids, key=int) != str(item.get("id")):
            newer[str(item.get("id"))] = max(ids, key=int)
    return newer


def _bare(text: str) -> str:
    text = _LEADING_MENTIONS.sub("", html.unescape(clean_text(text)))
    return " ".join(_LINK.sub("<link>", text).split())


def _names_us(tweet: Any, references: Mapping[str, str], own: OwnNames) -> bool:
    entities = {"entities": tweet.entities}
    for mention in _entities(entities, "mentions"):
        if own.is_us(user_id=str(mention.get("id", "")), handle=str(mention.get("username", ""))):
            return True
    if "quoted" not in references:
        return False
    quoted = re.compile(rf"https?://(?:www\.)?(?:x|twitter)\.com/(\w+)/status/{references['quoted']}\b")
    matches = (quoted.match(str(link.get("expanded_url", ""))) for link in _entities(entities, "urls"))
    return any(own.is_us(handle=match.group(1)) for match in matches if match)


def _kind(*, parent_id: str | None, mentions_us: bool) -> PostKind:
    if parent_id:
        return PostKind.REPLY
    return PostKind.MENTION if mentions_us else PostKind.POST


def _author(user_id: str, users: Mapping[str, Mapping[str, Any]]) -> Author:
    user = users.get(user_id, {})
    handle = clean_text(str(user.get("username", "")))
    metrics = user.get("public_metrics")
    return Author(
        external_id=user_id,
        handle=handle,
        display_name=clean_text(str(user.get("name", ""))),
        url=f"https://x.com/{handle}" if handle else None,
        avatar_url=user.get("profile_image_url"),
        followers=_count(metrics if isinstance(metrics, dict) else {}, "followers_count"),
        is_verified=user.get("verified") is True,
    )


def _media(item: Mapping[str, Any], media: Mapping[str, Mapping[str, Any]]) -> tuple[Media, ...]:
    attachments = item.get("attachments")
    keys = attachments.get("media_keys", ()) if isinstance(attachments, dict) else ()
    found = (media[key] for key in keys if key in media)
    return tuple(
        Media(
            url=str(entry.get("url") or entry.get("preview_image_url")),
            kind=_MEDIA_KINDS.get(str(entry.get("type")), "image"),
            alt_text=clean_text(str(entry.get("alt_text") or "")),
        )
        for entry in found
        if entry.get("url") or entry.get("preview_image_url")
    )


def _language(code: object) -> str | None:
    """X marks what it does not know with "und" and the q-codes (qme, zxx, …)."""
    return code if isinstance(code, str) and re.fullmatch(r"[a-z]{2}", code) else None


def _count(metrics: Mapping[str, Any], name: str) -> int | None:
    value = metrics.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _entities(source: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entities = source.get("entities")
    return _items(entities.get(name)) if isinstance(entities, dict) else []


def _items(value: object) -> list[Any]:
    if isinstance(value, dict):  # a look-up of one
        return [value]
    return value if isinstance(value, list) else []


def _index(value: object, key: str) -> dict[str, Mapping[str, Any]]:
    return {str(item[key]): item for item in _items(value) if isinstance(item, dict) and key in item}


def _bad(item: object, error: Exception) -> BadRecord:
    raw = clean_text(json.dumps(item, ensure_ascii=False, default=str))[:_RAW_LIMIT]
    post_id = item.get("id") if isinstance(item, dict) else None
    return BadRecord(
        raw=raw,
        reason=f"X record unreadable: {type(error).__name__} {str(error)[:200]}",
        external_id=str(post_id) if post_id is not None else None,
    )
