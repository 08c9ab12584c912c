"""The last step of a post's way in: its conversation gets a priority with reasons, a clock and somebody.

`route_posts` is idempotent: posts already routed are left alone, clocks start once, and alarms are unique by
their due time. Our own posts are never queued, but an answer of ours stops the clock wherever it was written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from inbox.listening.threads import thread_posts
from inbox.store.queries import routing, standings
from inbox.store.queries.routing import due_for_routing
from inbox.store.queries.standings import InboundPost, Standing
from inbox.store.statements import expire_loaded, is_one_of
from inbox.store.tables import Brand, Post
from inbox.store.types import ConversationState, PostState
from inbox.triage import clocks, priority
from inbox.triage.assignment import RoundRobin, drain_backlog
from inbox.triage.conversations import open_again, wake_snoozed
from inbox.triage.sla import BusinessHours
from inbox.triage.standings import remember, save_standings
from inbox.triage.summaries import refresh_priority, set_priority, summarise

__all__ = ["RouteReport", "SweepReport", "due_for_routing", "refresh_priority", "route_posts", "sweep"]

log = structlog.get_logger(__name__)

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
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_ROUTE_LOCK)))
    ids = standings.lock_tagged_posts(session, post_ids)
    if not ids:
        return RouteReport(routed=0, conversation_ids=())
    threaded = thread_posts(session, ids, now)
    arrived = standings.inbound_posts(session, ids)
    standing = standings.lock_standings(session, threaded.conversation_ids)
    brands = {one: session.get_one(Brand, one) for one in {conversation.brand_id for conversation in standing}}
    found, reopened = _reopen(session, standing, arrived, brands, now)
    batch = _read_batch(session, found, arrived, brands, now)
    before = {one.id: remember(one) for one in found}
    robin = RoundRobin(session)
    assigned = []
    for conversation in found:
        _take_in(conversation, batch)
        if _find_assignee(
            conversation, robin, has_news=_has_live_news(batch.arrived.get(conversation.id, ())), now=now
        ):
            assigned.append(conversation.id)
    robin.note_dealt()
    save_standings(session, found, before)
    clocks.note_events(session, batch.steps, now)
    session.connection().execute(sa.update(Post).where(is_one_of(session, Post.id, ids)).values(state=PostState.ROUTED))
    expire_loaded(session, Post, ids)
    return RouteReport(
        routed=len(ids),
        conversation_ids=tuple(threaded.conversation_ids),
        reopened=tuple(reopened),
        assigned=tuple(assigned),
    )


def sweep(session: Session, now: datetime) -> SweepReport:
    """Wake sleepers, mark missed clocks and those about to be, hand waiting work to who has room now."""
    woken = wake_snoozed(session, now)
    missed = clocks.mark_missed(session, now=now)
    warned = clocks.mark_warned(session, now=now, due_before=now + priority.SOON)
    session.flush()
    refresh_priority(session, [*missed, *warned], now)
    assigned = drain_backlog(session, now=now)
    return SweepReport(woken=tuple(woken), warned=tuple(warned), missed=tuple(missed), assigned=tuple(assigned))


@dataclass(slots=True)
class _Batch:
    """What routing a batch goes by; `steps` are the steps of clocks it took."""

    now: datetime
    arrived: Mapping[int, Sequence[InboundPost]]
    latest: Mapping[int, InboundPost]  # of conversations in which nothing newer arrived
    answers: Mapping[int, datetime]
    brands: Mapping[int, Brand]
    hours: dict[tuple[int, bool], BusinessHours | None] = field(default_factory=dict)
    steps: list[tuple[int, clocks.Step]] = field(default_factory=list)

    def hours_for(self, conversation: Standing) -> BusinessHours | None:
        """Give the hours a conversation's clock counts in, read once in a batch."""
        which = conversation.brand_id, conversation.is_crisis
        if which not in self.hours:
            self.hours[which] = clocks.hours_of(self.brands[which[0]], is_crisis=which[1])
        return self.hours[which]


def _reopen(
    session: Session,
    found: list[Standing],
    arrived: Mapping[int, Sequence[InboundPost]],
    brands: Mapping[int, Brand],
    now: datetime,
) -> tuple[list[Standing], list[int]]:
    """Open settled or sleeping conversations in which something new arrived; gives all as they stand now."""
    ids = [
        one.id
        for one in found
        if one.state is not ConversationState.OPEN
        and not one.is_spam
        and not one.is_muted
        and brands[one.brand_id].competitor_of is None
        and _has_live_news(arrived.get(one.id, ()))
    ]
    if not ids:
        return found, []
    for conversation, _brand in routing.conversations_of(session, ids):
        open_again(session, conversation, by_user_id=None, now=now, cause="new_message")
    session.flush()
    opened = {one.id: one for one in standings.lock_standings(session, ids)}
    return [opened.get(one.id, one) for one in found], ids


def _read_batch(
    session: Session,
    found: Sequence[Standing],
    arrived: Mapping[int, Sequence[InboundPost]],
    brands: Mapping[int, Brand],
    now: datetime,
) -> _Batch:
    without = [
        one.id
        for one in found
        if one.id not in arrived
        or (one.last_inbound_at is not None and arrived[one.id][-1].created_at < one.last_inbound_at)
    ]
    return _Batch(
        now=now,
        arrived=arrived,
        latest=standings.latest_inbound(session, without),
        answers=standings.first_answers(session, [one.id for one in found]),
        brands=brands,
    )


def _take_in(conversation: Standing, batch: _Batch) -> None:
    """Bring a conversation in line with what arrived in it: everything but who gets it."""
    news = batch.arrived.get(conversation.id, ())
    is_live = _has_live_news(news)
    latest = batch.latest.get(conversation.id) or (news[-1] if news else None)
    if news and latest is not None:
        summarise(conversation, latest)
    if batch.brands[conversation.brand_id].competitor_of is not None:
        _keep_out_of_work(conversation)
        return
    if is_live:
        conversation.is_unread = True
    elif _is_settled_on_arrival(conversation, batch.now):
        conversation.state = ConversationState.RESOLVED
        conversation.is_unread = False
    steps = clocks.stop_or_start(
        conversation,
        minutes=batch.brands[conversation.brand_id].first_response_minutes,
        hours=batch.hours_for(conversation),
        answered_at=batch.answers.get(conversation.id),
        is_history=not is_live,
    )
    batch.steps += [(conversation.id, step) for step in steps]
    set_priority(conversation, latest, now=batch.now)


def _keep_out_of_work(conversation: Standing) -> None:
    # Competitors are heard and compared, never answered: muted conversations are in no view and on nobody's desk.
    conversation.state = ConversationState.RESOLVED
    conversation.is_muted = True
    conversation.is_unread = False


def _has_live_news(news: Sequence[InboundPost]) -> bool:
    return any(not one.is_history for one in news)


def _is_settled_on_arrival(conversation: Standing, now: datetime) -> bool:
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


def _find_assignee(conversation: Standing, robin: RoundRobin, *, has_news: bool, now: datetime) -> bool:
    # New messages of a settled conversation go back to who had it, unless that person is away.
    if not has_news or conversation.state is not ConversationState.OPEN or conversation.is_spam:
        return False
    if conversation.assignee_id is not None and robin.is_available(conversation.assignee_id):
        return False
    if conversation.assignee_id is not None and not robin.has_room:
        return False
    return robin.deal(conversation, now=now) is not None
