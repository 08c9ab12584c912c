"""Polling: open a run; fetch a page, then store it with its cursor; close the run. Each step commits by itself.

No transaction is open while the network is asked. Killed anywhere, a poll loses nothing and doubles nothing: the
cursor moves only with the rows it covers, and the next poll closes the run that was left open. A poll that comes to
its last page with more to read leaves the cursor in the middle of the walk, and the next one goes on from there.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from pydantic import ValidationError

from connectors.base import Clock, Connector, Limits, Page
from connectors.budget import affordable_posts, month_start
from connectors.errors import ConnectorError
from inbox.listening import source_state
from inbox.listening.ingest import IngestReport, ingest_page, ingest_posts
from inbox.listening.validation import Refused, cap_raw
from inbox.store.engine import Store
from inbox.store.queries.sources import get_source, list_unfinished_runs, sum_cost, walk_began
from inbox.store.tables import PollRun, Source
from inbox.store.types import SourceState

log = structlog.get_logger(__name__)
ConnectorOf = Callable[[Source], Connector]
OVERLAPPED = "overlapped"
MAX_BACKFILL_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class PollReport:
    """How a poll went. `skipped` says why none took place (paused, gone, told to wait); then nothing was asked."""

    source_id: int
    state: SourceState
    run_id: int | None = None
    pages: int = 0
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    edited: int = 0
    requests: int = 0
    cost_micros: int = 0
    truncated: str | None = None
    error_kind: str | None = None
    error: str | None = None
    post_ids: tuple[int, ...] = ()
    skipped: str | None = None


class _OverlappedError(Exception):
    """Another poll moved this source's cursor meanwhile; its pages are not ours to store."""


@dataclass(slots=True)
class _Walk:
    """One way through a source's pages."""

    source: Source  # detached: read, never written
    run_id: int
    started_at: datetime
    cursor: str | None
    is_first: bool
    spent_micros: int
    began_at: datetime  # the walk, perhaps by an earlier poll
    is_unfinished: bool = False
    moves_cursor: bool = True
    pages: int = 0
    fetched: int = 0
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    edited: int = 0
    requests: int = 0
    cost_micros: int = 0
    truncated: str | None = None
    oldest: datetime | None = None
    post_ids: list[int] = field(default_factory=list)

    def add(self, page: Page, report: IngestReport) -> None:
        """Count a stored page."""
        self.cursor = page.cursor
        self.pages += 1
        self.stored += report.stored
        self.duplicates += report.duplicates
        self.quarantined += report.quarantined
        self.edited += report.edited
        self.requests += page.requests
        self.cost_micros += page.cost_micros
        self.post_ids += report.post_ids
        if report.oldest is not None:
            self.oldest = min(self.oldest or report.oldest, report.oldest)


def poll_source(
    store: Store,
    source_id: int,
    *,
    connector_of: ConnectorOf,
    limits: Limits,
    clock: Clock,
    tombstone_key: bytes | None = None,
    chance: Callable[[], float] = random.random,
) -> PollReport:
    """Bring what is new of a source; every poll leaves a run, also a failed one.

    Errors of the network become the source's state and are not raised; errors of our own database are.
    """
    walk = _open_run(store, source_id, clock())
    if isinstance(walk, PollReport):
        return walk
    error: Exception | None = None
    try:
        connector = connector_of(walk.source)
        _walk_pages(store, connector, walk, limits=limits, clock=clock, tombstone_key=tombstone_key)
    except (ConnectorError, ValidationError, _OverlappedError) as raised:
        error = raised
    except source_state.DATABASE_ERRORS:
        raise  # nothing can be noted now; the next poll closes the run
    except Exception as raised:  # a connector's bug must cost its own source only
        log.exception("poll.broken", source=source_id, kind=type(raised).__name__)
        error = raised
    return _close_run(store, walk, error, clock(), chance)


def backfill_source(
    store: Store,
    source_id: int,
    *,
    connector_of: ConnectorOf,
    days: int,
    posts: int,
    clock: Clock,
    progress: Callable[[int], None] | None = None,
    tombstone_key: bytes | None = None,
    chance: Callable[[], float] = random.random,
) -> PollReport:
    """Fetch older posts from the newest backwards, as history; the source's own cursor stays where it is."""
    walk = _open_run(store, source_id, clock())
    if isinstance(walk, PollReport):
        return walk
    walk.cursor, walk.is_first, walk.moves_cursor, walk.began_at = None, True, False, walk.started_at
    limits = Limits(first_posts=posts, first_days=days, pages=MAX_BACKFILL_PAGES)
    error: Exception | None = None
    try:
        connector = connector_of(walk.source)
        _walk_pages(store, connector, walk, limits=limits, clock=clock, tombstone_key=tombstone_key, progress=progress)
    except (ConnectorError, ValidationError) as raised:
        error = raised
    return _close_run(store, walk, error, clock(), chance)


def _open_run(store: Store, source_id: int, now: datetime) -> _Walk | PollReport:
    with store.write() as session:
        source = get_source(session, source_id, for_update=True)
        if source is None:
            return PollReport(source_id, SourceState.GONE, skipped="this source does not exist")
        waiting = source_state.reason_to_wait(source, now)
        if waiting is not None:
            return PollReport(source_id, source.state, skipped=waiting)
        for left_open in list_unfinished_runs(session, source_id):
            left_open.finished_at = now
            left_open.error_kind = "interrupted"
            left_open.error = "The process ended before this poll did; the next one went on from its last page."
        run = PollRun(brand_id=source.brand_id, source_id=source_id, started_at=now)
        session.add(run)
        session.flush()
        return _Walk(
            source=source,
            run_id=run.id,
            started_at=now,
            cursor=source.cursor,
            is_first=not source.has_synced,
            began_at=walk_began(session, source_id) or now,
            spent_micros=sum_cost(session, source_id, month_start(now)),
        )


def _walk_pages(
    store: Store,
    connector: Connector,
    walk: _Walk,
    *,
    limits: Limits,
    clock: Clock,
    tombstone_key: bytes | None,
    progress: Callable[[int], None] | None = None,
) -> None:
    while True:
        wanted = limits.page_size
        if walk.is_first:
            wanted = max(1, min(wanted, limits.first_posts - walk.fetched))
        budget = walk.source.monthly_budget_micros
        wanted = affordable_posts(budget, walk.spent_micros + walk.cost_micros, connector.capabilities, wanted)
        page = connector.fetch(walk.cursor, wanted)
        is_stuck = page.more and not page.posts and not page.bad and page.cursor == walk.cursor
        walk.fetched += len(page.posts)
        page, reason, is_over = _bound(page, walk, limits)
        if is_stuck:
            reason, is_over = "the network gave the same empty page again", True
        walk.truncated = reason or page.truncated or walk.truncated
        if reason is not None and page.cursor is not None:
            # Posts too old end one listing only: the source's others may hold recent ones.
            page = replace(page, cursor=(connector.end_walk if is_over else connector.end_listing)(page.cursor))
        _store_page(store, walk, page, now=clock(), tombstone_key=tombstone_key)
        if progress is not None:
            progress(walk.fetched)
        walk.is_unfinished = is_over and reason is None
        if is_over or not page.more:
            return


def _bound(page: Page, walk: _Walk, limits: Limits) -> tuple[Page, str | None, bool]:
    """Give the page as far as the limits allow, why something is left out (None: nothing), and whether to stop."""
    if not walk.is_first:
        return page, None, page.more and walk.pages + 1 >= limits.pages  # the next poll goes on with the walk
    cutoff = walk.started_at - timedelta(days=limits.first_days)
    recent = tuple(post for post in page.posts if _is_since(post.created_at, cutoff))
    if len(recent) < len(page.posts):
        is_over = walk.fetched >= limits.first_posts or walk.pages + 1 >= limits.pages
        return replace(page, posts=recent), f"the first reading goes back {limits.first_days} days", is_over
    if walk.fetched >= limits.first_posts and page.more:
        return page, f"the first reading stops at {limits.first_posts} posts", True
    if page.more and walk.pages + 1 >= limits.pages:
        return page, f"stopped after {limits.pages} pages", True
    return page, None, False


def _is_since(moment: object, cutoff: datetime) -> bool:
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return True  # ingest refuses it, with the reason
    return moment >= cutoff


def _store_page(store: Store, walk: _Walk, page: Page, *, now: datetime, tombstone_key: bytes | None) -> None:
    with store.write() as session:
        source = get_source(session, walk.source.id, for_update=True)
        run = session.get_one(PollRun, walk.run_id)
        if source is None or run.finished_at is not None:
            raise _OverlappedError
        if walk.moves_cursor:
            if source.cursor != walk.cursor:
                raise _OverlappedError
            report = ingest_page(session, source, page, now=now, is_history=walk.is_first, tombstone_key=tombstone_key)
        else:
            report = ingest_posts(
                session,
                source.brand_id,
                page.posts,
                source=source,
                bad=[Refused(cap_raw(bad.raw), bad.reason, bad.external_id) for bad in page.bad],
                now=now,
                is_history=True,
                tombstone_key=tombstone_key,
            )
        walk.add(page, report)
        _write_counts(run, walk)


def _write_counts(run: PollRun, walk: _Walk) -> None:
    run.pages, run.fetched, run.stored = walk.pages, walk.fetched, walk.stored
    run.duplicates, run.quarantined = walk.duplicates, walk.quarantined
    run.requests, run.cost_micros, run.truncated = walk.requests, walk.cost_micros, walk.truncated


def _close_run(
    store: Store, walk: _Walk, error: Exception | None, now: datetime, chance: Callable[[], float]
) -> PollReport:
    with store.write() as session:
        run = session.get(PollRun, walk.run_id)
        source = get_source(session, walk.source.id, for_update=True)
        if run is None or source is None:
            return PollReport(walk.source.id, SourceState.GONE, skipped="the source was removed meanwhile")
        run.finished_at = now
        if error is None:
            if not walk.is_unfinished:
                since = walk.oldest if walk.truncated or walk.is_first else source.last_ok_at or walk.oldest
                run.covers_from, run.covers_to = since or walk.began_at, walk.began_at
            is_behind = walk.is_unfinished or walk.began_at < walk.started_at
            source_state.note_success(
                source, now, chance, heard_to=run.covers_to or source.last_ok_at, is_behind=is_behind
            )
            if walk.moves_cursor:
                source.has_synced = True
        elif isinstance(error, _OverlappedError):
            run.error_kind, run.error = OVERLAPPED, "Another poll of this source was faster."
        else:
            run.error_kind, run.error = source_state.describe(error)
            source_state.note_failure(source, error, now, chance)
        _write_counts(run, walk)
        return PollReport(
            source_id=source.id,
            state=source.state,
            run_id=run.id,
            pages=walk.pages,
            stored=walk.stored,
            duplicates=walk.duplicates,
            quarantined=walk.quarantined,
            edited=walk.edited,
            requests=walk.requests,
            cost_micros=walk.cost_micros,
            truncated=walk.truncated,
            error_kind=run.error_kind,
            error=run.error,
            post_ids=tuple(walk.post_ids),
        )
