"""The inbox: its list, its views with their counts, and a conversation beside them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from ascolto.web.conversations.screen import (
    full_page,
    list_context,
    query_of,
    shared_context,
    side_context,
    thread_context,
)
from ascolto.web.deps import HouseOf, ReadSession, SignedIn
from ascolto.web.i18n import N_
from ascolto.web.templating import NavItem, render

router = APIRouter(include_in_schema=False)
NAV = NavItem("inbox", "/inbox", N_("Inbox"), "inbox", order=10, go_key="i")

MAX_ID = 2**63 - 1
ConversationId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("/inbox")
def show_inbox(request: Request, house: HouseOf, session: ReadSession, user: SignedIn) -> HTMLResponse:
    """Show the list the address asks for, and an overview beside it."""
    return full_page(request, house, session, user, None)


@router.get("/inbox/list")
def show_list(request: Request, house: HouseOf, session: ReadSession, user: SignedIn) -> HTMLResponse:
    """Give a page of cards alone: the first, or with `after` the following ones."""
    context = {**shared_context(), **list_context(request, house, session, user)}
    return render(request, "inbox/cards.html", context)


@router.get("/inbox/counts")
def show_counts(request: Request, house: HouseOf, session: ReadSession, user: SignedIn) -> HTMLResponse:
    """Give the views with their counts alone."""
    context = {
        **shared_context(),
        "query": query_of(request, user),
        **side_context(request, house, session, user),
    }
    return render(request, "inbox/counts.html", context)


@router.get("/inbox/{conversation_id}")
def show_conversation(
    request: Request, house: HouseOf, session: ReadSession, user: SignedIn, conversation_id: ConversationId
) -> HTMLResponse:
    """Show the inbox with a conversation open: its address can be passed on, and works without JavaScript."""
    return full_page(request, house, session, user, conversation_id)


@router.get("/c/{conversation_id}")
def show_thread(
    request: Request, house: HouseOf, session: ReadSession, user: SignedIn, conversation_id: ConversationId
) -> HTMLResponse:
    """Give the conversation alone, with its context panel."""
    context = {**shared_context(), **thread_context(request, house, session, user, conversation_id)}
    address = f"/inbox/{conversation_id}{context['query'].query_string}"
    is_return = request.headers.get("hx-history-restore-request") == "true"  # back or forward: the address stands
    return render(request, "inbox/opened.html", context, headers={} if is_return else {"HX-Push-Url": address})


@router.get("/c/{conversation_id}/live")
def show_changes(
    request: Request, house: HouseOf, session: ReadSession, user: SignedIn, conversation_id: ConversationId
) -> HTMLResponse:
    """Give the parts of an open conversation that others may have changed; never the reply field."""
    context = {**shared_context(), **thread_context(request, house, session, user, conversation_id)}
    return render(request, "inbox/live.html", context)
