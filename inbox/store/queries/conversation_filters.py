"""What a list of conversations is narrowed to, and the SQL conditions that say so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from inbox.store.queries.search import search_posts
from inbox.store.statements import is_one_of
from inbox.store.tables import Brand, Contact, Conversation, ConversationLabel, Identity, Post, PostTopic, Reply
from inbox.store.types import ConversationState, ReplyState

RESOLVED_WINDOW = timedelta(days=30)
AT_RISK = timedelta(minutes=30)
MOST_FOUND = 500


class Sort(StrEnum):
    """Order of a list: first-response due first, latest activity, longest waiting, or highest priority."""

    SLA = "sla"
    NEWEST = "newest"
    OLDEST = "oldest"
    RISK = "risk"


class AssigneeFilter(StrEnum):
    """Whose conversations, when no person is meant."""

    ANY = "any"
    NONE = "none"


class SlaFilter(StrEnum):
    """`late`: the due time has passed; `at_risk`: late, or due within half an hour."""

    LATE = "late"
    AT_RISK = "at_risk"


@dataclass(frozen=True, slots=True)
class ConversationFilters:
    """What a list shows. Empty tuples and None mean "any"; the default is open work that is neither spam nor muted.

    `states` empty means all four. `sentiments` and `intents` are the machine's labels of the latest waiting
    message; an intent matches when it is the likeliest or over its threshold; `emotions`, `urgency_min` (1 to 3)
    and `is_toxic` hold only where the machine is sure, or a person said so. `confidence_below` (0 to 1) and
    `is_unsure` speak of the sentiment. `since`/`until` bound the last activity; for resolved conversations
    `since` defaults to 30 days ago, because a rare filter over all history is slow. `text` is a search in the
    words of the posts.
    """

    brand_id: int | None = None
    networks: tuple[str, ...] = ()
    states: tuple[ConversationState, ...] = (ConversationState.OPEN,)
    assignee: int | AssigneeFilter = AssigneeFilter.ANY
    sentiments: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    emotions: tuple[str, ...] = ()
    urgency_min: int | None = None
    is_toxic: bool | None = None
    languages: tuple[str, ...] = ()
    label_ids: tuple[int, ...] = ()
    topic_id: int | None = None
    is_unsure: bool | None = None
    confidence_below: float | None = None
    audience_min: int | None = None
    sla: SlaFilter | None = None
    is_vip: bool | None = None
    is_unread: bool | None = None
    is_spam: bool = False
    is_muted: bool = False
    has_problem: bool = False  # a reply failed, or nobody knows whether it stands
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sort: Sort = Sort.SLA


def conditions_of(session: Session, filters: ConversationFilters, *, now: datetime) -> list[sa.ColumnElement[bool]]:
    """Give all conditions but the state's own (see `window_of`)."""
    return [
        Conversation.is_spam.is_(filters.is_spam),
        Conversation.is_muted.is_(filters.is_muted),
        *_choices(filters),
        *_bounds(filters, now),
        *_conditions_elsewhere(session, filters),
    ]


def window_of(filters: ConversationFilters, state: ConversationState, now: datetime) -> list[sa.ColumnElement[bool]]:
    """Bound the last activity from below; always for resolved work."""
    since = filters.since
    if since is None and state is ConversationState.RESOLVED:
        since = now - RESOLVED_WINDOW
    return [] if since is None else [Conversation.last_activity_at >= since]


def has_problem() -> sa.ColumnElement[bool]:
    """Say whether a conversation holds a reply that failed or whose fate is unknown, and none newer in its place."""
    newer = aliased(Reply)
    return sa.exists().where(
        Reply.conversation_id == Conversation.id,
        Reply.state.in_((ReplyState.FAILED, ReplyState.UNKNOWN)),
        ~sa.exists().where(
            newer.post_id == Reply.post_id,
            newer.id > Reply.id,
            newer.state.in_((ReplyState.QUEUED, ReplyState.SENDING, ReplyState.SENT)),
        ),
    )


def _choices(filters: ConversationFilters) -> list[sa.ColumnElement[bool]]:
    # Conditions of equality.
    table = Conversation
    found: list[sa.ColumnElement[bool]] = []
    if filters.brand_id is not None:
        found.append(table.brand_id == filters.brand_id)
    if filters.networks:
        found.append(table.network.in_(filters.networks))
    if filters.sentiments:
        found.append(table.sentiment.in_(filters.sentiments))
    if filters.emotions:
        found.append(table.emotion.in_(filters.emotions))
    if filters.languages:
        found.append(table.language.in_(filters.languages))
    if filters.intents:
        found.append(_has_intent(filters.intents))
    if isinstance(filters.assignee, int):
        found.append(table.assignee_id == filters.assignee)
    elif filters.assignee is AssigneeFilter.NONE:
        found.append(table.assignee_id.is_(None))
    return found


def _bounds(filters: ConversationFilters, now: datetime) -> list[sa.ColumnElement[bool]]:
    # Conditions of degree and of yes or no.
    table = Conversation
    found: list[sa.ColumnElement[bool]] = []
    if filters.is_unsure is not None:
        found.append(table.sentiment_unsure.is_(filters.is_unsure))
    if filters.is_unread is not None:
        found.append(table.is_unread.is_(filters.is_unread))
    if filters.confidence_below is not None:
        found.append(table.sentiment_confidence < filters.confidence_below)
    if filters.is_toxic is not None:
        found.append(table.is_toxic.is_(filters.is_toxic))
    if filters.urgency_min is not None:
        found.append(table.urgency >= filters.urgency_min)
    if filters.audience_min is not None:
        found.append(table.audience >= filters.audience_min)
    if filters.sla is not None:
        found.append(table.sla_due_at < (now if filters.sla is SlaFilter.LATE else now + AT_RISK))
    if filters.until is not None:
        found.append(table.last_activity_at <= filters.until)
    return found


def _conditions_elsewhere(session: Session, filters: ConversationFilters) -> list[sa.ColumnElement[bool]]:
    # Conditions that look into other tables.
    found: list[sa.ColumnElement[bool]] = []
    if filters.label_ids:
        found.append(
            sa.exists().where(
                ConversationLabel.conversation_id == Conversation.id,
                ConversationLabel.label_id.in_(filters.label_ids),
            )
        )
    if filters.topic_id is not None:
        found.append(
            Conversation.id.in_(
                sa.select(Post.conversation_id)
                .join(PostTopic, PostTopic.post_id == Post.id)
                .where(PostTopic.topic_id == filters.topic_id)
            )
        )
    if filters.is_vip is not None:
        vip = sa.exists().where(
            Identity.id == Conversation.author_id, Contact.id == Identity.contact_id, Contact.is_vip.is_(True)
        )
        found.append(vip if filters.is_vip else ~vip)
    if filters.has_problem:
        found.append(has_problem())
    if filters.text.strip():
        found.append(_is_said_in(session, filters))
    return found


def _is_said_in(session: Session, filters: ConversationFilters) -> sa.ColumnElement[bool]:
    # The newest posts that fit what was typed, by the full-text index; a very common word reaches its latest uses.
    brand_ids = [filters.brand_id] if filters.brand_id is not None else list(session.scalars(sa.select(Brand.id)))
    ids = {
        found.post.conversation_id
        for brand_id in brand_ids
        for found in search_posts(session, brand_id, filters.text, limit=MOST_FOUND).posts
        if found.post.conversation_id is not None
    }
    return is_one_of(session, Conversation.id, sorted(ids))


def _has_intent(intents: Sequence[str]) -> sa.ColumnElement[bool]:
    # The list of labels is JSON text in both databases; labels hold only letters and underscores.
    over_threshold = sa.cast(Conversation.intents, sa.Text)
    return sa.or_(
        Conversation.intent.in_(intents),
        *(over_threshold.contains(f'"{intent}"', autoescape=True) for intent in intents),
    )
