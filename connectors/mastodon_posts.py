"""Mastodon's statuses and accounts read into our posts. No network here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Author, FetchedPost, Media, PostKind
from connectors.text import clean_text, html_to_text

_MEDIA_KINDS = {"image": "image", "gifv": "video", "video": "video", "audio": "audio"}


class BadStatusError(ValueError):
    """A status lacks what a post needs; the words say what."""


def full_handle(acct: str, server: str) -> str:
    """Give user@host: servers leave their own host out."""
    return acct if "@" in acct else f"{acct}@{server}"


def read_author(account: Mapping[str, Any], server: str) -> Author:
    """Read an account. Its profile address is the id: the same on every server, unlike the account's number."""
    acct = account.get("acct")
    if not isinstance(acct, str) or not acct:
        raise BadStatusError("the author has no name")
    handle = full_handle(clean_text(acct), server)
    url = _text_or_none(account.get("url"))
    followers = account.get("followers_count")
    return Author(
        external_id=url or handle,
        handle=handle,
        display_name=clean_text(str(account.get("display_name") or acct)),
        url=url,
        avatar_url=_text_or_none(account.get("avatar")),
        followers=followers if isinstance(followers, int) and followers >= 0 else None,
    )


def read_status(
    status: Mapping[str, Any],
    *,
    server: str,
    parents: Mapping[str, str],
    kind: PostKind | None = None,
    mentions_us: bool = False,
) -> FetchedPost:
    """Read a status. `parents` maps the server's own ids to URIs. BadStatusError if it cannot be a post."""
    uri = status.get("uri")
    if not isinstance(uri, str) or not urlsplit(uri).hostname:
        raise BadStatusError("the status has no URI")
    account = status.get("account")
    if not isinstance(account, Mapping):
        raise BadStatusError("the status has no author")
    answered = status.get("in_reply_to_id")
    reblog = status.get("reblog")
    return FetchedPost(
        network="mastodon",
        external_id=uri,
        author=read_author(account, server),
        text=html_to_text(str(status.get("content") or "")),
        title=clean_text(str(status.get("spoiler_text") or "")),
        created_at=_moment(status.get("created_at")),
        edited_at=_moment(status["edited_at"]) if status.get("edited_at") else None,
        kind=kind or (PostKind.REPLY if answered else PostKind.POST),
        url=_text_or_none(status.get("url")) or uri,
        parent_id=parents.get(str(answered)) if answered else None,
        repost_of=_text_or_none(reblog.get("uri")) if isinstance(reblog, Mapping) else None,
        mentions_us=mentions_us,
        language_hint=_text_or_none(status.get("language")),
        likes=_count(status.get("favourites_count")),
        replies=_count(status.get("replies_count")),
        reposts=_count(status.get("reblogs_count")),
        media=_read_media(status.get("media_attachments")),
    )


def _read_media(attachments: object) -> tuple[Media, ...]:
    if not isinstance(attachments, list):
        return ()
    return tuple(
        Media(
            url=str(item["url"]),
            kind=_MEDIA_KINDS.get(str(item.get("type")), "link"),
            alt_text=clean_text(str(item.get("description") or "")),
        )
        for item in attachments
        if isinstance(item, Mapping) and item.get("url")
    )


def _moment(value: object) -> datetime:
    """Read a time. The client library turns what it cannot read into None."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise BadStatusError("the time cannot be read") from error
    if not isinstance(value, datetime):
        raise BadStatusError("the status has no time")
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text_or_none(value: object) -> str | None:
    return clean_text(value) if isinstance(value, str) and value else None
