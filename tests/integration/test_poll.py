"""Polling: committed steps, states from errors, nothing lost or doubled when killed between any two lines."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from connectors.base import Capabilities, Connector, ConnectorConfig, FetchedPost, Limits, Page, PostStatus
from connectors.errors import (
    AmbiguousError,
    AuthError,
    BadQueryError,
    ConnectorError,
    RateLimitedError,
    SourceGoneError,
    TransientError,
)
from connectors.transport import Transport
from inbox.listening.coverage import read_coverage
from inbox.listening.poll import PollReport, backfill_source, poll_source
from inbox.listening.refresh import refresh_posts
from inbox.listening.sources import pause_source, resume_source
from inbox.store.engine import Store
from inbox.store.queries.search import search_posts
from inbox.store.tables import PollRun, Post, Source
from inbox.store.types import PostState, SourceState
from tests.conftest import FakeClock
from tests.listening_factory import NOW, fetched, page, set_up


class Script(Connector):
    """A network of so many posts, one every ten minutes up to the newest; pages go from the newest backwards.

    The cursor is "since" or, within a walk, "since,top,next". `errors` are raised by the next calls to fetch.
    """

    network = "x"
    title = "Script"
    config_class = ConnectorConfig

    def __init__(self, newest: int = 0, **options: object) -> None:
        super().__init__(ConnectorConfig(), transport=Transport())
        self.newest = newest
        self.errors: list[Exception] = []
        self.calls = 0
        self.cost = int(str(options.get("cost", 0)))
        self.statuses: tuple[PostStatus, ...] = ()
        self.ended: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(cost_per_post_micros=self.cost, can_refresh=True)

    def check(self) -> None:  # type: ignore[override] # not used here
        return None

    def fetch(self, cursor: str | None, limit: int) -> Page:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        parts = [int(part) for part in cursor.split(",")] if cursor else [0]
        since, top, start = (parts[0], self.newest, self.newest) if len(parts) == 1 else parts
        numbers = list(range(start, max(since, start - limit), -1))
        rest = numbers[-1] - 1 if numbers else since
        more = rest > since
        after = f"{since},{top},{rest}" if more else str(top)
        posts = tuple(self.post(number) for number in reversed(numbers))
        return Page(posts=posts, cursor=after, more=more, cost_micros=self.cost * len(posts))

    def post(self, number: int) -> FetchedPost:
        return fetched(
            f"n{number}", f"post numero {number}", created_at=NOW - timedelta(minutes=10) * (self.newest - number)
        )

    def end_walk(self, cursor: str) -> str:
        self.ended.append(cursor)
        return cursor.split(",")[1]

    def refresh(self, external_ids: Sequence[str]) -> tuple[PostStatus, ...]:
        self.asked = list(external_ids)
        return self.statuses


def poll(store: Store, source_id: int, script: Script, clock: FakeClock, **limits: int) -> PollReport:
    return poll_source(
        store, source_id, connector_of=lambda _: script, limits=Limits(**limits), clock=clock, chance=lambda: 0.5
    )


def source_of(store: Store, source_id: int) -> Source:
    with store.read() as session:
        return session.get_one(Source, source_id)


def runs_of(store: Store, source_id: int) -> list[PollRun]:
    with store.read() as session:
        return list(session.scalars(sa.select(PollRun).where(PollRun.source_id == source_id).order_by(PollRun.id)))


def stored(store: Store) -> set[str]:
    with store.read() as session:
        return set(session.scalars(sa.select(Post.external_id)))


@pytest.fixture
def source_id(store: Store) -> int:
    return set_up(store, poll_seconds=100)[1]


def test_a_first_poll_is_bounded_and_history(store: Store, source_id: int, clock: FakeClock) -> None:
    script = Script(newest=900)
    report = poll(store, source_id, script, clock, page_size=50, first_posts=120)
    assert (report.stored, report.pages) == (120, 3)
    assert report.truncated is not None
    assert "120 posts" in report.truncated
    with store.read() as session:
        assert set(session.scalars(sa.select(Post.is_history))) == {True}
    source = source_of(store, source_id)
    assert (source.cursor, source.has_synced, source.state) == ("900", True, SourceState.OK)
    assert source.next_poll_at == clock() + timedelta(seconds=100)
    script.newest = 905
    report = poll(store, source_id, script, clock, page_size=2)
    assert (report.stored, report.truncated) == (5, None)
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Post.is_history.is_(False))) == 5


def test_a_first_poll_looks_back_seven_days(store: Store, source_id: int, clock: FakeClock) -> None:
    report = poll(store, source_id, Script(newest=2000), clock, first_posts=5000, pages=100)
    assert report.stored == 7 * 24 * 6 + 1
    assert "7 days" in str(report.truncated)


def test_a_burst_is_read_to_its_end_over_several_polls(store: Store, source_id: int, clock: FakeClock) -> None:
    script = Script(newest=1)
    poll(store, source_id, script, clock)
    script.newest = 3_001
    clock.advance(timedelta(minutes=2))
    first = poll(store, source_id, script, clock, page_size=20)
    assert (first.stored, first.pages, first.truncated) == (400, 20, None)
    began, last_ok = clock(), source_of(store, source_id).last_ok_at
    for _ in range(7):
        next_poll = source_of(store, source_id).next_poll_at
        assert next_poll is not None
        assert next_poll - clock() <= timedelta(seconds=2)  # it goes on at once, not an interval later
        assert source_of(store, source_id).last_ok_at == last_ok  # nothing is vouched for before the end
        clock.advance(timedelta(seconds=2))
        assert poll(store, source_id, script, clock, page_size=20).truncated is None
    assert stored(store) == {f"n{number}" for number in range(1, 3_002)}
    assert script.ended == []
    run = runs_of(store, source_id)[-1]
    assert (run.covers_from, run.covers_to) == (last_ok, began)
    assert source_of(store, source_id).last_ok_at == began
    script.newest = 3_003
    clock.advance(timedelta(seconds=2))
    assert poll(store, source_id, script, clock, page_size=20).stored == 2
    assert source_of(store, source_id).next_poll_at == clock() + timedelta(seconds=100)


def test_a_failure_within_a_burst_loses_nothing_of_it(store: Store, source_id: int, clock: FakeClock) -> None:
    script = Script(newest=1)
    poll(store, source_id, script, clock)
    script.newest = 31
    clock.advance(timedelta(minutes=2))
    began = clock()
    poll(store, source_id, script, clock, page_size=5, pages=2)
    clock.advance(timedelta(seconds=2))
    script.errors = [TransientError("502")]
    poll(store, source_id, script, clock, page_size=5, pages=2)
    for _ in range(2):
        clock.advance(timedelta(minutes=2))
        poll(store, source_id, script, clock, page_size=5, pages=2)
    assert len(stored(store)) == 31
    assert runs_of(store, source_id)[-1].covers_to == began


@pytest.mark.parametrize(
    ("error", "state", "waits"),
    [
        (AuthError("The token was revoked."), SourceState.AUTH_NEEDED, None),
        (BadQueryError("Too long."), SourceState.AUTH_NEEDED, None),
        (SourceGoneError("No such page."), SourceState.GONE, None),
        (RateLimitedError("Slow.", retry_after=timedelta(minutes=9)), SourceState.RATE_LIMITED, 550),
        (TransientError("502"), SourceState.OK, 100),
        (AmbiguousError("reset"), SourceState.OK, 100),
        (KeyError("a parser's bug"), SourceState.OK, 100),
    ],
)
def test_errors_become_states(
    store: Store, source_id: int, clock: FakeClock, error: Exception, state: SourceState, waits: int | None
) -> None:
    script = Script(newest=3)
    script.errors = [error]
    report = poll(store, source_id, script, clock)
    source = source_of(store, source_id)
    assert (report.state, source.state, report.error_kind) == (state, state, type(error).__name__)
    assert source.next_poll_at == (None if waits is None else clock() + timedelta(seconds=waits))
    run = runs_of(store, source_id)[-1]
    assert (run.error_kind, run.finished_at) == (type(error).__name__, clock())
    assert "a parser's bug" not in str(run.error)


def test_failures_back_off_lag_and_recover(store: Store, source_id: int, clock: FakeClock) -> None:
    script = Script(newest=3)
    script.errors = [TransientError("502")] * 6
    waits = []
    for _ in range(6):
        poll(store, source_id, script, clock)
        after = source_of(store, source_id).next_poll_at
        assert after is not None
        waits.append((after - clock()).total_seconds())
    assert waits == [100, 200, 400, 800, 1600, 3200]
    assert source_of(store, source_id).state is SourceState.LAGGING
    report = poll(store, source_id, script, clock)
    assert (report.stored, source_of(store, source_id).state) == (3, SourceState.OK)
    assert source_of(store, source_id).failures == 0
    assert len(runs_of(store, source_id)) == 7


def test_one_log_line_down_and_one_back(store: Store, source_id: int, clock: FakeClock) -> None:
    from structlog.testing import capture_logs

    script = Script(newest=3)
    script.errors = [AuthError("no"), AuthError("no")]
    with capture_logs() as lines:
        poll(store, source_id, script, clock)
        poll(store, source_id, script, clock)
        poll(store, source_id, script, clock)
    events = [line["event"] for line in lines if line["event"].startswith("poll.")]
    assert events == ["poll.failed", "poll.recovered"]


def test_a_rate_limit_is_waited_out(store: Store, source_id: int, clock: FakeClock) -> None:
    script = Script(newest=3)
    script.errors = [RateLimitedError("Slow.", retry_after=timedelta(minutes=9))]
    poll(store, source_id, script, clock)
    assert poll(store, source_id, script, clock).skipped is not None
    assert script.calls == 1
    clock.advance(timedelta(minutes=10))
    assert poll(store, source_id, script, clock).stored == 3


def test_the_budget_stops_before_it_is_passed(store: Store, clock: FakeClock) -> None:
    _, source_id = set_up(store, monthly_budget_micros=1000)
    script = Script(newest=50, cost=100)
    report = poll(store, source_id, script, clock, page_size=8, first_posts=500)
    assert report.cost_micros == 1000
    assert report.stored == 10
    assert report.state is SourceState.OVER_BUDGET
    assert source_of(store, source_id).next_poll_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert poll(store, source_id, script, clock).skipped is not None
    clock.advance(timedelta(days=25))
    assert poll(store, source_id, script, clock, page_size=8).cost_micros == 800


def test_paused_sources_are_not_asked(store: Store, source_id: int, clock: FakeClock) -> None:
    with store.write() as session:
        pause_source(session, source_id, clock())
    script = Script(newest=3)
    assert poll(store, source_id, script, clock).skipped is not None
    assert script.calls == 0
    with store.write() as session:
        resume_source(session, source_id, clock())
    assert poll(store, source_id, script, clock).stored == 3


class Killed(BaseException):
    """SIGKILL: nothing catches it, nothing runs after it."""


def kill_at(store: Store, number: int) -> Callable[[], None]:
    """Die at the n-th statement or commit."""
    seen = iter(range(10_000))

    def step(*_: object) -> None:
        if next(seen) == number:
            raise Killed

    events = ("before_cursor_execute", "commit")
    for event in events:
        sa.event.listen(store.engine, event, step)
    return lambda: [sa.event.remove(store.engine, event, step) for event in events] and None


@pytest.mark.faults
@pytest.mark.parametrize("point", range(1, 80, 5))
def test_killed_anywhere_nothing_is_lost_or_doubled(sqlite_store: Store, clock: FakeClock, point: int) -> None:
    _, source_id = set_up(sqlite_store)
    script = Script(newest=4)
    poll(sqlite_store, source_id, script, clock)
    script.newest = 11
    revive = kill_at(sqlite_store, point)
    try:
        poll(sqlite_store, source_id, script, clock, page_size=3)
    except Killed:
        pass
    finally:
        revive()
    poll(sqlite_store, source_id, script, clock, page_size=3)
    assert stored(sqlite_store) == {f"n{number}" for number in range(1, 12)}
    assert all(run.finished_at is not None for run in runs_of(sqlite_store, source_id))


def test_a_poll_overtaken_by_another_stores_nothing_of_its_own(store: Store, source_id: int, clock: FakeClock) -> None:
    script = Script(newest=4)
    poll(store, source_id, script, clock)
    script.newest = 6

    class Slow(Script):
        def fetch(self, cursor: str | None, limit: int) -> Page:
            mine = super().fetch(cursor, limit)
            poll(store, source_id, script, clock)
            return mine

    report = poll(store, source_id, Slow(newest=6), clock)
    assert report.error_kind == "overlapped"
    assert source_of(store, source_id).cursor == "6"
    assert len(stored(store)) == 6


def test_backfill_brings_history_and_leaves_the_cursor(store: Store, source_id: int, clock: FakeClock) -> None:
    script = Script(newest=300)
    poll(store, source_id, script, clock, first_posts=10, page_size=10)
    seen: list[int] = []
    report = backfill_source(
        store, source_id, connector_of=lambda _: script, days=30, posts=250, clock=clock, progress=seen.append
    )
    assert (report.stored, report.duplicates) == (240, 10)
    assert seen[-1] == 250
    assert source_of(store, source_id).cursor == "300"


def test_coverage_shows_gaps_and_truncations(store: Store, source_id: int, clock: FakeClock) -> None:
    script = Script(newest=900)
    poll(store, source_id, script, clock, first_posts=20)
    clock.advance(timedelta(hours=1))
    poll(store, source_id, script, clock)
    script.errors = [TransientError("502")]
    clock.advance(timedelta(hours=1))
    poll(store, source_id, script, clock)
    with store.read() as session:
        coverage = read_coverage(session, source_id, since=NOW, until=NOW + timedelta(hours=2))
    assert coverage.share == pytest.approx(0.5)
    assert [gap.reason for gap in coverage.gaps] == ["TransientError"]


def test_refresh_follows_edits_deletions_and_counts(store: Store, source_id: int, clock: FakeClock) -> None:
    script = Script(newest=3)
    poll(store, source_id, script, clock)
    with store.write() as session:
        session.execute(sa.update(Post).values(state=PostState.ROUTED))
    script.statuses = (
        PostStatus("n1", is_deleted=True),
        PostStatus("n2", is_deleted=False, text="corretto", likes=9),
        PostStatus("n3", is_deleted=False, text="post numero 3"),
        PostStatus("unknown", is_deleted=True),
    )
    report = refresh_posts(store, source_id, connector_of=lambda _: script, clock=clock)
    assert (len(report.edited_ids), len(report.deleted_ids)) == (1, 1)
    with store.read() as session:
        posts = {post.external_id: post for post in session.scalars(sa.select(Post))}
        assert (posts["n1"].text, posts["n1"].deleted_at_source) == ("", clock())
        assert (posts["n2"].text, posts["n2"].state, posts["n2"].likes) == ("corretto", PostState.NEW, 9)
        assert posts["n3"].state is PostState.ROUTED
        brand_id = posts["n1"].brand_id
        assert [hit.post.external_id for hit in search_posts(session, brand_id, "numero").posts] == ["n3"]
        assert [hit.post.external_id for hit in search_posts(session, brand_id, "corretto").posts] == ["n2"]
    assert refresh_posts(store, source_id, connector_of=lambda _: script, clock=clock).deleted_ids == ()


def test_a_network_that_cannot_be_asked_changes_nothing(store: Store, source_id: int, clock: FakeClock) -> None:
    script = Script(newest=3)
    poll(store, source_id, script, clock)

    def refuse(_: Source) -> Connector:
        raise error

    error: ConnectorError = TransientError("down")
    report = refresh_posts(store, source_id, connector_of=refuse, clock=clock)
    assert report.error_kind == "TransientError"


def test_an_endless_empty_page_ends_the_walk(store: Store, source_id: int, clock: FakeClock) -> None:
    class Stuck(Script):
        def fetch(self, cursor: str | None, limit: int) -> Page:
            self.calls += 1
            assert limit > 0
            return page(cursor=cursor or "1,1,1", more=True)

    script = Stuck()
    report = poll(store, source_id, script, clock)
    assert script.calls <= 3
    assert report.truncated is not None
