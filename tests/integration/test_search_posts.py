"""Search on both databases: words, prefixes, phrases, authors; hostile queries find nothing and harm nothing."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbox.listening.ingest import ingest_page
from inbox.store.engine import Store
from inbox.store.queries import search
from inbox.store.queries.identities import is_called
from inbox.store.queries.search import search_posts
from inbox.store.search_index import fold_words, index_posts, unindex_posts
from inbox.store.tables import Identity
from tests.listening_factory import NOW, add_brand, add_source, author, fetched, page

TEXTS = (
    "Il caffè è buonissimo, perché non riapre?",
    "L'app non funziona più: errore 500",
    "My order never arrived, terrible delivery",
    "CAFFÈ freddo e servizio lento @cafflino",
    "Große Straße, très cher",
    "日本語のテキスト 😡",
)


@pytest.fixture
def brand_id(store: Store) -> int:
    with store.write() as session:
        brand = add_brand(session)
        source = add_source(session, brand)
        posts = [
            fetched(str(n), text, author=author(n, handle=f"Mario_{n}"), created_at=NOW - timedelta(minutes=60 - n))
            for n, text in enumerate(TEXTS)
        ]
        ingest_page(session, source, page(*posts), now=NOW)
        other = add_source(session, add_brand(session, "other"))
        ingest_page(session, other, page(fetched("x", "caffè di altri")), now=NOW)
        return brand.id


def find(store: Store, brand_id: int, typed: str, **options: object) -> list[str]:
    with store.read() as session:
        found = search_posts(session, brand_id, typed, **options)  # type: ignore[arg-type] # options of search_posts
        return [hit.post.external_id for hit in found.posts]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("caffe", ["3", "0"]),
        ("CAFFÈ", ["3", "0"]),
        ("caffè buonissimo", ["0"]),
        ("caffè -freddo", ["0"]),
        ("caff*", ["3", "0"]),
        ("buoniss*", ["0"]),
        ('"servizio lento"', ["3"]),
        ('"lento servizio"', []),
        ('"non funz"*', []),
        ("l'app", ["1"]),
        ("500", ["1"]),
        ("strasse", ["4"]),
        ("tres", ["4"]),
        ("@cafflino", ["3"]),
        ("from:mario_2", ["2"]),
        ("from:@Mario_2 order", ["2"]),
        ("da:Mario_0 order", []),
        ("mario", ["5", "4", "3", "2", "1", "0"]),
        ("", []),
        ("-caffè", []),
        ("from:", []),
        ("😡", []),
    ],
)
def test_what_is_typed_finds(store: Store, brand_id: int, typed: str, expected: list[str]) -> None:
    assert find(store, brand_id, typed) == expected


def test_filters_narrow_the_result(store: Store, brand_id: int) -> None:
    assert find(store, brand_id, "caffè", limit=1) == ["3"]
    assert find(store, brand_id, "caffè", until=NOW - timedelta(minutes=58)) == ["0"]
    assert find(store, brand_id, "caffè", since=NOW) == []
    assert find(store, brand_id, "caffè", network="reddit") == []


def test_common_words_look_at_the_latest_only(store: Store, brand_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "COMMON", 1)
    with store.read() as session:
        found = search_posts(session, brand_id, "caffè")
    assert found.is_partial
    assert [hit.post.external_id for hit in found.posts] == ["3"]


def test_posts_leave_and_enter_the_index(store: Store, brand_id: int) -> None:
    with store.write() as session:
        ids = [hit.post.id for hit in search_posts(session, brand_id, "caffè").posts]
        unindex_posts(session, ids)
    assert find(store, brand_id, "caffè") == []
    with store.write() as session:
        assert index_posts(session, [*ids, 999_999]) == 2
    assert find(store, brand_id, "caffè") == ["3", "0"]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.text(max_size=60) | st.text(alphabet="\"*():^-+&|!'\\\x00 aà:ORANDNOT", max_size=40))
def test_no_query_ever_fails(store: Store, brand_id: int, typed: str) -> None:
    find(store, brand_id, typed)


def test_words_are_folded_and_cut() -> None:
    assert fold_words("Perché l’Àpp?") == "perche l app"
    assert fold_words("a" * 500) == "a" * 200
    assert len(fold_words("é " * 200_000)) <= 100_000


def test_authors_are_looked_up_by_index(store: Store, brand_id: int) -> None:
    with store.write() as session:
        query = sa.select(Identity.id).where(*is_called(brand_id, "mario_3"))
        compiled = query.compile(session.connection(), compile_kwargs={"literal_binds": True})
        if session.connection().dialect.name == "sqlite":
            plan = session.execute(sa.text(f"EXPLAIN QUERY PLAN {compiled}")).all()
        else:
            session.execute(sa.text("SET LOCAL enable_seqscan = off"))
            plan = session.execute(sa.text(f"EXPLAIN {compiled}")).all()
    assert "ix_identity_handle" in str(plan)


def test_authors_are_found_whatever_the_case_and_the_script(store: Store, brand_id: int) -> None:
    with store.write() as session:
        session.execute(sa.update(Identity).where(Identity.external_id == "u1").values(handle="Perché"))
    assert find(store, brand_id, "da:@PERCHé") == find(store, brand_id, "from:perché") == ["1"]
