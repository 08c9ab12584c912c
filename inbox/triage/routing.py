"""The last step of a post's way in: its conversation gets a priority with reasons, a clock and somebody.

`route_posts` is idempotent: posts already routed are left alone, clocks start once, and alarms are unique by
their due time. Our own posts are never queued, but an answer of ours stops the clock wherever it was written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from inbox.listening.threads import thread_posts
from inbox.store.queries import routing
from inbox.store.queries.routing import InboundPost, due_for_routing
from inbox.store.tables import Brand, Conversation, Post, PostTags
from inbox.store.types import ConversationState, PostState
from inbox.triage import clocks, priority
from inbox.triage.assignment import RoundRobin, drain_backlog
from inbox.triage.conversations import open_again, wake_snoozed

__all__ = ["RouteReport", "SweepReport", "due_for_routing", "refresh_priority", "route_posts", "sweep"]

log = structlog.get_logger(__name__)

PREVIEW_CHARACTERS = 280
# Loaded history older than this is settled on arrival; younger unanswered history waits in the open queue.
OLD_HISTORY = timedelta(days=30)
_ROUTE_LOCK = 0x4173_636F_0001


@dataclass(frozen=True, slots=True)
class RouteReport:
    """What routing did: posts routed, conversations touched, opened again and given to somebody."""

    routed: int
    conversation_ids: tuple[int, ...]
    reopened: tuple[int, ...] = ()
    assigned: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What the sweep found: conversations woken, warned about, missed, and given to somebody."""

    woken: tuple[int, ...]
    warned: tuple[int, ...]
    missed: tuple[int, ...]
    assigned: tuple[int, ...]

    @property
    def conversation_ids(self) -> tuple[int, ...]:
        """All conversations whose screens changed."""
        return tuple(sorted({*self.woken, *self.warned, *self.missed, *self.assigned}))


def route_posts(session: Session, post_ids: Sequence[int], now: datetime) -> RouteReport:
    """Thread these tagged posts and route their conversations; the caller commits.

    On PostgreSQL one worker at a time deals work out, so that turns and threads stay in order.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_ROUTE_LOCK)))
    posts = routing.lock_tagged_posts(session, post_ids)
    if not posts:
        return RouteReport(routed=0, conversation_ids=())
    ids = [post.id for post in posts]
    threaded = thread_posts(session, ids, now)
    session.flush()
    arrived = routing.inbound_posts(session, ids)
    answers = routing.first_answers(session, threaded.conversation_ids)
    robin = RoundRobin(session)
    reopened, assigned = [], []
    for conversation, brand in routing.conversations_of(session, threaded.conversation_ids):
        news = arrived.get(conversation.id, [])
        was_reopened = _take_in(
            session, conversation, brand, news=news, answered_at=answers.get(conversation.id), now=now
        )
        if was_reopened:
            reopened.append(conversation.id)
        if _find_assignee(conversation, robin, has_news=_has_live_news(news), now=now):
            assigned.append(conversation.id)
    session.execute(sa.update(Post).where(Post.id.in_(ids)).values(state=PostState.ROUTED))
    return RouteReport(
        routed=len(ids),
        conversation_ids=tuple(threaded.conversation_ids),
        reopened=tuple(reopened),
        assigned=tuple(assigned),
    )


def refresh_priority(session: Session, conversation_ids: Sequence[int], now: datetime) -> None:
    """Sum up the priority anew, after a clock ran on or a person corrected a label."""
    for conversation, _brand in routing.conversations_of(session, conversation_ids):
        _set_priority(conversation, routing.latest_inbound(session, conversation), now=now)


def sweep(session: Session, now: datetime) -> SweepReport:
    """Wake sleepers, mark missed clocks and those about to be, hand waiting work to who has room now."""
    woken = wake_snoozed(session, now)
    missed = clocks.mark_missed(session, now=now)
    warned = clocks.mark_warned(session, now=now, due_before=now + priority.SOON)
    session.flush()
    refresh_priority(session, [*missed, *warned], now)
    assigned = drain_backlog(session, now=now)
    return SweepReport(woken=tuple(woken), warned=tuple(warned), missed=tuple(missed), assigned=tuple(assigned))


def _take_in(
    session: Session,
    conversation: Conversation,
    brand: Brand,
    *,
    news: Sequence[InboundPost],
    answered_at: datetime | None,
    now: datetime,
) -> bool:
    # Everything but who gets it; says whether a settled or sleeping conversation was opened again.
    is_live = _has_live_news(news)
    latest: InboundPost | None = None
    if news:
        latest = news[-1]
        if conversation.last_inbound_at is not None and latest.post.created_at < conversation.last_inbound_at:
            latest = routing.latest_inbound(session, conversation) or latest
        _summarise(conversation, latest)
    was_reopened = False
    if is_live:
        conversation.is_unread = True
        if not conversation.is_spam and not conversation.is_muted:
            was_reopened = open_again(session, conversation, by_user_id=None, now=now, cause="new_message")
    elif _is_settled_on_arrival(conversation, now):
        conversation.state = ConversationState.RESOLVED
        conversation.is_unread = False
    clocks.stop_or_start(session, conversation, brand, answered_at=answered_at, is_history=not is_live, now=now)
    _set_priority(conversation, latest or routing.latest_inbound(session, conversation), now=now)
    return was_reopened


def _has_live_news(news: Sequence[InboundPost]) -> bool:
    return any(not one.post.is_history for one in news)


def _is_settled_on_arrival(conversation: Conversation, now: datetime) -> bool:
    # History nobody need act on: never touched by a person, and answered, long past, or only our own words.
    if conversation.state is not ConversationState.OPEN or conversation.assignee_id is not None:
        return False
    last = conversation.last_inbound_at
    if last is None:
        return True
    if conversation.sla_started_at is not None:
        return False
    is_answered = conversation.last_reply_at is not None and conversation.last_reply_at > last
    return is_answered or last < now - OLD_HISTORY


def _summarise(conversation: Conversation, latest: InboundPost) -> None:
    post, author, tags = latest.post, latest.author, latest.tags
    conversation.author_id = author.id
    conversation.preview = " ".join((post.title or post.text).split())[:PREVIEW_CHARACTERS]
    conversation.audience = max(conversation.audience, author.followers or 0, post.audience)
    conversation.language = post.language or (tags.language if tags else post.language_hint)
    if tags is None:
        return
    conversation.sentiment = tags.sentiment_label
    conversation.sentiment_confidence = tags.sentiment_confidence
    conversation.sentiment_unsure = tags.sentiment_unsure
    likeliest = max(tags.intents, key=tags.intents.__getitem__, default=None)
    conversation.intent = likeliest
    conversation.intent_confidence = tags.intents.get(likeliest) if likeliest else None
    conversation.intents = list(tags.intent_labels)


def _set_priority(conversation: Conversation, latest: InboundPost | None, *, now: datetime) -> None:
    tags: PostTags | None = latest.tags if latest else None
    found = priority.sum_up(
        priority.Standing(
            sla_state=conversation.sla_state,
            sla_due_at=conversation.sla_due_at,
            intents=tags.intents if tags else None,
            negative=float(tags.sentiment.get("negative", 0.0)) if tags else 0.0,
            audience=conversation.audience,
            is_vip=latest.is_vip if latest else False,
            is_crisis=conversation.is_crisis,
        ),
        now=now,
    )
    conversation.priority = found.points
    conversation.priority_reasons = found.reasons


def _find_assignee(conversation: Conversation, robin: RoundRobin, *, has_news: bool, now: datetime) -> bool:
    # New messages of a settled conversation go back to who had it, unless that person is away.
    if not has_news or conversation.state is not ConversationState.OPEN or conversation.is_spam:
        return False
    if conversation.assignee_id is not None and robin.is_available(conversation.assignee_id):
        return False
    if conversation.assignee_id is not None and not robin.has_room:
        return False
    return robin.deal(conversation, now=now) is not None
