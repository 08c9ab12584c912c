"""Topics on many posts: placing and finding, without the encoder's own time; seconds, memory, and what was found.

The posts are of a thousand matters of very different size, with a third that belongs to none, so that the pool is
always full: the hardest case for memory.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import psutil
import sqlalchemy as sa

from inbox.reputation import topics
from inbox.store.engine import Store
from inbox.store.queries.topics import list_topics
from inbox.store.tables import Brand, Identity, Post, PostTopic
from inbox.store.types import PostState
from nlp.topics import Vectors

START = datetime(2026, 11, 1, tzinfo=UTC)
MATTERS, DIRECTIONS, BATCH, CHUNK = 1_000, 160, 512, 5_000
NOISE = 0.55  # against the matter's own direction of length 1


class DrawnSpace:
    """A point for every text, drawn from the number in it: near its matter's direction, or anywhere."""

    name = "drawn.v1"
    join = 0.6
    merge = 0.85

    def __init__(self) -> None:
        draw = np.random.default_rng(1)
        self._matters = _unit(draw.normal(size=(MATTERS, DIRECTIONS)))
        # A few matters make most of the talk, as it is everywhere (Zipf).
        shares = 1.0 / np.arange(1, MATTERS + 1)
        self._shares = shares / shares.sum()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give (n, 160) rows of unit length."""
        return np.stack([self._point(int(text.rsplit(" ", 1)[1])) for text in texts])

    def _point(self, number: int) -> Vectors:
        draw = np.random.default_rng(number)
        noise = _unit(draw.normal(size=(1, DIRECTIONS)))[0]
        if number % 3 == 0:
            return noise
        matter = self._matters[draw.choice(MATTERS, p=self._shares)]
        return _unit((matter + NOISE * noise)[None])[0]


def _unit(rows: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Vectors:
    scaled: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def run(store: Store, n: int) -> dict[str, float]:
    """Place n posts in batches of 512, as the tick does."""
    brand_id = _write_posts(store, n)
    space = DrawnSpace()
    memory = psutil.Process().memory_info().rss
    peak, spent, places = memory, 0.0, 0
    while True:
        with store.read() as session:
            posts = topics.list_waiting(session, BATCH)
        if not posts:
            break
        points = space.embed([post.text for post in posts])
        begin = time.perf_counter()
        with store.write() as session:
            placed = topics.place_posts(session, posts, points, space)
            topics.find_topics(session, brand_id, space, START, placed=placed)
        spent += time.perf_counter() - begin
        places += len(posts)
        peak = max(peak, psutil.Process().memory_info().rss)
    with store.read() as session:
        found = len(list_topics(session, brand_id))
        inside = session.scalar(sa.select(sa.func.count()).where(PostTopic.topic_id.is_not(None))) or 0
    return {
        "posts": places,
        "posts per second": places / spent,
        "memory grew by, MB": (peak - memory) / 1e6,
        "topics found": found,
        "posts in a topic, of the two thirds that have a matter, %": 100 * inside / (2 * n / 3),
    }


def _write_posts(store: Store, n: int) -> int:
    with store.write() as session:
        brand = Brand(slug="topics", name="Topics", created_at=START)
        session.add(brand)
        session.flush()
        author = Identity(
            brand_id=brand.id, network="x", external_id="1", handle="one", display_name="One",
            first_seen_at=START, last_seen_at=START,
        )  # fmt: skip
        session.add(author)
        session.flush()
        brand_id, author_id = brand.id, author.id
    for start in range(1, n + 1, CHUNK):
        numbers = range(start, min(start + CHUNK, n + 1))
        with store.write() as session:
            session.execute(
                sa.insert(Post),
                [
                    {
                        "id": number, "brand_id": brand_id, "network": "x", "external_id": str(number), "kind": "post",
                        "state": PostState.ROUTED, "author_id": author_id, "text": f"matter {number}",
                        "thread_key": str(number), "language": "en", "created_at": START + timedelta(seconds=number),
                        "fetched_at": START,
                    }
                    for number in numbers
                ],
            )  # fmt: skip
            topics.wait_for_topic(session, [(brand_id, number, START) for number in numbers])
    return brand_id
