"""Queueing, undoing, leasing and refusing answers, and the state after a restore."""

from datetime import timedelta

import pytest

from config.settings import Publishing
from connectors.base import Capabilities, ReplyPermission
from connectors.errors import (
    TransientError,
)
from inbox.errors import ConflictError, ForbiddenError, InvalidError, LeaseHeldError, StaleVersionError
from inbox.replies.lease import acquire_lease, renew_lease, take_over
from inbox.replies.outbox import (
    due_replies,
    retry_reply,
    undo_reply,
)
from inbox.replies.reconcile import needs_reconciling, pause_publishing, reconcile, resume_publishing
from inbox.store.engine import Store
from inbox.store.tables import Conversation, Post
from inbox.store.types import AttemptOutcome, ConversationState, ReplyState, SlaState
from tests.conftest import FakeClock
from tests.outbox_factory import Desk, ScriptedNetwork


@pytest.fixture
def network() -> ScriptedNetwork:
    return ScriptedNetwork()


@pytest.fixture
def desk(store: Store, clock: FakeClock, network: ScriptedNetwork) -> Desk:
    return Desk(store, clock, network)


def test_an_answer_leaves_after_the_time_to_undo_and_is_sent_with_the_networks_id(desk: Desk) -> None:
    reply_id = desk.queue(resolves=True)
    with desk.store.read() as session:
        assert due_replies(session, desk.clock()) == []
    assert desk.publish(reply_id) is ReplyState.QUEUED
    desk.clock.advance(timedelta(seconds=10))
    with desk.store.read() as session:
        assert due_replies(session, desk.clock()) == [reply_id]
    assert desk.publish(reply_id) is ReplyState.SENT
    assert desk.publish(reply_id) is ReplyState.SENT
    assert len(desk.network.standing) == 1
    reply = desk.reply(reply_id)
    assert (reply.external_id, desk.outcomes(reply_id)) == ("r1", [AttemptOutcome.SENT])
    with desk.store.read() as session:
        conversation = session.get_one(Conversation, desk.conversation_id)
        assert conversation.state is ConversationState.RESOLVED
        assert (conversation.sla_state, conversation.sla_due_at) == (SlaState.HIT, None)
        own = session.query(Post).filter_by(external_id="r1").one()
        assert (own.is_own, own.text, own.parent_external_id) == (True, "Ci dispiace!", "t1")


def test_undo_keeps_the_words_as_a_draft(desk: Desk) -> None:
    reply_id = desk.queue()
    with desk.store.write() as session:
        undo_reply(session, reply_id, desk.user_id, desk.clock())
    desk.clock.advance(timedelta(seconds=10))
    assert desk.publish(reply_id) is ReplyState.DRAFT
    assert (desk.network.calls, desk.reply(reply_id).text) == (0, "Ci dispiace!")
    with desk.store.write() as session, pytest.raises(ConflictError):
        undo_reply(session, reply_id, desk.user_id, desk.clock())


def test_dry_run_stops_before_the_network_and_says_so(desk: Desk) -> None:
    reply_id = desk.queue_and_wait(resolves=True)
    assert desk.publish(reply_id, Publishing.DRY_RUN) is ReplyState.DRY_RUN
    assert desk.network.calls == 0
    assert desk.outcomes(reply_id) == [AttemptOutcome.DRY_RUN]
    with desk.store.write() as session:
        assert session.get_one(Conversation, desk.conversation_id).state is ConversationState.OPEN
        retry_reply(session, reply_id, user_id=desk.user_id, now=desk.clock())
    assert desk.publish(reply_id) is ReplyState.SENT


def test_a_double_click_is_one_answer(desk: Desk) -> None:
    first = desk.queue(idempotency_key="k1")
    assert desk.queue(idempotency_key="k1") == first
    with pytest.raises(ConflictError):
        desk.queue("Altro", idempotency_key="k1")


def test_two_answers_to_one_message_cannot_be_on_their_way(desk: Desk) -> None:
    reply_id = desk.queue_and_wait()
    with pytest.raises(ConflictError):
        desk.queue("Altro")
    desk.publish(reply_id)
    with pytest.raises(ConflictError):
        desk.queue()  # the very same words stand already
    assert desk.queue("Altro")


@pytest.mark.parametrize("text", ["", "  \n", "\x00", "x" * 501, "x" * 2_000_000])
def test_words_the_network_cannot_take_are_refused(desk: Desk, text: str) -> None:
    with pytest.raises(InvalidError):
        desk.queue(text, capabilities=Capabilities(can_reply=True, max_length=500))


def test_hostile_words_arrive_as_text(desk: Desk) -> None:
    reply_id = desk.queue_and_wait(text="Ciao\x00 \ud800 👩‍👩‍👧 \u202eabc")
    assert desk.publish(reply_id) is ReplyState.SENT
    assert desk.network.standing[0][1] == "Ciao ? 👩‍👩‍👧 \u202eabc"


def test_what_the_network_forbids_is_refused_with_its_reason(desk: Desk) -> None:
    with pytest.raises(ForbiddenError, match="only those who mention us"):
        desk.queue(permission=ReplyPermission(allowed=False, reason="X answers only those who mention us"))


def test_a_stale_send_is_refused_and_says_what_changed(desk: Desk) -> None:
    from inbox.triage.conversations import add_note, assign

    with desk.store.read() as session:
        version = session.get_one(Conversation, desk.conversation_id).version
    with desk.store.write() as session:
        assign(session, desk.conversation_id, user_id=desk.user_id, by_user_id=desk.user_id, now=desk.clock())
    desk.queue_version = version  # type: ignore[attr-defined] - a note for the reader
    with desk.store.write() as session:
        add_note(session, desk.conversation_id, text="chiamata", by_user_id=desk.other_id, now=desk.clock())
    with pytest.raises(StaleVersionError) as raised:
        desk.queue(expected_version=version)
    assert [(change.kind, change.who) for change in raised.value.changes] == [("conversation.noted", "Marco")]
    assert raised.value.status == 409
    with pytest.raises(StaleVersionError):
        desk.queue(expected_version=version + 50)


def test_ones_own_steps_make_nothing_stale(desk: Desk) -> None:
    from inbox.triage.conversations import assign

    with desk.store.read() as session:
        version = session.get_one(Conversation, desk.conversation_id).version
    with desk.store.write() as session:
        assign(session, desk.conversation_id, user_id=desk.user_id, by_user_id=desk.user_id, now=desk.clock())
    assert desk.queue(expected_version=version)


def test_a_lease_keeps_others_from_sending_until_it_ends_or_is_taken_over(desk: Desk) -> None:
    with desk.store.write() as session:
        lease = acquire_lease(session, desk.conversation_id, user_id=desk.other_id, now=desk.clock())
    with pytest.raises(LeaseHeldError) as raised:
        desk.queue()
    assert raised.value.name == "Marco"
    with desk.store.write() as session:
        renew_lease(session, desk.conversation_id, user_id=desk.other_id, token=lease.token, now=desk.clock())
        take_over(session, desk.conversation_id, user_id=desk.user_id, now=desk.clock())
    with desk.store.write() as session, pytest.raises(LeaseHeldError):
        renew_lease(session, desk.conversation_id, user_id=desk.other_id, token=lease.token, now=desk.clock())
    desk.clock.advance(timedelta(minutes=2))
    with desk.store.write() as session:
        acquire_lease(session, desk.conversation_id, user_id=desk.other_id, now=desk.clock())


def test_after_a_restore_nothing_leaves_before_the_network_was_asked(desk: Desk) -> None:
    reply_id = desk.queue_and_wait()
    desk.network.standing.append(("t1", "Ci dispiace!"))  # it went out after the backup was made
    with desk.store.write() as session:
        pause_publishing(session, now=desk.clock(), reason="restore")
    assert desk.publish(reply_id) is ReplyState.QUEUED
    with desk.store.read() as session:
        assert due_replies(session, desk.clock()) == []
        assert needs_reconciling(session)
    report = reconcile(desk.store, connector_of=desk.network, clock=desk.clock, patience=desk.patience)
    assert report.found == (reply_id,)
    with desk.store.write() as session:
        assert not needs_reconciling(session)
        resume_publishing(session, now=desk.clock())
    assert desk.publish(reply_id) is ReplyState.SENT
    assert desk.network.calls == 0


@pytest.mark.parametrize("is_asked", [True, False])
def test_after_a_restore_an_absent_answer_is_sent_only_if_it_was_looked_for(desk: Desk, *, is_asked: bool) -> None:
    reply_id = desk.queue_and_wait()
    with desk.store.write() as session:
        pause_publishing(session, now=desk.clock(), reason="restore")
    desk.clock.advance(timedelta(minutes=1))
    if is_asked:
        desk.network.look_errors = [TransientError("down")]
        report = reconcile(desk.store, connector_of=desk.network, clock=desk.clock, patience=desk.patience)
        assert report.unreachable == (reply_id,)
        report = reconcile(desk.store, connector_of=desk.network, clock=desk.clock, patience=desk.patience)
        assert report.absent == (reply_id,)
    with desk.store.write() as session:
        resume_publishing(session, now=desk.clock())
    desk.clock.advance(timedelta(minutes=1))
    assert desk.publish(reply_id) is (ReplyState.SENT if is_asked else ReplyState.UNKNOWN)
    assert desk.network.calls == int(is_asked)
