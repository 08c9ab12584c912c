"""Threads on both databases: whatever the order of arrival, the same conversations."""

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import FetchedPost
from inbox import audit
from inbox.listening.ingest import ingest_page
from inbox.listening.threads import ThreadReport, thread_posts
from inbox.store.engine import Store
from inbox.store.queries.threads import list_merged_ids
from inbox.store.tables import (
    Assignment,
    Conversation,
    ConversationLabel,
    Label,
    Note,
    Post,
    Reply,
    Source,
)
from inbox.store.types import ConversationState
from tests.listening_factory import NOW, add_brand, add_source, author, fetched, page, set_up, us

names = itertools.count()


def arrive(store: Store, source_id: int, *posts: FetchedPost) -> ThreadReport:
    with store.write() as session:
        report = ingest_page(session, session.get_one(Source, source_id), page(*posts), now=NOW)
        return thread_posts(session, report.post_ids, NOW)


def conversation_of(store: Store, external_id: str) -> Conversation:
    with store.read() as session:
        found = session.scalars(
            sa.select(Conversation)
            .join(Post, Post.conversation_id == Conversation.id)
            .where(Post.external_id == external_id)
        )
        return found.one()


def test_a_post_opens_a_conversation_and_an_answer_joins_it(store: Store) -> None:
    _, source_id = set_up(store)
    opened = arrive(store, source_id, fetched("1", created_at=NOW - timedelta(hours=2)))
    joined = arrive(store, source_id, fetched("2", parent_id="1", created_at=NOW - timedelta(hours=1)))
    assert opened.created_ids == joined.conversation_ids
    assert joined.created_ids == ()
    found = conversation_of(store, "1")
    assert (found.thread_key, found.post_count, found.state) == ("1", 2, ConversationState.OPEN)
    assert found.version == 2
    assert (found.first_inbound_at, found.last_activity_at) == (NOW - timedelta(hours=2), NOW - timedelta(hours=1))


def test_threading_again_changes_nothing(store: Store) -> None:
    _, source_id = set_up(store)
    arrive(store, source_id, fetched("1"), fetched("2", parent_id="1"))
    with store.write() as session:
        again = thread_posts(session, list(session.scalars(sa.select(Post.id))), NOW)
    assert again.created_ids == ()
    assert (conversation_of(store, "1").post_count, conversation_of(store, "1").version) == (2, 1)


def test_our_answers_are_counted_and_timed(store: Store) -> None:
    _, source_id = set_up(store)
    hour = timedelta(hours=1)
    arrive(store, source_id, fetched("3", author=us(), parent_id="2", created_at=NOW - hour))
    arrive(store, source_id, fetched("2", parent_id="1", created_at=NOW - 2 * hour))
    arrive(store, source_id, fetched("1", author=us(), created_at=NOW - 3 * hour))
    found = conversation_of(store, "1")
    assert (found.post_count, found.reply_count) == (3, 1), "what we said first is no answer"
    assert (found.first_inbound_at, found.first_reply_at) == (NOW - 2 * hour, NOW - hour)


def test_only_our_own_words_ask_nothing_of_anybody(store: Store) -> None:
    _, source_id = set_up(store)
    arrive(store, source_id, fetched("1", author=us()))
    assert conversation_of(store, "1").state is ConversationState.RESOLVED
    arrive(store, source_id, fetched("2", parent_id="1"))
    found = conversation_of(store, "1")
    assert (found.state, found.is_unread) == (ConversationState.OPEN, True)


def test_history_answered_or_long_past_arrives_settled(store: Store) -> None:
    _, source_id = set_up(store)
    day = timedelta(days=1)
    history = [
        fetched("1", created_at=NOW - 3 * day),
        fetched("2", parent_id="1", author=us(), created_at=NOW - 2 * day),
        fetched("3", created_at=NOW - 90 * day),
        fetched("4", created_at=NOW - 2 * day),
    ]
    with store.write() as session:
        source = session.get_one(Source, source_id)
        report = ingest_page(session, source, page(*history), now=NOW, is_history=True)
        thread_posts(session, report.post_ids, NOW)
    states = [conversation_of(store, key).state for key in ("1", "3", "4")]
    assert states == [ConversationState.RESOLVED, ConversationState.RESOLVED, ConversationState.OPEN]


def test_a_repost_belongs_to_no_thread(store: Store) -> None:
    _, source_id = set_up(store)
    report = arrive(store, source_id, fetched("1"), fetched("2", repost_of="1"))
    assert len(report.conversation_ids) == 1
    assert conversation_of(store, "1").post_count == 1


def test_siblings_of_a_missing_parent_share_a_conversation(store: Store) -> None:
    _, source_id = set_up(store)
    arrive(store, source_id, fetched("2", parent_id="gone"))
    arrive(store, source_id, fetched("3", parent_id="gone"))
    assert conversation_of(store, "2").id == conversation_of(store, "3").id
    assert conversation_of(store, "2").thread_key == "gone"


def test_the_older_conversation_takes_everything_over(store: Store) -> None:
    brand_id, source_id = set_up(store)
    arrive(store, source_id, fetched("3", parent_id="2"))
    arrive(store, source_id, fetched("1"))
    older, newer = conversation_of(store, "3"), conversation_of(store, "1")
    with store.write() as session:
        label = Label(brand_id=brand_id, name="urgente")
        session.add(label)
        session.flush()
        post_id = session.scalars(sa.select(Post.id).where(Post.external_id == "1")).one()
        session.add_all(
            [
                Note(conversation_id=newer.id, text="visto", created_at=NOW),
                Assignment(conversation_id=newer.id, at=NOW),
                ConversationLabel(conversation_id=newer.id, label_id=label.id),
                ConversationLabel(conversation_id=older.id, label_id=label.id),
                Reply(brand_id=brand_id, conversation_id=newer.id, post_id=post_id, text="ciao", created_at=NOW),
            ]
        )
        session.execute(sa.update(Conversation).where(Conversation.id == older.id).values(state="resolved", version=5))
        audit.record(
            session,
            now=NOW,
            action="conversation.x",
            entity="conversation",
            entity_id=newer.id,
            conversation_id=newer.id,
        )
    report = arrive(store, source_id, fetched("2", parent_id="1"))
    assert report.merged == {newer.id: older.id}
    assert report.conversation_ids == (older.id,)
    kept = conversation_of(store, "1")
    assert (kept.id, kept.thread_key, kept.post_count, kept.state) == (older.id, "1", 3, ConversationState.OPEN)
    assert kept.version > 5
    with store.read() as session:
        for table in (Note, Assignment, Reply, ConversationLabel):
            assert session.scalars(sa.select(table.conversation_id)).all() == [older.id]
        assert session.get(Conversation, newer.id) is None
        assert set(session.scalars(sa.select(Post.thread_key))) == {"1"}
        assert list_merged_ids(session, older.id) == [newer.id]
        assert audit.verify(session).is_intact


def test_posts_that_answer_each_other_in_a_ring_are_one_thread(store: Store) -> None:
    _, source_id = set_up(store)
    arrive(store, source_id, fetched("1", parent_id="2"))
    arrive(store, source_id, fetched("2", parent_id="3"))
    arrive(store, source_id, fetched("3", parent_id="1"))
    assert conversation_of(store, "1").id == conversation_of(store, "3").id
    assert conversation_of(store, "2").post_count == 3


def test_brands_and_servers_keep_their_threads_apart(store: Store) -> None:
    _, source_id = set_up(store)
    report = arrive(store, source_id, fetched("1"), fetched("2", parent_id="1", instance="b.example"))
    assert len(report.created_ids) == 2


@pytest.mark.parametrize("order", ["forwards", "backwards", "shuffled"])
def test_a_chain_of_a_thousand_is_one_thread_in_any_order(store: Store, order: str) -> None:
    _, source_id = set_up(store)
    chain = [fetched("0")] + [fetched(str(number), parent_id=str(number - 1)) for number in range(1, 1000)]
    if order == "backwards":
        chain.reverse()
    elif order == "shuffled":
        random.Random(5).shuffle(chain)
    started = time.monotonic()
    for first in range(0, len(chain), 50):
        arrive(store, source_id, *chain[first : first + 50])
    assert time.monotonic() - started < 60
    found = conversation_of(store, "0")
    assert (found.post_count, found.thread_key) == (1000, "0")
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Conversation)) == 1


def test_a_very_long_conversation_is_carried_on(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inbox.listening.threads.MAX_RECOUNT", 3)
    _, source_id = set_up(sqlite_store)
    posts = [fetched("0", created_at=NOW - timedelta(hours=5))]
    posts += [
        fetched(
            str(n), parent_id="0", author=us() if n % 3 == 0 else author(n), created_at=NOW - timedelta(minutes=60 - n)
        )
        for n in range(1, 10)
    ]
    for post in posts:
        arrive(sqlite_store, source_id, post)
    found = conversation_of(sqlite_store, "0")
    assert (found.post_count, found.reply_count) == (10, 3)
    assert found.first_reply_at == NOW - timedelta(minutes=57)
    assert found.last_inbound_at == NOW - timedelta(minutes=52)
    arrive(sqlite_store, source_id, fetched("old", parent_id="0", created_at=NOW - timedelta(hours=9)))
    assert conversation_of(sqlite_store, "0").first_inbound_at == NOW - timedelta(hours=9)


@st.composite
def heard(draw: st.DrawFn) -> tuple[list[FetchedPost], list[list[int]]]:
    """A forest of posts, some with the network's thread id, some missing; the pages they come in, with repeats."""
    size = draw(st.integers(2, 14))
    parents = [draw(st.none() | st.integers(0, number - 1)) if number else None for number in range(size)]
    roots: list[int] = []
    for number, parent in enumerate(parents):
        roots.append(number if parent is None else roots[parent])
    posts = [
        fetched(
            f"p{number}",
            parent_id=None if parent is None else f"p{parent}",
            thread_id=f"p{roots[number]}" if draw(st.booleans()) else None,
            author=us() if draw(st.integers(0, 3)) == 0 else author(number),
            created_at=NOW - timedelta(minutes=100 - number),
        )
        for number, parent in enumerate(parents)
    ]
    kept = draw(st.lists(st.sampled_from(range(size)), min_size=1, unique=True))  # the others were deleted before
    order = draw(st.permutations(kept + draw(st.lists(st.sampled_from(kept), max_size=4))))
    pages: list[list[int]] = [[]]
    for number in order:
        if draw(st.booleans()):
            pages.append([])
        pages[-1].append(number)
    return posts, pages


def expected(posts: Sequence[FetchedPost], kept: set[int]) -> set[frozenset[str]]:
    """Partition by ties, computed plainly: two posts are together if they share an id they name."""
    groups: list[tuple[set[str], set[str]]] = []
    for number in kept:
        post = posts[number]
        members, ids = {post.external_id}, {post.external_id, *filter(None, (post.parent_id, post.thread_id))}
        for other in [group for group in groups if group[1] & ids]:
            groups.remove(other)
            members |= other[0]
            ids |= other[1]
        groups.append((members, ids))
    return {frozenset(members) for members, _ in groups}


def conversations(store: Store, brand_id: int) -> Iterator[tuple[Conversation, list[Post]]]:
    with store.read() as session:
        for conversation in session.scalars(sa.select(Conversation).where(Conversation.brand_id == brand_id)):
            posts = session.scalars(
                sa.select(Post).where(Post.conversation_id == conversation.id).order_by(Post.created_at, Post.id)
            )
            yield conversation, list(posts)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=heard())
def test_any_order_and_any_pages_give_the_same_threads(
    store: Store, case: tuple[list[FetchedPost], list[list[int]]]
) -> None:
    posts, pages = case
    with store.write() as session:
        brand = add_brand(session, f"brand-{next(names)}")
        brand_id, source_id = brand.id, add_source(session, brand).id
    for numbers in pages:
        arrive(store, source_id, *(replace(posts[number]) for number in numbers))
    found = list(conversations(store, brand_id))
    assert {frozenset(post.external_id for post in members) for _, members in found} == expected(
        posts, {number for numbers in pages for number in numbers}
    )
    for conversation, members in found:
        inbound = [post.created_at for post in members if not post.is_own]
        answers = [post.created_at for post in members if post.is_own and inbound and post.created_at >= inbound[0]]
        assert conversation.post_count == len(members)
        assert conversation.reply_count == len(answers)
        assert conversation.first_inbound_at == (inbound[0] if inbound else None)
        assert conversation.first_reply_at == (answers[0] if answers else None)
        assert conversation.last_activity_at == members[-1].created_at
        assert {post.thread_key for post in members} == {conversation.thread_key}
