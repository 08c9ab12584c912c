"""Re-tagging with a newer tagger: resumable, newest first, never over a person's word; figures and lists follow."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from ascolto.jobs import handlers
from inbox.listening.corrections import correct_label
from inbox.listening.ingest import ingest_page
from inbox.listening.retagging import Taggers, count_old, is_fit, retag_some
from inbox.listening.tag_attempts import GIVEN_UP, MOST_ALONE, MOST_TOGETHER, GivingUp
from inbox.listening.tagging import due_for_tagging, tag_posts
from inbox.store.engine import Store
from inbox.store.tables import Conversation, Correction, DirtyBucket, Post, PostTags, Source
from inbox.store.types import PostState
from inbox.triage.routing import due_for_routing, route_posts
from nlp.base import Tagger, Tags
from nlp.pipeline import Health
from tests.jobs_factory import make_house
from tests.listening_factory import NOW, WordTagger, fetched, page, set_up
from tests.triage_factory import make_user

TEXTS = ("che bello", "brutto", "brutto davvero", "quando arriva?")


class NewerTagger(WordTagger):
    """Reads "brutto" as slang for good."""

    name = "words.v2"

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        """Tag a batch."""
        return super().tag([text.replace("brutto", "bello") for text in texts], languages)


@pytest.fixture
def tagged(store: Store) -> Store:
    """Four posts tagged by the older tagger and routed, each its own conversation."""
    _, source_id = set_up(store)
    posts = [fetched(str(number), text) for number, text in enumerate(TEXTS)]
    with store.write() as session:
        ingest_page(session, session.get_one(Source, source_id), page(*posts), now=NOW)
        tag_posts(session, due_for_tagging(session, 10), WordTagger(), NOW)
        route_posts(session, due_for_routing(session, 10), NOW)
        session.execute(sa.delete(DirtyBucket))
    return store


def taggers(tagger: Tagger | None = None, **by_brand: Tagger) -> Taggers:
    return Taggers(tagger or NewerTagger(), {int(brand[1:]): one for brand, one in by_brand.items()})


def labels(store: Store) -> dict[str, tuple[str, str]]:
    with store.read() as session:
        rows = session.execute(
            sa.select(Post.external_id, PostTags.tagger, PostTags.sentiment_label)
            .join(PostTags, PostTags.post_id == Post.id)
            .order_by(Post.id)
        )
        return {row[0]: (row[1], row[2]) for row in rows}


def left(store: Store, using: Taggers) -> int:
    with store.read() as session:
        return count_old(session, using)


def test_the_newest_are_read_again_first_and_the_work_goes_on_where_it_stopped(tagged: Store) -> None:
    using = taggers()
    assert left(tagged, using) == 4
    first = retag_some(tagged, using, NOW, limit=3)
    assert (first.posts, first.has_more, left(tagged, using)) == (3, True, 1)
    assert labels(tagged) == {
        "0": ("words.v1", "positive"),
        "1": ("words.v2", "positive"),
        "2": ("words.v2", "positive"),
        "3": ("words.v2", "neutral"),
    }
    assert retag_some(tagged, using, NOW, limit=3).posts == 1
    again = retag_some(tagged, using, NOW, limit=3)
    assert (again.posts, again.has_more, left(tagged, using)) == (0, False, 0)


def test_lists_and_figures_follow_and_states_stay(tagged: Store) -> None:
    with tagged.read() as session:
        before = {one.id: (one.state, one.version, one.sla_due_at) for one in session.scalars(sa.select(Conversation))}
    report = retag_some(tagged, taggers(), NOW)
    with tagged.read() as session:
        shown = {one.thread_key: one for one in session.scalars(sa.select(Conversation))}
        assert (shown["1"].sentiment, shown["1"].intent) == ("positive", "praise")
        assert [part["value"] for part in shown["1"].priority_reasons if part["reason"] == "intent"] == ["praise"]
        assert {one.id: (one.state, one.version, one.sla_due_at) for one in shown.values()} == before
        assert sorted(report.conversation_ids) == sorted(before)
        assert session.scalar(sa.select(sa.func.count()).select_from(DirtyBucket)) == 1
        assert set(session.scalars(sa.select(Post.state))) == {PostState.ROUTED}


def test_a_persons_word_stays(tagged: Store) -> None:
    with tagged.write() as session:
        post = session.scalars(sa.select(Post).where(Post.external_id == "1")).one()
        person = make_user(session, now=NOW)
        correct_label(session, post.id, task="sentiment", value=["negative"], user_id=person.id, now=NOW)
        correct_label(session, post.id, task="language", value=["en"], user_id=person.id, now=NOW)
    newer = NewerTagger()
    retag_some(tagged, taggers(newer), NOW)
    assert newer.hints is not None
    assert "en" in newer.hints, "the tagger is told what a person said"
    with tagged.read() as session:
        conversation = session.scalars(sa.select(Conversation).where(Conversation.thread_key == "1")).one()
        assert (conversation.sentiment, conversation.sentiment_confidence) == ("negative", 1.0)
        assert session.scalars(sa.select(Post.language).where(Post.external_id == "1")).one() == "en"
        kept = session.scalars(sa.select(Correction).where(Correction.task == "sentiment")).one()
        assert (kept.value, kept.tagger) == (["negative"], "words.v1")


def test_deleted_waiting_and_given_up_posts_are_left_alone(tagged: Store) -> None:
    with tagged.write() as session:
        session.execute(sa.update(Post).where(Post.external_id == "0").values(deleted_at_source=NOW, text=""))
        session.execute(sa.update(Post).where(Post.external_id == "1").values(state=PostState.NEW))
        gone = sa.select(Post.id).where(Post.external_id == "2").scalar_subquery()
        session.execute(sa.update(PostTags).where(PostTags.post_id == gone).values(tagger="none", error=GIVEN_UP))
    using = taggers()
    assert (retag_some(tagged, using, NOW).posts, left(tagged, using)) == (1, 0)
    assert [tagger for tagger, _ in labels(tagged).values()] == ["words.v1", "words.v1", GivingUp.name, "words.v2"]


def test_words_that_changed_meanwhile_are_not_tagged_by_what_they_were(tagged: Store) -> None:
    class Slow(NewerTagger):
        def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
            with tagged.write() as session:
                session.execute(sa.update(Post).where(Post.external_id == "0").values(text="brutto"))
            return super().tag(texts, languages)

    report = retag_some(tagged, taggers(Slow()), NOW)
    assert (report.posts, labels(tagged)["0"][0]) == (3, "words.v1")


def test_a_text_that_ended_the_process_is_tried_alone_then_left(tagged: Store) -> None:
    class Lethal(NewerTagger):
        """Stops as a crash would: what was committed stays, nothing after it happens."""

        def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
            if any("davvero" in text for text in texts):
                raise SystemExit
            return super().tag(texts, languages)

    using = taggers(Lethal())
    ends = 0
    while left(tagged, using):
        assert ends <= MOST_TOGETHER + MOST_ALONE + 1
        try:
            retag_some(tagged, using, NOW)
        except SystemExit:
            ends += 1
    assert [tagger for tagger, _ in labels(tagged).values()] == ["words.v2", "words.v2", "words.v1", "words.v2"]


def test_each_brand_has_its_own_idea_of_what_is_old(tagged: Store) -> None:
    class Adapted(NewerTagger):
        name = "words.v2+b1"

    with tagged.read() as session:
        brand_id = session.scalars(sa.select(Post.brand_id)).first()
    retag_some(tagged, taggers(), NOW)
    adapted = taggers(**{f"b{brand_id}": Adapted()})
    assert left(tagged, adapted) == 4
    retag_some(tagged, adapted, NOW)
    assert {tagger for tagger, _ in labels(tagged).values()} == {"words.v2+b1"}
    assert left(tagged, taggers(b999=Adapted())) == 4, "going back is a change, too"


def test_what_a_cascade_lets_its_cheap_tier_answer_is_not_old(tagged: Store) -> None:
    class Cascade(NewerTagger):
        stand_in = "words.v1"

    class Adapted(NewerTagger):
        name = "words.v2+b1"

    assert left(tagged, taggers(Cascade())) == 0
    assert left(tagged, taggers(Cascade(), b1=Adapted())) == 0


def test_the_background_step_does_it_unless_something_better_is_missing(tagged: Store, tmp_path: Path) -> None:
    class Degraded(NewerTagger):
        reason: str | None = "the encoder's files are gone"

        def health(self) -> Health:
            return Health(self.name, self.reason)

    house = make_house(tagged, tmp_path)
    tagger = Degraded()
    object.__setattr__(house, "load_tagger", lambda _store: tagger)
    assert not is_fit(tagger)
    assert handlers.retag(house).rows == 0
    tagger.reason = None
    done = handlers.retag(house)
    assert (done.rows, set(done.due)) == (4, {"roll_up", "topics"})
    assert handlers.retag(house).rows == 0


def test_new_posts_go_before_old_ones(tagged: Store, tmp_path: Path) -> None:
    with tagged.write() as session:
        session.execute(sa.update(Post).where(Post.external_id == "0").values(state=PostState.NEW))
    assert handlers.retag(make_house(tagged, tmp_path)).rows == 0
