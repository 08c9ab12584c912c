"""Topics on both databases: posts wait, join, open new topics; people name them; nothing is counted twice."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from inbox.errors import InvalidError, NotFoundError
from inbox.listening.corrections import correct_label
from inbox.listening.ingest import ingest_page
from inbox.listening.tagging import due_for_tagging, tag_posts
from inbox.reputation import topics
from inbox.reputation.topic_overview import Trend, read_topics
from inbox.store.engine import Store
from inbox.store.queries.topics import list_topics
from inbox.store.tables import AuditEvent, Brand, Post, PostTopic, Source, Topic, User
from inbox.triage.routing import due_for_routing, route_posts
from nlp.topics import TopicSpace
from tests.listening_factory import NOW, WordTagger, fetched, page, set_up, us
from tests.topics_factory import OtherWordSpace, WordSpace

REFUND = "brutto: rimborso volo cancellato, ancora niente ({})"
APP = "brutto: applicazione bloccata dopo aggiornamento ({})"


def hear(store: Store, source_id: int, *texts: str, first: int = 1, **fields: object) -> None:
    """Ingest, tag and route texts, the id of each its number."""
    posts = [fetched(str(first + number), text, **fields) for number, text in enumerate(texts)]
    with store.write() as session:
        ingest_page(session, session.get_one(Source, source_id), page(*posts), now=NOW)
        tag_posts(session, due_for_tagging(session, 500), WordTagger(), NOW)
        route_posts(session, due_for_routing(session, 500), NOW)


def place(store: Store, space: TopicSpace | None = None) -> None:
    chosen = space or WordSpace()
    with store.write() as session:
        posts = topics.list_waiting(session, 500)
        placed = topics.place_posts(session, posts, chosen.embed([post.text for post in posts]), chosen)
        for brand_id in placed.brand_ids:
            topics.find_topics(session, brand_id, chosen, NOW, placed=placed)


def members(store: Store) -> dict[int, set[str]]:
    with store.read() as session:
        found: dict[int, set[str]] = {}
        query = sa.select(PostTopic.topic_id, Post.external_id).join(Post, Post.id == PostTopic.post_id)
        for topic_id, external_id in session.execute(query.where(PostTopic.topic_id.is_not(None))):
            found.setdefault(topic_id, set()).add(external_id)
        return found


@pytest.fixture
def two_matters(store: Store) -> tuple[Store, int, int]:
    brand_id, source_id = set_up(store)
    hear(store, source_id, *(REFUND.format(number) for number in range(6)), *(APP.format(n) for n in range(5)), "bello")
    place(store)
    return store, brand_id, source_id


def test_two_matters_open_two_named_topics(two_matters: tuple[Store, int, int]) -> None:
    store, brand_id, _ = two_matters
    assert sorted(map(len, members(store).values())) == [5, 6]
    with store.read() as session:
        names = [topics.name_of(topic, "it") for topic in list_topics(session, brand_id)]
    assert any("rimborso" in name or "volo" in name for name in names)
    assert any("applicazione" in name or "aggiornamento" in name for name in names)


def test_later_posts_join_and_the_topic_keeps_id_and_name(two_matters: tuple[Store, int, int]) -> None:
    store, brand_id, source_id = two_matters
    before = members(store)
    with store.read() as session:
        ids = [topic.id for topic in list_topics(session, brand_id)]
    hear(store, source_id, "brutto: rimborso volo mai visto", "brutto: il gatto dorme altrove", first=50)
    place(store)
    after = members(store)
    assert set(after) == set(before) == set(ids)
    assert sum(len(one) for one in after.values()) == 12, "the refund joined, the cat waits for its like"


def test_placing_again_changes_nothing(two_matters: tuple[Store, int, int]) -> None:
    store, _, _ = two_matters
    before = members(store)
    place(store)
    assert members(store) == before
    with store.read() as session:
        assert topics.list_waiting(session, 10) == []


def test_own_posts_and_praise_have_no_topic(store: Store) -> None:
    _, source_id = set_up(store)
    hear(store, source_id, *(["brutto: rimborso volo cancellato"] * 6), author=us())
    hear(store, source_id, *(["bello: rimborso volo arrivato"] * 6), first=100)
    place(store)
    assert members(store) == {}


def test_a_correction_takes_a_post_out_and_in(two_matters: tuple[Store, int, int]) -> None:
    store, _, _ = two_matters
    with store.write() as session:
        user = User(email="a@example.org", name="Anna", role="agent", password_hash="x", created_at=NOW)
        session.add(user)
        post_id = session.scalars(sa.select(PostTopic.post_id).where(PostTopic.topic_id.is_not(None))).first()
        assert post_id is not None
        session.flush()
        correct_label(session, post_id, task="intents", value=["praise"], user_id=user.id, now=NOW)
        assert session.scalar(sa.select(PostTopic).where(PostTopic.post_id == post_id)) is None
        correct_label(session, post_id, task="intents", value=["question"], user_id=user.id, now=NOW)
    place(store)
    assert sum(len(one) for one in members(store).values()) == 11


def test_a_persons_name_stays_and_is_written_down(two_matters: tuple[Store, int, int]) -> None:
    store, brand_id, source_id = two_matters
    with store.write() as session:
        user = User(email="a@example.org", name="Anna", role="manager", password_hash="x", created_at=NOW)
        session.add(user)
        session.flush()
        topic = list_topics(session, brand_id)[0]
        topics.rename_topic(session, topic.id, "  Rimborsi   lenti ", user_id=user.id, now=NOW)
        topic_id, user_id = topic.id, user.id
    hear(store, source_id, *(REFUND.format(f"e poi {number}") for number in range(30)), first=200)
    place(store)
    with store.write() as session:
        topic = session.get_one(Topic, topic_id)
        assert topics.name_of(topic, "en") == "Rimborsi lenti"
        assert session.scalar(sa.select(AuditEvent).where(AuditEvent.action == "topic.renamed")) is not None
        topics.rename_topic(session, topic_id, "", user_id=user_id, now=NOW)
        assert topics.name_of(topic, "it") != "Rimborsi lenti"
        with pytest.raises(InvalidError):
            topics.rename_topic(session, topic_id, "x" * 81, user_id=user_id, now=NOW)
        with pytest.raises(NotFoundError):
            topics.rename_topic(session, 10**12, "x", user_id=user_id, now=NOW)


def test_a_new_space_keeps_the_topics(two_matters: tuple[Store, int, int]) -> None:
    store, brand_id, source_id = two_matters
    before = members(store)
    hear(store, source_id, REFUND.format("nuovo"), first=300)
    place(store, OtherWordSpace())  # the first look carries the topics over
    hear(store, source_id, REFUND.format("altro"), first=301)
    place(store, OtherWordSpace())
    after = members(store)
    assert set(after) == set(before)
    assert sum(len(one) for one in after.values()) >= 12
    with store.read() as session:
        assert {topic.space for topic in list_topics(session, brand_id)} == {"words.v2"}


def test_the_pool_forgets_the_oldest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _, source_id = set_up(store)
    monkeypatch.setattr(topics, "POOL", 4)
    hear(
        store,
        source_id,
        *(f"brutto: {word}{word} {word}zeta" for word in ("gatto", "cane", "lupo", "orso", "topo", "pesce")),
    )
    place(store)
    with store.read() as session:
        assert len(session.scalars(sa.select(PostTopic).where(PostTopic.vector.is_not(None))).all()) == 4


def test_the_overview_tells_trend_examples_and_what_is_in_no_topic(store: Store) -> None:
    brand_id, source_id = set_up(store)
    earlier = NOW - timedelta(days=9)
    hear(store, source_id, *(APP.format(number) for number in range(8)), created_at=earlier)
    hear(store, source_id, *(REFUND.format(n) for n in range(9)), "brutto: gatto in stazione", first=50, created_at=NOW)
    place(store)
    with store.read() as session:
        overview = read_topics(session, session.get_one(Brand, brand_id), days=7, now=NOW)
    rising, falling = overview.rows
    assert (rising.posts, rising.posts_before, rising.trend) == (9, 0, Trend.RISING)
    assert (falling.posts, falling.posts_before, falling.trend) == (0, 8, Trend.FALLING)
    assert len(rising.examples) == 3
    assert all("rimborso" in example.text for example in rising.examples)
    assert (overview.unplaced, overview.told) == (1, 10)
    with store.read() as session:
        longer = read_topics(session, session.get_one(Brand, brand_id), days=28, now=NOW)
    assert {row.trend for row in longer.rows} == {Trend.UNKNOWN}, "nothing was heard in the four weeks before"
