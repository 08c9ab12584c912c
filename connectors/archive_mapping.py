"""Which field of an archive is what: the mapping file, and posts read by it."""

import email.utils
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors.archive_files import at_path
from connectors.base import Author, FetchedPost, PostKind
from connectors.errors import PermanentError
from connectors.text import clean_text, html_to_text

X_EPOCH = timedelta(milliseconds=1_288_834_974_657)  # X's ids begin here: (id >> 22) + this, in ms since 1970
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_X_TIME = "%a %b %d %H:%M:%S %z %Y"
_MILLISECONDS_FROM = 100_000_000_000  # a larger number of seconds would be after the year 5138

# Where nothing is mapped, columns are known by these names, in English and Italian, in this order.
GUESSES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "external_id", "id_str", "tweet_id", "status_id", "post_id", "comment_id", "message_id"),
    "text": ("text", "full_text", "message", "body", "content", "comment", "testo", "messaggio", "commento"),
    "created_at": ("created_at", "date", "datetime", "timestamp", "time", "published", "data", "data_ora"),
    "author": ("author", "username", "handle", "screen_name", "user", "from", "autore", "utente"),
    "author_id": ("author_id", "user_id"),
    "author_name": ("author_name", "display_name", "name", "nome"),
    "parent": ("parent_id", "in_reply_to_id", "in_reply_to_status_id", "in_reply_to", "reply_to", "risposta_a"),
    "thread": ("thread_id", "conversation_id"),
    "url": ("url", "permalink", "link"),
    "title": ("title", "subject", "titolo", "oggetto"),
    "language": ("lang", "language", "lingua"),
    "likes": ("likes", "like_count", "favorite_count", "mi_piace"),
    "followers": ("followers", "followers_count"),
    "rating": ("rating", "stars", "voto", "stelle"),
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PostFields(_Part):
    """Paths of a post's fields, each one path or several of which the first filled counts.

    A path that begins with "^" is looked up in the conversation around the message. `own_author` is tried after
    `author`; who is found there is us. `snowflake` names an X id from which a missing time is computed.
    """

    id: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    created_at: tuple[str, ...] = ()
    snowflake: tuple[str, ...] = ()
    author: tuple[str, ...] = ()
    own_author: tuple[str, ...] = ()
    author_id: tuple[str, ...] = ()
    author_name: tuple[str, ...] = ()
    parent: tuple[str, ...] = ()
    thread: tuple[str, ...] = ()
    url: tuple[str, ...] = ()
    title: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    likes: tuple[str, ...] = ()
    followers: tuple[str, ...] = ()
    rating: tuple[str, ...] = ()

    @field_validator("*", mode="before")
    @classmethod
    def one_or_many(cls, value: object) -> object:
        """Take a single path for a list of one."""
        return (value,) if isinstance(value, str) else value


class ConversationFields(_Part):
    """Where JSON holds posts: a list at `items` ("" is the file itself), in each item the `messages` in order.

    Without `messages` the items are the posts. `chain`: each message answers the one before it.
    """

    items: str = ""
    messages: tuple[str, ...] = ()
    chain: bool = False


class ArchiveMapping(_Part):
    """A mapping file. All of it may be left out for CSV and JSON lines whose columns have usual names."""

    network: str = Field(default="archive", description="Network the posts come from: x, mastodon, …")
    instance: str = Field(default="", description="Server, for Mastodon")
    format: Literal["csv", "jsonl", "json"] | None = Field(default=None, description="None: by the file's name")
    encoding: str | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    html: bool = Field(default=False, description="Texts are HTML")
    time_format: str | None = Field(default=None, description='strptime format, for example "%d/%m/%Y %H:%M"')
    timezone: str = Field(default="UTC", description="Of times without one")
    kind: PostKind = Field(default=PostKind.POST, description="What posts without parent are")
    own_handles: tuple[str, ...] = Field(default=(), description="Authors who are us")
    default_author: str = Field(default="", description="Who speaks where a row names nobody")
    conversation: ConversationFields = ConversationFields()
    post: PostFields = PostFields()

    @field_validator("timezone")
    @classmethod
    def known_zone(cls, name: str) -> str:
        """Refuse a zone nobody knows."""
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {name!r}") from error
        return name


def load_mapping(path: Path) -> ArchiveMapping:
    """Read a mapping file; PermanentError says which line or field is wrong."""
    try:
        return ArchiveMapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PermanentError(f"the mapping {path.name} cannot be read: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise PermanentError(f"the mapping {path.name} is not right: {wrong}") from error


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around a message: its conversation, the message before, the first one."""

    conversation: Any = None
    previous_id: str | None = None
    root_id: str | None = None


class UnreadableRowError(ValueError):
    """A row lacks what a post needs; the words say what, for the rejects file."""


def read_post(row: object, mapping: ArchiveMapping, around: Surroundings) -> tuple[FetchedPost, bool]:
    """Give the post in a row and whether it is our own. UnreadableRowError if there is none."""
    if not isinstance(row, Mapping):
        raise UnreadableRowError(f"a row is an object with fields, not {type(row).__name__}")
    get = _Getter(row, mapping.post, around.conversation)
    text = get.text("text")
    if text is None:
        raise UnreadableRowError("no text")
    plain = html_to_text(text) if mapping.html else clean_text(text)
    author, is_own = _read_author(get, mapping)
    created = _read_time(get, mapping)
    external_id = _read_id(get, author, created, plain)
    parent = get.text("parent") or (around.previous_id if mapping.conversation.chain else None)
    post = FetchedPost(
        network=mapping.network,
        instance=mapping.instance,
        external_id=external_id,
        author=author,
        text=plain,
        title=clean_text(get.text("title") or ""),
        created_at=created,
        kind=PostKind.REPLY if parent else mapping.kind,
        url=get.text("url"),
        parent_id=parent if parent != external_id else None,
        thread_id=get.text("thread") or around.root_id,
        language_hint=get.text("language"),
        likes=get.number("likes"),
        rating=get.number("rating"),
    )
    return post, is_own


class _Getter:
    """Looks fields up by the mapping, or by their usual names where nothing is mapped at all."""

    def __init__(self, row: Mapping[str, Any], fields: PostFields, conversation: object) -> None:
        self._row = row
        self._conversation = conversation
        self._fields = fields
        self._by_lower = {str(name).strip().lower(): name for name in row}
        self._guesses = not (fields.text or fields.id or fields.created_at)

    def text(self, name: str) -> str | None:
        """Give a field's first filled value as text."""
        for path in self._paths(name):
            value = at_path(self._conversation, path[1:]) if path.startswith("^") else self._at(path)
            if isinstance(value, bool) or value is None or isinstance(value, (list, Mapping)):
                continue
            text = str(value)
            if text.strip():
                return text.strip() if name != "text" else text
        return None

    def number(self, name: str) -> int | None:
        """Give a field as a whole number, None if it is none."""
        text = (self.text(name) or "").strip().removesuffix(".0")
        return int(text) if text.isdecimal() and len(text) <= 18 else None  # noqa: PLR2004 - fits 64 bits

    def is_mapped(self, name: str) -> bool:
        """Whether anything says where this field is."""
        return bool(self._paths(name))

    def _paths(self, name: str) -> Sequence[str]:
        mapped: Sequence[str] = getattr(self._fields, name)
        if mapped or not self._guesses:
            return mapped
        return [str(self._by_lower[guess]) for guess in GUESSES.get(name, ()) if guess in self._by_lower]

    def _at(self, path: str) -> Any:
        return self._row[path] if path in self._row else at_path(self._row, path)


def _read_author(get: _Getter, mapping: ArchiveMapping) -> tuple[Author, bool]:
    handle, is_own = get.text("author"), False
    if handle is None:
        handle = get.text("own_author")
        is_own = handle is not None
    handle = handle or mapping.default_author
    if not handle:
        raise UnreadableRowError("no author")
    handle = clean_text(handle).lstrip("@")
    ours = {own.lstrip("@").casefold() for own in mapping.own_handles}
    author = Author(
        external_id=get.text("author_id") or handle,
        handle=handle,
        display_name=clean_text(get.text("author_name") or handle),
        followers=get.number("followers"),
    )
    return author, is_own or handle.casefold() in ours


def _read_id(get: _Getter, author: Author, created: datetime, text: str) -> str:
    external_id = get.text("id")
    if external_id is not None:
        return clean_text(external_id)
    if get.is_mapped("id"):
        raise UnreadableRowError("no id")
    # No column has ids: the same author, time and text is the same post, however often it is imported.
    digest = hashlib.sha256(f"{author.external_id}\n{created.isoformat()}\n{text}".encode("utf-8", "replace"))
    return f"h-{digest.hexdigest()[:24]}"


def _read_time(get: _Getter, mapping: ArchiveMapping) -> datetime:
    written = get.text("created_at")
    if written is not None:
        return parse_time(written, mapping)
    snowflake = get.text("snowflake")
    if snowflake is None:
        raise UnreadableRowError("no time")
    if not snowflake.isdecimal() or len(snowflake) > 19:  # noqa: PLR2004 - 64 bits have 19 digits
        raise UnreadableRowError(f"no time can be computed from the id {snowflake[:40]!r}")
    return _UNIX + X_EPOCH + timedelta(milliseconds=int(snowflake) >> 22)


def parse_time(written: str, mapping: ArchiveMapping) -> datetime:
    """Read a time: the mapping's format, ISO 8601, seconds or milliseconds since 1970, e-mail's, X's old one."""
    try:
        moment = _parse(written, mapping.time_format)
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise UnreadableRowError(f"the time {written[:40]!r} cannot be read; set time_format") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(mapping.timezone))
    return moment.astimezone(UTC)


def _parse(written: str, time_format: str | None) -> datetime:
    if time_format:
        return datetime.strptime(written, time_format)  # noqa: DTZ007 - the caller gives naive times their zone
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        pass
    try:
        number = float(written)
    except ValueError:
        try:
            return datetime.strptime(written, _X_TIME)  # noqa: DTZ007 - the format has the zone
        except ValueError:
            return email.utils.parsedate_to_datetime(written)
    return datetime.fromtimestamp(number / 1000 if number > _MILLISECONDS_FROM else number, UTC)
