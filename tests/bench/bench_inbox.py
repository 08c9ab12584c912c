"""Times the inbox's list queries on a database of many conversations."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from inbox.store.engine import Store
from inbox.store.queries.conversations import ConversationFilters, Sort, count_views, list_conversations
from inbox.store.tables import Brand, Conversation, Identity, User
from inbox.store.types import ConversationState

NOW = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
OPEN_SHARE = 0.03
BATCH = 20_000
AGENTS = 25
ROUNDS = 200


def run(store: Store, conversations: int) -> dict[str, float]:
    """Fill the store with that many conversations; give milliseconds (p50 and p95) of the lists people open."""
    brand_id, agents = _fill(store, conversations)
    rng = random.Random(7)
    questions: dict[str, Callable[[], object]] = {}
    with store.read() as session:
        for name, filters in {
            "all open by SLA": ConversationFilters(brand_id=brand_id),
            "newest": ConversationFilters(brand_id=brand_id, sort=Sort.NEWEST),
            "negative complaints": ConversationFilters(
                brand_id=brand_id, sentiments=("negative",), intents=("complaint",)
            ),
            "resolved, newest": ConversationFilters(
                brand_id=brand_id, states=(ConversationState.RESOLVED,), sort=Sort.NEWEST
            ),
        }.items():
            questions[name] = lambda filters=filters: list_conversations(session, filters, now=NOW)
        questions["mine"] = lambda: list_conversations(
            session, ConversationFilters(brand_id=brand_id, assignee=rng.choice(agents)), now=NOW
        )
        questions["counts of the views"] = lambda: count_views(session, rng.choice(agents), now=NOW)
        figures: dict[str, float] = {}
        for name, ask in questions.items():
            times = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                ask()
                session.expunge_all()
                times.append((time.perf_counter() - start) * 1000)
            times.sort()
            figures[f"{name}, p50"] = times[len(times) // 2]
            figures[f"{name}, p95"] = times[int(len(times) * 0.95)]
    return figures


def _fill(store: Store, count: int) -> tuple[int, list[int]]:
    rng = random.Random(11)
    with store.write() as session:
        brand = Brand(slug="bench", name="Bench", created_at=NOW)
        users = [
            User(email=f"{n}@example.org", name=f"Agent {n}", password_hash="-", created_at=NOW) for n in range(AGENTS)
        ]
        session.add_all([brand, *users])
        session.flush()
        people = [
            Identity(brand_id=brand.id, network="x", external_id=str(n), handle=f"u{n}", followers=n,
                     first_seen_at=NOW, last_seen_at=NOW) for n in range(2_000)
        ]  # fmt: skip
        session.add_all(people)
        session.flush()
        brand_id, agents, authors = brand.id, [user.id for user in users], [person.id for person in people]
    for start in range(0, count, BATCH):
        rows = [_conversation(rng, n, brand_id, agents, authors) for n in range(start, min(start + BATCH, count))]
        with store.write() as session:
            session.execute(sa.insert(Conversation), rows)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    return brand_id, agents


def _conversation(rng: random.Random, number: int, brand_id: int, agents: list[int], authors: list[int]) -> Any:
    is_open = rng.random() < OPEN_SHARE
    active_at = NOW - timedelta(minutes=rng.randrange(60 * 24 * (3 if is_open else 360)))
    return {
        "brand_id": brand_id,
        "network": rng.choice(("x", "facebook", "reddit", "mastodon")),
        "thread_key": str(number),
        "state": ConversationState.OPEN if is_open else ConversationState.RESOLVED,
        "assignee_id": rng.choice([None, *agents]),
        "author_id": rng.choice(authors),
        "preview": "Il pacco non è arrivato e nessuno risponde",
        "audience": rng.randrange(20_000),
        "language": rng.choice(("it", "en")),
        "sentiment": rng.choice(("negative", "neutral", "positive")),
        "sentiment_confidence": rng.random(),
        "sentiment_unsure": rng.random() < 0.15,
        "intent": rng.choice(("complaint", "question", "praise", "other")),
        "emotion": rng.choice(("anger", "joy", "none", None)),
        "urgency": rng.choices((None, 0, 1, 2, 3), (30, 20, 35, 12, 3))[0],
        "is_toxic": rng.random() < 0.02,
        "priority": rng.randrange(100),
        "post_count": 1,
        "first_inbound_at": active_at,
        "last_inbound_at": active_at,
        "last_activity_at": active_at,
        "sla_due_at": active_at + timedelta(hours=1) if is_open else None,
        "created_at": active_at,
    }
