"""Many agents at once, on versions that grow stale: one owner, one answer, and clean refusals for the rest."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from inbox.errors import ConflictError, InboxError, StaleVersionError
from inbox.replies.lease import acquire_lease
from inbox.replies.outbox import queue_reply
from inbox.store.engine import Store
from inbox.store.tables import Assignment, Conversation, Reply
from inbox.triage.conversations import claim
from tests.conftest import FakeClock
from tests.triage_factory import make_brand, make_case, make_user

pytestmark = pytest.mark.faults

AGENTS, CONVERSATIONS = 40, 5


def wait_long(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA busy_timeout=120000")


class Crowd:
    """Agents before the same conversations, all holding the version they saw at first."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.store, self.clock = store, clock
        if store.is_sqlite:  # all of them queue for the one writer's lock: on a busy machine for long
            sa.event.listen(store.engine, "connect", wait_long)
            store.engine.dispose()
        with store.write() as session:
            brand = make_brand(session, now=clock())
            cases = [make_case(session, now=clock(), key=f"t{n}", brand=brand) for n in range(CONVERSATIONS)]
            self.cases = [(conversation.id, post.id, conversation.version) for conversation, post in cases]
            self.users = [make_user(session, now=clock(), name=f"agent{n}").id for n in range(AGENTS)]

    def all_at_once(self, act: Callable[[int, int, int, int], object]) -> Counter[str]:
        """Let every agent act on one conversation at the same moment; gives how they ended."""
        barrier = threading.Barrier(AGENTS)

        def one(number: int) -> str:
            conversation_id, post_id, version = self.cases[number % CONVERSATIONS]
            barrier.wait()
            try:
                act(conversation_id, post_id, version, self.users[number])
            except InboxError as error:
                return str(error.status)
            return "won"

        with ThreadPoolExecutor(AGENTS) as pool:
            return Counter(pool.map(one, range(AGENTS)))


@pytest.fixture
def crowd(store: Store, clock: FakeClock) -> Crowd:
    return Crowd(store, clock)


def test_of_all_who_claim_one_wins_and_the_rest_are_told(crowd: Crowd) -> None:
    def act(conversation_id: int, _post_id: int, version: int, user_id: int) -> None:
        with crowd.store.write() as session:
            claim(session, conversation_id, user_id=user_id, expected_version=version, now=crowd.clock())

    assert crowd.all_at_once(act) == {"won": CONVERSATIONS, "409": AGENTS - CONVERSATIONS}
    with crowd.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Assignment)) == CONVERSATIONS
        owners = session.scalars(sa.select(Conversation.assignee_id)).all()
    assert None not in owners


def test_of_all_who_send_on_a_stale_version_one_answers(crowd: Crowd) -> None:
    def act(conversation_id: int, post_id: int, version: int, user_id: int) -> None:
        with crowd.store.write() as session:
            queue_reply(
                session, conversation_id=conversation_id, post_id=post_id, text=f"Risposta di {user_id}",
                user_id=user_id, expected_version=version, undo_seconds=10, now=crowd.clock(),
            )  # fmt: skip

    assert crowd.all_at_once(act) == {"won": CONVERSATIONS, "409": AGENTS - CONVERSATIONS}
    with crowd.store.read() as session:
        answered = session.scalars(sa.select(Reply.post_id)).all()
    assert len(answered) == len(set(answered)) == CONVERSATIONS


def test_a_double_click_in_many_threads_is_one_answer(crowd: Crowd) -> None:
    def act(conversation_id: int, post_id: int, version: int, _user_id: int) -> int:
        with crowd.store.write() as session:
            return queue_reply(
                session, conversation_id=conversation_id, post_id=post_id, text="Una volta sola",
                user_id=crowd.users[0], expected_version=version, undo_seconds=10, now=crowd.clock(),
                idempotency_key=f"form-{conversation_id}",
            ).id  # fmt: skip

    assert crowd.all_at_once(act) == {"won": AGENTS}
    with crowd.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Reply)) == CONVERSATIONS


def test_of_all_who_begin_to_write_one_holds_the_lease(crowd: Crowd) -> None:
    def act(conversation_id: int, _post_id: int, _version: int, user_id: int) -> None:
        with crowd.store.write() as session:
            acquire_lease(session, conversation_id, user_id=user_id, now=crowd.clock())

    assert crowd.all_at_once(act) == {"won": CONVERSATIONS, "409": AGENTS - CONVERSATIONS}


def test_the_refused_learn_what_changed(crowd: Crowd) -> None:
    conversation_id, post_id, version = crowd.cases[0]
    with crowd.store.write() as session:
        claim(session, conversation_id, user_id=crowd.users[0], expected_version=version, now=crowd.clock())
    with crowd.store.write() as session, pytest.raises(StaleVersionError) as raised:
        queue_reply(
            session, conversation_id=conversation_id, post_id=post_id, text="Tardi", user_id=crowd.users[1],
            expected_version=version, undo_seconds=10, now=crowd.clock(),
        )  # fmt: skip
    assert isinstance(raised.value, ConflictError)
    assert [(change.kind, change.who) for change in raised.value.changes] == [("conversation.assigned", "agent0")]
