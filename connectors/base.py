"""The contract every network fulfils: what is fetched, what is sent, what a source can do now."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from connectors.errors import PermanentError
from connectors.query import ListeningQuery
from connectors.transport import Transport

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Now, as an aware UTC datetime: the default clock."""
    return datetime.now(UTC)


class PostKind(StrEnum):
    """What a public item is to the network it stands on."""

    POST = "post"
    COMMENT = "comment"
    MENTION = "mention"
    REVIEW = "review"
    REPLY = "reply"


class SourceKind(StrEnum):
    """Why we read: our own account's mentions and comments, or a listening query."""

    OWN = "own"
    QUERY = "query"


class LengthRule(StrEnum):
    """How a network counts the length of a reply."""

    CHARACTERS = "characters"  # Unicode code points
    GRAPHEMES = "graphemes"  # user-perceived characters (Bluesky)
    X_WEIGHTED = "x_weighted"  # X: CJK and emoji weigh 2, every URL 23
    MASTODON = "mastodon"  # characters; every URL 23, the domain of a remote mention not counted


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a post, as far as the network tells. `external_id` is the network's stable id, as text."""

    external_id: str
    handle: str
    display_name: str = ""
    url: str | None = None
    avatar_url: str | None = None
    followers: int | None = None
    is_verified: bool = False


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, video or link attached to a post."""

    url: str
    kind: str  # image | video | audio | link
    alt_text: str = ""


@dataclass(frozen=True, slots=True)
class FetchedPost:
    """One public item as a network gave it. Texts are plain text (HTML already reduced), times aware UTC.

    `instance` tells servers of one network apart where ids are unique on one server only; "" elsewhere, on
    Mastodon too, whose ids are URIs: a thread crosses servers, and is one thread.
    `thread_id` is the external id of the thread's root where the network tells it, else None.
    `repost_of` is set for a repost without words of its own: it is a signal on the original, never queued.
    `mentions_us` says the network itself named us as addressed (X: the condition for an answer).
    """

    network: str
    external_id: str
    author: Author
    text: str
    created_at: datetime
    kind: PostKind
    instance: str = ""
    url: str | None = None
    parent_id: str | None = None
    thread_id: str | None = None
    repost_of: str | None = None
    mentions_us: bool = False
    language_hint: str | None = None
    edited_at: datetime | None = None
    likes: int | None = None
    replies: int | None = None
    reposts: int | None = None
    audience: int | None = None  # people who may see it besides the author's followers (community size)
    rating: int | None = None  # reviews: 1-5
    title: str = ""
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True)
class BadRecord:
    """An item the connector could not read: goes to quarantine as it came, with the reason in words."""

    raw: str
    reason: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What one call to `fetch` gave. Posts stand oldest first; `cursor` covers exactly what was returned.

    `more` says that calling again with `cursor` brings further posts now. `truncated` tells in words that the
    network withheld something (a page cap, a 7-day window), None when complete. `requests` and
    `cost_micros` (millionths of a US dollar) count what this page used.
    """

    posts: tuple[FetchedPost, ...]
    cursor: str | None
    more: bool
    bad: tuple[BadRecord, ...] = ()
    truncated: str | None = None
    requests: int = 1
    cost_micros: int = 0


@dataclass(frozen=True, slots=True)
class PostRef:
    """Enough of a stored post to act on it at its network."""

    external_id: str
    instance: str = ""
    url: str | None = None
    parent_id: str | None = None
    thread_id: str | None = None
    author_handle: str = ""
    mentions_us: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof from the network that our reply stands: its id there."""

    external_id: str
    url: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReplyPermission:
    """Whether we may answer a post here; if not, why (for the agent) and where to answer by hand."""

    allowed: bool
    reason: str = ""
    permalink: str | None = None


@dataclass(frozen=True, slots=True)
class PostStatus:
    """What `refresh` found for one id: still there (perhaps edited, recounted), or deleted."""

    external_id: str
    is_deleted: bool
    text: str | None = None
    edited_at: datetime | None = None
    likes: int | None = None
    replies: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are on the network, from `check`."""

    external_id: str
    handle: str
    display_name: str = ""
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a source can do now. `max_length` is None where the network sets none."""

    can_read: bool = True
    can_search: bool = False
    can_reply: bool = False
    can_read_back: bool = False
    can_thread: bool = False
    can_hide: bool = False
    can_refresh: bool = False
    max_length: int | None = None
    length_rule: LengthRule = LengthRule.CHARACTERS
    cost_per_post_micros: int = 0
    cost_per_reply_micros: int = 0
    cost_per_link_reply_micros: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """So many calls of one account in so many seconds; kept across all processes before a call goes out."""

    calls: int
    seconds: int


class ConnectorConfig(BaseModel):
    """What every source's settings hold; each network adds its own fields. Secrets are SecretStr.

    `api_url` points the client at another server (tests, a proxy, a compatible service).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_url: str | None = Field(default=None, description="Another server than the official one")
    kind: SourceKind = Field(default=SourceKind.OWN, description="Own account or listening query")
    query: ListeningQuery | None = Field(default=None, description="What to listen for, if kind is query")


class Connector(ABC):
    """One network. Holds no state between calls but its client; every call may raise the errors above.

    A connector does nothing on construction: no network, no clock.
    """

    network: ClassVar[str]
    title: ClassVar[str]
    config_class: ClassVar[type[ConnectorConfig]]
    # What the network allows an account; None where it does not say so beforehand.
    read_pace: ClassVar[Pace | None] = None
    write_pace: ClassVar[Pace | None] = None

    def __init__(self, config: ConnectorConfig, *, transport: Transport, clock: Clock = utc_now) -> None:
        self.config = config
        self.transport = transport
        self.clock = clock

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this source can do now, with this configuration. No network."""

    @abstractmethod
    def check(self) -> Account:
        """Who we are there. Called before a source is saved and at start; AuthError when refused.

        It may complete `config` by what the network tells of itself (the longest reply), to be saved with it.
        """

    def renew(self) -> Mapping[str, str] | None:
        """Change credentials that have run out for new ones: the secret fields that change, None if nothing can.

        Called after AuthError, by one process at a time; the old ones may be dead afterwards, so the caller
        stores the new ones before it does anything else. AuthError when a person must connect the account again.
        """
        return None

    @abstractmethod
    def fetch(self, cursor: str | None, limit: int) -> Page:
        """Get up to `limit` posts after `cursor` (None: from the newest backwards, a first sync)."""

    def end_walk(self, cursor: str) -> str:
        """Close a walk through the pages before its end: the next fetch starts from what is new since.

        Called when a first sync or a page cap stops the walk; the caller records the truncation. The default
        fits networks whose cursor is a plain since-id and whose pages come oldest first.
        """
        return cursor

    def end_listing(self, cursor: str) -> str:
        """Close the walk of the one listing under way; further listings of this source are still to be read.

        Called when a first sync has met posts older than it looks back for, and fetches on while there is more.
        The default fits sources with one listing.
        """
        return self.end_walk(cursor)

    def thread(self, post: PostRef) -> tuple[FetchedPost, ...]:
        """Give the context of a post, root first, itself included if the network shows it."""
        raise PermanentError(f"{self.title} shows no thread for {post.external_id}")

    def can_reply(self, post: PostRef) -> ReplyPermission:
        """Whether an answer to this post would be accepted; no network."""
        if self.capabilities.can_reply:
            return ReplyPermission(allowed=True)
        return ReplyPermission(allowed=False, reason=f"{self.title} takes no replies here", permalink=post.url)

    def reply(self, post: PostRef, text: str) -> Receipt:
        """Answer in public. AmbiguousError means it may stand: read back before anything else."""
        raise PermanentError(f"{self.title} takes no replies (post {post.external_id}, {len(text)} characters)")

    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:
        """Look for our reply with this text under the post since then; None when listed and absent.

        Raises AmbiguousError where the network cannot list, so that None always means "not there".
        """
        raise PermanentError(f"{self.title} cannot read replies back ({post.external_id}, since {since}, {text[:0]})")

    def hide(self, post: PostRef) -> None:
        """Hide the post at the network where we may."""
        raise PermanentError(f"{self.title} cannot hide {post.external_id}")

    def refresh(self, external_ids: Sequence[str]) -> tuple[PostStatus, ...]:
        """Give the present state of posts: edits, deletions, counts. Ids it cannot judge are left out."""
        raise PermanentError(f"{self.title} cannot refresh {len(external_ids)} posts")

    def diagnostics(self) -> Mapping[str, Any]:
        """Give facts for a support ticket, secrets removed."""
        return {
            "network": self.network,
            "api_url": self.config.api_url,
            "kind": self.config.kind.value,
            "capabilities": {name: getattr(self.capabilities, name) for name in Capabilities.__slots__},
        }


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a poll may take: pages of one walk, posts of a first sync and how far back it looks."""

    first_posts: int = 500
    first_days: int = 7
    pages: int = 20
    page_size: int = 100
    extra: Mapping[str, int] = field(default_factory=dict)
