"""A post's way from the network's page to somebody's queue, step by step; then the same pages polled again.

Checks, rows, authors, search index, dirty days; tags by the tagger in the package; threads and routing with
clocks, turns and audit. Rates by the clock are of a machine others use too, so each is given by CPU second too:
the seconds this process spent, to which a PostgreSQL server adds its own.
"""

import random
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from connectors.base import Author, FetchedPost, Media, Page, PostKind
from inbox.listening.ingest import ingest_page
from inbox.listening.tagging import tag_posts
from inbox.store.engine import Store
from inbox.store.tables import Brand, Source, User
from inbox.store.types import Role
from inbox.triage.routing import route_posts
from nlp.base import Tagger
from nlp.corpus.check import load_corpus
from nlp.entities import BrandTerms
from nlp.pipeline import load_tagger

START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)
PAGE = 500
AUTHORS, AGENTS = 5_000, 20
# How many of a hundred posts are what they are; the others open threads of their own.
REPLIES, LATE_PARENTS, REPOSTS, OURS, PICTURES = 33, 3, 3, 2, 10


class Stopwatch:
    """Adds up seconds by the clock and of this process, by step."""

    def __init__(self) -> None:
        self.wall: defaultdict[str, float] = defaultdict(float)
        self.cpu: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what the block takes."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall[name] += time.perf_counter() - wall
        self.cpu[name] += time.process_time() - cpu


def run(store: Store, n: int, *, model: str) -> dict[str, float]:
    """Take n posts all the way in pages of 500, a transaction for each step; then poll the same pages again."""
    source_id = _prepare(store)
    tagger = load_tagger(
        model=model, terms=BrandTerms(brands={"Lumea": ["Lumea Telecom"]}, competitors=["Nubifon", "Telamar"])
    )
    # What a process loads when first needed is loaded once in its life, not once in so many posts.
    tagger.tag([post.text for post in load_corpus()][:500])
    pages = list(_pages(n))
    watch = Stopwatch()
    for page in pages:
        _take_in(store, source_id, page, tagger, watch)
    for page in pages:
        with watch.step("again"), store.write() as session:
            ingest_page(session, _source(session, source_id), page, now=NOW)
    return _figures(n, watch)


def _take_in(store: Store, source_id: int, page: Page, tagger: Tagger, watch: Stopwatch) -> None:
    with watch.step("stored"), store.write() as session:
        report = ingest_page(session, _source(session, source_id), page, now=NOW)
    with watch.step("tagged"), store.write() as session:
        tagged = tag_posts(session, report.post_ids, tagger, NOW)
    with watch.step("routed"), store.write() as session:
        route_posts(session, [*tagged, *report.own_ids], NOW)


def _figures(n: int, watch: Stopwatch) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, steps in (
        ("end to end", ("stored", "tagged", "routed")),
        ("stored", ("stored",)),
        ("tagged", ("tagged",)),
        ("threaded and routed", ("routed",)),
        ("tagged, threaded and routed", ("tagged", "routed")),
        ("polled again, all known", ("again",)),
    ):
        figures[f"posts per second, {name}"] = n / sum(watch.wall[step] for step in steps)
        figures[f"posts per CPU second, {name}"] = n / sum(watch.cpu[step] for step in steps)
    # Linux counts in kilobytes, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures["peak memory of the process, MB"] = peak / (1e6 if sys.platform == "darwin" else 1e3)
    return figures


def _prepare(store: Store) -> int:
    with store.write() as session:
        brand = Brand(slug="bench", name="Bench", created_at=START)
        session.add(brand)
        session.flush()
        source = Source(brand_id=brand.id, network="x", kind="own", name="bench", account_id="own", created_at=START)
        session.add(source)
        session.add_all(
            User(
                email=f"agent{number}@example.org",
                name=f"Agent {number}",
                role=Role.AGENT,
                password_hash="!",
                created_at=START,
            )
            for number in range(AGENTS)
        )
        session.flush()
        return source.id


def _source(session: Session, source_id: int) -> Source:
    return session.get_one(Source, source_id)


def _pages(n: int) -> Iterator[Page]:
    rng = random.Random(11)
    texts = [post.text for post in load_corpus()]
    late = {number for number in range(n) if rng.randrange(100) < LATE_PARENTS}
    posts = [_post(number, rng, texts, late) for number in range(n)]
    for first in range(0, n, PAGE):
        yield Page(posts=tuple(posts[first : first + PAGE]), cursor=str(first + PAGE), more=True)


def _post(number: int, rng: random.Random, texts: Sequence[str], late: set[int]) -> FetchedPost:
    """One post of the mix: a third answer an earlier one, a few one that comes later, a few are reposts or ours."""
    parent: str | None = None
    if number in late:
        parent = str(number + rng.randint(1, 300))
    elif number > 200 and rng.randrange(100) < REPLIES:
        parent = str(number - rng.randint(1, 200))
    is_repost = parent is None and number > 200 and rng.randrange(100) < REPOSTS
    writer = "own" if rng.randrange(100) < OURS else f"user{rng.randrange(AUTHORS)}"
    picture = Media(url=f"https://pictures.example.org/{number}.jpg", kind="image")
    return FetchedPost(
        network="x",
        external_id=str(number),
        author=Author(
            external_id=writer,
            handle=writer,
            display_name=f"Name of {writer}",
            url=f"https://x.example.org/{writer}",
            followers=rng.randrange(2_000) if writer == "own" else len(writer) * 40,
        ),
        text=f"{rng.choice(texts)} {number}",
        created_at=START + timedelta(seconds=60 * number % 2_400_000),
        kind=PostKind.MENTION,
        url=f"https://x.example.org/{writer}/status/{number}",
        parent_id=parent,
        repost_of=str(number - rng.randint(1, 200)) if is_repost else None,
        media=(picture,) if rng.randrange(100) < PICTURES else (),
        likes=rng.randrange(30),
        language_hint="it" if rng.random() < 0.5 else None,
    )
