"""What both engines of background work promise, run against each."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest
import sqlalchemy as sa

from ascolto.jobs.embedded import EmbeddedJobs
from ascolto.jobs.postgres import PostgresJobs
from ascolto.wiring import House
from connectors.base import utc_now
from connectors.fake import FakeNetwork
from inbox.listening.sources import pause_source, resume_source
from inbox.replies.outbox import queue_reply
from inbox.replies.reconcile import pause_publishing, resume_publishing
from inbox.store.engine import Store
from inbox.store.tables import Conversation, DirtyBucket, Post, Reply
from inbox.store.types import ConversationState, PostState, ReplyState
from tests.jobs_factory import add_fake_source, make_house
from tests.triage_factory import make_user

PATIENCE_SECONDS = 90.0


class Engine(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def nudge(self, name: str) -> None: ...


@pytest.fixture(params=["embedded-sqlite", "embedded-postgres", "procrastinate"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def house(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> House:
    store: Store = request.getfixturevalue("sqlite_store" if kind == "embedded-sqlite" else "postgres_store")
    return make_house(store, tmp_path)


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork("jobs")


@pytest.fixture
def make_engine(kind: str, house: House) -> Iterator[Callable[[], Engine]]:
    running: list[Engine] = []

    def make() -> Engine:
        engine: Engine = (
            PostgresJobs(house, feed_seconds=0.2) if kind == "procrastinate" else EmbeddedJobs(house, pace=0.2)
        )
        engine.start()
        running.append(engine)
        return engine

    yield make
    for engine in running:
        engine.stop()


def wait_until(check: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(0.05)
    pytest.fail(f"waited in vain for: {what}")


def count(house: House, *conditions: sa.ColumnElement[bool]) -> int:
    with house.store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Post).where(*conditions)) or 0


def routed(house: House) -> int:
    return count(house, Post.state == PostState.ROUTED, Post.is_own.is_(False))


def answer(house: House, *, age: timedelta = timedelta()) -> int:
    """Queue an answer to the newest post, some time ago."""
    with house.store.write() as session:
        user = make_user(session, now=house.clock(), name=f"u{time.monotonic_ns()}")
        post = session.scalars(sa.select(Post).where(Post.is_own.is_(False)).order_by(Post.id.desc())).first()
        assert post is not None
        assert post.conversation_id is not None
        conversation = session.get_one(Conversation, post.conversation_id)
        return queue_reply(
            session, conversation_id=conversation.id, post_id=post.id, text="Ci dispiace!", user_id=user.id,
            expected_version=conversation.version, undo_seconds=0, resolves=True, now=house.clock() - age,
        ).id  # fmt: skip


def reply_state(house: House, reply_id: int) -> ReplyState:
    with house.store.read() as session:
        return session.get_one(Reply, reply_id).state


def test_a_post_is_heard_tagged_and_routed_and_its_answer_sent_once(
    house: House, network: FakeNetwork, make_engine: Callable[[], Engine]
) -> None:
    add_fake_source(house, network.name)
    external_id = network.add_post("anna", "Il pacco è arrivato rotto", created_at=utc_now())
    make_engine()
    wait_until(lambda: routed(house) == 1, "a routed post")
    reply_id = answer(house)
    wait_until(lambda: reply_state(house, reply_id) is ReplyState.SENT, "a sent reply")
    assert [post.text for post in network.replies_to(external_id)] == ["Ci dispiace!"]

    def is_settled() -> bool:
        with house.store.read() as session:
            conversation = session.scalars(sa.select(Conversation)).one()
            dirty = session.scalar(sa.select(sa.func.count()).select_from(DirtyBucket))
            return (conversation.state, conversation.reply_count, dirty) == (ConversationState.RESOLVED, 1, 0)

    wait_until(is_settled, "our answer in the thread, cells recounted")


def test_rows_left_in_a_state_are_taken_up_without_any_nudge(
    house: House, network: FakeNetwork, make_engine: Callable[[], Engine]
) -> None:
    from ascolto.jobs import handlers

    source = add_fake_source(house, network.name)
    for number in range(3):
        network.add_post("anna", f"Messaggio {number}", created_at=utc_now())
    handlers.poll(house, source.id)
    assert count(house, Post.state == PostState.NEW) == 3
    make_engine()
    wait_until(lambda: routed(house) == 3, "three routed posts")


def test_a_source_added_later_is_polled_and_a_paused_one_is_not(
    house: House, network: FakeNetwork, make_engine: Callable[[], Engine]
) -> None:
    engine = make_engine()
    source = add_fake_source(house, network.name)
    network.add_post("anna", "Primo", created_at=utc_now())
    engine.nudge("poll")
    wait_until(lambda: routed(house) == 1, "the first post")
    with house.store.write() as session:
        pause_source(session, source.id, house.clock())
    network.add_post("anna", "Secondo", created_at=utc_now())
    engine.nudge("poll")
    time.sleep(1.0)
    assert count(house) == 1
    with house.store.write() as session:
        resume_source(session, source.id, house.clock())
    engine.nudge("poll")
    wait_until(lambda: routed(house) == 2, "the second post")


def test_one_source_that_fails_and_one_text_that_breaks_harm_only_themselves(
    house: House, network: FakeNetwork, make_engine: Callable[[], Engine]
) -> None:
    broken = FakeNetwork("down")
    add_fake_source(house, broken.name, slug="altra")
    broken.broken["reads"] = "500"
    add_fake_source(house, network.name)
    network.add_post("anna", "broken", created_at=utc_now())
    network.add_post("anna", "Buono", created_at=utc_now())
    make_engine()
    wait_until(lambda: routed(house) == 2, "both posts, one without tags")


def test_replies_wait_while_publishing_is_paused(
    house: House, network: FakeNetwork, make_engine: Callable[[], Engine]
) -> None:
    add_fake_source(house, network.name)
    external_id = network.add_post("anna", "Ciao", created_at=utc_now())
    engine = make_engine()
    wait_until(lambda: routed(house) == 1, "a routed post")
    with house.store.write() as session:
        pause_publishing(session, now=house.clock(), reason="restore")
    # Long enough ago for the network to show it, had it been sent.
    reply_id = answer(house, age=timedelta(minutes=1))
    engine.nudge("publish")
    time.sleep(1.0)
    assert network.replies_to(external_id) == []
    with house.store.write() as session:
        resume_publishing(session, now=house.clock())
    wait_until(lambda: reply_state(house, reply_id) is ReplyState.SENT, "the reply after the pause")


def test_snoozed_conversations_wake(house: House, network: FakeNetwork, make_engine: Callable[[], Engine]) -> None:
    from inbox.triage.conversations import snooze

    add_fake_source(house, network.name)
    network.add_post("anna", "Ciao", created_at=utc_now())
    engine = make_engine()
    wait_until(lambda: routed(house) == 1, "a routed post")
    with house.store.write() as session:
        user = make_user(session, now=house.clock())
        conversation = session.scalars(sa.select(Conversation)).one()
        until = house.clock() + timedelta(milliseconds=300)
        snooze(session, conversation.id, until=until, by_user_id=user.id, now=house.clock())
    time.sleep(0.4)
    engine.nudge("sweep")

    def is_open() -> bool:
        with house.store.read() as session:
            return session.scalars(sa.select(Conversation.state)).one() is ConversationState.OPEN

    wait_until(is_open, "the conversation to wake")


def test_work_goes_on_after_a_stop_and_a_new_start(
    house: House, network: FakeNetwork, make_engine: Callable[[], Engine]
) -> None:
    add_fake_source(house, network.name)
    network.add_post("anna", "Primo", created_at=utc_now())
    first = make_engine()
    wait_until(lambda: routed(house) == 1, "the first post")
    first.stop()
    network.add_post("anna", "Secondo", created_at=utc_now())
    second = make_engine()
    with house.store.write() as session:
        session.execute(sa.text("UPDATE source SET next_poll_at = NULL"))
    second.nudge("poll")
    wait_until(lambda: routed(house) == 2, "the second post")
    assert count(house) == 2
