"""What people do with a conversation: assign, settle, put off, mark; most steps can be undone."""

from datetime import datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response

from ascolto.web.conversations.screen import After, Toast, answer, say
from ascolto.web.deps import HouseOf, Write, Writer, WriteScope
from ascolto.web.formatting import zone_of
from ascolto.web.i18n import N_
from ascolto.web.templating import formats_for
from inbox.errors import InvalidError
from inbox.store.queries.users import get_user
from inbox.triage import conversations as triage

router = APIRouter(include_in_schema=False)

MAX_ID = 2**63 - 1
MORNING = time(9, 0)
ConversationId = Annotated[int, Path(ge=1, le=MAX_ID)]


def done(request: Request, house: HouseOf, write: Write, user: Writer, conversation_id: int, after: After) -> Response:
    """Answer an action and tell the other browsers."""
    write.poke("conversation", id=conversation_id, by=user.id)
    write.poke("counts")
    return answer(request, house, write.session, user, conversation_id, after)


def undo_at(path: str, **fields: str | int) -> dict[str, object]:
    """Give the step back, for the message."""
    return {"path": path, "fields": fields}


@router.post("/c/{conversation_id}/assign")
def assign(
    request: Request,
    house: HouseOf,
    write: WriteScope,
    user: Writer,
    conversation_id: ConversationId,
    user_id: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Give the conversation to a person, or to nobody."""
    if user_id and not (user_id.isascii() and user_id.isdigit() and int(user_id) <= MAX_ID):
        raise InvalidError("This person cannot take conversations.", field="user_id")
    from inbox.store.queries.conversation_view import get_conversation

    before = get_conversation(write.session, conversation_id).assignee_id
    chosen = int(user_id) if user_id else None
    triage.assign(write.session, conversation_id, user_id=chosen, by_user_id=user.id, now=write.now)
    assignee = get_user(write.session, chosen) if chosen else None
    text = (
        say(request, N_("Assigned to %(name)s."), name=assignee.name)
        if assignee
        else say(request, N_("Assigned to nobody."))
    )
    undo = undo_at(f"/c/{conversation_id}/assign", user_id=before or "")
    return done(request, house, write, user, conversation_id, After(Toast(text, undo=undo)))


@router.post("/c/{conversation_id}/resolve")
def resolve(
    request: Request, house: HouseOf, write: WriteScope, user: Writer, conversation_id: ConversationId
) -> Response:
    """Settle the conversation."""
    triage.resolve(write.session, conversation_id, by_user_id=user.id, now=write.now)
    toast = Toast(say(request, N_("Resolved.")), undo=undo_at(f"/c/{conversation_id}/reopen"))
    return done(request, house, write, user, conversation_id, After(toast))


@router.post("/c/{conversation_id}/reopen")
def reopen(
    request: Request, house: HouseOf, write: WriteScope, user: Writer, conversation_id: ConversationId
) -> Response:
    """Put the conversation back into the queue."""
    triage.reopen(write.session, conversation_id, by_user_id=user.id, now=write.now)
    return done(request, house, write, user, conversation_id, After(Toast(say(request, N_("Open again.")))))


@router.post("/c/{conversation_id}/snooze")
def snooze(
    request: Request,
    house: HouseOf,
    write: WriteScope,
    user: Writer,
    conversation_id: ConversationId,
    until: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Put the conversation off: for a while, or until its author writes again."""
    undo = undo_at(f"/c/{conversation_id}/reopen")
    if until == "author":
        triage.set_pending(write.session, conversation_id, by_user_id=user.id, now=write.now)
        text = say(request, N_("Waits for the author."))
    else:
        moment = snoozed_until(until, write.now, formats_for(request).zone)
        triage.snooze(write.session, conversation_id, until=moment, by_user_id=user.id, now=write.now)
        text = say(request, N_("Snoozed until %(when)s."), when=formats_for(request).moment(moment))
    return done(request, house, write, user, conversation_id, After(Toast(text, undo=undo)))


@router.post("/c/{conversation_id}/label")
def add_label(
    request: Request,
    house: HouseOf,
    write: WriteScope,
    user: Writer,
    conversation_id: ConversationId,
    label: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Put a label on; a new word makes a new label."""
    made = triage.add_label(write.session, conversation_id, label=label, by_user_id=user.id, now=write.now)
    text = say(request, N_("Label “%(name)s” put on."), name=made.name)
    undo = undo_at(f"/c/{conversation_id}/unlabel", label_id=made.id)
    return done(request, house, write, user, conversation_id, After(Toast(text, undo=undo)))


@router.post("/c/{conversation_id}/unlabel")
def remove_label(
    request: Request,
    house: HouseOf,
    write: WriteScope,
    user: Writer,
    conversation_id: ConversationId,
    label_id: Annotated[int, Form(ge=1, le=MAX_ID)],
) -> Response:
    """Take a label off."""
    triage.remove_label(write.session, conversation_id, label_id=label_id, by_user_id=user.id, now=write.now)
    toast = Toast(say(request, N_("Label taken off.")))
    return done(request, house, write, user, conversation_id, After(toast))


@router.post("/c/{conversation_id}/spam")
def set_spam(
    request: Request,
    house: HouseOf,
    write: WriteScope,
    user: Writer,
    conversation_id: ConversationId,
    is_spam: Annotated[bool, Form()] = True,  # noqa: FBT002 - a form's field
) -> Response:
    """Mark as spam, or take the mark away."""
    triage.set_spam(write.session, conversation_id, is_spam=is_spam, by_user_id=user.id, now=write.now)
    text = say(request, N_("Marked as spam.") if is_spam else N_("Not spam any more."))
    undo = undo_at(f"/c/{conversation_id}/spam", is_spam="0" if is_spam else "1")
    return done(request, house, write, user, conversation_id, After(Toast(text, undo=undo)))


@router.post("/c/{conversation_id}/read")
def mark_read(write: WriteScope, user: Writer, conversation_id: ConversationId) -> Response:
    """Note that somebody has looked."""
    triage.mark_read(write.session, conversation_id)
    write.poke("conversation", id=conversation_id, by=user.id)
    return Response(status_code=204)


@router.post("/c/{conversation_id}/unread")
def mark_unread(
    request: Request, house: HouseOf, write: WriteScope, user: Writer, conversation_id: ConversationId
) -> Response:
    """Make the conversation look new again."""
    triage.mark_unread(write.session, conversation_id)
    toast = Toast(say(request, N_("Marked as unread.")))
    return done(request, house, write, user, conversation_id, After(toast))


def snoozed_until(choice: str, now: datetime, zone: str) -> datetime:
    """Give the moment a choice of the menu means. InvalidError for what is not in the menu."""
    local = now.astimezone(zone_of(zone))
    match choice:
        case "1h":
            return now + timedelta(hours=1)
        case "4h":
            return now + timedelta(hours=4)
        case "week":
            return now + timedelta(days=7)
        case "tomorrow":
            day = local.date() + timedelta(days=1)
        case "monday":
            day = local.date() + timedelta(days=7 - local.weekday())
        case _:
            raise InvalidError("Choose one of the times offered.", field="until")
    return datetime.combine(day, MORNING, local.tzinfo).astimezone(now.tzinfo)
