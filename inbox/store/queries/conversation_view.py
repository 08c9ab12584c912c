"""One conversation with everything a screen shows of it, in few statements."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from inbox.errors import NotFoundError
from inbox.store.queries.threads import list_merged_ids
from inbox.store.tables import (
    AuditEvent,
    Brand,
    Contact,
    Conversation,
    ConversationLabel,
    Correction,
    Identity,
    Label,
    Note,
    Post,
    PostTags,
    Reply,
    ReplyLease,
    Source,
    User,
)

MAX_POSTS = 500
MAX_EVENTS = 200
MAX_EARLIER = 20


@dataclass(frozen=True, slots=True)
class PostView:
    """A message with its author, the machine's tags and people's corrections by task."""

    post: Post
    author: Identity
    tags: PostTags | None
    corrections: Mapping[str, Correction]


@dataclass(frozen=True, slots=True)
class NoteView:
    """An internal note and who wrote it."""

    note: Note
    user_name: str | None


@dataclass(frozen=True, slots=True)
class ReplyView:
    """One of our replies and who wrote it."""

    reply: Reply
    user_name: str | None


@dataclass(frozen=True, slots=True)
class EventView:
    """A step of the audit trail and who took it; None: the product itself."""

    event: AuditEvent
    user_name: str | None


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as its screen shows it. Posts, notes, replies and events stand oldest first.

    `hidden_posts` counts older posts left out of a very long thread (its root is always there). `earlier` are
    other conversations of the same author, newest first. The lease is given whether or not it has expired.
    """

    conversation: Conversation
    brand: Brand
    author: Identity | None
    contact: Contact | None
    assignee: User | None
    lease: ReplyLease | None
    lease_name: str | None
    labels: tuple[Label, ...]
    posts: tuple[PostView, ...]
    hidden_posts: int
    notes: tuple[NoteView, ...]
    replies: tuple[ReplyView, ...]
    events: tuple[EventView, ...]
    earlier: tuple[Conversation, ...]


def get_conversation(session: Session, conversation_id: int, *, for_update: bool = False) -> Conversation:
    """Give a conversation, locked against other writers if asked; NotFoundError when there is none."""
    found = session.get(Conversation, conversation_id, with_for_update=for_update or None, populate_existing=for_update)
    if found is None:
        raise NotFoundError("This conversation does not exist.", log_message=f"no conversation {conversation_id}")
    return found


def get_conversation_view(session: Session, conversation_id: int, *, max_posts: int = MAX_POSTS) -> ConversationView:
    """Give a conversation with all its screen shows, in ten statements; NotFoundError when there is none."""
    assignee, writer = aliased(User), aliased(User)
    head = session.execute(
        sa.select(Conversation, Brand, Identity, Contact, assignee, ReplyLease, writer.name)
        .join(Brand, Brand.id == Conversation.brand_id)
        .outerjoin(Identity, Identity.id == Conversation.author_id)
        .outerjoin(Contact, Contact.id == Identity.contact_id)
        .outerjoin(assignee, assignee.id == Conversation.assignee_id)
        .outerjoin(ReplyLease, ReplyLease.conversation_id == Conversation.id)
        .outerjoin(writer, writer.id == ReplyLease.user_id)
        .where(Conversation.id == conversation_id)
    ).one_or_none()
    if head is None:
        raise NotFoundError("This conversation does not exist.", log_message=f"no conversation {conversation_id}")
    conversation, brand, author, contact, assigned, lease, lease_name = head
    posts, hidden = _posts_of(session, conversation, max_posts)
    return ConversationView(
        conversation=conversation,
        brand=brand,
        author=author,
        contact=contact,
        assignee=assigned,
        lease=lease,
        lease_name=lease_name,
        labels=tuple(
            session.scalars(
                sa.select(Label)
                .join(ConversationLabel, ConversationLabel.label_id == Label.id)
                .where(ConversationLabel.conversation_id == conversation_id)
                .order_by(Label.name)
            )
        ),
        posts=posts,
        hidden_posts=hidden,
        notes=_notes_of(session, conversation_id),
        replies=_replies_of(session, conversation_id),
        events=_events_of(session, conversation_id),
        earlier=_earlier_of(session, conversation),
    )


def list_publishing_sources(session: Session, conversation: Conversation) -> list[Source]:
    """Give the sources that may carry an answer into a conversation, those that heard it first."""
    heard = sa.select(Post.source_id).where(Post.conversation_id == conversation.id, Post.source_id.is_not(None))
    return list(
        session.scalars(
            sa.select(Source)
            .where(
                Source.brand_id == conversation.brand_id,
                Source.network == conversation.network,
                Source.instance == conversation.instance,
                Source.can_publish.is_(True),
            )
            .order_by(Source.id.in_(heard).desc(), Source.id)
        )
    )


def _posts_of(session: Session, conversation: Conversation, limit: int) -> tuple[tuple[PostView, ...], int]:
    is_root = Post.external_id == conversation.thread_key
    found = session.execute(
        sa.select(Post, Identity, PostTags)
        .join(Identity, Identity.id == Post.author_id)
        .outerjoin(PostTags, sa.and_(PostTags.brand_id == Post.brand_id, PostTags.post_id == Post.id))
        .where(Post.conversation_id == conversation.id)
        .order_by(is_root.desc(), Post.created_at.desc(), Post.id.desc())
        .limit(limit)
    ).all()
    corrections = _corrections_in(session, conversation.id)
    views = [PostView(post, author, tags, corrections.get(post.id, {})) for post, author, tags in found]
    views.sort(key=lambda view: (view.post.created_at, view.post.id))
    hidden = max(0, conversation.post_count - len(views)) if len(found) == limit else 0
    return tuple(views), hidden


def _corrections_in(session: Session, conversation_id: int) -> dict[int, dict[str, Correction]]:
    statement = (
        sa.select(Correction)
        .join(Post, sa.and_(Post.id == Correction.post_id, Post.brand_id == Correction.brand_id))
        .where(Post.conversation_id == conversation_id)
    )
    by_post: dict[int, dict[str, Correction]] = {}
    for correction in session.scalars(statement):
        by_post.setdefault(correction.post_id, {})[correction.task] = correction
    return by_post


def _notes_of(session: Session, conversation_id: int) -> tuple[NoteView, ...]:
    statement = (
        sa.select(Note, User.name)
        .outerjoin(User, User.id == Note.user_id)
        .where(Note.conversation_id == conversation_id)
        .order_by(Note.created_at, Note.id)
    )
    return tuple(NoteView(note, name) for note, name in session.execute(statement))


def _replies_of(session: Session, conversation_id: int) -> tuple[ReplyView, ...]:
    statement = (
        sa.select(Reply, User.name)
        .outerjoin(User, User.id == Reply.user_id)
        .where(Reply.conversation_id == conversation_id)
        .order_by(Reply.created_at, Reply.id)
    )
    return tuple(ReplyView(reply, name) for reply, name in session.execute(statement))


def _events_of(session: Session, conversation_id: int) -> tuple[EventView, ...]:
    statement = (
        sa.select(AuditEvent, User.name)
        .outerjoin(User, User.id == AuditEvent.user_id)
        .where(AuditEvent.conversation_id.in_([conversation_id, *list_merged_ids(session, conversation_id)]))
        .order_by(AuditEvent.id.desc())
        .limit(MAX_EVENTS)
    )
    return tuple(reversed([EventView(event, name) for event, name in session.execute(statement)]))


def _earlier_of(session: Session, conversation: Conversation) -> tuple[Conversation, ...]:
    if conversation.author_id is None:
        return ()
    theirs = sa.select(Post.conversation_id).where(
        Post.author_id == conversation.author_id, Post.conversation_id.is_not(None)
    )
    return tuple(
        session.scalars(
            sa.select(Conversation)
            .where(Conversation.id.in_(theirs), Conversation.id != conversation.id)
            .order_by(Conversation.last_activity_at.desc(), Conversation.id.desc())
            .limit(MAX_EARLIER)
        )
    )
