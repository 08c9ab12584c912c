"""Answering in public, noting for ourselves, and what becomes of an answer."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import JSONResponse, Response

from ascolto.web.conversations.composer import choose_target
from ascolto.web.conversations.screen import After, Draft, Toast, answer, say
from ascolto.web.deps import HouseOf, Write, Writer, WriteScope
from ascolto.web.i18n import N_
from ascolto.web.screens.conversation import MAX_ID, ConversationId, done
from ascolto.web.templating import words_for
from inbox.errors import ConflictError, InboxError, InvalidError, LeaseHeldError, StaleVersionError
from inbox.replies.by_hand import record_answer
from inbox.replies.lease import acquire_lease, release_lease, take_over
from inbox.replies.outbox import queue_reply, resolve_unknown, retry_reply, undo_reply
from inbox.store.queries.conversation_view import get_conversation_view
from inbox.store.tables import Reply
from inbox.store.types import ReplyState
from inbox.triage.conversations import add_note

router = APIRouter(include_in_schema=False)

MAX_FORM_TEXT = 200_000
ReplyId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.post("/c/{conversation_id}/reply")
def send_reply(
    request: Request,
    house: HouseOf,
    write: WriteScope,
    user: Writer,
    conversation_id: ConversationId,
    post_id: Annotated[int, Form(ge=1, le=MAX_ID)],
    version: Annotated[int, Form(ge=0, le=MAX_ID)],
    text: Annotated[str, Form(max_length=MAX_FORM_TEXT)] = "",
    key: Annotated[str, Form(max_length=100)] = "",
    resolves: Annotated[bool, Form()] = False,  # noqa: FBT002 - a form's field
) -> Response:
    """Put an answer into the outbox; a refusal keeps the words and says why."""
    view = get_conversation_view(write.session, conversation_id)
    target = choose_target(write.session, house, view, post_id)
    try:
        with write.session.begin_nested():
            queue_reply(
                write.session,
                conversation_id=conversation_id,
                post_id=post_id,
                text=text,
                user_id=user.id,
                expected_version=version,
                undo_seconds=house.settings.undo_seconds,
                resolves=resolves,
                idempotency_key=key or None,
                permission=target.permission,
                capabilities=target.capabilities,
                source_id=target.source.id if target.source else None,
                now=write.now,
            )
    except InboxError as error:
        return _refuse(request, house, write, user, conversation_id, error, text, post_id)
    write.nudge("publish")
    write.poke("reply", id=conversation_id)
    seconds = house.settings.undo_seconds
    toast = Toast(say(request, N_("Your answer leaves in %(seconds)s seconds."), seconds=seconds))
    return done(request, house, write, user, conversation_id, After(toast))


def _refuse(
    request: Request,
    house: HouseOf,
    write: Write,
    user: Writer,
    conversation_id: int,
    error: InboxError,
    text: str,
    post_id: int,
) -> Response:
    draft = Draft(
        text=text,
        error=words_for(request).fill(error.message, error.values),
        changes=error.changes if isinstance(error, StaleVersionError) else (),
        post_id=post_id,
    )
    write.session.expire_all()
    return answer(request, house, write.session, user, conversation_id, After(draft=draft, status=error.status))


@router.post("/c/{conversation_id}/note")
def write_note(
    request: Request,
    house: HouseOf,
    write: WriteScope,
    user: Writer,
    conversation_id: ConversationId,
    text: Annotated[str, Form(max_length=MAX_FORM_TEXT)] = "",
) -> Response:
    """Write an internal note."""
    add_note(write.session, conversation_id, text=text, by_user_id=user.id, now=write.now)
    toast = Toast(say(request, N_("Note added. Only your team sees it.")))
    return done(request, house, write, user, conversation_id, After(toast))


@router.post("/c/{conversation_id}/answered")
def answered_by_hand(
    request: Request,
    house: HouseOf,
    write: WriteScope,
    user: Writer,
    conversation_id: ConversationId,
    post_id: Annotated[int, Form(ge=1, le=MAX_ID)],
    text: Annotated[str, Form(max_length=MAX_FORM_TEXT)] = "",
    url: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Record an answer that was given on the network itself."""
    record_answer(
        write.session,
        conversation_id=conversation_id,
        post_id=post_id,
        text=text,
        url=url,
        user_id=user.id,
        now=write.now,
    )
    toast = Toast(say(request, N_("Recorded: the clock stops with your answer.")))
    return done(request, house, write, user, conversation_id, After(toast))


@router.post("/r/{reply_id}/undo")
def undo(request: Request, house: HouseOf, write: WriteScope, user: Writer, reply_id: ReplyId) -> Response:
    """Take an answer back before it leaves; its words return to the field."""
    reply = undo_reply(write.session, reply_id, user.id, write.now)
    draft = Draft(text=reply.text, post_id=reply.post_id)
    toast = Toast(say(request, N_("Taken back. Nothing was sent.")))
    return done(request, house, write, user, reply.conversation_id, After(toast, draft))


@router.post("/r/{reply_id}/retry")
def retry(request: Request, house: HouseOf, write: WriteScope, user: Writer, reply_id: ReplyId) -> Response:
    """Send a failed answer again."""
    reply = retry_reply(write.session, reply_id, user_id=user.id, now=write.now)
    write.nudge("publish")
    toast = Toast(say(request, N_("Trying again.")))
    return done(request, house, write, user, reply.conversation_id, After(toast))


@router.post("/r/{reply_id}/edit")
def edit(request: Request, house: HouseOf, write: WriteScope, user: Writer, reply_id: ReplyId) -> Response:
    """Put a failed answer's words back into the field, to be changed and sent anew."""
    reply = write.session.get(Reply, reply_id)
    if reply is None or reply.state is not ReplyState.FAILED:
        raise ConflictError("Only an answer that failed can be sent again.")
    draft = Draft(text=reply.text, post_id=reply.post_id)
    return answer(request, house, write.session, user, reply.conversation_id, After(draft=draft))


@router.post("/r/{reply_id}/settle")
def settle(
    request: Request,
    house: HouseOf,
    write: WriteScope,
    user: Writer,
    reply_id: ReplyId,
    was_sent: Annotated[str, Form(max_length=1)] = "",
    external_id: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Decide, having looked, whether an answer of unknown fate stands on the network."""
    if was_sent not in {"0", "1"}:
        raise InvalidError("Say whether the answer is there or not.", field="was_sent")
    reply = resolve_unknown(
        write.session,
        reply_id,
        was_sent=was_sent == "1",
        external_id=external_id.strip() or None,
        user_id=user.id,
        now=write.now,
    )
    text = N_("Recorded as sent.") if was_sent == "1" else N_("Recorded as not sent. You can try again.")
    return done(request, house, write, user, reply.conversation_id, After(Toast(say(request, text))))


@router.post("/c/{conversation_id}/lease")
def hold_lease(request: Request, write: WriteScope, user: Writer, conversation_id: ConversationId) -> Response:
    """Say "I am writing", on the first keystroke and while it goes on; 409 names who is."""
    try:
        with write.session.begin_nested():
            acquire_lease(write.session, conversation_id, user_id=user.id, now=write.now)
    except LeaseHeldError as error:
        return JSONResponse({"message": words_for(request).fill(error.message, error.values)}, status_code=error.status)
    write.poke("conversation", id=conversation_id, by=user.id)
    return Response(status_code=204)


@router.post("/c/{conversation_id}/lease/release")
def drop_lease(write: WriteScope, user: Writer, conversation_id: ConversationId) -> Response:
    """Say "I have stopped writing"."""
    release_lease(write.session, conversation_id, user_id=user.id)
    write.poke("conversation", id=conversation_id, by=user.id)
    return Response(status_code=204)


@router.post("/c/{conversation_id}/lease/take")
def take_lease(
    request: Request, house: HouseOf, write: WriteScope, user: Writer, conversation_id: ConversationId
) -> Response:
    """Write in somebody else's place; it is logged, and they keep their words."""
    take_over(write.session, conversation_id, user_id=user.id, now=write.now)
    toast = Toast(say(request, N_("You are replying now.")))
    return done(request, house, write, user, conversation_id, After(toast))
