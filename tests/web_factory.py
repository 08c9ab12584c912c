"""A house with a small town in it for tests of the screens: people, a brand, posts in two languages, replies."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ascolto.web.bus import Bus
from ascolto.wiring import House, build_house
from config.settings import Publishing, Settings
from connectors.base import Capabilities, Clock, LengthRule, utc_now
from connectors.fake import FakeConnector, FakeNetwork
from connectors.registry import Registry
from inbox.people.users import hash_password
from inbox.store.engine import Store
from inbox.store.search_index import index_posts
from inbox.store.tables import (
    Brand,
    Conversation,
    ConversationLabel,
    Identity,
    Label,
    Note,
    Post,
    PostTags,
    Reply,
    Source,
    User,
)
from inbox.store.types import ConversationState, PostState, ReplyState, Role, SlaState
from nlp.base import INTENTS

PASSWORD = "una-parola-lunga"
NETWORKS = ("x", "facebook", "mastodon", "reddit", "instagram")
WORLD = "web"


class XLikeConnector(FakeConnector):
    """The in-memory network under X's name and by X's rule of length."""

    network: ClassVar[str] = "x"
    title: ClassVar[str] = "X"

    @property
    def capabilities(self) -> Capabilities:
        """As the fake network's, with 280 weighted characters."""
        return replace(super().capabilities, max_length=280, length_rule=LengthRule.X_WEIGHTED)


class MastodonLikeConnector(FakeConnector):
    """The in-memory network under Mastodon's name."""

    network: ClassVar[str] = "mastodon"
    title: ClassVar[str] = "Mastodon"

    @property
    def capabilities(self) -> Capabilities:
        """As the fake network's, by Mastodon's rule."""
        return replace(super().capabilities, max_length=500, length_rule=LengthRule.MASTODON)


@dataclass(frozen=True)
class World:
    """What was seeded."""

    brand_id: int
    anna_id: int
    marco_id: int
    conversation_ids: tuple[int, ...]
    network: FakeNetwork


def make_house(store: Store, folder: Path, *, clock: Clock = utc_now, **settings: object) -> House:
    """Build a house on a migrated store, with networks that live in this process."""
    given: dict[str, object] = {"data_dir": folder, "publishing": Publishing.LIVE, **settings}
    built = build_house(Settings(database_url=store.url.render_as_string(hide_password=False), **given), clock=clock)  # type: ignore[arg-type] - given by name
    registry = Registry()
    registry.register(XLikeConnector)
    registry.register(MastodonLikeConnector)
    return replace(built, store=store, registry=registry, bus=Bus())


def seed_world(store: Store, now: datetime, *, size: int = 24, is_demo: bool = False) -> World:
    """Store people, a brand with two publishing sources, and `size` conversations of every kind."""
    network = FakeNetwork(WORLD)
    with store.write() as session:
        brand = Brand(slug="borbotto", name="Borbotto", is_demo=is_demo, created_at=now)
        session.add(brand)
        session.flush()
        anna = _person(session, "anna@example.org", "Anna Bianchi", Role.ADMIN, "it", now)
        marco = _person(session, "marco@example.org", "Marco Serra", Role.AGENT, "en", now)
        _person(session, "lettore@example.org", "Lia Neri", Role.READ_ONLY, "it", now)
        for name in ("x", "mastodon"):
            session.add(
                Source(
                    brand_id=brand.id,
                    network=name,
                    kind="own",
                    name=f"Borbotto su {name}",
                    config={"world": WORLD},
                    account_id="u-noi",
                    account_handle="noi",
                    can_publish=True,
                    created_at=now,
                )
            )
        labels = [Label(brand_id=brand.id, name=name, hue=hue) for name, hue in (("consegna", 28), ("VIP", 265))]
        session.add_all(labels)
        session.flush()
        ids = [_seed_one(session, brand, number, now, network, (anna.id, marco.id), labels) for number in range(size)]
        session.flush()
        index_posts(session, session.scalars(sa.select(Post.id)).all())
        return World(brand.id, anna.id, marco.id, tuple(ids), network)


@lru_cache(maxsize=1)
def _hash() -> str:
    # A good hash is slow on purpose: one serves all tests.
    return hash_password(PASSWORD)


def _person(session: Session, email: str, name: str, role: Role, language: str, now: datetime) -> User:
    user = User(email=email, name=name, role=role, language=language, password_hash=_hash(), created_at=now)
    session.add(user)
    session.flush()
    return user


TALK = (
    (
        "Giulia Ferraris",
        "giuliafe",
        "it",
        "negative",
        "complaint",
        "Terza volta che il pacco della moka Borbotto arriva in ritardo. Il corriere dice A, voi B: chi mi risponde?",
        0.91,
    ),
    (
        "Tom Whitaker",
        "tomwhit",
        "en",
        "positive",
        "praise",
        "Okay the new Borbotto grinder is ridiculous. Best espresso I've had at home, full stop.",
        0.95,
    ),
    (
        "Studio Lametta",
        "lametta",
        "it",
        "neutral",
        "question",
        "Ma la macchina Borbotto Due ha il filtro per le cialde compostabili o serve l'adattatore?",
        0.72,
    ),
    (
        "Priya N.",
        "priyabrews",
        "en",
        "negative",
        "churn_threat",
        "Two weeks waiting for a refund, @borbotto. I'm done, cancelling the subscription today.",
        0.88,
    ),
    (
        "Nonno Aldo",
        "aldo1948",
        "it",
        "positive",
        "advocacy",
        "Regalata a tutti i nipoti. Compratela, dura una vita: https://www.example.org/moka/storia-di-una-caffettiera-che-borbotta",
        0.83,
    ),
    ("Café Ouvert", "cafeouvert", "fr", "neutral", "other", "On parle de Borbotto ce soir à la radio.", 0.44),
    (
        "Elena Toscano",
        "elenat",
        "it",
        "negative",
        "crisis_signal",
        "La resistenza ha fatto scintille e ha bruciato il piano. C'era mia figlia vicino. Chiamo l'avvocato.",
        0.97,
    ),
    (
        "Dan O'Hara",
        "danohara",
        "en",
        "neutral",
        "suggestion",
        "Would love a matte green version of the kettle, to go with the cups 🙏",
        0.66,
    ),
)


def _seed_one(
    session: Session,
    brand: Brand,
    number: int,
    now: datetime,
    network: FakeNetwork,
    people: tuple[int, int],
    labels: list[Label],
) -> int:
    name, handle, language, sentiment, intent, text, confidence = TALK[number % len(TALK)]
    where = NETWORKS[number % len(NETWORKS)]
    at = now - timedelta(minutes=7 + number * 23)
    external = network.add_post(f"{handle}{number}", text, created_at=at)
    followers = (12_400, 860, 3_120, 54_000, 130)[number % 5]
    who = Identity(
        brand_id=brand.id,
        network=where,
        external_id=f"u{number}",
        handle=f"{handle}{number if number >= len(TALK) else ''}",
        display_name=name,
        followers=followers,
        is_verified=number % 7 == 3,
        url="https://example.org/u",
        first_seen_at=at - timedelta(days=90),
        last_seen_at=at,
    )
    session.add(who)
    session.flush()
    conversation = _conversation(brand, number, where, external, who, TALK[number % len(TALK)], at, now, people)
    session.add(conversation)
    session.flush()
    post = _post(brand, conversation, who, external, text, language, at)
    session.add(post)
    session.flush()
    session.add(_tags(brand, post, language, sentiment, intent, confidence, at))
    if number % 3 == 0:
        _add_comment(session, brand, conversation, post, who, at)
    if number % 4 == 1:
        conversation.reply_count = 1
        conversation.first_reply_at = at + timedelta(minutes=12)
        session.add(
            Reply(
                brand_id=brand.id,
                conversation_id=conversation.id,
                post_id=post.id,
                text="Grazie di cuore! Un abbraccio dalla torrefazione ☕",
                state=ReplyState.SENT,
                external_id=f"r{number}",
                url="https://example.org/r",
                user_id=people[1],
                created_at=at + timedelta(minutes=11),
                queued_at=at + timedelta(minutes=11),
                sent_at=at + timedelta(minutes=12),
            )
        )
    if number == 0:
        session.add(
            Note(
                conversation_id=conversation.id,
                user_id=people[1],
                text="Sentito il corriere: consegna domani entro le 12. Il numero d'ordine è nel gestionale.",
                created_at=at + timedelta(minutes=3),
            )
        )
        session.add(ConversationLabel(conversation_id=conversation.id, label_id=labels[0].id))
    return conversation.id


def _conversation(
    brand: Brand,
    number: int,
    where: str,
    external: str,
    who: Identity,
    talk: tuple[str, str, str, str, str, str, float],
    at: datetime,
    now: datetime,
    people: tuple[int, int],
) -> Conversation:
    _, _, language, sentiment, intent, text, confidence = talk
    due = now + timedelta(minutes=(-12, 38, 95, 240)[number % 4])
    return Conversation(
        brand_id=brand.id,
        network=where,
        thread_key=external,
        author_id=who.id,
        preview=text,
        language=language,
        audience=who.followers or 0,
        sentiment=sentiment,
        sentiment_confidence=confidence,
        sentiment_unsure=confidence < 0.6,
        intent=intent,
        intent_confidence=confidence - 0.2,
        intents=[intent],
        post_count=1,
        is_unread=number % 2 == 0,
        assignee_id=(people[0], None, people[1])[number % 3],
        priority=100 - number,
        priority_reasons=[
            {"reason": "sla", "value": "soon", "points": 30},
            {"reason": "intent", "value": intent, "points": 25},
            {"reason": "audience", "points": 21},
        ],
        sla_state=SlaState.ACTIVE if number % 4 != 1 else SlaState.HIT,
        sla_started_at=at,
        sla_due_at=due if number % 4 != 1 else None,
        first_inbound_at=at,
        last_inbound_at=at,
        last_activity_at=at,
        state=ConversationState.OPEN,
        created_at=at,
    )


def _post(
    brand: Brand, conversation: Conversation, who: Identity, external: str, text: str, language: str, at: datetime
) -> Post:
    return Post(
        brand_id=brand.id,
        network=conversation.network,
        external_id=external,
        kind="mention",
        state=PostState.ROUTED,
        author_id=who.id,
        conversation_id=conversation.id,
        text=text,
        url=f"https://example.org/p/{external}",
        thread_key=external,
        mentions_us=True,
        language=language,
        created_at=at,
        fetched_at=at,
    )


def _tags(
    brand: Brand, post: Post, language: str, sentiment: str, intent: str, confidence: float, at: datetime
) -> PostTags:
    rest = (1 - confidence) / 2
    return PostTags(
        brand_id=brand.id,
        post_id=post.id,
        tagger="embedded.v1",
        language=language,
        language_confidence=0.98,
        sentiment_label=sentiment,
        sentiment_confidence=confidence,
        sentiment_unsure=confidence < 0.6,
        sentiment={name: confidence if name == sentiment else rest for name in ("negative", "neutral", "positive")},
        intent_labels=[intent],
        intents_unsure=confidence < 0.7,
        intents={name: (confidence - 0.2 if name == intent else 0.03) for name in INTENTS},
        tagged_at=at,
    )


def _add_comment(
    session: Session, brand: Brand, conversation: Conversation, post: Post, who: Identity, at: datetime
) -> None:
    other = Identity(
        brand_id=brand.id,
        network=post.network,
        external_id=f"{who.external_id}-friend",
        handle="passante",
        display_name="Un passante",
        followers=77,
        first_seen_at=at,
        last_seen_at=at,
    )
    session.add(other)
    session.flush()
    comment = _post(
        brand,
        conversation,
        other,
        f"{post.external_id}-c",
        "Anche a me, due settimane fa. Poi più nulla.",
        "it",
        at + timedelta(minutes=2),
    )
    comment.parent_external_id, comment.thread_key = post.external_id, post.external_id
    session.add(comment)
    conversation.post_count = 2
