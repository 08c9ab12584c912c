"""An in-memory network for tests of everything above connectors: it passes the same contract suite as real ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import ClassVar
from weakref import WeakValueDictionary

from pydantic import Field, SecretStr

from connectors.base import (
    Account,
    Author,
    BadRecord,
    Capabilities,
    Connector,
    ConnectorConfig,
    FetchedPost,
    Page,
    PostKind,
    PostRef,
    PostStatus,
    Receipt,
    ReplyPermission,
)
from connectors.errors import AmbiguousError, ConnectorError, PermanentError, TransientError
from connectors.text import same_text
from connectors.transport import error_from_status

_networks: WeakValueDictionary[str, "FakeNetwork"] = WeakValueDictionary()
OWN_HANDLE = "noi"


@dataclass(slots=True)
class _Item:
    number: int
    post: FetchedPost | None  # None: cannot be read
    is_deleted: bool = False


@dataclass(weakref_slot=True, slots=True)
class FakeNetwork:
    """A network that lives in this process. Connectors find it by its name, so keep a reference to it.

    `broken` maps "reads" and "writes" to what goes wrong: an HTTP status, reset, hang, half, commit_then_….
    """

    name: str
    broken: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    items: list[_Item] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        _networks[self.name] = self

    def add_post(
        self,
        author: str,
        text: str,
        *,
        parent_id: str | None = None,
        created_at: datetime | None = None,
        followers: int | None = None,
    ) -> str:
        """Let somebody say something; gives the external id."""
        number = next(self._numbers)
        external_id = f"f{number}"
        moment = created_at or datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=number)
        root = self.find(parent_id) if parent_id else None
        post = FetchedPost(
            network=FakeConnector.network,
            external_id=external_id,
            author=Author(external_id=f"u-{author}", handle=author, display_name=author, followers=followers),
            text=text,
            created_at=moment,
            kind=PostKind.REPLY if parent_id else PostKind.MENTION,
            url=f"https://fake.example/{external_id}",
            parent_id=parent_id,
            thread_id=(root.thread_id or root.external_id) if root else external_id,
            mentions_us=True,
        )
        self.items.append(_Item(number, post))
        return external_id

    def add_unreadable(self) -> None:
        """Put something there that cannot be read."""
        self.items.append(_Item(next(self._numbers), None))

    def edit(self, external_id: str, text: str) -> None:
        """Change a post."""
        item = self._item(external_id)
        if item is not None and item.post is not None:
            item.post = replace(item.post, text=text, edited_at=datetime(2026, 11, 2, tzinfo=UTC))

    def delete(self, external_id: str) -> None:
        """Delete a post."""
        item = self._item(external_id)
        if item is not None:
            item.is_deleted = True

    def find(self, external_id: str) -> FetchedPost | None:
        """Give a standing post."""
        item = self._item(external_id)
        return item.post if item is not None and not item.is_deleted else None

    def standing(self) -> list[FetchedPost]:
        """Give all standing posts, oldest first."""
        return [item.post for item in self.items if item.post is not None and not item.is_deleted]

    def replies_to(self, external_id: str) -> list[FetchedPost]:
        """Give the answers that stand under a post."""
        return [post for post in self.standing() if post.parent_id == external_id]

    def _item(self, external_id: str) -> _Item | None:
        return next((i for i in self.items if i.post is not None and i.post.external_id == external_id), None)


class FakeConfig(ConnectorConfig):
    """Settings of a source on an in-memory network."""

    world: str = Field(description="Name of the FakeNetwork in this process")
    token: SecretStr = Field(default=SecretStr(""), description="Anything; must stay secret")
    can_reply: bool = Field(default=True, description="Whether the network takes replies")


class FakeConnector(Connector):
    """Reads and answers on a FakeNetwork. The cursor is the number of the last item returned."""

    network: ClassVar[str] = "fake"
    title: ClassVar[str] = "Fake network"
    config_class: ClassVar[type[ConnectorConfig]] = FakeConfig

    @property
    def settings(self) -> FakeConfig:
        """The settings with their own type."""
        if not isinstance(self.config, FakeConfig):
            raise TypeError("FakeConnector needs a FakeConfig")
        return self.config

    @property
    def capabilities(self) -> Capabilities:
        """Everything but hiding."""
        writes = self.settings.can_reply
        return Capabilities(
            can_search=True, can_reply=writes, can_read_back=writes, can_thread=True, can_refresh=True, max_length=500
        )

    def check(self) -> Account:
        """Give our account."""
        self._read()
        return Account(external_id=f"u-{OWN_HANDLE}", handle=OWN_HANDLE, display_name="Noi")

    def fetch(self, cursor: str | None, limit: int) -> Page:
        """Give the next items in the order they were said."""
        items = self._read().items
        if cursor is not None and not cursor.isdigit():
            raise PermanentError("the cursor cannot be read")
        waiting = [item for item in items if item.number > int(cursor or 0) and not item.is_deleted]
        waiting = [item for item in waiting if item.post is None or item.post.author.handle != OWN_HANDLE]
        taken = waiting[:limit]
        return Page(
            posts=tuple(item.post for item in taken if item.post is not None),
            bad=tuple(BadRecord(raw="{", reason="not JSON") for item in taken if item.post is None),
            cursor=str(taken[-1].number) if taken else cursor,
            more=len(waiting) > len(taken),
        )

    def thread(self, post: PostRef) -> tuple[FetchedPost, ...]:
        """Give everything with the same root."""
        network = self._read()
        found = network.find(post.external_id)
        if found is None:
            raise PermanentError("the post is gone")
        return tuple(p for p in network.standing() if p.thread_id == found.thread_id)

    def reply(self, post: PostRef, text: str) -> Receipt:
        """Answer a post."""
        permission: ReplyPermission = self.can_reply(post)
        if not permission.allowed:
            raise PermanentError(permission.reason)
        network = self._network()
        way = network.broken.get("writes", "")
        is_done = way.startswith("commit_then") or way in {"", "half"}
        if way and not is_done:
            raise _failure(way, sent=True)
        if network.find(post.external_id) is None:
            raise PermanentError("the post to answer is gone")
        external_id = network.add_post(OWN_HANDLE, text, parent_id=post.external_id, created_at=self.clock())
        if way:
            raise _failure(way.removeprefix("commit_then_"), sent=True)
        return Receipt(external_id=external_id, url=f"https://fake.example/{external_id}")

    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:
        """Look for our answer."""
        for reply in self._read().replies_to(post.external_id):
            is_ours = reply.author.handle == OWN_HANDLE and reply.created_at >= since
            if is_ours and same_text(reply.text, text):
                return Receipt(external_id=reply.external_id, url=reply.url, created_at=reply.created_at)
        return None

    def refresh(self, external_ids: Sequence[str]) -> tuple[PostStatus, ...]:
        """Give what became of posts."""
        network = self._read()
        found = {external_id: network.find(external_id) for external_id in external_ids}
        return tuple(
            PostStatus(external_id, is_deleted=True)
            if post is None
            else PostStatus(external_id, is_deleted=False, text=post.text, edited_at=post.edited_at)
            for external_id, post in found.items()
        )

    def _read(self) -> FakeNetwork:
        network = self._network()
        if "reads" in network.broken:
            raise _failure(network.broken["reads"], sent=False)
        return network

    def _network(self) -> FakeNetwork:
        network = _networks.get(self.settings.world)
        if network is None:
            raise TransientError(f"no fake network {self.settings.world!r} in this process")
        network.calls += 1
        return network


def _failure(way: str, *, sent: bool) -> ConnectorError:
    if way.isdigit():
        return error_from_status(int(way), {"Retry-After": "7"}, network="The fake network", sent=sent)
    words = f"the fake network broke off ({way})"
    return AmbiguousError(words) if sent else TransientError(words)
