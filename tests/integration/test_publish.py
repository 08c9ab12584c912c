"""Every way one call to a network can end."""

from datetime import timedelta

import pytest

from connectors.errors import (
    AmbiguousError,
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from inbox.errors import ConflictError
from inbox.replies import breaker
from inbox.replies.outbox import (
    Patience,
    due_replies,
    resolve_unknown,
    retry_reply,
)
from inbox.replies.publish import look_again
from inbox.store.engine import Store
from inbox.store.tables import Post
from inbox.store.types import AttemptOutcome, ReplyState
from tests.conftest import FakeClock
from tests.outbox_factory import Desk, ScriptedNetwork


@pytest.fixture
def network() -> ScriptedNetwork:
    return ScriptedNetwork()


@pytest.fixture
def desk(store: Store, clock: FakeClock, network: ScriptedNetwork) -> Desk:
    return Desk(store, clock, network)


AMBIGUOUS = AmbiguousError("time-out")


@pytest.mark.parametrize(
    "error",
    [AMBIGUOUS, RateLimitedError("slow", retry_after=timedelta(seconds=7)), RuntimeError("a client library")],
)
def test_committed_then_failed_is_found_and_sent_once(desk: Desk, error: Exception) -> None:
    desk.network.outcomes = [("committed", error)]
    reply_id = desk.queue_and_wait()
    desk.publish(reply_id)
    desk.clock.advance(timedelta(seconds=20))
    assert desk.publish(reply_id) is ReplyState.SENT
    assert len(desk.network.standing) == desk.network.calls == 1
    assert desk.outcomes(reply_id) == [AttemptOutcome.FOUND]


def test_absent_after_the_lag_is_retried_once_then_left_to_a_person(desk: Desk) -> None:
    desk.network.outcomes = [AMBIGUOUS, AMBIGUOUS]
    reply_id = desk.queue_and_wait()
    assert desk.publish(reply_id) is ReplyState.SENDING
    assert desk.network.calls == 1
    desk.clock.advance(timedelta(seconds=14))
    assert desk.publish(reply_id) is ReplyState.SENDING
    assert desk.network.calls == 1
    desk.clock.advance(timedelta(seconds=1))
    desk.publish(reply_id)
    assert desk.network.calls == 2
    desk.clock.advance(timedelta(seconds=15))
    assert desk.publish(reply_id) is ReplyState.FAILED
    assert desk.network.calls == 2
    assert desk.reply(reply_id).is_retryable
    with desk.store.write() as session:
        retry_reply(session, reply_id, user_id=desk.user_id, now=desk.clock())
    assert desk.publish(reply_id) is ReplyState.SENT


def test_what_shows_up_within_the_lag_is_found(desk: Desk) -> None:
    desk.network.outcomes = [("committed", AMBIGUOUS)]
    desk.network.is_hidden = True
    reply_id = desk.queue_and_wait()
    assert desk.publish(reply_id) is ReplyState.SENDING
    desk.network.is_hidden = False
    desk.clock.advance(timedelta(seconds=15))
    assert desk.publish(reply_id) is ReplyState.SENT
    assert desk.network.calls == 1


@pytest.mark.parametrize("case", ["no listing", "listing refused", "listing too late"])
def test_what_cannot_be_listed_is_unknown_and_never_sent_again(desk: Desk, case: str) -> None:
    desk.network.outcomes = [("committed", AMBIGUOUS)]
    if case == "no listing":
        desk.network.can_read_back = False
    elif case == "listing refused":
        desk.network.look_errors = [AmbiguousError("cannot list")]
    else:
        desk.patience = Patience(lag=timedelta(hours=1))
        desk.network.is_hidden = True
    reply_id = desk.queue_and_wait()
    assert desk.publish(reply_id) is ReplyState.UNKNOWN
    for _ in range(5):
        desk.clock.advance(timedelta(hours=1))
        assert desk.publish(reply_id) is ReplyState.UNKNOWN
    assert desk.network.calls == 1
    with pytest.raises(ConflictError):
        desk.queue("Altro")


def test_an_unknown_answer_found_by_a_later_look_is_sent(desk: Desk) -> None:
    desk.network.outcomes = [("committed", AMBIGUOUS)]
    desk.network.look_errors = [AmbiguousError("cannot list")]
    reply_id = desk.queue_and_wait()
    assert desk.publish(reply_id) is ReplyState.UNKNOWN
    look = look_again(desk.store, reply_id, connector_of=desk.network, clock=desk.clock, patience=desk.patience)
    assert look.state is ReplyState.SENT
    assert desk.network.calls == 1


@pytest.mark.parametrize("was_sent", [True, False])
def test_a_person_settles_what_is_unknown(desk: Desk, *, was_sent: bool) -> None:
    desk.network.can_read_back = False
    desk.network.outcomes = [AMBIGUOUS]
    reply_id = desk.queue_and_wait()
    assert desk.publish(reply_id) is ReplyState.UNKNOWN
    with desk.store.write() as session:
        resolve_unknown(session, reply_id, was_sent=was_sent, user_id=desk.user_id, now=desk.clock())
    reply = desk.reply(reply_id)
    if was_sent:
        assert (reply.state, reply.was_by_hand, reply.external_id) == (ReplyState.SENT, True, None)
        return
    assert (reply.state, reply.is_retryable) == (ReplyState.FAILED, True)
    with desk.store.write() as session:
        retry_reply(session, reply_id, user_id=desk.user_id, now=desk.clock())
    assert desk.publish(reply_id) is ReplyState.SENT
    assert desk.network.calls == 2


def test_a_rate_limit_is_no_attempt(desk: Desk) -> None:
    desk.network.outcomes = [RateLimitedError("slow", retry_after=timedelta(seconds=40))] * 5
    reply_id = desk.queue_and_wait()
    for _ in range(5):
        assert desk.publish(reply_id) is ReplyState.SENDING
        desk.clock.advance(timedelta(seconds=39))
        assert desk.publish(reply_id) is ReplyState.SENDING
        desk.clock.advance(timedelta(seconds=1))
    assert desk.publish(reply_id) is ReplyState.SENT
    assert desk.reply(reply_id).attempts == 0
    assert len(desk.network.standing) == 1


def test_a_rate_limit_where_nothing_can_be_listed_is_believed(desk: Desk) -> None:
    desk.network.can_read_back = False
    desk.network.outcomes = [RateLimitedError("slow", retry_after=timedelta(seconds=40))]
    reply_id = desk.queue_and_wait()
    assert desk.publish(reply_id) is ReplyState.QUEUED
    desk.clock.advance(timedelta(seconds=40))
    assert desk.publish(reply_id) is ReplyState.SENT


def test_a_network_that_is_down_is_tried_again_with_growing_pauses_then_given_up(desk: Desk) -> None:
    desk.network.outcomes = [TransientError("refused")] * 20
    reply_id = desk.queue_and_wait()
    pauses = []
    for _ in range(20):
        state = desk.publish(reply_id)
        if state is not ReplyState.QUEUED:
            break
        due = desk.reply(reply_id).not_before
        assert due is not None
        pauses.append((due - desk.clock()).total_seconds())
        desk.clock.now = due
    assert desk.reply(reply_id).state is ReplyState.FAILED
    assert desk.network.calls == desk.patience.attempts
    assert pauses[:4] == [5, 10, 20, 40]


@pytest.mark.parametrize(
    ("error", "is_retryable"), [(AuthError("no"), True), (PermanentError("parent deleted"), False)]
)
def test_a_refusal_fails_with_its_words(desk: Desk, error: ConnectorError, *, is_retryable: bool) -> None:
    desk.network.outcomes = [error]
    reply_id = desk.queue_and_wait()
    assert desk.publish(reply_id) is ReplyState.FAILED
    reply = desk.reply(reply_id)
    assert (reply.reason, reply.is_retryable) == (error.message, is_retryable)


def test_a_call_cut_off_by_a_crash_is_read_back(desk: Desk) -> None:
    class Killed(BaseException):
        pass

    desk.network.outcomes = [("committed", Killed())]  # type: ignore[list-item] - no exception a program catches
    reply_id = desk.queue_and_wait()
    with pytest.raises(Killed):
        desk.publish(reply_id)
    assert desk.outcomes(reply_id) == [AttemptOutcome.STARTED]
    assert desk.publish(reply_id) is ReplyState.SENDING  # its claim has not run out
    desk.clock.advance(desk.patience.claim)
    assert desk.publish(reply_id) is ReplyState.SENT
    assert desk.network.calls == 1


def test_answers_of_a_conversation_keep_their_order(desk: Desk) -> None:
    first = desk.queue()
    with desk.store.write() as session:
        post = session.get_one(Post, desk.post_id)
        other = Post(
            brand_id=post.brand_id, network="fake", external_id="t2", kind="mention", author_id=post.author_id,
            conversation_id=post.conversation_id, text="?", thread_key="t1", created_at=desk.clock(),
            fetched_at=desk.clock(), source_id=post.source_id,
        )  # fmt: skip
        session.add(other)
        session.flush()
        other_id = other.id
    second = desk.queue("Altro", post_id=other_id, undo_seconds=0)
    assert desk.publish(second) is ReplyState.QUEUED
    with desk.store.read() as session:
        assert due_replies(session, desk.clock() + timedelta(seconds=20)) == [first]
    desk.clock.advance(timedelta(seconds=10))
    assert desk.publish(first) is ReplyState.SENT
    assert desk.publish(second) is ReplyState.SENT


def test_five_failures_let_a_source_rest_and_one_probe_tries_the_way(desk: Desk) -> None:
    with desk.store.write() as session:
        source_id = session.get_one(Post, desk.post_id).source_id
        assert source_id is not None
        opened = [breaker.note_failure(session, source_id, now=desk.clock()) for _ in range(5)]
        assert opened == [False] * 4 + [True]
    reply_id = desk.queue_and_wait()
    with desk.store.read() as session:
        assert due_replies(session, desk.clock()) == []
    assert desk.publish(reply_id) is ReplyState.QUEUED
    assert desk.network.calls == 0
    desk.clock.advance(timedelta(seconds=20))
    with desk.store.write() as session:
        assert breaker.may_call(session, source_id, now=desk.clock())  # the probe
        assert not breaker.may_call(session, source_id, now=desk.clock())
    desk.clock.advance(breaker.PROBE)
    assert desk.publish(reply_id) is ReplyState.SENT
    with desk.store.read() as session:
        assert breaker.rest_until(session, source_id) is None
