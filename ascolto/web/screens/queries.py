"""Listening queries: what we listen for beyond our own accounts, built in plain words and previewed before saving."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response

from ascolto.web.deps import HouseOf, Manager, ReadSession, SignedIn
from ascolto.web.i18n import LANGUAGES, N_, Words
from ascolto.web.screens.query_form import (
    QueryForm,
    ShownPreview,
    build_connector,
    form_of,
    handles_of,
    look_ahead,
    searchable_sources,
)
from ascolto.web.screens.query_saving import keep_query
from ascolto.web.screens.source_saving import FormValues
from ascolto.web.screens.source_words import STATES
from ascolto.web.templating import NavItem, is_fragment, render, words_for
from ascolto.wiring import House
from inbox.errors import NotFoundError
from inbox.store.queries.brands import list_brands
from inbox.store.queries.sources import get_source, list_sources
from inbox.store.tables import Source
from inbox.store.types import Role

router = APIRouter(prefix="/queries", include_in_schema=False)

NAV = NavItem(key="queries", path="/queries", label=N_("Queries"), icon="ear", order=40, go_key="q")
MAX_ID = 2**53
UNPROCESSABLE = 422
SourceId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("")
def show_queries(request: Request, session: ReadSession, user: SignedIn, saved: str = "") -> Response:
    """Show all listening queries in words."""
    brands = {brand.id: brand for brand in list_brands(session)}
    queries = [source for source in list_sources(session) if source.config.get("query")]
    context = {
        "active_nav": NAV.key,
        "queries": [(source, brands[source.brand_id], source.config["query"]) for source in queries],
        "states": STATES,
        "may_change": user.role in {Role.MANAGER, Role.ADMIN},
        "message": words_for(request).gettext(N_("Saved. The first reading has begun.")) if saved else "",
    }
    return render(request, "queries/list.html", context)


@router.get("/new")
def show_new(request: Request, house: HouseOf, session: ReadSession, _user: Manager, connection: str = "") -> Response:
    """Show an empty builder; our own accounts are left out from the start."""
    lenders = searchable_sources(house, session)
    lender = next((source for source in lenders if str(source.id) == connection), lenders[0] if lenders else None)
    brand = next(iter(list_brands(session, own_only=True)), None)
    form = QueryForm(connection=str(lender.id) if lender else "", brand_id=str(brand.id) if brand else "")
    if lender is not None:
        form = replace(form, terms={**form.terms, "own_handles": handles_of(brand, lender.network)})
    return _page(request, house, session, form)


@router.get("/{source_id}/edit")
def show_edit(request: Request, house: HouseOf, session: ReadSession, _user: Manager, source_id: SourceId) -> Response:
    """Show the builder of a stored query."""
    source = _get_query(session, source_id)
    return _page(request, house, session, form_of(source), source=source)


@router.post("/preview")
def preview(request: Request, house: HouseOf, _user: Manager, values: FormValues) -> Response:
    """Show what the query would bring now; with JavaScript beside the form, without as the whole page."""
    words = words_for(request)
    form = QueryForm.read(values)
    with house.store.read() as session:
        lender = _lender(house, session, form)
        source = _source_of_id(session, values.get("source_id", ""))
    checked, shown = look_ahead(house, lender, form, words) if lender else (_without_lender(form, words), None)
    if is_fragment(request):
        status = UNPROCESSABLE if checked.errors else 200
        return render(request, "queries/preview.html", {"form": checked, "preview": shown}, status=status)
    with house.store.read() as session:
        return _page(request, house, session, checked, preview=shown, source=source)


@router.post("/new")
def add_query(request: Request, house: HouseOf, user: Manager, values: FormValues) -> Response:
    """Check with the network and store a new query."""
    return _save(request, house, QueryForm.read(values), user_id=user.id)


@router.post("/{source_id}/edit")
def change_query(request: Request, house: HouseOf, user: Manager, source_id: SourceId, values: FormValues) -> Response:
    """Check with the network and store a changed query."""
    with house.store.read() as session:
        source = _get_query(session, source_id)
    return _save(request, house, QueryForm.read(values), user_id=user.id, source=source)


def _save(request: Request, house: House, form: QueryForm, *, user_id: int, source: Source | None = None) -> Response:
    words = words_for(request)
    with house.store.read() as session:
        lender = source or _lender(house, session, form)
    checked, connector = build_connector(house, lender, form, words) if lender else (_without_lender(form, words), None)
    if connector is not None:
        checked = keep_query(house, checked, connector, words=words, user_id=user_id, source=source)
    if checked.errors:
        with house.store.read() as session:
            return _page(request, house, session, checked, source=source)
    nudge = getattr(request.app.state, "nudge", None)
    if nudge is not None:
        nudge("poll")
    return RedirectResponse("/queries?saved=1", status_code=303)


def _lender(house: House, session: ReadSession, form: QueryForm) -> Source | None:
    source = _source_of_id(session, form.connection)
    return source if source is not None and source.network in house.registry.names() else None


def _source_of_id(session: ReadSession, text: str) -> Source | None:
    is_id = text.isascii() and text.isdigit() and len(text) < len(str(MAX_ID))
    return get_source(session, int(text)) if is_id else None


def _without_lender(form: QueryForm, words: Words) -> QueryForm:
    return replace(form, errors={"connection": words.gettext(N_("Choose an account to listen with."))})


def _get_query(session: ReadSession, source_id: int) -> Source:
    source = get_source(session, source_id)
    if source is None or not source.config.get("query"):
        raise NotFoundError(N_("This listening query does not exist (any more)."))
    return source


def _page(
    request: Request,
    house: House,
    session: ReadSession,
    form: QueryForm,
    *,
    preview: ShownPreview | None = None,
    source: Source | None = None,
) -> Response:
    lenders = searchable_sources(house, session) if source is None else [source]
    context: dict[str, Any] = {
        "active_nav": NAV.key,
        "form": form,
        "source": source,
        "connections": [(str(lender.id), lender.name) for lender in lenders],
        "brands": [(str(brand.id), brand.name) for brand in list_brands(session)],
        "languages": LANGUAGES,
        "preview": preview,
    }
    return render(request, "queries/form.html", context, status=UNPROCESSABLE if form.errors else 200)
