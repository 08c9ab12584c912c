"""The steps of background work as plain, idempotent functions; both engines call these and nothing else.

A handler reads rows in a state, moves them on, commits, and says what may have become due. Calling one twice, or
after a crash, does no harm: row state is the truth, a job is only a nudge.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from ascolto.jobs.adapt_steps import adapt
from ascolto.jobs.done import Done
from ascolto.jobs.tag_steps import retag, tag
from ascolto.wiring import House
from inbox.listening.ingest import quarantine
from inbox.listening.poll import poll_source
from inbox.listening.refresh import refresh_posts
from inbox.listening.validation import Refused
from inbox.replies.outbox import due_replies
from inbox.replies.publish import look_again, publish_reply
from inbox.replies.reconcile import needs_reconciling, reconcile
from inbox.reputation import topics
from inbox.reputation.rollups import due_buckets, recompute
from inbox.store.engine import Store
from inbox.store.queries import replies as reply_queries
from inbox.store.queries.sources import POLLED, get_source, list_due_sources, list_polled
from inbox.store.tables import Post
from inbox.store.types import PostState, ReplyState
from inbox.triage.routing import RouteReport, due_for_routing, route_posts
from inbox.triage.routing import sweep as sweep_conversations

__all__ = ["adapt", "retag", "tag"]  # steps of modules of their own, called beside those here

log = structlog.get_logger(__name__)

ROUTE_BATCH = 256
PUBLISH_BATCH = 50
BUCKET_BATCH = 20
TOPIC_BATCH = 512
# A burst pokes browsers once instead of once per conversation.
MANY = 50
PARALLEL_SOURCES = 4
# UTC; networks ask that deletions are followed within a day.
COSTLY_REFRESH_HOUR = 3


def due_polls(house: House, limit: int = 100) -> list[int]:
    """Give the sources whose next poll has come."""
    with house.store.read() as session:
        return list_due_sources(session, house.clock(), limit)


def poll(house: House, source_id: int, *, store: Store | None = None) -> Done:
    """Poll one source; errors of its network become its state. `store`: another way to commit than the house's."""
    report = poll_source(
        store or house.store,
        source_id,
        connector_of=house.connector_of,
        limits=house.limits,
        clock=house.clock,
        tombstone_key=house.tombstone_key,
    )
    if report.skipped is None:
        house.bus.publish("source", {"id": source_id})
    is_new = report.stored > 0 or report.edited > 0
    return Done(rows=report.stored, due=("tag", "route", "roll_up") if is_new else ())


def route(house: House, limit: int = ROUTE_BATCH, *, post_ids: Sequence[int] | None = None) -> Done:
    """Thread and route a batch of posts: these, or the oldest waiting. One that cannot be routed is set aside."""
    ids = list(post_ids) if post_ids is not None else _due(house, due_for_routing, limit)
    if not ids:
        return Done()
    reports = _route_or_halve(house, ids)
    conversation_ids = sorted({one for report in reports for one in report.conversation_ids})
    _poke_conversations(house, conversation_ids)
    return Done(rows=sum(report.routed for report in reports), has_more=post_ids is None and len(ids) >= limit)


def due_publishers(house: House) -> list[int]:
    """Give the sources through which something is to go out, or to be looked up, now."""
    with house.store.read() as session:
        if needs_reconciling(session):
            return [0]
        now = house.clock()
        ids = [*due_replies(session, now, PUBLISH_BATCH), *reply_queries.unknown_replies(session, now, PUBLISH_BATCH)]
        return sorted({source or 0 for source in reply_queries.sources_of_replies(session, ids).values()})


def publish(house: House, limit: int = PUBLISH_BATCH, *, source_id: int | None = None) -> Done:
    """Send what is due, each source beside the others, and look for replies of unknown fate.

    `source_id` narrows it to one source (0: replies without one). After a restore nothing is sent; the networks
    are asked first what stands already.
    """
    with house.store.read() as session:
        if needs_reconciling(session):
            is_restored = True
        else:
            is_restored = False
            now = house.clock()
            due = due_replies(session, now, limit)
            unknown = reply_queries.unknown_replies(session, now, limit)
            sources = reply_queries.sources_of_replies(session, [*due, *unknown])
    if is_restored:
        report = reconcile(house.store, connector_of=house.connector_of, clock=house.clock)
        return Done(rows=len(report.found))
    lanes: dict[int, list[int]] = {}
    for reply_id in [*due, *unknown]:
        lane = sources.get(reply_id) or 0
        if source_id is None or lane == source_id:
            lanes.setdefault(lane, []).append(reply_id)
    if len(lanes) > 1:
        with ThreadPoolExecutor(min(len(lanes), PARALLEL_SOURCES)) as pool:
            sent = sum(pool.map(lambda lane: _publish_lane(house, lane, set(unknown)), lanes.values()))
    else:
        sent = sum(_publish_lane(house, lane, set(unknown)) for lane in lanes.values())
    # Our own messages are to be threaded; an answer sent may free the next of its conversation.
    return Done(rows=sent, due=("route",) if sent else (), has_more=sent > 0)


def roll_up(house: House, limit: int = BUCKET_BATCH) -> Done:
    """Recompute the cells of days that changed."""
    with house.store.read() as session:
        buckets = due_buckets(session, limit)
    if not buckets:
        return Done()
    with house.store.write() as session:
        count = recompute(session, buckets, house.clock())
    return Done(rows=count, has_more=len(buckets) >= limit and count > 0)


def find_topics(house: House, limit: int = TOPIC_BATCH) -> Done:
    """Place complaints and questions among the topics, and look for new ones; nothing where there is no space."""
    space = house.topic_space
    if space is None:
        return Done()
    with house.store.read() as session:
        posts = topics.list_waiting(session, limit)
    if not posts:
        return Done()
    points = space.embed([post.text for post in posts])  # takes a while: outside the transaction
    with house.store.write() as session:
        placed = topics.place_posts(session, posts, points, space)
        for brand_id in placed.brand_ids:
            topics.find_topics(session, brand_id, space, house.clock(), placed=placed)
    return Done(rows=len(posts), has_more=len(posts) >= limit)


def sweep(house: House) -> Done:
    """Wake sleepers, mark missed clocks, hand out waiting work."""
    with house.store.write() as session:
        report = sweep_conversations(session, house.clock())
    _poke_conversations(house, report.conversation_ids)
    return Done(rows=len(report.conversation_ids))


def refresh(house: House, source_id: int) -> Done:
    """Follow edits and deletions of a source's latest posts; where reading costs money, once a night only."""
    with house.store.read() as session:
        source = get_source(session, source_id)
    if source is None or source.state not in POLLED:
        return Done()
    is_costly = house.connector_of(source).capabilities.cost_per_post_micros > 0
    if is_costly and house.clock().hour != COSTLY_REFRESH_HOUR:
        return Done()
    report = refresh_posts(house.store, source_id, connector_of=house.connector_of, clock=house.clock)
    changed = len(report.edited_ids) + len(report.deleted_ids)
    if changed:
        house.bus.publish("counts", {})
    return Done(rows=changed, due=("tag", "roll_up") if changed else ())


def sources_to_refresh(house: House) -> list[int]:
    """Give the sources whose posts may be refreshed."""
    with house.store.read() as session:
        return [source.id for source in list_polled(session)]


def refresh_all(house: House) -> Done:
    """Refresh every source, one after the other; one that fails leaves the others alone."""
    done = Done()
    for source_id in sources_to_refresh(house):
        try:
            one = refresh(house, source_id)
        except Exception as error:  # a job's edge: the others are refreshed all the same
            log.exception("refresh.broken", source=source_id, kind=type(error).__name__)
            continue
        done = Done(rows=done.rows + one.rows, due=tuple({*done.due, *one.due}))
    return done


def _due(house: House, find: Callable[[Session, int], list[int]], limit: int) -> list[int]:
    with house.store.read() as session:
        return find(session, limit)


def _publish_lane(house: House, reply_ids: Sequence[int], unknown: set[int]) -> int:
    # One source's replies, one after the other; gives how many were sent.
    sent = 0
    for reply_id in reply_ids:
        try:
            if reply_id in unknown:
                state = look_again(house.store, reply_id, connector_of=house.connector_of, clock=house.clock).state
            else:
                state = publish_reply(
                    house.store,
                    reply_id,
                    connector_of=house.connector_of,
                    publishing=house.settings.publishing,
                    clock=house.clock,
                )
        except Exception as error:
            log.exception("publish.broken", reply=reply_id, kind=type(error).__name__)
            continue
        sent += state is ReplyState.SENT
        house.bus.publish("reply", {"id": reply_id, "state": state.value})
        with house.store.read() as session:
            conversation_id = reply_queries.conversation_of(session, reply_id)
        if conversation_id is not None:
            house.bus.publish("conversation", {"id": conversation_id})
    return sent


def _route_or_halve(house: House, post_ids: Sequence[int]) -> list[RouteReport]:
    try:
        with house.store.write() as session:
            return [route_posts(session, post_ids, house.clock())]
    except (sa.exc.OperationalError, sa.exc.InterfaceError):
        raise  # the database is in trouble, not a post
    except Exception as error:
        if len(post_ids) == 1:
            log.exception("route.set_aside", post=post_ids[0], kind=type(error).__name__)
            _set_aside(house, post_ids[0], f"could not be routed ({type(error).__name__})")
            return []
    middle = len(post_ids) // 2
    return [*_route_or_halve(house, post_ids[:middle]), *_route_or_halve(house, post_ids[middle:])]


def _set_aside(house: House, post_id: int, reason: str) -> None:
    # A post that breaks routing is kept and shown in quarantine, out of the others' way.
    with house.store.write() as session:
        post = session.get(Post, post_id)
        if post is not None:
            post.state = PostState.IGNORED
            refused = Refused(post.text[:65536], reason, post.external_id)
            quarantine(session, post.brand_id, post.source_id, [refused], house.clock())


def _poke_conversations(house: House, conversation_ids: Sequence[int]) -> None:
    if not conversation_ids:
        return
    if len(conversation_ids) <= MANY:
        for conversation_id in conversation_ids:
            house.bus.publish("conversation", {"id": conversation_id})
    house.bus.publish("counts", {})


# What ticks, and how often; every tick is a cheap question to the database when nothing is due.
TICKS: dict[str, timedelta] = {
    "tag": timedelta(seconds=2),
    "route": timedelta(seconds=2),
    "publish": timedelta(seconds=1),
    "roll_up": timedelta(seconds=5),
    "sweep": timedelta(seconds=15),
    "topics": timedelta(seconds=30),
    "retag": timedelta(seconds=20),
    "adapt": timedelta(seconds=30),
    "refresh": timedelta(hours=1),
}
STEPS: dict[str, Callable[[House], Done]] = {
    "tag": tag,
    "route": route,
    "publish": publish,
    "roll_up": roll_up,
    "sweep": sweep,
    "topics": find_topics,
    "retag": retag,
    "adapt": adapt,
    "refresh": refresh_all,
}
