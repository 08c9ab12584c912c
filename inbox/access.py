"""A source's connector as the product uses it: every call counted, credentials renewed once when they have run out.

No transaction of the caller may be open around a call, as for any connector.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from connectors.base import (
    Account,
    Capabilities,
    Clock,
    Connector,
    FetchedPost,
    Page,
    PostRef,
    PostStatus,
    Receipt,
    ReplyPermission,
)
from connectors.errors import AuthError, NotAskedError, RateLimitedError
from connectors.registry import Registry
from connectors.transport import Transport
from inbox import pacing
from inbox.pacing import Lane
from inbox.renewal import renew_access
from inbox.store.engine import Store
from inbox.store.secrets import Vault
from inbox.store.tables import Source

Answer = TypeVar("Answer")
Opener = Callable[[Mapping[str, str]], Connector]


def connector_of(
    source: Source, *, store: Store, registry: Registry, vault: Vault, transport: Transport, clock: Clock
) -> Connector:
    """Give the connector of a stored source, ready to call; no network yet. Raises what its settings lack."""
    return AccessedConnector(
        store,
        vault,
        source,
        open_with=lambda secrets: registry.create(
            source.network, {**source.config, **secrets}, transport=transport, clock=clock
        ),
        clock=clock,
    )


def account_of(source: Source, secrets: Mapping[str, str]) -> str:
    """Name the account a source asks as: sources that share it share its limits."""
    place = f"{source.network}:{source.instance or source.config.get('server') or ''}"
    if source.account_id:
        return f"{place}:{source.account_id}"
    if secrets:
        digest = hashlib.sha256(json.dumps(sorted(secrets.items())).encode()).hexdigest()
        return f"{place}:key-{digest[:32]}"
    return f"{place}:source-{source.id}"


class AccessedConnector(Connector):
    """Another connector, asked at the pace of its account. `open_with` makes it with given secrets."""

    def __init__(self, store: Store, vault: Vault, source: Source, *, open_with: Opener, clock: Clock) -> None:
        self._store, self._vault, self._source, self._open = store, vault, source, open_with
        self._secrets: Mapping[str, str] = vault.decrypt(source.secrets) if source.secrets else {}
        self._inner = inner = open_with(self._secrets)
        self._account = account_of(source, self._secrets)
        super().__init__(inner.config, transport=inner.transport, clock=clock)
        # What a class of connectors says of itself, this one says for the one inside.
        vars(self).update(network=inner.network, title=inner.title, config_class=inner.config_class)

    @property
    def capabilities(self) -> Capabilities:
        """What the source can do now."""
        return self._inner.capabilities

    def check(self) -> Account:
        """Ask who we are there."""
        account = self._ask(Lane.READ, lambda connector: connector.check())
        self.config = self._inner.config
        return account

    def fetch(self, cursor: str | None, limit: int) -> Page:
        """Read a page, and count all the calls it took."""
        page = self._ask(Lane.READ, lambda connector: connector.fetch(cursor, limit))
        pacing.charge(self._store, self._account, Lane.READ, self._inner.read_pace, page.requests - 1, self.clock())
        return page

    def end_walk(self, cursor: str) -> str:
        """Close a walk."""
        return self._inner.end_walk(cursor)

    def end_listing(self, cursor: str) -> str:
        """Close the walk of one listing."""
        return self._inner.end_listing(cursor)

    def thread(self, post: PostRef) -> tuple[FetchedPost, ...]:
        """Read a post's thread."""
        return self._ask(Lane.READ, lambda connector: connector.thread(post))

    def can_reply(self, post: PostRef) -> ReplyPermission:
        """Whether an answer would be accepted; no network."""
        return self._inner.can_reply(post)

    def reply(self, post: PostRef, text: str) -> Receipt:
        """Answer in public. Credentials refused are an answer not taken: it may go out with new ones."""
        return self._ask(Lane.WRITE, lambda connector: connector.reply(post, text))

    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:
        """Look for an answer of ours."""
        return self._ask(Lane.READ, lambda connector: connector.find_reply(post, text, since))

    def hide(self, post: PostRef) -> None:
        """Hide a post."""
        self._ask(Lane.WRITE, lambda connector: connector.hide(post))

    def refresh(self, external_ids: Sequence[str]) -> tuple[PostStatus, ...]:
        """Read the present state of posts."""
        return self._ask(Lane.READ, lambda connector: connector.refresh(external_ids))

    def diagnostics(self) -> Mapping[str, Any]:
        """Give facts for a support ticket."""
        return self._inner.diagnostics()

    def _ask(self, lane: Lane, call: Callable[[Connector], Answer]) -> Answer:
        try:
            return self._count(lane, call)
        except AuthError:
            fresh = renew_access(
                self._store, self._vault, self._source, self._inner, self._secrets,
                account=self._account, clock=self.clock,
            )  # fmt: skip
            if fresh is None:
                raise
        self._secrets, self._inner = fresh, self._open(fresh)
        return self._count(lane, call)

    def _count(self, lane: Lane, call: Callable[[Connector], Answer]) -> Answer:
        pace = self._inner.read_pace if lane is Lane.READ else self._inner.write_pace
        pacing.take_turn(self._store, self._account, lane, pace, self.clock())
        try:
            return call(self._inner)
        except NotAskedError:
            raise
        except RateLimitedError as error:
            pacing.block(self._store, self._account, lane, pace, error.retry_after, self.clock())
            raise
