"""Ingest end to end: checks, rows, authors, search index, dirty days, threads; then the same posts again."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from connectors.base import Author, FetchedPost, Page, PostKind
from inbox.listening.ingest import ingest_page
from inbox.listening.threads import thread_posts
from inbox.store.engine import Store
from inbox.store.tables import Brand, Source

START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)
PAGE = 500
WORDS = ("pacco", "bolletta", "delivery", "order", "treno", "assistenza", "support", "arrivato", "rotto", "broken",
         "grazie", "thanks", "perché", "caffè", "quando", "aspetto", "waiting", "giorni", "days", "ancora", "again",
         "negozio", "shop", "prezzo", "price", "buono", "ottimo", "terribile", "never")  # fmt: skip


def run(store: Store, n: int) -> dict[str, float]:
    """Store and thread n posts in pages of 500, one transaction each; then poll the same pages again."""
    source_id = _prepare(store)
    pages = list(_pages(n))
    store_seconds = thread_seconds = 0.0
    for page in pages:
        started = time.perf_counter()
        with store.write() as session:
            report = ingest_page(session, _source(session, source_id), page, now=NOW)
            stored = time.perf_counter()
            thread_posts(session, report.post_ids, NOW)
            threaded = time.perf_counter()
        ended = time.perf_counter()
        store_seconds += stored - started + (ended - threaded)
        thread_seconds += threaded - stored
    started = time.perf_counter()
    for page in pages:
        with store.write() as session:
            ingest_page(session, _source(session, source_id), page, now=NOW)
    again = time.perf_counter() - started
    return {
        "posts per second, stored and threaded": n / (store_seconds + thread_seconds),
        "posts per second, stored only": n / store_seconds,
        "posts per second, threads only": n / thread_seconds,
        "posts per second, all known already": n / again,
    }


def _prepare(store: Store) -> int:
    with store.write() as session:
        brand = Brand(slug="bench", name="Bench", created_at=START)
        session.add(brand)
        session.flush()
        source = Source(brand_id=brand.id, network="x", kind="own", name="bench", account_id="own", created_at=START)
        session.add(source)
        session.flush()
        return source.id


def _source(session: object, source_id: int) -> Source:
    found: Source | None = session.get(Source, source_id)  # type: ignore[attr-defined] # a Session
    assert found is not None
    return found


def _pages(n: int) -> Iterator[Page]:
    rng = random.Random(11)
    for first in range(0, n, PAGE):
        posts = tuple(_post(number, rng) for number in range(first, min(n, first + PAGE)))
        yield Page(posts=posts, cursor=str(first + PAGE), more=True)


def _post(number: int, rng: random.Random) -> FetchedPost:
    """One in three answers an earlier post; one in fifty is ours."""
    parent = str(number - rng.randint(1, 200)) if number > 200 and rng.random() < 0.33 else None
    writer = "own" if rng.random() < 0.02 else f"user{rng.randint(0, 5000)}"
    return FetchedPost(
        network="x",
        external_id=str(number),
        author=Author(external_id=writer, handle=writer, display_name=f"Name of {writer}", followers=120),
        text=" ".join(rng.choices(WORDS, k=22)) + f" {number}",
        created_at=START + timedelta(seconds=number),
        kind=PostKind.MENTION,
        parent_id=parent,
        language_hint="it",
    )
