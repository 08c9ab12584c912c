"""Checks every fetched post before it meets the database: what is kept, what is clamped, what is refused.

Refused (quarantine): no id, no text type, a time that is missing, naive, before 2000 or more than a day ahead.
Clamped: times up to a day ahead (wrong clocks and time zones) count as now; texts over 100,000 characters are cut,
visibly, and the cut is noted in quarantine; numbers leave the range of a column as its end or as unknown; names
and addresses are shortened. NUL, controls and lone surrogates become U+FFFD everywhere.
"""

import dataclasses
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors.base import Author, FetchedPost, Media, PostKind
from connectors.text import clean_text

MAX_TEXT = 100_000
MAX_TITLE = 1_000
MAX_ID = 500
MAX_NAME = 300
MAX_URL = 2_000
MAX_MEDIA = 20
MAX_RAW_BYTES = 64 * 1024
MAX_INTEGER = 2_147_483_647
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
UNKNOWN_AUTHOR = "unknown"
CUT_MARK = "…"
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_KINDS = {kind.value: kind.value for kind in PostKind}


class RefusedError(ValueError):
    """A record that cannot be stored as it is; the message goes to quarantine."""


@dataclass(frozen=True, slots=True)
class CleanAuthor:
    """An author whose fields fit their columns."""

    network: str
    instance: str
    external_id: str
    handle: str
    display_name: str
    url: str | None
    avatar_url: str | None
    followers: int | None
    is_verified: bool


@dataclass(slots=True)
class CleanPost:
    """A post whose fields fit their columns; `fetched` is kept for quarantine should the database refuse it."""

    fetched: FetchedPost
    author: CleanAuthor
    network: str
    instance: str
    external_id: str
    kind: str
    text: str
    title: str
    url: str | None
    parent_external_id: str | None
    thread_key: str
    repost_of: str | None
    mentions_us: bool
    language_hint: str | None
    rating: int | None
    likes: int | None
    replies: int | None
    reposts: int | None
    audience: int
    media: list[dict[str, str]]
    created_at: datetime
    edited_at: datetime | None
    cut_from: int | None  # length before the text was cut

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it one post within a brand."""
        return self.network, self.instance, self.external_id


@dataclass(frozen=True, slots=True)
class Refused:
    """A record for quarantine: as it came, capped, with the reason in words."""

    raw: str
    reason: str
    external_id: str | None = None


@dataclass(slots=True)
class CheckedPosts:
    """What checking a page gave: `posts` unique by key, in order; `repeated` were the same post again."""

    posts: list[CleanPost] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    repeated: int = 0


def check_posts(fetched: Iterable[FetchedPost], now: datetime) -> CheckedPosts:
    """Check a page's posts one by one, so that a bad one costs only itself; of repeated ids the last edit stays."""
    checked = CheckedPosts()
    places: dict[tuple[str, str, str], int] = {}
    for post in fetched:
        try:
            clean = clean_post(post, now)
        except RefusedError as error:
            checked.refused.append(Refused(raw_of(post), str(error), _id_of(post)))
            continue
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            reason = f"a field has a wrong type or value ({type(error).__name__})"
            checked.refused.append(Refused(raw_of(post), reason, _id_of(post)))
            continue
        place = places.setdefault(clean.key, len(checked.posts))
        if place == len(checked.posts):
            checked.posts.append(clean)
            continue
        checked.repeated += 1
        known = checked.posts[place].edited_at
        if clean.edited_at is not None and (known is None or clean.edited_at > known):
            checked.posts[place] = clean
    return checked


def clean_post(post: FetchedPost, now: datetime) -> CleanPost:
    """Give the post as it will be stored; RefusedError says why it cannot be."""
    external_id = _clean_id(post.external_id)
    if not external_id:
        raise RefusedError("it has no id")
    if len(external_id) > MAX_ID:
        raise RefusedError(f"its id is longer than {MAX_ID} characters")
    network, instance = _shorten(post.network, MAX_NAME), _shorten(post.instance, MAX_NAME)
    if not network:
        raise RefusedError("it names no network")
    created_at = _clean_time(post.created_at, now)
    text = clean_text(post.text)
    length = len(text)
    parent = _clean_reference(post.parent_id, external_id)
    thread = _clean_reference(post.thread_id, None)
    repost_of = _clean_reference(post.repost_of, external_id)
    author = clean_author(post.author, network, instance)
    return CleanPost(
        fetched=post,
        author=author,
        network=network,
        instance=instance,
        external_id=external_id,
        kind=_KINDS.get(str(post.kind), PostKind.POST.value),
        text=text if length <= MAX_TEXT else text[: MAX_TEXT - 1] + CUT_MARK,
        title=_shorten(post.title, MAX_TITLE),
        url=clean_url(post.url),
        # A repost hangs on its original, so that it is found from there.
        parent_external_id=repost_of or parent,
        thread_key=repost_of or thread or parent or external_id,
        repost_of=repost_of,
        mentions_us=bool(post.mentions_us),
        language_hint=_clean_language(post.language_hint),
        rating=post.rating if _is_whole(post.rating) and 1 <= (post.rating or 0) <= 5 else None,  # noqa: PLR2004 - stars
        likes=clean_count(post.likes),
        replies=clean_count(post.replies),
        reposts=clean_count(post.reposts),
        audience=max(clean_count(post.audience) or 0, author.followers or 0),
        media=_clean_media(post.media),
        created_at=created_at,
        edited_at=_clean_edit(post.edited_at, created_at, now),
        cut_from=length if length > MAX_TEXT else None,
    )


def clean_count(count: int | None) -> int | None:
    """Give a count that fits its column; None for anything that is no count."""
    if not _is_whole(count) or count is None or count < 0:
        return None
    return min(count, MAX_INTEGER)


def clean_url(url: str | None) -> str | None:
    """Give a web address; None for any other scheme, for none and for one too long to be real."""
    if not url:
        return None
    cleaned = clean_text(url).strip()
    is_web = cleaned[:8].lower().startswith(("https://", "http://"))
    return cleaned if is_web and len(cleaned) <= MAX_URL else None


def raw_of(post: object) -> str:
    """Give a record as text for quarantine."""
    try:
        plain: object = dataclasses.asdict(post) if isinstance(post, FetchedPost) else post
        raw = json.dumps(plain, default=str, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raw = repr(post)
    return cap_raw(raw)


def cap_raw(raw: str) -> str:
    """Cut a raw record to 64 KB of UTF-8, without what the database cannot hold."""
    cleaned = clean_text(raw[:MAX_RAW_BYTES])
    return cleaned.encode("utf-8", "replace")[:MAX_RAW_BYTES].decode("utf-8", "ignore")


def _id_of(post: object) -> str | None:
    found = getattr(post, "external_id", None)
    return _shorten(found, MAX_ID) if isinstance(found, str) and found else None


def _clean_id(value: str) -> str:
    if not isinstance(value, str):
        raise RefusedError(f"its id is {type(value).__name__}, not text")
    return clean_text(value).strip()


def _clean_reference(value: str | None, own_id: str | None) -> str | None:
    if not value:
        return None
    cleaned = _clean_id(value)
    return cleaned if cleaned and cleaned != own_id and len(cleaned) <= MAX_ID else None


def _clean_time(value: datetime, now: datetime) -> datetime:
    if not isinstance(value, datetime):
        raise RefusedError("it has no time")
    if value.tzinfo is None:
        raise RefusedError("its time has no zone")
    if value < EARLIEST:
        raise RefusedError(f"its time lies before 2000 ({value.isoformat()})")
    if value > now + AHEAD:
        raise RefusedError(f"its time lies more than a day ahead ({value.isoformat()})")
    return min(value, now).astimezone(UTC)


def _clean_edit(value: datetime | None, created_at: datetime, now: datetime) -> datetime | None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    return max(created_at, min(value, now)).astimezone(UTC)


def clean_author(author: Author, network: str, instance: str) -> CleanAuthor:
    """Give an author whose fields fit; one without id is known by the handle, one without both as "unknown"."""
    handle = _shorten(author.handle, MAX_NAME).lstrip("@")
    external_id = _shorten(author.external_id, MAX_ID) or handle or UNKNOWN_AUTHOR
    return CleanAuthor(
        network=network,
        instance=instance,
        external_id=external_id,
        handle=handle or external_id,
        display_name=_shorten(author.display_name, MAX_NAME),
        url=clean_url(author.url),
        avatar_url=clean_url(author.avatar_url),
        followers=clean_count(author.followers),
        is_verified=bool(author.is_verified),
    )


def _clean_media(media: Iterable[Media]) -> list[dict[str, str]]:
    kept = []
    for item in tuple(media or ())[:MAX_MEDIA]:
        url = clean_url(item.url)
        if url:
            kept.append(
                {
                    "url": url,
                    "kind": _shorten(item.kind, MAX_NAME),
                    "alt_text": _shorten(item.alt_text, MAX_TITLE),
                }
            )
    return kept


def _clean_language(hint: str | None) -> str | None:
    if not isinstance(hint, str) or len(hint) > 20 or not _LANGUAGE.fullmatch(hint):  # noqa: PLR2004 - no tag is longer
        return None
    return hint.lower().replace("_", "-").split("-", 1)[0]


def _shorten(value: str, length: int) -> str:
    if not value:
        return ""
    cleaned = clean_text(value).strip()
    return cleaned if len(cleaned) <= length else cleaned[: length - 1] + CUT_MARK


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
