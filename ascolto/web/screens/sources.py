"""Sources: how each is doing in words, and adding, testing, polling, pausing and changing them."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response

from ascolto.web.config_form import describe_fields
from ascolto.web.deps import HouseOf, Manager, ReadSession, SignedIn, WriteScope
from ascolto.web.i18n import N_
from ascolto.web.screens.source_saving import (
    FormValues,
    SourceForm,
    check_source,
    class_of,
    create_from_form,
    stored_secret_names,
    update_from_form,
)
from ascolto.web.screens.source_words import GUIDES, STATES, cure_of
from ascolto.web.templating import NavItem, render, words_for
from ascolto.wiring import House
from connectors.errors import ConnectorError
from inbox.errors import NotFoundError
from inbox.listening.sources import pause_source, resume_source
from inbox.store.queries.brands import list_brands
from inbox.store.queries.source_health import SourceHealth, read_health
from inbox.store.queries.sources import get_source, list_poll_runs, list_quarantined
from inbox.store.tables import Source, User
from inbox.store.types import Role, SourceState

router = APIRouter(prefix="/sources", include_in_schema=False)

NAV = NavItem(key="sources", path="/sources", label=N_("Sources"), icon="radio-tower", order=30, go_key="s")
MAX_ID = 2**53
UNPROCESSABLE = 422
SAVED = {
    "created": N_("Connected. The first reading has begun; what it finds arrives as history, without alarms."),
    "changed": N_("Saved, and the network agreed."),
    "paused": N_("Paused. Nothing is read until it is resumed."),
    "resumed": N_("Resumed."),
    "polled": N_("It is read now; the page shows what it brought in a moment."),
    "tested": N_("The network answered: everything is in order."),
}
SourceId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("")
def show_sources(
    request: Request, house: HouseOf, session: ReadSession, user: SignedIn, saved: str = "", about: str = ""
) -> Response:
    """Show every source's health."""
    return _list_page(request, house, session, user, saved=saved, about=about)


@router.get("/new")
def choose_network(request: Request, house: HouseOf, session: ReadSession, _user: Manager) -> Response:
    """Choose the network of a new source; archives come in by a command, because their files are large."""
    networks = [{"name": name, "guide": GUIDES.get(name, "")} for name in house.registry.names() if name != "archive"]
    slug = next((brand.slug for brand in list_brands(session, own_only=True)), "my-brand")
    return render(request, "sources/choose.html", {"active_nav": NAV.key, "networks": networks, "brand_slug": slug})


@router.get("/new/{network}")
def show_new(request: Request, house: HouseOf, session: ReadSession, _user: Manager, network: str) -> Response:
    """Show the form of a network, made of its connector's settings."""
    return _form_page(request, house, session, SourceForm(network=network, next=_next(request)))


@router.post("/new/{network}")
def add_source(request: Request, house: HouseOf, user: Manager, network: str, form: FormValues) -> Response:
    """Check the settings with the network, then save: nothing is stored that does not work."""
    class_of(house, network)
    done = create_from_form(house, SourceForm.read(network, form), words=words_for(request), user_id=user.id)
    if done.errors:
        with house.store.read() as session:
            return _form_page(request, house, session, done)
    _nudge(request, "poll")
    if done.next == "setup":
        return RedirectResponse("/setup/source", status_code=303)
    return RedirectResponse(f"/sources?saved=created&about={done.source_id}", status_code=303)


@router.get("/{source_id}")
def show_source(
    request: Request, house: HouseOf, session: ReadSession, user: SignedIn, source_id: SourceId
) -> Response:
    """Show one source: its health, its latest polls and what could not be read."""
    health = next(iter(read_health(session, now=house.clock(), source_id=source_id)), None)
    if health is None:
        raise NotFoundError(N_("This source does not exist (any more)."))
    context = {
        **_common(user),
        "health": health,
        "cure": cure_of(health.source),
        "runs": list_poll_runs(session, source_id, 30),
        "quarantined": list_quarantined(session, source_id, 20),
    }
    return render(request, "sources/one.html", context)


@router.get("/{source_id}/edit")
def show_edit(request: Request, house: HouseOf, session: ReadSession, _user: Manager, source_id: SourceId) -> Response:
    """Show a source's settings; its secrets stay where they are."""
    source = _get(session, source_id)
    return _form_page(request, house, session, SourceForm.of_source(source), source)


@router.post("/{source_id}/edit")
def change_source(request: Request, house: HouseOf, user: Manager, source_id: SourceId, form: FormValues) -> Response:
    """Check the changed settings with the network, then save them."""
    with house.store.read() as session:
        source = _get(session, source_id)
    done = update_from_form(
        house, source, SourceForm.read(source.network, form), words=words_for(request), user_id=user.id
    )
    if done.errors:
        with house.store.read() as session:
            return _form_page(request, house, session, done, source)
    _nudge(request, "poll")
    return RedirectResponse(f"/sources?saved=changed&about={source_id}", status_code=303)


@router.post("/{source_id}/test")
def test_source(request: Request, house: HouseOf, user: Manager, source_id: SourceId) -> Response:
    """Ask the network whether the credentials still hold; changes nothing."""
    with house.store.read() as session:
        source = _get(session, source_id)
    try:
        check_source(house, source)
    except ConnectorError as error:
        with house.store.read() as session:
            return _list_page(
                request, house, session, user, about=str(source_id), problem=words_for(request).tell(error.message)
            )
    return RedirectResponse(f"/sources?saved=tested&about={source_id}", status_code=303)


@router.post("/{source_id}/poll")
def poll_now(write: WriteScope, _user: Manager, source_id: SourceId) -> Response:
    """Let the source be read at the next tick, which follows at once."""
    source = _get(write.session, source_id)
    source.next_poll_at = write.now
    if source.state in {SourceState.RATE_LIMITED, SourceState.PAUSED}:
        return RedirectResponse(f"/sources/{source_id}", status_code=303)
    write.nudge("poll")
    return RedirectResponse(f"/sources?saved=polled&about={source_id}", status_code=303)


@router.post("/{source_id}/{step}")
def pause_or_resume(write: WriteScope, user: Manager, source_id: SourceId, step: str) -> Response:
    """Stop reading a source, or go on."""
    _get(write.session, source_id)
    if step == "pause":
        pause_source(write.session, source_id, write.now, user_id=user.id)
    elif step == "resume":
        resume_source(write.session, source_id, write.now, user_id=user.id)
        write.nudge("poll")
    else:
        raise NotFoundError(N_("The page or conversation does not exist, or no longer does."))
    write.poke("source", id=source_id)
    return RedirectResponse(f"/sources?saved={step}d&about={source_id}", status_code=303)


def _get(session: ReadSession, source_id: int) -> Source:
    source = get_source(session, source_id)
    if source is None:
        raise NotFoundError(N_("This source does not exist (any more)."))
    return source


def _list_page(
    request: Request,
    house: House,
    session: ReadSession,
    user: User,
    *,
    saved: str = "",
    about: str = "",
    problem: str = "",
) -> Response:
    rows = read_health(session, now=house.clock())
    context = {
        **_common(user),
        "groups": _by_brand(rows),
        "cures": {row.source.id: cure_of(row.source) for row in rows},
        "about": int(about) if about.isascii() and about.isdigit() else 0,
        "message": words_for(request).gettext(SAVED[saved]) if saved in SAVED else "",
        "problem": problem,
        "tagger": house.tagger_health(),
    }
    return render(request, "sources/list.html", context, status=UNPROCESSABLE if problem else 200)


def _by_brand(rows: Sequence[SourceHealth]) -> list[tuple[Any, list[SourceHealth]]]:
    groups: dict[int, tuple[Any, list[SourceHealth]]] = {}
    for row in rows:
        groups.setdefault(row.brand.id, (row.brand, []))[1].append(row)
    return list(groups.values())


def _common(user: User) -> dict[str, Any]:
    return {
        "active_nav": NAV.key,
        "states": STATES,
        "may_change": user.role in {Role.MANAGER, Role.ADMIN},
    }


def _form_page(
    request: Request, house: House, session: ReadSession, form: SourceForm, source: Source | None = None
) -> Response:
    config_class = class_of(house, form.network)
    kept = stored_secret_names(house, source) if source else frozenset()
    brands = list_brands(session)
    context = {
        "active_nav": NAV.key,
        "form": form,
        "source": source,
        "fields": describe_fields(config_class, values=form.settings, kept_secrets=kept, errors=form.errors),
        "brands": [(str(brand.id), brand.name) for brand in brands if source is None or brand.id == source.brand_id],
        "guide": GUIDES.get(form.network, ""),
        "has_no_brand": not brands,
        "option_pairs": lambda options: [(option, option) for option in options],
    }
    return render(request, "sources/form.html", context, status=UNPROCESSABLE if form.errors else 200)


def _next(request: Request) -> str:
    return "setup" if request.query_params.get("next") == "setup" else ""


def _nudge(request: Request, job: str) -> None:
    nudge = getattr(request.app.state, "nudge", None)
    if nudge is not None:
        nudge(job)
