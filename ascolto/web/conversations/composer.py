"""What the reply field needs to know: to whom, by which rule of length, and whether we may answer at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from pydantic import ValidationError
from sqlalchemy.orm import Session

from ascolto.web.i18n import N_
from ascolto.wiring import House
from connectors.base import Capabilities, Connector, PostRef, ReplyPermission
from connectors.errors import ConnectorError
from inbox.store.queries.conversation_view import ConversationView, PostView, list_publishing_sources
from inbox.store.tables import Identity, Post, Source

log = structlog.get_logger(__name__)

NO_SOURCE = N_("No source here may publish on this network. An administrator can allow one under Sources.")
NO_POST = N_("There is nothing here to answer.")
BROKEN_SOURCE = N_("The source that would carry the answer is not set up right.")


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer would go. `permission.reason` is a msgid or the connector's own words."""

    post: PostView | None
    source: Source | None
    permission: ReplyPermission
    capabilities: Capabilities

    @property
    def can_reply(self) -> bool:
        """Whether the field is open."""
        return self.permission.allowed and self.post is not None


def choose_target(session: Session, house: House, view: ConversationView, post_id: int | None = None) -> Target:
    """Find whom an answer goes to: the post asked for, else the latest of somebody else's; and whether it may."""
    post = _pick_post(view.posts, post_id, view.conversation.author_id)
    if post is None:
        return Target(None, None, ReplyPermission(allowed=False, reason=NO_POST), Capabilities())
    sources = list_publishing_sources(session, view.conversation)
    refusal: Target | None = None
    for source in sources:
        connector = _connector(house, source)
        if connector is None:
            continue
        permission = connector.can_reply(post_ref(post.post, post.author))
        target = Target(post, source, permission, connector.capabilities)
        if permission.allowed:
            return target
        refusal = refusal or target
    if refusal is not None:
        return refusal
    reason = BROKEN_SOURCE if sources else NO_SOURCE
    permission = ReplyPermission(allowed=False, reason=reason, permalink=post.post.url)
    return Target(post, None, permission, Capabilities())


def post_ref(post: Post, author: Identity) -> PostRef:
    """Give what a connector needs to know of a post."""
    return PostRef(
        external_id=post.external_id,
        instance=post.instance,
        url=post.url,
        parent_id=post.parent_external_id,
        thread_id=post.thread_key,
        author_handle=author.handle,
        mentions_us=post.mentions_us,
    )


def _pick_post(posts: Sequence[PostView], post_id: int | None, waiting_id: int | None) -> PostView | None:
    # The post asked for; else the latest of whoever waits for us; else the latest of anybody else.
    theirs = [found for found in posts if not found.post.is_own and found.post.deleted_at_source is None]
    for found in theirs:
        if found.post.id == post_id:
            return found
    waiting = [found for found in theirs if found.author.id == waiting_id]
    return max(waiting or theirs, key=lambda found: (found.post.created_at, found.post.id), default=None)


def _connector(house: House, source: Source) -> Connector | None:
    try:
        return house.connector_of(source)
    except (ConnectorError, ValidationError, ValueError, LookupError) as error:
        log.warning("reply.source_broken", source=source.id, error=type(error).__name__)
        return None
