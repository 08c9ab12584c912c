"""Routing: priority, clocks, turns, reopening, and the sweep."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from inbox.errors import ConflictError, InvalidError, NotFoundError, StaleVersionError
from inbox.store.engine import Store
from inbox.store.queries.conversations import ConversationFilters, count_views, list_conversations
from inbox.store.tables import Assignment, AuditEvent, Brand, Conversation, Identity, Post, SlaEvent
from inbox.store.types import ConversationState, PostState, Role, SlaState
from inbox.triage import conversations as steps
from inbox.triage.routing import due_for_routing, route_posts, sweep
from tests.conftest import FakeClock
from tests.triage_factory import make_brand, make_conversation, make_identity, make_post, make_user, tag_post


class World:
    """A brand with people in it, and a network that speaks to it."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.store, self.clock, self.count = store, clock, 0
        with store.write() as session:
            brand = make_brand(session, now=clock())
            self.brand_id = brand.id
            self.anna_id = make_identity(session, brand, now=clock(), handle="anna", followers=1200).id
            self.own_id = make_identity(session, brand, now=clock(), handle="terrae", is_own=True).id

    def add_user(self, name: str, **values: object) -> int:
        with self.store.write() as session:
            return make_user(session, now=self.clock(), name=name, **values).id

    def say(
        self,
        external_id: str,
        *,
        parent: str | None = None,
        is_own: bool = False,
        at: datetime | None = None,
        **values: object,
    ) -> int:
        with self.store.write() as session:
            author = session.get_one(Identity, self.own_id if is_own else self.anna_id)
            post = make_post(
                session, session.get_one(Brand, self.brand_id), author, now=at or self.clock(), external_id=external_id,
                parent_external_id=parent, thread_key=parent or external_id, is_own=is_own, **values,
            )  # fmt: skip
            if not is_own:
                tag_post(session, post, now=self.clock())
            return post.id

    def route(self) -> tuple[int, ...]:
        with self.store.write() as session:
            return route_posts(session, due_for_routing(session, 100), self.clock()).assigned

    def conversation(self, key: str = "t1") -> Conversation:
        with self.store.read() as session:
            return session.scalars(sa.select(Conversation).where(Conversation.thread_key == key)).one()

    def events(self) -> list[str]:
        with self.store.read() as session:
            return list(session.scalars(sa.select(SlaEvent.kind).order_by(SlaEvent.id)))


@pytest.fixture
def world(store: Store, clock: FakeClock) -> World:
    return World(store, clock)


def test_a_new_post_becomes_an_open_conversation_with_reasons_clock_and_assignee(world: World) -> None:
    giulia = world.add_user("Giulia")
    post_id = world.say("t1")
    world.route()
    found = world.conversation()
    assert (found.state, found.assignee_id, found.is_unread) == (ConversationState.OPEN, giulia, True)
    assert (found.sla_state, found.sla_due_at) == (SlaState.ACTIVE, world.clock() + timedelta(minutes=60))
    assert (found.sentiment, found.intent, found.audience) == ("negative", "complaint", 1200)
    assert found.priority == sum(part["points"] for part in found.priority_reasons) > 0
    with world.store.read() as session:
        assert session.get_one(Post, post_id).state is PostState.ROUTED
        assert due_for_routing(session, 10) == []


def test_routing_twice_changes_nothing(world: World) -> None:
    world.add_user("Giulia")
    post_id = world.say("t1")
    world.route()
    before = world.conversation()
    with world.store.write() as session:
        assert route_posts(session, [post_id], world.clock()).routed == 0
    after = world.conversation()
    assert (after.version, after.sla_due_at, world.events()) == (before.version, before.sla_due_at, ["started"])


def test_conversations_are_dealt_in_turn_to_those_here_with_room(world: World) -> None:
    giulia, marco = world.add_user("Giulia"), world.add_user("Marco", max_open=1)
    world.add_user("Via", is_away=True)
    world.add_user("Ex", is_active=False)
    world.add_user("Lettore", role=Role.READ_ONLY)
    world.add_user("Capo", role=Role.ADMIN)
    for number in range(4):
        world.say(f"t{number}")
        world.route()
        world.clock.advance(timedelta(seconds=1))
    got = [world.conversation(f"t{number}").assignee_id for number in range(4)]
    assert got == [giulia, marco, giulia, giulia]


def test_a_batch_is_dealt_in_turn_too(world: World) -> None:
    people = {world.add_user("Giulia"), world.add_user("Marco")}
    for number in range(4):
        world.say(f"t{number}")
    world.route()
    got = [world.conversation(f"t{number}").assignee_id for number in range(4)]
    assert sorted(got.count(one) for one in people) == [2, 2]


def test_waiting_work_is_handed_out_when_somebody_has_room(world: World) -> None:
    world.say("t1")
    world.route()
    assert world.conversation().assignee_id is None
    giulia = world.add_user("Giulia")
    with world.store.write() as session:
        assert sweep(session, world.clock()).assigned == (world.conversation().id,)
    assert world.conversation().assignee_id == giulia
    with world.store.write() as session:  # what a person put back stays back
        steps.assign(session, world.conversation().id, user_id=None, by_user_id=giulia, now=world.clock())
    with world.store.write() as session:
        assert sweep(session, world.clock()).assigned == ()


@pytest.mark.parametrize("state", [ConversationState.RESOLVED, ConversationState.PENDING, ConversationState.SNOOZED])
def test_a_new_message_opens_a_settled_conversation_again(world: World, state: ConversationState) -> None:
    giulia = world.add_user("Giulia")
    world.say("t1")
    world.route()
    conversation_id = world.conversation().id
    with world.store.write() as session:
        now = world.clock()
        if state is ConversationState.RESOLVED:
            steps.resolve(session, conversation_id, by_user_id=giulia, now=now)
        elif state is ConversationState.PENDING:
            steps.set_pending(session, conversation_id, by_user_id=giulia, now=now)
        else:
            steps.snooze(session, conversation_id, until=now + timedelta(days=1), by_user_id=giulia, now=now)
    assert world.conversation().state is state
    world.clock.advance(timedelta(minutes=5))
    world.say("t2", parent="t1")
    world.route()
    found = world.conversation()
    assert (found.state, found.assignee_id, found.snoozed_until) == (ConversationState.OPEN, giulia, None)
    assert found.post_count == 2


def test_a_reopened_conversation_never_goes_to_somebody_away(world: World) -> None:
    giulia = world.add_user("Giulia")
    world.say("t1")
    world.route()
    marco = world.add_user("Marco")
    with world.store.write() as session:
        steps.resolve(session, world.conversation().id, by_user_id=giulia, now=world.clock())
        session.execute(sa.text('UPDATE "user" SET is_away = :away WHERE id = :id'), {"away": True, "id": giulia})
    world.say("t2", parent="t1")
    world.route()
    assert world.conversation().assignee_id == marco


def test_our_answer_wherever_written_stops_the_clock(world: World) -> None:
    world.say("t1")
    world.route()
    world.clock.advance(timedelta(minutes=30))
    world.say("own1", parent="t1", is_own=True)
    world.route()
    found = world.conversation()
    assert (found.sla_state, found.sla_due_at, found.reply_count) == (SlaState.HIT, None, 1)
    assert world.events() == ["started", "hit"]
    world.clock.advance(timedelta(hours=3))
    with world.store.write() as session:
        assert sweep(session, world.clock()).missed == ()


def test_our_own_post_is_never_queued(world: World) -> None:
    world.add_user("Giulia")
    world.say("own1", is_own=True)
    world.route()
    found = world.conversation("own1")
    assert (found.state, found.assignee_id, found.sla_state) == (ConversationState.RESOLVED, None, SlaState.NONE)
    world.say("c1", parent="own1")
    world.route()
    found = world.conversation("own1")
    assert (found.state, found.sla_state) == (ConversationState.OPEN, SlaState.ACTIVE)


def test_history_never_alarms(world: World) -> None:
    world.add_user("Giulia")
    world.say("t1", at=world.clock() - timedelta(days=3), is_history=True)
    world.say("old", at=world.clock() - timedelta(days=300), is_history=True)
    world.say("done", at=world.clock() - timedelta(days=3), is_history=True)
    world.say("own1", parent="done", at=world.clock() - timedelta(days=2), is_own=True, is_history=True)
    world.route()
    with world.store.write() as session:
        report = sweep(session, world.clock())
    assert (report.missed, report.warned, report.assigned, world.events()) == ((), (), (), [])
    assert world.conversation("t1").state is ConversationState.OPEN
    assert world.conversation("t1").assignee_id is None
    assert world.conversation("old").state is ConversationState.RESOLVED
    assert world.conversation("done").state is ConversationState.RESOLVED


def test_a_clock_warns_once_and_alarms_once(world: World) -> None:
    world.say("t1")
    world.route()
    before = world.conversation().priority
    seen = []
    for _ in range(16):
        world.clock.advance(timedelta(minutes=5))
        with world.store.write() as session:
            report = sweep(session, world.clock())
            seen.append((len(report.warned), len(report.missed)))
    assert [sum(column) for column in zip(*seen, strict=True)] == [1, 1]
    found = world.conversation()
    assert (found.sla_state, world.events()) == (SlaState.MISSED, ["started", "warning", "missed"])
    assert found.priority == before + 20
    world.say("own1", parent="t1", is_own=True)
    world.route()
    assert (world.conversation().sla_state, world.conversation().sla_due_at) == (SlaState.MISSED, None)
    assert world.events().count("missed") == 1


def test_the_clock_stands_still_while_pending(world: World) -> None:
    giulia = world.add_user("Giulia")
    world.say("t1")
    world.route()
    world.clock.advance(timedelta(minutes=20))
    with world.store.write() as session:
        steps.set_pending(session, world.conversation().id, by_user_id=giulia, now=world.clock())
    assert (world.conversation().sla_state, world.conversation().sla_due_at) == (SlaState.PAUSED, None)
    world.clock.advance(timedelta(hours=2))
    world.say("t2", parent="t1")
    world.route()
    found = world.conversation()
    assert (found.sla_state, found.sla_due_at) == (SlaState.ACTIVE, world.clock() + timedelta(minutes=40))


def test_sleepers_wake(world: World) -> None:
    giulia = world.add_user("Giulia")
    world.say("t1")
    world.route()
    conversation_id = world.conversation().id
    with world.store.write() as session:
        until = world.clock() + timedelta(minutes=10)
        steps.snooze(session, conversation_id, until=until, by_user_id=giulia, now=world.clock())
    with world.store.write() as session:
        assert sweep(session, world.clock()).woken == ()
    world.clock.advance(timedelta(minutes=10))
    with world.store.write() as session:
        assert sweep(session, world.clock()).woken == (conversation_id,)
    assert world.conversation().state is ConversationState.OPEN


def test_steps_are_audited_and_move_the_version(world: World) -> None:
    giulia = world.add_user("Giulia")
    world.say("t1")
    world.route()
    conversation_id = world.conversation().id
    before = world.conversation().version
    now = world.clock()
    with world.store.write() as session:
        label = steps.add_label(session, conversation_id, label=" spedizioni ", by_user_id=giulia, now=now)
        steps.add_label(session, conversation_id, label=label.id, by_user_id=giulia, now=now)
        steps.remove_label(session, conversation_id, label_id=label.id, by_user_id=giulia, now=now)
        steps.add_note(session, conversation_id, text="x\x00\ud800", by_user_id=giulia, now=now)
        steps.set_spam(session, conversation_id, is_spam=True, by_user_id=giulia, now=now)
        steps.set_spam(session, conversation_id, is_spam=False, by_user_id=giulia, now=now)
        steps.resolve(session, conversation_id, by_user_id=giulia, now=now)
        steps.reopen(session, conversation_id, by_user_id=giulia, now=now)
        steps.mark_read(session, conversation_id)
    with world.store.read() as session:
        actions = session.scalars(
            sa.select(AuditEvent.action).where(AuditEvent.user_id == giulia).order_by(AuditEvent.id)
        ).all()
    assert [action.removeprefix("conversation.") for action in actions] == [
        "labelled", "unlabelled", "noted", "marked_spam", "reopened", "resolved", "reopened",
    ]  # fmt: skip
    assert world.conversation().version == before + 7


def test_bad_steps_are_refused_in_words(world: World) -> None:
    giulia = world.add_user("Giulia")
    with world.store.write() as session:
        conversation = make_conversation(session, session.get_one(Brand, world.brand_id), now=world.clock())
        now = world.clock()
        with pytest.raises(NotFoundError):
            steps.resolve(session, 4242, by_user_id=giulia, now=now)
        with pytest.raises(InvalidError):
            steps.assign(session, conversation.id, user_id=4242, by_user_id=giulia, now=now)
        with pytest.raises(InvalidError):
            steps.snooze(session, conversation.id, until=now, by_user_id=giulia, now=now)
        with pytest.raises(InvalidError):
            steps.snooze(session, conversation.id, until=now + timedelta(days=900), by_user_id=giulia, now=now)
        with pytest.raises(InvalidError):
            steps.add_note(session, conversation.id, text=" \x00 ", by_user_id=giulia, now=now)
        with pytest.raises(InvalidError):
            steps.add_label(session, conversation.id, label="x" * 61, by_user_id=giulia, now=now)
        with pytest.raises(NotFoundError):
            steps.add_label(session, conversation.id, label=4242, by_user_id=giulia, now=now)
        with pytest.raises(StaleVersionError):
            steps.resolve(session, conversation.id, by_user_id=giulia, now=now, expected_version=99)


def test_of_two_who_claim_one_wins(world: World) -> None:
    giulia, marco = world.add_user("Giulia"), world.add_user("Marco")
    with world.store.write() as session:
        conversation = make_conversation(session, session.get_one(Brand, world.brand_id), now=world.clock())
        version = conversation.version
        steps.claim(session, conversation.id, user_id=giulia, expected_version=version, now=world.clock())
    with world.store.write() as session, pytest.raises(ConflictError):
        steps.claim(session, conversation.id, user_id=marco, expected_version=version, now=world.clock())
    with world.store.read() as session:
        assert session.scalars(sa.select(Assignment.user_id)).all() == [giulia]


def test_a_competitors_conversation_is_kept_and_summed_up_but_is_nobodys_work(world: World) -> None:
    world.add_user("Giulia")
    with world.store.write() as session:
        rival = make_brand(session, now=world.clock(), slug="rivale", competitor_of=world.brand_id)
        world.brand_id = rival.id
        world.anna_id = make_identity(session, rival, now=world.clock(), handle="anna", followers=1200).id
    for external_id, parent in (("r1", None), ("r2", "r1")):
        post_id = world.say(external_id, parent=parent)
        assert world.route() == (), "dealt to nobody"
        found = world.conversation("r1")
        assert (found.state, found.is_unread, found.assignee_id) == (ConversationState.RESOLVED, False, None)
        assert (found.sla_state, found.sla_due_at, found.priority) == (SlaState.NONE, None, 0)
        assert (found.sentiment, found.intent) == ("negative", "complaint")
        with world.store.read() as session:
            assert session.get_one(Post, post_id).state is PostState.ROUTED
    assert found.post_count == 2
    world.clock.advance(timedelta(days=2))
    with world.store.write() as session:
        assert sweep(session, world.clock()).conversation_ids == ()
    assert world.events() == []
    with world.store.read() as session:
        for states in ((), tuple(ConversationState)):
            filters = ConversationFilters(states=states, brand_id=None if states else rival.id)
            assert list_conversations(session, filters, now=world.clock()).rows == ()
        counts = count_views(session, 1, now=world.clock())
        assert (counts.all_open, counts.unassigned, counts.sla_at_risk, counts.problems) == (0, 0, 0, 0)
