"""Ingest on both databases: one post one row, bad records alone, cursor with the rows."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from connectors.base import BadRecord, FetchedPost, Page
from inbox.listening.ingest import IngestReport, ingest_page
from inbox.listening.tombstones import author_digest, bury, post_digest
from inbox.store.engine import Store
from inbox.store.tables import DirtyBucket, Identity, Post, PostSource, Quarantine, Source
from inbox.store.types import PostState
from tests.listening_factory import NOW, OWN_ID, add_source, author, fetched, page, set_up, us

KEY = b"a key of this installation"


def take_in(store: Store, source_id: int, given: Page, **options: object) -> IngestReport:
    with store.write() as session:
        source = session.get_one(Source, source_id)
        return ingest_page(session, source, given, now=NOW, **options)  # type: ignore[arg-type] # options of ingest_page


def posts_of(session: Session) -> dict[str, Post]:
    return {post.external_id: post for post in session.scalars(sa.select(Post))}


def count(store: Store, table: type) -> int:
    with store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_posts_authors_source_and_cursor_are_stored_together(store: Store) -> None:
    brand_id, source_id = set_up(store)
    report = take_in(store, source_id, page(fetched("1"), fetched("2", author=author(2, followers=70)), cursor="c9"))
    assert (report.stored, report.duplicates, report.quarantined) == (2, 0, 0)
    with store.read() as session:
        posts = posts_of(session)
        assert [posts[key].id for key in ("1", "2")] == list(report.post_ids)
        assert {post.state for post in posts.values()} == {PostState.NEW}
        assert posts["2"].audience == 70
        assert session.get_one(Source, source_id).cursor == "c9"
        assert session.scalar(sa.select(sa.func.count()).select_from(PostSource)) == 2
        assert session.scalars(sa.select(DirtyBucket.brand_id)).all() == [brand_id]


def test_nothing_is_stored_when_the_callers_transaction_fails(store: Store) -> None:
    _, source_id = set_up(store)

    def fail_after_storing() -> None:
        with store.write() as session:
            ingest_page(session, session.get_one(Source, source_id), page(fetched("1")), now=NOW)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail_after_storing()
    assert count(store, Post) == count(store, Identity) == count(store, DirtyBucket) == 0
    with store.read() as session:
        assert session.get_one(Source, source_id).cursor is None


def test_the_same_page_again_changes_nothing(store: Store) -> None:
    _, source_id = set_up(store)
    first = page(fetched("1"), fetched("2"))
    take_in(store, source_id, first)
    report = take_in(store, source_id, first)
    assert (report.stored, report.duplicates, report.edited) == (0, 2, 0)
    assert count(store, Post) == 2


def test_an_id_twice_in_a_page_is_one_post(store: Store) -> None:
    _, source_id = set_up(store)
    edited = fetched("1", "nuovo testo", edited_at=NOW - timedelta(minutes=1))
    report = take_in(store, source_id, page(fetched("1"), edited))
    assert (report.stored, report.duplicates) == (1, 1)
    with store.read() as session:
        assert posts_of(session)["1"].text == "nuovo testo"


def test_the_same_id_elsewhere_is_another_post(store: Store) -> None:
    _, source_id = set_up(store)
    report = take_in(
        store, source_id, page(fetched("1"), fetched("1", instance="a.example"), fetched("1", network="mastodon"))
    )
    assert report.stored == 3


def test_overlapping_sources_share_one_post(store: Store) -> None:
    _, first_id = set_up(store)
    with store.write() as session:
        brand = session.get_one(Source, first_id).brand_id
        from inbox.store.tables import Brand

        second_id = add_source(session, session.get_one(Brand, brand), "query").id
    take_in(store, first_id, page(fetched("1")))
    report = take_in(store, second_id, page(fetched("1", "il caffè è…", mentions_us=True)))
    assert (report.stored, report.duplicates) == (0, 1)
    with store.read() as session:
        assert set(session.scalars(sa.select(PostSource.source_id))) == {first_id, second_id}
        post = posts_of(session)["1"]
        assert post.source_id == first_id
        assert post.text == "Il caffè è freddo", "another source's wording is no edit"
        assert post.mentions_us


def test_our_own_posts_skip_the_tags_and_are_marked(store: Store) -> None:
    _, source_id = set_up(store)
    report = take_in(store, source_id, page(fetched("1", author=us()), fetched("2")))
    with store.read() as session:
        posts = posts_of(session)
        assert posts["1"].is_own
        assert posts["1"].state is PostState.TAGGED
        assert not posts["2"].is_own
        assert report.own_ids == (posts["1"].id,)
        assert session.scalar(sa.select(Identity.external_id).where(Identity.is_own)) == OWN_ID


def test_an_account_once_known_as_ours_stays_ours(store: Store) -> None:
    _, source_id = set_up(store)
    take_in(store, source_id, page(fetched("1")))
    with store.write() as session:
        session.execute(sa.update(Identity).values(is_own=True))
    take_in(store, source_id, page(fetched("2")))
    with store.read() as session:
        assert posts_of(session)["2"].is_own


@pytest.mark.parametrize("original_first", [True, False])
def test_a_repost_counts_once_on_its_original(store: Store, *, original_first: bool) -> None:
    _, source_id = set_up(store)
    original, repost = fetched("1"), fetched("2", "RT", author=author(2), repost_of="1")
    for post in (original, repost) if original_first else (repost, original):
        take_in(store, source_id, page(post))
    take_in(store, source_id, page(repost))
    with store.read() as session:
        posts = posts_of(session)
        assert posts["1"].reposts == 1
        assert posts["2"].state is PostState.IGNORED


def test_an_edit_replaces_the_words_and_asks_for_tags_again(store: Store) -> None:
    _, source_id = set_up(store)
    take_in(store, source_id, page(fetched("1", "prima")))
    with store.write() as session:
        session.execute(sa.update(Post).values(state=PostState.ROUTED))
        session.execute(sa.delete(DirtyBucket))
    report = take_in(store, source_id, page(fetched("1", "dopo", edited_at=NOW - timedelta(minutes=1), likes=4)))
    assert report.edited == 1
    with store.read() as session:
        post = posts_of(session)["1"]
        assert (post.text, post.state, post.likes) == ("dopo", PostState.NEW, 4)
        assert post.edited_at == NOW - timedelta(minutes=1)
    assert count(store, DirtyBucket) == 1


def test_an_older_wording_arriving_late_is_left_out(store: Store) -> None:
    _, source_id = set_up(store)
    take_in(store, source_id, page(fetched("1", "terza", edited_at=NOW - timedelta(minutes=1))))
    report = take_in(store, source_id, page(fetched("1", "seconda", edited_at=NOW - timedelta(minutes=5))))
    assert report.edited == 0


def test_a_deleted_post_is_not_brought_back_by_a_late_page(store: Store) -> None:
    _, source_id = set_up(store)
    take_in(store, source_id, page(fetched("1")))
    with store.write() as session:
        session.execute(sa.update(Post).values(text="", deleted_at_source=NOW))
    take_in(store, source_id, page(fetched("1")))
    with store.read() as session:
        assert posts_of(session)["1"].text == ""


def test_bad_records_cost_only_themselves(store: Store) -> None:
    _, source_id = set_up(store)
    good = [fetched(str(number)) for number in range(5)]
    bad = [
        fetched(""),
        fetched("a", created_at=datetime(1970, 1, 1, tzinfo=UTC)),
        fetched("b", created_at=NOW + timedelta(days=3)),
        fetched("c", created_at=datetime(2026, 11, 1)),  # noqa: DTZ001 - the naive time is the point
        dataclasses.replace(fetched("d"), text=None),  # type: ignore[arg-type] # the wrong type is the point
        dataclasses.replace(fetched("e"), author=None),  # type: ignore[arg-type] # as above
        dataclasses.replace(fetched("f"), external_id=17),  # type: ignore[arg-type] # as above
    ]
    report = take_in(store, source_id, page(*bad[:3], *good, *bad[3:], bad=(BadRecord("{", "cut off"),)))
    assert (report.stored, report.quarantined) == (5, 8)
    again = take_in(store, source_id, page(*bad, bad=(BadRecord("{", "cut off"),)))
    assert again.quarantined == 0, "the same bad record is kept once"
    with store.read() as session:
        assert all(session.scalars(sa.select(Quarantine.reason)))


def test_hostile_texts_are_stored_as_text(store: Store) -> None:
    _, source_id = set_up(store)
    texts = {
        "1": "nul\x00 here",
        "2": "lone \ud83d surrogate",
        "3": "\u202eRTL\u202c 😡👍🏽",
        "4": "x" * 1_000_000,
        "5": "'; DROP TABLE post; --",
        "6": "",
    }
    hostile = author(3, handle="ha\x00ndle" + "h" * 400, display_name="\udfff" * 10, followers=2**63)
    report = take_in(
        store, source_id, page(*(fetched(key, text, author=hostile, likes=2**40) for key, text in texts.items()))
    )
    assert report.stored == 6
    with store.read() as session:
        posts = posts_of(session)
        assert posts["1"].text == "nul\ufffd here"
        assert posts["2"].text == "lone \ufffd surrogate"
        assert posts["3"].text == texts["3"]
        assert len(posts["4"].text) == 100_000
        assert posts["4"].text.endswith("x…")
        assert posts["5"].likes == 2_147_483_647
        note = session.scalars(sa.select(Quarantine).where(Quarantine.external_id == "4")).one()
        assert "1000000" in note.reason
        assert len(note.raw.encode()) <= 64 * 1024


def test_a_time_a_little_ahead_counts_as_now(store: Store) -> None:
    _, source_id = set_up(store)
    take_in(store, source_id, page(fetched("1", created_at=NOW + timedelta(hours=2))))
    with store.read() as session:
        assert posts_of(session)["1"].created_at == NOW


def test_what_the_database_refuses_is_found_by_halving(store: Store) -> None:
    _, source_id = set_up(store)

    def refuse(_c: object, _u: object, statement: str, parameters: object, *_rest: object) -> None:
        if "INSERT INTO post " in statement and "POISON" in str(parameters):
            raise sa.exc.DataError(statement, None, ValueError("refused"))

    sa.event.listen(store.engine, "before_cursor_execute", refuse)
    posts = [fetched(str(number), "POISON" if number == 5 else "ok") for number in range(13)]
    report = take_in(store, source_id, page(*posts))
    assert (report.stored, report.quarantined) == (12, 1)
    with store.read() as session:
        assert "5" not in posts_of(session)
        assert session.scalars(sa.select(Quarantine.external_id)).all() == ["5"]


def test_erased_posts_and_authors_stay_erased(store: Store) -> None:
    brand_id, source_id = set_up(store)
    with store.write() as session:
        bury(session, brand_id, [post_digest(KEY, "x", "", "1"), author_digest(KEY, "x", "", "u9")], NOW)
    given = page(fetched("1"), fetched("2", author=author(9)), fetched("3"))
    report = take_in(store, source_id, given, tombstone_key=KEY)
    assert (report.stored, report.erased) == (1, 2)
    assert count(store, Identity) == 1


def test_profiles_follow_the_network(store: Store) -> None:
    _, source_id = set_up(store)
    take_in(store, source_id, page(fetched("1", author=author(1, followers=10))))
    take_in(store, source_id, page(fetched("2", author=author(1, handle="nuovo", followers=None))))
    with store.read() as session:
        identity = session.scalars(sa.select(Identity)).one()
        assert (identity.handle, identity.followers) == ("nuovo", 10)


def test_a_page_that_is_no_page_of_posts_harms_nothing(store: Store) -> None:
    _, source_id = set_up(store)
    report = take_in(store, source_id, page("text", {"id": 1}, fetched("1")))  # type: ignore[arg-type] # hostile connector
    assert (report.stored, report.quarantined) == (1, 2)


def test_fetched_posts_are_never_changed(store: Store) -> None:
    _, source_id = set_up(store)
    given: FetchedPost = fetched("1", "a\x00b")
    take_in(store, source_id, page(given))
    assert given.text == "a\x00b"
