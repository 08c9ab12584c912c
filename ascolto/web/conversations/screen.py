"""Gathers what the inbox's templates show: lists, one conversation, and the answer to an action."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from ascolto.web.conversations import words
from ascolto.web.conversations.cards import is_intent_unsure, sla_clock
from ascolto.web.conversations.composer import choose_target
from ascolto.web.conversations.filters import (
    SORT_WORDS,
    URGENCY_CHOICES,
    VIEW_ICONS,
    VIEW_WORDS,
    InboxQuery,
    View,
    read_query,
)
from ascolto.web.conversations.rich_text import rich_text, web_address
from ascolto.web.conversations.thread import build_thread
from ascolto.web.i18n import N_
from ascolto.web.networks import network_title
from ascolto.web.templating import formats_for, is_fragment, name_language, render, words_for
from ascolto.wiring import House
from connectors.length import measure
from inbox.reputation.topics import name_of
from inbox.store.queries.conversation_view import ConversationView, get_conversation_view
from inbox.store.queries.conversations import ConversationRow, ViewCounts, count_views, list_conversations, list_labels
from inbox.store.queries.users import list_colleagues
from inbox.store.tables import Label, Topic, User
from inbox.store.types import ConversationState, ReplyState, Role
from inbox.triage.summaries import TOXIC_FROM
from nlp.base import EMOTIONS, INTENTS, SENTIMENTS

PAGE_SIZE = 40
NETWORKS = ("x", "facebook", "instagram", "reddit", "mastodon", "linkedin", "bluesky", "youtube", "rss")
FILTER_WORDS = {
    "q": N_("Search"),
    "network": N_("Network"),
    "sentiment": N_("Sentiment"),
    "intent": N_("Intent"),
    "emotion": N_("Emotion"),
    "urgency": N_("Urgency at least"),
    "toxic": N_("Only toxic"),
    "language": N_("Language"),
    "label": N_("Label"),
    "topic": N_("Topic"),
    "assignee": N_("Assigned to"),
    "audience": N_("Public audience at least"),
    "below": N_("Machine’s certainty under (%)"),
    "brand": N_("Brand"),
    "sla": N_("First response"),
    "since": N_("Active since"),
    "until": N_("Active until"),
    "unsure": N_("Only where the machine is unsure"),
    "vip": N_("Only VIP"),
    "unread": N_("Only unread"),
}
FILTER_LABELS = {
    "sentiment": words.SENTIMENT_WORDS,
    "intent": words.INTENT_WORDS,
    "emotion": words.EMOTION_WORDS,
    "urgency": words.URGENCY_WORDS,
}
AUDIENCES = (1_000, 10_000, 100_000)
WRITING_ROLES = frozenset({Role.AGENT, Role.APPROVER, Role.MANAGER, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Toast:
    """A short message after an action; `undo` is the address and the fields that take the step back."""

    text: str
    tone: str = "good"
    undo: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the reply field: kept when a send was refused, filled when a reply was taken back."""

    text: str = ""
    error: str = ""
    changes: tuple[Any, ...] = ()
    version: int | None = None
    post_id: int | None = None


@dataclass(frozen=True, slots=True)
class After:
    """What an action leaves behind for the screen."""

    toast: Toast | None = None
    draft: Draft = field(default_factory=Draft)
    status: int = 200


def shared_context() -> dict[str, Any]:
    """Give the words and rules the inbox's templates use."""
    return {
        "W": words,
        "ConversationState": ConversationState,
        "ReplyState": ReplyState,
        "sla_clock": sla_clock,
        "is_intent_unsure": is_intent_unsure,
        "rich_text": rich_text,
        "web_address": web_address,
        "TOXIC_FROM": TOXIC_FROM,
        "active_nav": "inbox",
        "View": View,
        "VIEW_WORDS": VIEW_WORDS,
        "VIEW_ICONS": VIEW_ICONS,
    }


def query_of(request: Request, user: User) -> InboxQuery:
    """Read the address of the list."""
    return read_query(request.query_params, user_id=user.id, zone=formats_for(request).zone)


def chip_writer(
    request: Request, labels: Sequence[Label], users: Sequence[User], topic: Topic | None = None
) -> Callable[[str, str], str]:
    """Give what says an active filter in words: "Sentiment: negative"."""
    say_word = words_for(request).gettext
    label_names = {str(label.id): label.name for label in labels}
    people = {str(person.id): person.name for person in users}
    people |= {"me": say_word(N_("me")), "none": say_word(N_("nobody")), "any": say_word(N_("anybody"))}

    def write(name: str, value: str) -> str:
        match name:
            case "sentiment" | "intent" | "emotion" | "urgency":
                value = say_word(FILTER_LABELS[name].get(value, value))
            case "label":
                value = label_names.get(value, value)
            case "topic" if topic is not None:
                value = name_of(topic, words_for(request).language) or value
            case "assignee":
                value = people.get(value, value)
            case "network":
                value = network_title(value)
            case "language":
                value = name_language(value, words_for(request).language) or value
            case "unsure" | "toxic" | "vip" | "unread":
                return say_word(FILTER_WORDS[name])
            case "q":
                value = f"“{value}”"
        return f"{say_word(FILTER_WORDS.get(name, name))}: {value}"

    return write


def view_counts(counts: ViewCounts) -> dict[View, int | None]:
    """Give the count of each view; None where counting would tell nothing."""
    return {
        View.MINE: counts.mine,
        View.UNASSIGNED: counts.unassigned,
        View.RISK: counts.sla_at_risk,
        View.ALL: counts.all_open,
        View.WAITING: counts.pending,
        View.SNOOZED: counts.snoozed,
        View.PROBLEMS: counts.problems,
        View.RESOLVED: None,
        View.SPAM: counts.spam,
    }


def list_context(request: Request, house: House, session: Session, user: User) -> dict[str, Any]:
    """Give what the list of conversations needs."""
    query = query_of(request, user)
    page = list_conversations(
        session,
        query.filters,
        now=house.clock(),
        after=request.query_params.get("after") or None,
        limit=PAGE_SIZE,
    )
    return {"query": query, "page": page, "opened_id": None}


def side_context(request: Request, house: House, session: Session, user: User) -> dict[str, Any]:
    """Give what stands around the list: counts of the views, and the choices of the filters."""
    counts = count_views(session, user.id, now=house.clock())
    topic_id = query_of(request, user).filters.topic_id
    topic = session.get(Topic, topic_id) if topic_id is not None else None
    labels, users = list_labels(session), list_colleagues(session)
    return {
        "counts": view_counts(counts),
        "chip_words": chip_writer(request, labels, users, topic),
        "labels": labels,
        "users": users,
        "networks": [name for name in NETWORKS if name in house.registry.names()],
        "sentiments": SENTIMENTS,
        "intents": INTENTS,
        "emotions": EMOTIONS,
        "urgencies": URGENCY_CHOICES,
        "sorts": SORT_WORDS,
        "audiences": AUDIENCES,
    }


def thread_context(
    request: Request,
    house: House,
    session: Session,
    user: User,
    conversation_id: int,
    draft: Draft | None = None,
    *,
    side: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Give what one conversation needs; what `side` knows already is not read again. Raises NotFoundError."""
    view = get_conversation_view(session, conversation_id)
    asked = draft.post_id if draft and draft.post_id else _asked_post(request)
    target = choose_target(session, house, view, asked)
    brand_id = view.conversation.brand_id
    labels = [item for item in side["labels"] if item.brand_id == brand_id] if side else list_labels(session, brand_id)
    lease = view.lease if view.lease and view.lease.expires_at > house.clock() else None
    return {
        "query": query_of(request, user),
        "view": view,
        "conversation": view.conversation,
        "thread": build_thread(view),
        "target": target,
        "draft": draft or Draft(),
        "length": measure(draft.text if draft else "", target.capabilities.length_rule),
        "held_by": view.lease_name if lease and lease.user_id != user.id else None,
        "may_write": user.role in WRITING_ROLES,
        "users": side["users"] if side else list_colleagues(session),
        "brand_labels": labels,
        "opened_id": conversation_id,
        "row": _card_of(view),
        "conversation_title": _title_of(view),
        "fresh_key": lambda: secrets.token_urlsafe(16),
        "events": [(words.event_words(item.event.action), item) for item in reversed(view.events)],
    }


def _title_of(view: ConversationView) -> str:
    name = (view.author.display_name or view.author.handle) if view.author else "?"
    return f"{name[:60]} · {network_title(view.conversation.network)}"


def _card_of(view: ConversationView) -> ConversationRow:
    unsettled = (ReplyState.QUEUED, ReplyState.SENDING, ReplyState.UNKNOWN, ReplyState.FAILED)
    states = [item.reply.state for item in view.replies if item.reply.state in unsettled]
    return ConversationRow(
        conversation=view.conversation,
        author=view.author,
        is_vip=bool(view.contact and view.contact.is_vip),
        assignee_name=view.assignee.name if view.assignee else None,
        labels=view.labels,
        reply_state=states[-1] if states else None,
    )


def answer(
    request: Request, house: House, session: Session, user: User, conversation_id: int, after: After
) -> Response:
    """Answer an action: the thread anew with its card and a message; without JavaScript, back to its page."""
    if not is_fragment(request):
        if after.status == 200:  # noqa: PLR2004 - the plain success
            query = query_of(request, user).query_string
            return RedirectResponse(f"/inbox/{conversation_id}{query}", status_code=303)
        return full_page(request, house, session, user, conversation_id, after)
    session.flush()
    context = {**shared_context(), **thread_context(request, house, session, user, conversation_id, after.draft)}
    context["toast"] = after.toast
    return render(request, "inbox/answer.html", context, status=after.status)


def full_page(
    request: Request,
    house: House,
    session: Session,
    user: User,
    conversation_id: int | None,
    after: After | None = None,
) -> HTMLResponse:
    """Show the whole inbox, with a conversation open or the overview."""
    side = side_context(request, house, session, user)
    context = {
        **shared_context(),
        **list_context(request, house, session, user),
        **side,
        "conversation": None,
    }
    if conversation_id is not None:
        draft = after.draft if after else None
        context.update(thread_context(request, house, session, user, conversation_id, draft, side=side))
    context["toast"] = after.toast if after else None
    return render(request, "inbox/page.html", context, status=after.status if after else 200)


def say(request: Request, msgid: str, **values: str | int) -> str:
    """Translate and fill a message."""
    return words_for(request).fill(msgid, values)


def _asked_post(request: Request) -> int | None:
    value = request.query_params.get("to", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None  # noqa: PLR2004 - 64 bits
