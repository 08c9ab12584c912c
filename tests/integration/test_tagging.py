"""Tagging on both databases: batches, one bad text alone, corrections kept."""

import pytest
import sqlalchemy as sa

from inbox.listening.ingest import ingest_page
from inbox.listening.tagging import due_for_tagging, tag_posts
from inbox.store.engine import Store
from inbox.store.queries.search import search_posts
from inbox.store.tables import Correction, DirtyBucket, Post, PostTags, Source
from inbox.store.types import PostState
from tests.listening_factory import NOW, WordTagger, fetched, page, set_up, us


@pytest.fixture
def heard(store: Store) -> Store:
    _, source_id = set_up(store)
    posts = (
        fetched("1", "che bello", language_hint="it"),
        fetched("2", "brutto, quando arriva?", title="Ordine"),
        fetched("3", "where is the parcel, forse", language_hint="it"),
        fetched("4", author=us()),
        fetched("5", repost_of="1"),
    )
    with store.write() as session:
        ingest_page(session, session.get_one(Source, source_id), page(*posts), now=NOW)
        session.execute(sa.delete(DirtyBucket))
    return store


def tags_of(store: Store) -> dict[str, PostTags]:
    with store.read() as session:
        rows = session.execute(sa.select(Post.external_id, PostTags).join(PostTags, PostTags.post_id == Post.id))
        return {row[0]: row[1] for row in rows}


def tag_all(store: Store, tagger: WordTagger) -> list[int]:
    with store.write() as session:
        return tag_posts(session, due_for_tagging(session, 100), tagger, NOW)


def test_new_posts_get_tags_language_and_state(heard: Store) -> None:
    tagger = WordTagger()
    assert len(tag_all(heard, tagger)) == 3, "neither our own posts nor reposts"
    tags = tags_of(heard)
    assert tags["1"].sentiment_label == "positive"
    assert tags["1"].sentiment_confidence == pytest.approx(0.8)
    assert tags["2"].intent_labels == ["question", "complaint"], "the likeliest first"
    assert tags["3"].sentiment_unsure
    assert tagger.calls == [3]
    assert tagger.hints == ["it", None, "it"]
    with heard.read() as session:
        posts = {post.external_id: post for post in session.scalars(sa.select(Post))}
        assert posts["3"].language == "en"
        assert posts["1"].state is PostState.TAGGED
        assert posts["5"].state is PostState.IGNORED
        assert session.scalar(sa.select(sa.func.count()).select_from(DirtyBucket)) == 1
        assert due_for_tagging(session, 10) == []


def test_a_text_the_tagger_fails_on_costs_only_itself(heard: Store) -> None:
    with heard.write() as session:
        session.execute(sa.update(Post).where(Post.external_id == "2").values(text="BOOM"))
        session.execute(sa.update(Post).where(Post.external_id == "1").values(text="bello NAN"))
        session.execute(sa.update(Post).where(Post.external_id == "3").values(text="the NAF"))
    assert len(tag_all(heard, WordTagger())) == 3
    tags = tags_of(heard)
    assert tags["2"].error == "RuntimeError"
    assert tags["1"].error is not None
    assert tags["2"].sentiment_unsure
    assert tags["3"].error is not None
    assert tags["3"].urgency_unsure


def test_tagging_twice_does_nothing_and_again_after_an_edit_replaces(heard: Store) -> None:
    ids = tag_all(heard, WordTagger())
    with heard.write() as session:
        assert tag_posts(session, ids, WordTagger(), NOW) == []
        session.execute(sa.update(Post).where(Post.external_id == "1").values(text="brutto", state=PostState.NEW))
    assert len(tag_all(heard, WordTagger())) == 1
    assert tags_of(heard)["1"].sentiment_label == "negative"


def test_corrections_are_never_overwritten(heard: Store) -> None:
    with heard.write() as session:
        post = session.scalars(sa.select(Post).where(Post.external_id == "1")).one()
        for task, value in (("language", "en"), ("sentiment", "negative")):
            session.add(
                Correction(
                    brand_id=post.brand_id,
                    post_id=post.id,
                    task=task,
                    value=[value],
                    machine_value=[],
                    tagger="x",
                    created_at=NOW,
                )
            )
    tag_all(heard, WordTagger())
    with heard.read() as session:
        assert session.scalars(sa.select(Post.language).where(Post.external_id == "1")).one() == "en"
        assert sorted(session.scalars(sa.select(Correction.task))) == ["language", "sentiment"]


def test_the_language_found_makes_stems_searchable(heard: Store, request: pytest.FixtureRequest) -> None:
    tag_all(heard, WordTagger())
    with heard.read() as session:
        brand_id = session.scalars(sa.select(Post.brand_id)).first() or 0
        found = [hit.post.external_id for hit in search_posts(session, brand_id, "parcels").posts]
    assert found == ([] if heard.is_sqlite else ["3"])


def test_emotion_toxicity_and_urgency_are_stored_with_their_doubts(heard: Store) -> None:
    with heard.write() as session:
        session.execute(sa.update(Post).where(Post.external_id == "2").values(text="BRUTTO, cretini!"))
    tag_all(heard, WordTagger())
    tags = tags_of(heard)
    angry, plain = tags["2"], tags["1"]
    assert (angry.emotion_label, angry.emotion_unsure, angry.emotion["anger"]) == ("anger", False, 0.7)
    assert (angry.toxicity, angry.toxicity_unsure) == (0.9, False)
    assert (angry.urgency, angry.urgency_unsure, angry.urgency_probabilities["3"]) == (3, False, 0.7)
    assert angry.rules == []
    assert (plain.emotion_unsure, plain.toxicity_unsure, plain.urgency_unsure) == (True, True, True)
