"""Topics: what people complain and ask about, what rises and falls, with their words; brand managers name them."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse, Response

from ascolto.web.deps import HouseOf, Manager, ReadSession, SignedIn, WriteScope
from ascolto.web.screens.dashboard import DEFAULT_RANGE, RANGES
from ascolto.web.screens.topic_words import topic_context
from ascolto.web.templating import render
from inbox.reputation.metrics import MIN_N
from inbox.reputation.topic_overview import read_topics
from inbox.reputation.topics import MAX_NAME, mute_topic, rename_topic
from inbox.store.queries.brands import list_brands
from inbox.store.types import Role

router = APIRouter(prefix="/dashboard/topics", include_in_schema=False)

MAX_ID = 2**63 - 1
TopicId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("")
def show_topics(
    request: Request, house: HouseOf, session: ReadSession, user: SignedIn, brand: str = "", days: str = ""
) -> Response:
    """Show the topics of one of our brands; brand and period stand in the address."""
    brands = list_brands(session, own_only=True)
    chosen = next((item for item in brands if item.slug == brand), brands[0] if brands else None)
    length = int(days) if days.isascii() and days.isdigit() and int(days) in RANGES else DEFAULT_RANGE
    context: dict[str, Any] = {"active_nav": "dashboard", "brands": brands, "brand": chosen, "days": length}
    if chosen is None:
        return render(request, "dashboard/empty.html", context)
    overview = read_topics(session, chosen, days=length, now=house.clock())
    context |= topic_context(request, overview) | {
        "ranges": RANGES,
        "min_n": MIN_N,
        "max_name": MAX_NAME,
        "may_name": user.role in {Role.MANAGER, Role.ADMIN},
        "has_space": house.topic_space is not None,
    }
    return render(request, "dashboard/topics.html", context)


@router.post("/{topic_id}/name")
def name_topic(
    request: Request,
    write: WriteScope,
    user: Manager,
    topic_id: TopicId,
    name: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Give a topic a person's name, or give it back to the machine."""
    rename_topic(write.session, topic_id, name, user_id=user.id, now=write.now)
    return _back(request)


@router.post("/{topic_id}/mute")
def mute(
    request: Request,
    write: WriteScope,
    user: Manager,
    topic_id: TopicId,
    muted: Annotated[str, Form(max_length=1)] = "1",
) -> Response:
    """Leave a topic out of the overview, or take it in again."""
    mute_topic(write.session, topic_id, is_muted=muted == "1", user_id=user.id, now=write.now)
    return _back(request)


def _back(request: Request) -> RedirectResponse:
    # Only the query of the address is taken over, so that nobody is led elsewhere.
    query = request.url.query
    return RedirectResponse(f"/dashboard/topics{f'?{query}' if query else ''}", status_code=303)
