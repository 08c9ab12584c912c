"""Cells on both databases: after any sequence of changes they are what a plain recount gives."""

import itertools
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from connectors.base import PostStatus
from inbox.listening.ingest import ingest_page
from inbox.listening.refresh import apply_statuses
from inbox.listening.tagging import due_for_tagging, tag_posts
from inbox.reputation.rollups import day_bounds, due_buckets, mark_dirty, recompute
from inbox.store.engine import Store
from inbox.store.queries import cells
from inbox.store.queries.cells import Bucket, CellFilters, sum_by, sum_by_day, sum_measures, sum_sentiments
from inbox.store.tables import Brand, Cell, Correction, DirtyBucket, Post, PostTags, Source
from tests.listening_factory import NOW, WordTagger, add_brand, add_source, author, fetched, page, us

names = itertools.count()
ROME = ZoneInfo("Europe/Rome")


def recount(session: Session, brand_id: int) -> dict[tuple[object, ...], tuple[int, int, int]]:
    """Count plainly, in Python."""
    cells: defaultdict[tuple[object, ...], list[Post]] = defaultdict(list)
    for post in session.scalars(sa.select(Post).where(Post.brand_id == brand_id)):
        if post.is_own or post.repost_of is not None:
            continue
        tags = session.get(PostTags, (brand_id, post.id))
        fixes = {
            fix.task: fix.value[0]
            for fix in session.scalars(sa.select(Correction).where(Correction.post_id == post.id))
        }
        sentiment = "none" if tags is None else "unsure" if tags.sentiment_unsure else tags.sentiment_label
        intent = "none" if tags is None else "unsure" if tags.intents_unsure else tags.intent_labels[0]
        key = (
            post.created_at.astimezone(ROME).date(),
            post.network,
            fixes.get("language", post.language or "und"),
            "own",
            fixes.get("sentiment", sentiment),
            fixes.get("intents", intent),
        )
        cells[key].append(post)
    return {
        key: (len(posts), len({post.author_id for post in posts}), sum(post.audience for post in posts))
        for key, posts in cells.items()
    }


def cells_of(session: Session, brand_id: int) -> dict[tuple[object, ...], tuple[int, int, int]]:
    return {
        (cell.day, cell.network, cell.language, cell.source_kind, cell.sentiment, cell.intent): (
            cell.posts,
            cell.authors,
            cell.audience,
        )
        for cell in session.scalars(sa.select(Cell).where(Cell.brand_id == brand_id))
    }


STEPS = st.lists(
    st.tuples(st.sampled_from(["hear", "hear", "tag", "correct", "delete", "edit", "count"]), st.integers(0, 9)),
    min_size=3,
    max_size=14,
)
TEXTS = ("bello", "brutto?", "the forse", "niente", "NAN")


def take_step(session: Session, source: Source, step: str, number: int, now: datetime) -> None:
    ids = list(session.scalars(sa.select(Post.id).where(Post.brand_id == source.brand_id).order_by(Post.id)))
    if step == "hear":
        post = fetched(
            f"p{number}",
            TEXTS[number % 5],
            author=us() if number == 4 else author(number % 3, followers=number),
            repost_of="p1" if number == 7 else None,
            created_at=NOW - timedelta(hours=7 * number),
        )
        ingest_page(session, source, page(post), now=now)
    elif step == "tag":
        tag_posts(session, due_for_tagging(session, 3), WordTagger(), now)
    elif step == "count":
        recompute(session, due_buckets(session, 2), now)
    elif ids and step in {"delete", "edit"}:
        changed = PostStatus("", is_deleted=step == "delete", text=TEXTS[number % 5])
        apply_statuses(session, source.brand_id, [(ids[number % len(ids)], changed)], now)
    elif ids:
        post_id = ids[number % len(ids)]
        task, value = (("sentiment", "positive"), ("intents", "praise"), ("language", "en"))[number % 3]
        session.execute(sa.delete(Correction).where(Correction.post_id == post_id, Correction.task == task))
        session.add(
            Correction(
                brand_id=source.brand_id,
                post_id=post_id,
                task=task,
                value=[value],
                machine_value=[],
                tagger="x",
                created_at=now,
            )
        )
        mark_dirty(session, source.brand_id, [session.get_one(Post, post_id).created_at], now)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_cells_equal_a_recount_after_anything(store: Store, steps: list[tuple[str, int]]) -> None:
    with store.write() as session:
        source_id = add_source(session, add_brand(session, f"brand-{next(names)}")).id
    for step, number in steps:
        with store.write() as session:
            take_step(session, session.get_one(Source, source_id), step, number, NOW)
    with store.write() as session:
        recompute(session, due_buckets(session, 1000), NOW)
        recompute(session, due_buckets(session, 1000), NOW)
    with store.read() as session:
        brand_id = session.get_one(Source, source_id).brand_id
        assert cells_of(session, brand_id) == recount(session, brand_id)
        assert session.scalar(sa.select(sa.func.count()).select_from(DirtyBucket)) == 0


def test_a_change_during_the_recount_is_not_lost(postgres_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres_store.write() as session:
        brand_id = add_brand(session).id
        mark_dirty(session, brand_id, [NOW], NOW)
    count_posts = cells.count_posts

    def change_meanwhile(*given: object) -> object:
        with postgres_store.write() as other:
            mark_dirty(other, brand_id, [NOW], NOW)
        return count_posts(*given)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(cells, "count_posts", change_meanwhile)
    with postgres_store.write() as session:
        assert recompute(session, [Bucket(brand_id, NOW.date())], NOW) == 1
    with postgres_store.read() as session:
        assert due_buckets(session) == [Bucket(brand_id, NOW.date())]


def test_a_recounted_day_is_clean_however_often_it_was_marked(store: Store) -> None:
    with store.write() as session:
        brand_id = add_brand(session).id
        for _ in range(3):
            mark_dirty(session, brand_id, [NOW, NOW - timedelta(days=1)], NOW)
    with store.write() as session:
        assert len(due_buckets(session)) == 2
        assert recompute(session, due_buckets(session), NOW) == 2
    with store.read() as session:
        assert session.scalars(sa.select(DirtyBucket.day)).all() == []


def test_a_bucket_in_other_hands_is_left_to_them(postgres_store: Store) -> None:
    with postgres_store.write() as session:
        brand_id = add_brand(session).id
        mark_dirty(session, brand_id, [NOW], NOW)
    with postgres_store.write() as first:
        assert recompute(first, due_buckets(first), NOW) == 1
        with postgres_store.write() as second:
            assert recompute(second, due_buckets(second), NOW) == 0


def test_transactions_on_the_same_days_never_wait_for_each_other(postgres_store: Store) -> None:
    with postgres_store.write() as session:
        brand_id = add_brand(session).id
    marked = Barrier(2, timeout=60)
    yesterday = NOW - timedelta(days=1)

    def work(first: datetime, second: datetime) -> None:
        with postgres_store.write() as session:
            session.execute(sa.text("SET LOCAL lock_timeout = '30s'"))
            mark_dirty(session, brand_id, [first], NOW)
            marked.wait()  # both hold the one day, and want the other's
            mark_dirty(session, brand_id, [second], NOW)
            marked.wait()  # neither has committed

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, NOW, yesterday), pool.submit(work, yesterday, NOW)]:
            done.result()
    with postgres_store.write() as session:
        assert len(due_buckets(session)) == 2
        assert recompute(session, due_buckets(session), NOW) == 2
        assert due_buckets(session) == []


def test_a_day_is_the_brands_own(store: Store) -> None:
    with store.write() as session:
        rome, auckland = add_brand(session), add_brand(session, "nz", timezone="Pacific/Auckland")
        nowhere = add_brand(session, "lost", timezone="Nowhere/At-All")
        evening = datetime(2026, 11, 10, 23, 30, tzinfo=UTC)
        for brand in (rome, auckland, nowhere):
            mark_dirty(session, brand.id, [evening], NOW)
        assert {bucket.day for bucket in due_buckets(session) if bucket.brand_id == rome.id} == {date(2026, 11, 11)}
        assert {bucket.day for bucket in due_buckets(session) if bucket.brand_id == nowhere.id} == {date(2026, 11, 10)}


def test_days_of_a_clock_change_have_their_length() -> None:
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)):
        start, end = day_bounds(day, ROME)
        assert end - start == timedelta(hours=hours)


def test_cells_are_summed_by_any_dimension(store: Store) -> None:
    with store.write() as session:
        brand: Brand = add_brand(session)
        source = add_source(session, brand)
        posts = [fetched(str(n), text) for n, text in enumerate(("bello", "bello", "brutto", "niente"))]
        ingest_page(session, source, page(*posts), now=NOW)
        tag_posts(session, due_for_tagging(session, 9), WordTagger(), NOW)
        recompute(session, due_buckets(session), NOW)
        filters = CellFilters(brand.id, NOW.date(), NOW.date())
        assert sum_sentiments(session, filters) == {"positive": 2, "negative": 1, "neutral": 1}
        assert sum_by(session, filters, "network") == {"x": 4}
        assert sum_by_day(session, filters) == {NOW.date(): {"positive": 2, "negative": 1, "neutral": 1}}
        assert sum_sentiments(session, CellFilters(brand.id, NOW.date(), NOW.date(), network="reddit")) == {}


def test_feelings_insults_and_haste_are_counted_where_they_are_known(store: Store) -> None:
    with store.write() as session:
        brand: Brand = add_brand(session)
        source = add_source(session, brand)
        posts = [fetched(str(n), text) for n, text in enumerate(("BRUTTO", "BRUTTO, cretini", "bello", "niente"))]
        ingest_page(session, source, page(*posts, fetched("new", "non letto")), now=NOW)
        tag_posts(session, due_for_tagging(session, 4), WordTagger(), NOW)
        read = session.scalars(sa.select(PostTags.post_id).order_by(PostTags.post_id)).all()
        for post_id, task, value in (
            (read[1], "emotion", "none"),
            (read[1], "toxicity", "civil"),
            (read[2], "emotion", "joy"),
            (read[2], "urgency", "2"),
            (read[3], "toxicity", "toxic"),
        ):
            session.add(
                Correction(
                    brand_id=brand.id,
                    post_id=post_id,
                    task=task,
                    value=[value],
                    machine_value=[],
                    tagger="words.v1",
                    created_at=NOW,
                )
            )
        session.flush()
        recompute(session, due_buckets(session), NOW)
        counted = sum_measures(session, CellFilters(brand.id, NOW.date(), NOW.date()))
        assert {name: number for name, number in counted.items() if number} == {
            "anger": 1,
            "joy": 1,
            "emotion_unsure": 1,
            "toxic": 2,
            "toxicity_unsure": 1,
            "urgent": 3,
            "urgency_unsure": 1,
        }
        nobody = sum_measures(session, CellFilters(brand.id, NOW.date(), NOW.date(), network="reddit"))
        assert set(nobody.values()) == {0}
