"""The demo, loaded by the product's own steps into a real town, polled by the real clients."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from ascolto.demo.brand import OWN_HANDLES, PEOPLE, SLUG
from ascolto.demo.live import LiveTown
from ascolto.demo.load import DemoReport, is_loaded, load_demo, point_sources, take_in
from ascolto.demo.show import demo_settings, demo_town, forget_demo
from ascolto.demo.town import Town
from ascolto.wiring import House, build_house
from config.settings import Publishing, Settings
from inbox.errors import ConflictError
from inbox.listening.poll import poll_source
from inbox.reputation.overview import read_overview
from inbox.store.migrate import upgrade
from inbox.store.queries.brands import find_brand
from inbox.store.queries.sources import list_sources
from inbox.store.tables import Brand, Conversation, Note, Post, Quarantine, Reply
from inbox.store.types import ConversationState, PostState, ReplyState, SourceState


@dataclass(frozen=True)
class Loaded:
    """A loaded demo: its house, its town, what loading said."""

    house: House
    town: Town
    report: DemoReport
    now: datetime


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    settings = demo_settings(Settings(data_dir=tmp_path_factory.mktemp("demo")))
    settings.data_dir.mkdir(parents=True)
    house = build_house(settings)
    upgrade(house.store)
    now = datetime.now(UTC)
    with demo_town(settings.data_dir) as town:
        yield Loaded(house, town, load_demo(house, town, now=now), now)
    house.close()


def _count(house: House, statement: sa.Select[tuple[int]]) -> int:
    with house.store.read() as session:
        return session.scalar(statement) or 0


def test_everything_arrives_and_is_routed(demo: Loaded) -> None:
    posts = sa.select(sa.func.count()).select_from(Post)
    assert _count(demo.house, posts) >= demo.report.posts
    assert _count(demo.house, posts.where(Post.state.in_((PostState.NEW, PostState.TAGGED)))) == 0
    assert _count(demo.house, sa.select(sa.func.count()).select_from(Quarantine)) == 0
    assert is_loaded(demo.house)


def test_real_polls_know_every_post_of_the_history(demo: Loaded) -> None:
    before = _count(demo.house, sa.select(sa.func.count()).select_from(Post))
    with demo.house.store.write() as session:
        sources = [source.id for source in list_sources(session)]
        for source in list_sources(session):
            source.cursor, source.has_synced = None, False
    for source_id in sources:
        report = poll_source(
            demo.house.store, source_id, connector_of=demo.house.connector_of, limits=demo.house.limits,
            clock=demo.house.clock,
        )  # fmt: skip
        assert report.error is None
        assert report.stored == 0, report
    assert _count(demo.house, sa.select(sa.func.count()).select_from(Post)) == before


def test_sources_are_well_and_publish_only_for_us(demo: Loaded) -> None:
    with demo.house.store.read() as session:
        for source in list_sources(session):
            assert source.state is SourceState.OK, source.name
            brand = session.get_one(Brand, source.brand_id)
            assert not (source.can_publish and brand.competitor_of), source.name


def test_dashboard_shows_the_crisis_and_the_outage(demo: Loaded) -> None:
    with demo.house.store.read() as session:
        brand = find_brand(session, SLUG)
        assert brand is not None
        overview = read_overview(session, brand, days=56, now=demo.now)
    volumes = [day.posts for day in overview.days]
    assert max(volumes) > 3 * sorted(volumes)[len(volumes) // 2]
    weeks = [day.week.value for day in overview.days if day.week.value is not None]
    assert min(weeks) < -30
    assert min(weeks) < weeks[0] - 15
    assert [unknown.count for unknown in overview.unknown if unknown.kind == "silent"] == [2]
    assert overview.response.p50_minutes is not None
    assert overview.net.low is not None


def test_the_desk_has_work_and_has_worked(demo: Loaded) -> None:
    states = sa.select(sa.func.count()).select_from(Conversation)
    assert 10 <= _count(demo.house, states.where(Conversation.state == ConversationState.OPEN)) <= 150
    for state in (ConversationState.SNOOZED, ConversationState.RESOLVED, ConversationState.PENDING):
        assert _count(demo.house, states.where(Conversation.state == state)), state
    assert _count(demo.house, sa.select(sa.func.count()).select_from(Note))
    sent = sa.select(sa.func.count()).select_from(Reply).where(Reply.state == ReplyState.SENT)
    assert _count(demo.house, sent) == 3


def test_a_new_post_comes_in_by_the_real_poll_and_its_author_thanks(demo: Loaded) -> None:
    live = LiveTown(demo.town, seed=4, clock=demo.house.clock)
    said = [live.say_something() for _ in range(6)]
    for source in _sources(demo.house):
        poll_source(
            demo.house.store, source, connector_of=demo.house.connector_of, limits=demo.house.limits,
            clock=demo.house.clock,
        )  # fmt: skip
    assert take_in(demo.house, now=demo.house.clock()) > 0
    found = sa.select(sa.func.count()).select_from(Post).where(Post.external_id.in_(said), ~Post.is_history)
    assert _count(demo.house, found) == 6
    thread = live._threads[0]
    network = demo.town.networks[thread.post.network]
    network.add_post(OWN_HANDLES[thread.post.network], "Ci pensiamo noi.", parent_id=thread.external_id)
    assert live.thank() == 0  # noted; thanks take their time
    assert thread.answered_at is not None


def _sources(house: House) -> list[int]:
    with house.store.read() as session:
        return [source.id for source in list_sources(session)]


def test_a_restart_keeps_what_was_said_and_points_the_sources_anew(demo: Loaded) -> None:
    answers = [post for post in demo.town.facebook.posts.values() if post.author == OWN_HANDLES["facebook"]]
    again = Town(demo.house.settings.data_dir / "town.jsonl")
    again.start()
    try:
        assert {post.id for post in answers} <= set(again.facebook.posts)
        point_sources(demo.house, again)
        with demo.house.store.read() as session:
            for source in list_sources(session):
                assert again.url in (source.config.get("api_url") or source.config.get("url"))
    finally:
        again.stop()
        point_sources(demo.house, demo.town)


def test_the_demo_never_mixes_with_an_installation(demo: Loaded) -> None:
    with pytest.raises(ConflictError):
        load_demo(demo.house, demo.town, now=demo.now)
    assert len(PEOPLE) == 3


def test_the_demo_has_a_folder_of_its_own_and_forgets_only_that(tmp_path: Path) -> None:
    settings = demo_settings(Settings(data_dir=tmp_path, publishing=Publishing.DRY_RUN, database_url="sqlite:///x.db"))
    assert settings.data_dir == tmp_path / "demo"
    assert settings.database_url == ""
    assert settings.publishing is Publishing.LIVE
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "town.jsonl").write_text("")
    (tmp_path / "demo" / "mine.txt").write_text("")
    forget_demo(tmp_path / "demo")
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["mine.txt"]
