"""Builders of brands, people, posts and conversations for the tests of triage and replies."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from inbox.store.tables import Brand, Conversation, Identity, Post, PostTags, Source, User
from inbox.store.types import PostState, Role

WEEK = {str(day): [["09:00", "17:00"]] for day in range(5)}


def make_brand(session: Session, *, now: datetime, slug: str = "terrae", **values: object) -> Brand:
    """An own brand, open on weekdays from nine to five in Rome."""
    brand = Brand(
        **{"slug": slug, "name": slug.title(), "business_hours": WEEK, "created_at": now, **values}  # type: ignore[arg-type] - plain column values
    )
    session.add(brand)
    session.flush()
    return brand


def make_user(session: Session, *, now: datetime, name: str = "Giulia", **values: object) -> User:
    """An active agent."""
    user = User(
        **{
            "email": f"{name.lower()}@example.org",
            "name": name,
            "role": Role.AGENT,
            "password_hash": "x",
            "created_at": now,
            **values,
        }
    )
    session.add(user)
    session.flush()
    return user


def make_source(session: Session, brand: Brand, *, now: datetime, **values: object) -> Source:
    """A source that may publish."""
    source = Source(
        **{
            "brand_id": brand.id,
            "network": "fake",
            "kind": "own",
            "name": "fake",
            "account_id": "us",
            "account_handle": "terrae",
            "can_publish": True,
            "created_at": now,
            **values,
        }
    )
    session.add(source)
    session.flush()
    return source


def make_identity(session: Session, brand: Brand, *, now: datetime, handle: str, **values: object) -> Identity:
    """Somebody's account on the network."""
    identity = Identity(
        **{
            "brand_id": brand.id,
            "network": "fake",
            "external_id": f"id-{handle}",
            "handle": handle,
            "first_seen_at": now,
            "last_seen_at": now,
            **values,
        }
    )
    session.add(identity)
    session.flush()
    return identity


def make_post(
    session: Session,
    brand: Brand,
    author: Identity,
    *,
    now: datetime,
    external_id: str,
    text: str = "Dove sono i miei biscotti?",
    **values: object,
) -> Post:
    """A tagged post that is not yet routed."""
    post = Post(
        **{
            "brand_id": brand.id,
            "network": "fake",
            "external_id": external_id,
            "kind": "mention",
            "state": PostState.TAGGED,
            "author_id": author.id,
            "text": text,
            "thread_key": values.get("parent_external_id") or external_id,
            "mentions_us": True,
            "created_at": now,
            "fetched_at": now,
            **values,
        }
    )
    session.add(post)
    session.flush()
    return post


def tag_post(session: Session, post: Post, *, now: datetime, **values: object) -> PostTags:
    """The machine's tags of a complaint."""
    tags = PostTags(
        **{
            "brand_id": post.brand_id,
            "post_id": post.id,
            "tagger": "test.v1",
            "language": "it",
            "language_confidence": 0.99,
            "sentiment_label": "negative",
            "sentiment_confidence": 0.9,
            "sentiment_unsure": False,
            "sentiment": {"negative": 0.9, "neutral": 0.05, "positive": 0.05},
            "intent_labels": ["complaint"],
            "intents_unsure": False,
            "intents": {"complaint": 0.8, "question": 0.1},
            "tagged_at": now,
            **values,
        }
    )
    session.add(tags)
    session.flush()
    return tags


def make_conversation(
    session: Session, brand: Brand, *, now: datetime, key: str = "t1", **values: object
) -> Conversation:
    """An open conversation as threading would leave it."""
    conversation = Conversation(
        **{
            "brand_id": brand.id,
            "network": "fake",
            "thread_key": key,
            "first_inbound_at": now,
            "last_inbound_at": now,
            "last_activity_at": now,
            "post_count": 1,
            "created_at": now,
            **values,
        }
    )
    session.add(conversation)
    session.flush()
    return conversation


def make_case(
    session: Session, *, now: datetime, key: str = "t1", brand: Brand | None = None
) -> tuple[Conversation, Post]:
    """A brand with a source and an open conversation of one inbound post."""
    brand = brand or make_brand(session, now=now)
    source = make_source(session, brand, now=now, name=f"fake-{key}")
    author = make_identity(session, brand, now=now, handle=f"anna-{key}")
    conversation = make_conversation(session, brand, now=now, key=key, author_id=author.id)
    post = make_post(
        session,
        brand,
        author,
        now=now - timedelta(seconds=1),
        external_id=key,
        state=PostState.ROUTED,
        conversation_id=conversation.id,
        source_id=source.id,
    )
    return conversation, post
