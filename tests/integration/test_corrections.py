"""People's words on the machine's labels: kept beside them, shown in the list, weighed in the priority, revocable."""

import pytest
import sqlalchemy as sa

from inbox.errors import InvalidError, NotFoundError
from inbox.listening.corrections import ALLOWED, correct_label, remove_correction
from inbox.reputation.rollups import recompute
from inbox.store.engine import Store
from inbox.store.queries.cells import CellFilters, list_dirty, sum_by
from inbox.store.queries.exports import exported_posts
from inbox.store.tables import AuditEvent, Conversation, Correction, Post, PostTags
from inbox.triage.routing import route_posts
from inbox.triage.summaries import refresh_summaries
from tests.conftest import FakeClock
from tests.triage_factory import make_case, make_user, tag_post


@pytest.fixture
def case(store: Store, clock: FakeClock) -> tuple[int, int, int]:
    """A conversation of one complaint the machine is sure of; gives the ids of post, conversation and person."""
    with store.write() as session:
        conversation, post = make_case(session, now=clock())
        tag_post(
            session, post, now=clock(), emotion_label="anger", emotion_unsure=False, emotion={"anger": 0.9},
            toxicity=0.8, toxicity_unsure=False, urgency=3, urgency_unsure=False, urgency_probabilities={"3": 1.0},
        )  # fmt: skip
        refresh_summaries(session, [conversation.id], clock())
        return post.id, conversation.id, make_user(session, now=clock()).id


def conversation_of(store: Store, conversation_id: int) -> Conversation:
    with store.read() as session:
        return session.get_one(Conversation, conversation_id)


@pytest.mark.parametrize(
    ("task", "value", "column", "machine", "person"),
    [
        ("sentiment", "positive", "sentiment", "negative", "positive"),
        ("intents", "praise", "intent", "complaint", "praise"),
        ("emotion", "joy", "emotion", "anger", "joy"),
        ("urgency", "0", "urgency", 3, 0),
        ("toxicity", "civil", "is_toxic", True, False),
        ("language", "en", "language", "it", "en"),
    ],
)
def test_a_correction_counts_until_it_is_taken_back(
    store: Store,
    clock: FakeClock,
    case: tuple[int, int, int],
    task: str,
    value: str,
    column: str,
    machine: object,
    person: object,
) -> None:
    post_id, conversation_id, user_id = case
    assert getattr(conversation_of(store, conversation_id), column) == machine
    with store.write() as session:
        assert correct_label(session, post_id, task=task, value=[value], user_id=user_id, now=clock()) == (
            conversation_id
        )
    assert getattr(conversation_of(store, conversation_id), column) == person
    with store.read() as session:
        gold = session.scalars(sa.select(Correction)).one()
        assert (gold.task, gold.value, gold.user_id, gold.tagger) == (task, [value], user_id, "test.v1")
        assert session.scalars(sa.select(PostTags.sentiment_label)).one() == "negative", "the machine's word stays"
    with store.write() as session:
        remove_correction(session, post_id, task=task, user_id=user_id, now=clock())
        remove_correction(session, post_id, task=task, user_id=user_id, now=clock())
    assert getattr(conversation_of(store, conversation_id), column) == machine
    with store.read() as session:
        assert session.scalars(sa.select(Correction)).all() == []
        steps = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)).all()
        assert [step.action for step in steps] == ["post.corrected", "post.uncorrected"]
        assert steps[0].after == steps[1].before == {task: [value]}


def test_the_priority_follows_the_persons_word(store: Store, clock: FakeClock, case: tuple[int, int, int]) -> None:
    post_id, conversation_id, user_id = case

    def urgency() -> list[int]:
        reasons = conversation_of(store, conversation_id).priority_reasons
        return [part["points"] for part in reasons if part["reason"] == "urgency"]

    assert urgency() == [30]
    with store.write() as session:
        correct_label(session, post_id, task="urgency", value=["1"], user_id=user_id, now=clock())
    assert urgency() == []


def test_routing_again_does_not_bring_the_machines_word_back(
    store: Store, clock: FakeClock, case: tuple[int, int, int]
) -> None:
    post_id, conversation_id, user_id = case
    with store.write() as session:
        correct_label(session, post_id, task="sentiment", value=["positive"], user_id=user_id, now=clock())
        session.get_one(Post, post_id).state = "tagged"  # as after an edit at the source
    with store.write() as session:
        route_posts(session, [post_id], clock())
    found = conversation_of(store, conversation_id)
    assert (found.sentiment, found.sentiment_confidence) == ("positive", 1.0)


def test_figures_count_the_persons_word_and_the_machines_again_afterwards(
    store: Store, clock: FakeClock, case: tuple[int, int, int]
) -> None:
    post_id, _, user_id = case

    def count() -> dict[str, int]:
        with store.write() as session:
            recompute(session, list_dirty(session, 10), clock())
            post = session.get_one(Post, post_id)
            day = post.created_at.date()
            return sum_by(session, CellFilters(post.brand_id, day, day), "sentiment")

    with store.write() as session:
        correct_label(session, post_id, task="sentiment", value=["positive"], user_id=user_id, now=clock())
    assert count() == {"positive": 1}
    with store.write() as session:
        remove_correction(session, post_id, task="sentiment", user_id=user_id, now=clock())
    assert count() == {"negative": 1}


@pytest.mark.parametrize(
    ("task", "value"),
    [
        ("sentiment", []),
        ("sentiment", ["negative", "positive"]),
        ("emotion", ["rage"]),
        ("urgency", ["4"]),
        ("toxicity", ["0.9"]),
        ("language", ["italiano"]),
        ("intents", ["spam", "complaint"]),
        ("intents", ["complaint", "question", "praise", "suggestion"]),
        ("mood", ["negative"]),
    ],
)
def test_what_is_no_label_is_refused(
    store: Store, clock: FakeClock, case: tuple[int, int, int], task: str, value: list[str]
) -> None:
    post_id, _, user_id = case
    with store.write() as session, pytest.raises(InvalidError):
        correct_label(session, post_id, task=task, value=value, user_id=user_id, now=clock())


def test_every_label_can_be_said(store: Store, clock: FakeClock, case: tuple[int, int, int]) -> None:
    post_id, _, user_id = case
    with store.write() as session:
        for task, values in ALLOWED.items():
            for value in values:
                correct_label(session, post_id, task=task, value=[value], user_id=user_id, now=clock())
        assert session.scalar(sa.select(sa.func.count()).select_from(Correction)) == len(ALLOWED)


def test_a_post_that_is_not_there_cannot_be_corrected(store: Store, clock: FakeClock) -> None:
    with store.write() as session, pytest.raises(NotFoundError):
        correct_label(session, 77, task="sentiment", value=["neutral"], user_id=1, now=clock())


def test_an_export_holds_the_machines_labels_and_the_persons(
    store: Store, clock: FakeClock, case: tuple[int, int, int]
) -> None:
    post_id, _, user_id = case
    with store.write() as session:
        correct_label(session, post_id, task="intents", value=["question", "praise"], user_id=user_id, now=clock())
        correct_label(session, post_id, task="urgency", value=["1"], user_id=user_id, now=clock())
        brand_id = session.get_one(Post, post_id).brand_id
    with store.read() as session:
        (row,) = exported_posts(session, brand_id, since=None, until=None)
    assert (row["intents"], row["urgency"], row["emotion"], row["toxicity"]) == (["complaint"], 3, "anger", 0.8)
    assert row["corrections"] == ["intents=question,praise", "urgency=1"]
