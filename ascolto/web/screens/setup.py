"""The first set-up: language, administrator, brand, first source, hours. One step a page, progress kept.

Until there is an account the one-time token opens it (in the address once, then in a cookie of this path);
afterwards only administrators go on.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from ascolto.web.deps import Admin, HouseOf, MaybeSignedIn, WriteScope
from ascolto.web.i18n import LANGUAGES, N_
from ascolto.web.screens.setup_brand import (
    HoursForm,
    brand_from_form,
    brand_values,
    hours_values,
    keep_hours,
    own_brand,
)
from ascolto.web.screens.sign_in import ONE_YEAR_SECONDS
from ascolto.web.signing_in import is_https, set_cookie
from ascolto.web.templating import language_of, render, words_for
from ascolto.wiring import House
from inbox.errors import ConflictError, ForbiddenError, InvalidError
from inbox.listening.brands import apply_brand_file
from inbox.people.first_run import SetupStep, create_first_admin, is_setup_token, read_step, save_step
from inbox.people.users import start_sign_in
from inbox.store.types import Role

router = APIRouter(prefix="/setup", include_in_schema=False)

COOKIE = "setup"
COOKIE_SECONDS = 6 * 3600
UNPROCESSABLE = 422
STEPS = (
    (SetupStep.LANGUAGE, N_("Language")),
    (SetupStep.ACCOUNT, N_("Your account")),
    (SetupStep.BRAND, N_("Your brand")),
    (SetupStep.SOURCE, N_("First source")),
    (SetupStep.HOURS, N_("Hours")),
)


@router.get("")
def enter_setup(request: Request, house: HouseOf, user: MaybeSignedIn, token: str = "") -> Response:
    """Open the set-up with the token, or go on where it was left."""
    with house.store.read() as session:
        step, opens = read_step(session), _opens(session, request, token)
    if user is not None:
        target = "/inbox" if step is SetupStep.DONE or user.role is not Role.ADMIN else f"/setup/{step}"
        return RedirectResponse(target, status_code=303)
    if not opens:
        return render(request, "setup/closed.html", {"is_done": step is SetupStep.DONE}, status=403)
    early = step if step in {SetupStep.LANGUAGE, SetupStep.ACCOUNT} else SetupStep.ACCOUNT
    response = RedirectResponse(f"/setup/{early}", status_code=303)
    if token:
        # Out of the address at once: addresses stay in histories and logs.
        response.set_cookie(
            COOKIE, token, max_age=COOKIE_SECONDS, path="/setup", httponly=True, samesite="lax",
            secure=is_https(house.settings),
        )  # fmt: skip
    return response


@router.get("/{step}")
def show_step(request: Request, house: HouseOf, user: MaybeSignedIn, step: SetupStep) -> Response:
    """Show one step; those after the account need the administrator."""
    if step is SetupStep.DONE:
        return RedirectResponse("/inbox", status_code=303)
    with house.store.read() as session:
        if not _may(session, request, user is not None and user.role is Role.ADMIN, step):
            return RedirectResponse("/setup", status_code=303)
        values = _known_values(session, step)
    return _page(request, step, values)


@router.post("/language")
def save_language(
    request: Request, house: HouseOf, write: WriteScope, language: Annotated[str, Form(max_length=8)] = ""
) -> Response:
    """Choose the language of the set-up and of the account to come."""
    _demand_token(write.session, request)
    if language not in LANGUAGES:
        raise InvalidError(N_("This language is not available."), field="language")
    save_step(write.session, SetupStep.ACCOUNT, now=write.now)
    response = RedirectResponse("/setup/account", status_code=303)
    response.set_cookie(
        "lang", language, max_age=ONE_YEAR_SECONDS, path="/", httponly=True, samesite="lax",
        secure=is_https(house.settings),
    )  # fmt: skip
    return response


@router.post("/account")
def save_account(
    request: Request,
    house: HouseOf,
    *,
    email: Annotated[str, Form(max_length=500)] = "",
    name: Annotated[str, Form(max_length=1000)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Create the administrator, sign them in, and use the token up."""
    now = house.clock()
    try:
        with house.store.write() as session:
            _demand_token(session, request)
            user = create_first_admin(
                session, token=request.cookies.get(COOKIE, ""), email=email, name=name, password=password,
                language=language_of(request), now=now,
            )  # fmt: skip
            save_step(session, SetupStep.BRAND, now=now)
            sign_in = start_sign_in(session, user.id, user_agent=request.headers.get("user-agent", ""), now=now)
    except InvalidError as error:
        message = words_for(request).fill(error.message, error.values)
        values = {"email": email[:200], "name": name[:200]}
        return _page(request, SetupStep.ACCOUNT, values, {error.field or "email": message})
    response = RedirectResponse("/setup/brand", status_code=303)
    set_cookie(response, house.settings, sign_in)
    response.delete_cookie(COOKIE, path="/setup")
    return response


@router.post("/brand")
def save_brand(
    request: Request,
    house: HouseOf,
    user: Admin,
    *,
    name: Annotated[str, Form(max_length=500)] = "",
    forms: Annotated[str, Form(max_length=5000)] = "",
    products: Annotated[str, Form(max_length=5000)] = "",
    competitors: Annotated[str, Form(max_length=5000)] = "",
) -> Response:
    """Create the brand and its competitors."""
    values = {"name": name, "forms": forms, "products": products, "competitors": competitors}
    words, now = words_for(request), house.clock()
    try:
        with house.store.write() as session:
            known = own_brand(session)
            file = brand_from_form(**values, slug=known.slug if known else None)
            apply_brand_file(session, file, now=now, user_id=user.id)
            save_step(session, SetupStep.SOURCE, now=now)
    except ValidationError:
        return _page(request, SetupStep.BRAND, values, {"name": words.gettext(N_("Please give the brand a name."))})
    except ConflictError as error:
        return _page(request, SetupStep.BRAND, values, {"name": words.fill(error.message, error.values)})
    return RedirectResponse("/setup/source", status_code=303)


@router.post("/source")
def leave_source(write: WriteScope, _user: Admin) -> Response:
    """Go on from the sources, with one or without."""
    save_step(write.session, SetupStep.HOURS, now=write.now)
    return RedirectResponse("/setup/hours", status_code=303)


@router.post("/hours")
def save_hours(
    request: Request,
    write: WriteScope,
    user: Admin,
    *,
    opens: Annotated[str, Form(max_length=8)] = "",
    closes: Annotated[str, Form(max_length=8)] = "",
    minutes: Annotated[str, Form(max_length=8)] = "",
    timezone: Annotated[str, Form(max_length=60)] = "",
    days: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Keep when the brand answers and how fast."""
    values = {"opens": opens, "closes": closes, "minutes": minutes, "timezone": timezone, "days": days or []}
    try:
        form = HoursForm.model_validate(values)
    except ValidationError as error:
        words = words_for(request)
        errors = {str(problem["loc"][0] if problem["loc"] else "closes"): words.gettext(
            problem["msg"].removeprefix("Value error, ")) for problem in error.errors()}  # fmt: skip
        return _page(request, SetupStep.HOURS, values, errors)
    brand = own_brand(write.session)
    if brand is not None:
        keep_hours(write.session, brand, form, now=write.now, user_id=user.id)
    save_step(write.session, SetupStep.DONE, now=write.now)
    return RedirectResponse("/inbox", status_code=303)


@router.post("/{step}/skip")
def skip_step(write: WriteScope, _user: Admin, step: SetupStep) -> Response:
    """Leave a step for later; everything in it can be set elsewhere."""
    order = list(SetupStep)
    following = order[min(order.index(step) + 1, len(order) - 1)]
    save_step(write.session, following, now=write.now)
    return RedirectResponse("/inbox" if following is SetupStep.DONE else f"/setup/{following}", status_code=303)


def _opens(session: Session, request: Request, token: str = "") -> bool:
    return is_setup_token(session, token or request.cookies.get(COOKIE, ""))


def _may(session: Session, request: Request, is_admin: bool, step: SetupStep) -> bool:  # noqa: FBT001 - the very question
    if step in {SetupStep.LANGUAGE, SetupStep.ACCOUNT}:
        return _opens(session, request)
    return is_admin


def _demand_token(session: Session, request: Request) -> None:
    if not _opens(session, request):
        raise ForbiddenError(N_("This set-up link is used up or wrong. Start Ascolto again: it prints a new one."))


def _known_values(session: Session, step: SetupStep) -> dict[str, Any]:
    brand = own_brand(session)
    match step:
        case SetupStep.BRAND:
            return brand_values(session, brand)
        case SetupStep.HOURS:
            return hours_values(brand)
        case SetupStep.ACCOUNT:
            return {"email": "", "name": ""}
        case _:
            return {}


def _page(request: Request, step: SetupStep, values: dict[str, Any], errors: dict[str, str] | None = None) -> Response:
    house: House = request.app.state.house
    context = {
        "step": step.value,
        "steps": STEPS,
        "done_before": list(SetupStep).index(step),
        "values": values,
        "errors": errors or {},
        "networks": _networks(house) if step is SetupStep.SOURCE else [],
    }
    return render(request, f"setup/{step.value}.html", context, status=UNPROCESSABLE if errors else 200)


def _networks(house: House) -> list[str]:
    """Networks to begin with: those that need no key stand first."""
    easy = ("rss", "mastodon")
    names = [name for name in house.registry.names() if name != "archive"]
    return sorted(names, key=lambda name: (easy.index(name) if name in easy else len(easy), name))
