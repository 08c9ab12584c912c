"""Loads the demo: brand, people and sources, then eight weeks of posts by the way every post takes.

Ingest, tags, threads and routing are the product's own; only the network call is left out, since the town would give
back what was just put into it. At the end every source is really polled once, so that it goes on from there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from time import monotonic

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from ascolto.demo.brand import HISTORY_DAYS, OUTAGE_DAYS, OUTAGE_DAYS_AGO, PASSWORD, PEOPLE, brand_file
from ascolto.demo.calendar import day_of
from ascolto.demo.desk import work_the_desk
from ascolto.demo.history import build_history
from ascolto.demo.listening import DemoSource, plan_sources
from ascolto.demo.seeding import SettledPost, as_fetched, settle
from ascolto.demo.town import Town
from ascolto.wiring import House
from connectors.base import Page
from inbox.errors import ConflictError
from inbox.listening.brands import apply_brand_file
from inbox.listening.ingest import ingest_page
from inbox.listening.poll import poll_source
from inbox.listening.sources import create_source
from inbox.listening.tagging import due_for_tagging, tag_posts
from inbox.people.users import create_user
from inbox.reputation.rollups import day_bounds, due_buckets, recompute, zone_of
from inbox.store.queries.brands import find_brand, list_brands
from inbox.store.queries.sign_ins import has_users
from inbox.store.queries.sources import list_sources
from inbox.store.tables import PollRun, Source, SystemValue
from inbox.triage.routing import due_for_routing, route_posts

log = structlog.get_logger(__name__)

Progress = Callable[[str, int, int], None]  # step, done, of how many
BATCH = 256
LOADED_KEY = "demo.loaded"
# Younger posts arrive as news, so that their clocks run and the inbox has work; older ones as history.
NEWS = timedelta(hours=30)


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What loading the demo did."""

    posts: int
    sources: int
    seconds: float


def is_loaded(house: House) -> bool:
    """Whether the demo was loaded to its end."""
    with house.store.read() as session:
        return session.get(SystemValue, LOADED_KEY) is not None


def load_demo(house: House, town: Town, *, now: datetime, progress: Progress | None = None) -> DemoReport:
    """Fill an empty house with the demo; ConflictError when anybody else lives there."""
    tell = progress or (lambda _step, _done, _total: None)
    began = monotonic()
    with house.store.read() as session:
        if has_users(session) or list_brands(session):
            raise ConflictError("The demo wants a data folder of its own: there are people or brands in this one.")
    plan = plan_sources(town)
    posts = list(settle(town, build_history(now)))
    with house.store.write() as session:
        _hire_people(session, now - timedelta(days=HISTORY_DAYS))
        apply_brand_file(session, brand_file(), now=now - timedelta(days=HISTORY_DAYS), is_demo=True)
    sources = _connect(house, plan, now - timedelta(days=HISTORY_DAYS))
    _ingest_weeks(house, sources, posts, now=now, tell=tell)
    _note_polls(house, sources, posts, now=now)
    work_the_desk(house, now=now, tell=tell)
    for number, key in enumerate(sources):
        poll_source(house.store, sources[key], connector_of=house.connector_of, limits=house.limits, clock=house.clock)
        tell("poll", number + 1, len(sources))
    _forget_truncations(house)
    take_in(house, now=house.clock())
    _roll_up(house, now=now, tell=tell)
    with house.store.write() as session:
        session.add(SystemValue(key=LOADED_KEY, value="1", changed_at=now))
    seconds = monotonic() - began
    log.info("demo.loaded", posts=len(posts), sources=len(sources), seconds=round(seconds, 1))
    return DemoReport(len(posts), len(sources), seconds)


def point_sources(house: House, town: Town) -> None:
    """Point the sources of an earlier run at the town where it stands now."""
    settings = {source.name: source.settings for source in plan_sources(town)}
    with house.store.write() as session:
        for source in list_sources(session):
            wanted = settings.get(source.name)
            if wanted is not None:
                moved = {name: wanted[name] for name in ("api_url", "url") if name in wanted}
                source.config = {**source.config, **moved}


def take_in(house: House, *, now: datetime) -> int:
    """Tag and route everything that waits; gives how many posts were routed."""
    routed = 0
    while True:
        with house.store.write() as session:
            ids = due_for_tagging(session, BATCH)
            tag_posts(session, ids, house.tagger, now)
            ready = due_for_routing(session, BATCH)
            route_posts(session, ready, now)
        routed += len(ready)
        if not ids and not ready:
            return routed


def _hire_people(session: Session, now: datetime) -> None:
    for person in PEOPLE:
        create_user(
            session, email=person.email, name=person.name, password=PASSWORD, role=person.role,
            language=person.language, now=now,
        )  # fmt: skip


def _connect(house: House, plan: Sequence[DemoSource], now: datetime) -> dict[str, int]:
    """Check every source with the town, then save it; gives the ids by the history's names."""
    ids: dict[str, int] = {}
    for planned in plan:
        connector = house.registry.create(
            planned.network, dict(planned.settings), transport=house.transport, clock=house.clock
        )
        account = connector.check()
        with house.store.write() as session:
            brand = find_brand(session, planned.brand)
            if brand is None:
                raise LookupError(planned.brand)
            source = create_source(
                session, house.vault, brand_id=brand.id, connector=connector, name=planned.name, account=account,
                poll_seconds=planned.poll_seconds, can_publish=planned.can_publish, now=now,
                instance=planned.instance, monthly_budget_micros=planned.monthly_budget_micros,
            )  # fmt: skip
            ids[planned.key] = source.id
    return ids


def _ingest_weeks(
    house: House,
    sources: dict[str, int],
    posts: Sequence[SettledPost],
    *,
    now: datetime,
    tell: Progress,
) -> None:
    """Take the posts in in the order of time, in batches, each by its own source."""
    done = 0
    for batch in _batches(posts):
        with house.store.write() as session:
            by_source = sorted(batch, key=lambda item: (item.post.source, item.post.number))
            for key, group in groupby(by_source, key=lambda item: item.post.source):
                source = session.get_one(Source, sources[key])
                items = list(group)
                for is_history in (True, False):
                    part = tuple(
                        as_fetched(item) for item in items if (item.post.created_at < now - NEWS) is is_history
                    )
                    if part:
                        page = Page(posts=part, cursor=source.cursor, more=False)
                        ingest_page(session, source, page, now=now, is_history=is_history)
        take_in(house, now=now)
        done += len(batch)
        tell("posts", done, len(posts))


def _batches(posts: Sequence[SettledPost]) -> Iterator[Sequence[SettledPost]]:
    for start in range(0, len(posts), BATCH):
        yield posts[start : start + BATCH]


def _note_polls(house: House, sources: dict[str, int], posts: Sequence[SettledPost], *, now: datetime) -> None:
    """Leave a poll run a day and source, as eight weeks of polling would have: coverage is read from them."""
    with house.store.write() as session:
        for key, source_id in sources.items():
            source = session.get_one(Source, source_id)
            zone = zone_of(session, source.brand_id)
            for days_ago in range(HISTORY_DAYS, 0, -1):
                start, end = day_bounds(day_of(now, days_ago), zone)
                is_out = key == "reddit" and OUTAGE_DAYS_AGO - OUTAGE_DAYS < days_ago <= OUTAGE_DAYS_AGO
                count = sum(item.post.source == key and start <= item.post.created_at < end for item in posts)
                session.add(_poll_run(source, start, end, count=0 if is_out else count, is_out=is_out))


def _poll_run(source: Source, start: datetime, end: datetime, *, count: int, is_out: bool) -> PollRun:
    noon = start + (end - start) / 2
    price = 5_000 if source.network == "x" else 0
    return PollRun(
        brand_id=source.brand_id,
        source_id=source.id,
        started_at=noon,
        finished_at=noon + timedelta(seconds=1),
        covers_from=None if is_out else start,
        covers_to=None if is_out else end,
        pages=1,
        fetched=count,
        stored=count,
        requests=1,
        cost_micros=count * price,
        error_kind="TransientError" if is_out else None,
        error="Reddit answered 503 to every request for two days." if is_out else None,
    )


def _forget_truncations(house: House) -> None:
    """A first reading says how far it went back; what lies before is here already, so nothing was cut off."""
    with house.store.write() as session:
        session.execute(sa.update(PollRun).values(truncated=None))


def _roll_up(house: House, *, now: datetime, tell: Progress) -> None:
    done = 0
    while True:
        with house.store.write() as session:
            counted = recompute(session, due_buckets(session), now)
        done += counted
        tell("days", done, done)
        if not counted:
            return
