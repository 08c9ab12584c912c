"""Adaptations on both databases: fitted every thirty labels, used or refused, audited, undone, safe beside others."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from ascolto.jobs import handlers
from ascolto.jobs.done import Done
from inbox.errors import ConflictError, NotFoundError
from inbox.listening import adaptation
from inbox.listening.adaptation import activate, adapt_brand, dismiss, due_brands, taggers_of_brands, undo
from inbox.store.engine import Store
from inbox.store.queries.adaptations import list_adaptations
from inbox.store.tables import Adaptation, AuditEvent, Brand, Post, PostTags
from inbox.store.types import AdaptationState, PostState
from nlp.held_back import Verdict, report_from_json
from tests.adaptation_factory import ReadingTagger, say, seed_labels
from tests.conftest import FakeClock
from tests.jobs_factory import make_house
from tests.listening_factory import WordTagger
from tests.triage_factory import make_brand, make_identity, make_post, make_user


def states(store: Store, brand_id: int) -> dict[int, str]:
    with store.read() as session:
        return {row.version: row.state.value for row in list_adaptations(session, brand_id)}


def fit(store: Store, brand_id: int, clock: FakeClock) -> Adaptation:
    row = adapt_brand(store, brand_id, ReadingTagger(), clock())
    assert row is not None
    return row


def label_more(store: Store, brand_id: int, clock: FakeClock, count: int) -> None:
    """People label the next posts as the machine has them."""
    clock.advance(timedelta(hours=1))
    with store.write() as session:
        done = sa.select(adaptation.queries.Correction.post_id)
        posts = session.scalars(
            sa.select(Post).where(Post.brand_id == brand_id, Post.id.not_in(done)).order_by(Post.id).limit(count)
        )
        for post in posts:
            said = json.loads(post.text)
            shown = ("negative", "neutral", "positive")[said.index(max(said))]
            say(session, post, shown, shown=shown, at=clock())


def someone(session: Session, now: datetime) -> int:
    return make_user(session, now=now).id


def test_a_clear_gain_is_used_at_once_and_told(store: Store, clock: FakeClock) -> None:
    brand_id = seed_labels(store, clock())
    tagger = ReadingTagger()
    with store.read() as session:
        assert due_brands(session, tagger) == [brand_id]
    row = fit(store, brand_id, clock)
    assert (row.version, row.state, row.base, row.corrections) == (1, AdaptationState.ACTIVE, "encoder.v9", 90)
    (report,) = (
        one for one in map(report_from_json, row.report["tasks"]) if one.task == "sentiment"
    )  # fmt: skip
    assert report.verdict is Verdict.CLEAR
    assert report.given == 90
    with store.read() as session:
        assert due_brands(session, tagger) == [], "not again before thirty more"
        own = taggers_of_brands(session, tagger)
        assert own[brand_id].name == "encoder.v9+b1"
        text = json.dumps([0.34, 0.33, 0.33])
        assert own[brand_id].tag([text]).sentiment[0, 0] > tagger.tag([text]).sentiment[0, 0]
        actions = list(session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)))
        assert actions == ["adaptation.fitted", "adaptation.activated"]
        assert taggers_of_brands(session, ReadingTagger("encoder.v10")) == {}, "nothing over another tagger"


def test_labels_at_random_are_refused_and_the_refusal_is_kept(store: Store, clock: FakeClock) -> None:
    brand_id = seed_labels(store, clock(), at_random=True)
    row = fit(store, brand_id, clock)
    assert row.state is AdaptationState.REJECTED
    assert row.shifts == {}
    with store.read() as session:
        assert taggers_of_brands(session, ReadingTagger()) == {}


def test_fewer_than_thirty_are_not_due(store: Store, clock: FakeClock) -> None:
    brand_id = seed_labels(store, clock(), labelled=29, posts=60)
    with store.read() as session:
        assert due_brands(session, ReadingTagger()) == []
        assert adaptation.missing_labels(session, "encoder.v9", brand_id)["sentiment"] == 29
    assert fit(store, brand_id, clock).state is AdaptationState.REJECTED, "asked for by hand, it says too few"


def test_thirty_more_labels_make_the_next_version_and_undo_goes_back(store: Store, clock: FakeClock) -> None:
    brand_id = seed_labels(store, clock())
    first = fit(store, brand_id, clock)
    label_more(store, brand_id, clock, 30)
    with store.read() as session:
        assert due_brands(session, ReadingTagger()) == [brand_id]
    second = fit(store, brand_id, clock)
    assert states(store, brand_id) == {1: "superseded", 2: "active"}
    with store.write() as session:
        me = someone(session, clock())
        undo(session, second.id, user_id=me, now=clock())
    assert states(store, brand_id) == {1: "active", 2: "undone"}
    with store.write() as session, pytest.raises(ConflictError):
        undo(session, second.id, user_id=me, now=clock())
    with store.write() as session:
        undo(session, first.id, user_id=me, now=clock())
    with store.read() as session:
        assert taggers_of_brands(session, ReadingTagger()) == {}, "as shipped again"
    with store.write() as session:
        activate(session, second.id, user_id=me, now=clock())
    assert states(store, brand_id) == {1: "undone", 2: "active"}
    with store.read() as session:
        row = session.get_one(Adaptation, second.id)
        assert (row.decided_by, row.decided_at) == (me, clock())


def test_a_proposal_waits_for_a_person(store: Store, clock: FakeClock) -> None:
    brand_id = seed_labels(store, clock())
    row = fit(store, brand_id, clock)
    with store.write() as session:
        me = someone(session, clock())
        session.get_one(Adaptation, row.id).state = AdaptationState.PROPOSED
    with store.read() as session:
        assert taggers_of_brands(session, ReadingTagger()) == {}
    with store.write() as session:
        dismiss(session, row.id, user_id=me, now=clock())
    assert states(store, brand_id) == {1: "rejected"}
    with store.write() as session, pytest.raises(ConflictError):
        activate(session, row.id, user_id=me, now=clock())
    with store.write() as session, pytest.raises(NotFoundError):
        activate(session, row.id + 99, user_id=me, now=clock())


def test_two_workers_store_one_fit(store: Store, clock: FakeClock) -> None:
    brand_id = seed_labels(store, clock())
    tagger = ReadingTagger()
    with store.read() as session:
        lesson = adaptation.read_lesson(session, brand_id)
    found = adaptation.fit(lesson, tagger)
    assert found is not None
    kept = []
    for _ in range(2):
        with store.write() as session:
            kept.append(
                adaptation.keep(session, brand_id, lesson, found, base=tagger.name, now=clock()) is not None
            )  # fmt: skip
    assert kept == [True, False]
    assert states(store, brand_id) == {1: "active"}


def test_a_crash_before_the_commit_leaves_nothing_and_it_is_due_again(store: Store, clock: FakeClock) -> None:
    brand_id = seed_labels(store, clock())
    with store.read() as session:
        lesson = adaptation.read_lesson(session, brand_id)
    found = adaptation.fit(lesson, ReadingTagger())
    assert found is not None
    with pytest.raises(RuntimeError), store.write() as session:  # noqa: PT012 - what is raised after is the crash
        adaptation.keep(session, brand_id, lesson, found, base="encoder.v9", now=clock())
        raise RuntimeError("the process ends here")
    assert states(store, brand_id) == {}
    with store.read() as session:
        assert due_brands(session, ReadingTagger()) == [brand_id]


def test_a_tagger_without_calibration_is_left_alone(store: Store, clock: FakeClock) -> None:
    brand_id = seed_labels(store, clock(), posts=100)
    with store.read() as session:
        assert due_brands(session, WordTagger()) == []
    assert adapt_brand(store, brand_id, WordTagger(), clock()) is None


def test_a_row_that_cannot_be_read_is_no_reason_to_stop_tagging(store: Store, clock: FakeClock) -> None:
    brand_id = seed_labels(store, clock())
    row = fit(store, brand_id, clock)
    with store.write() as session:
        session.get_one(Adaptation, row.id).shifts = {"it": {"sentiment": {"scales": "x"}}}
    with store.read() as session:
        assert taggers_of_brands(session, ReadingTagger()) == {}


def test_each_text_is_read_once_however_many_labels_it_has(store: Store, clock: FakeClock) -> None:
    brand_id = seed_labels(store, clock(), labelled=40, posts=100)
    tagger = ReadingTagger()
    assert adapt_brand(store, brand_id, tagger, clock()) is not None
    assert sum(tagger.calls) <= 100


def test_the_job_fits_what_is_due_and_new_posts_are_read_under_the_new_name(
    store: Store, clock: FakeClock, tmp_path: Path
) -> None:
    brand_id = seed_labels(store, clock())
    tagger = ReadingTagger()
    house = replace(make_house(store, tmp_path, clock=clock), load_tagger=lambda _store: tagger)
    assert handlers.adapt(house) == Done(rows=1, due=("retag",))
    assert handlers.adapt(house).rows == 0, "nothing is due any more"
    with store.write() as session:
        brand = session.get_one(Brand, brand_id)
        other = make_brand(session, now=clock(), slug="altra")
        new = [
            make_post(
                session, one, make_identity(session, one, now=clock(), handle="bea"), now=clock(), external_id="new",
                text="[0.34, 0.33, 0.33]", state=PostState.NEW,
            ).id
            for one in (brand, other)
        ]  # fmt: skip
    assert handlers.tag(house).rows == 2
    with store.read() as session:
        names = [
            session.get_one(PostTags, (one, post)).tagger for one, post in zip((brand_id, other.id), new, strict=True)
        ]
    assert names == ["encoder.v9+b1", "encoder.v9"]
    with store.write() as session:
        (row,) = list_adaptations(session, brand_id)
        undo(session, row.id, user_id=someone(session, clock()), now=clock())
    while handlers.retag(house).rows:
        pass
    with store.read() as session:
        assert set(session.scalars(sa.select(PostTags.tagger))) == {"encoder.v9"}, "undone, all is read as shipped"


def test_the_job_asks_for_no_tagger_before_there_are_labels(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    def refuse(_store: Store) -> ReadingTagger:
        raise AssertionError("the tagger is heavy: not before it is needed")

    house = replace(make_house(store, tmp_path, clock=clock), load_tagger=refuse)
    assert handlers.adapt(house) == Done()
