"""One's own account: language, theme, shortcuts, being away, password, and the browsers signed in."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from ascolto.web.deps import HouseOf, ReadSession, SignedIn, WriteScope
from ascolto.web.i18n import LANGUAGES, N_
from ascolto.web.signing_in import cookie_name, set_cookie
from ascolto.web.templating import THEMES, render, words_for
from inbox import audit
from inbox.errors import InvalidError, NotFoundError
from inbox.people.users import (
    MAX_NAME,
    check_password,
    end_sign_in_by_digest,
    set_password,
    start_sign_in,
    token_digest,
)
from inbox.store.queries.sign_ins import sign_ins_of
from inbox.store.tables import User
from inbox.store.types import Role

router = APIRouter(prefix="/account", include_in_schema=False)

SAVED = {
    "profile": N_("Saved."),
    "password": N_("Password changed. All other browsers were signed out."),
    "ended": N_("That browser is signed out."),
    "others": N_("All other browsers are signed out."),
}
UNPROCESSABLE = 422


@router.get("")
def show_account(request: Request, house: HouseOf, session: ReadSession, user: SignedIn, saved: str = "") -> Response:
    """Show everything a person can change about themselves."""
    return _page(request, house, session, user, saved=saved)


@router.post("")
def save_profile(
    write: WriteScope,
    user: SignedIn,
    *,
    name: Annotated[str, Form(max_length=1000)] = "",
    language: Annotated[str, Form(max_length=8)] = "",
    theme: Annotated[str, Form(max_length=8)] = "",
    has_shortcuts: Annotated[bool, Form()] = False,
) -> Response:
    """Keep name, language, theme and shortcuts."""
    if language not in LANGUAGES or theme not in THEMES:
        raise InvalidError(N_("This choice is not available."), field="language")
    kept = write.session.get_one(User, user.id)
    kept.name = " ".join(name.split())[:MAX_NAME] or kept.name
    kept.language, kept.theme, kept.has_shortcuts = language, theme, has_shortcuts
    return RedirectResponse("/account?saved=profile", status_code=303)


@router.post("/away")
def save_away(write: WriteScope, user: SignedIn, *, is_away: Annotated[bool, Form()] = False) -> Response:
    """Say whether routing may hand this person conversations; kept in the trail, since it moves work to others."""
    kept = write.session.get_one(User, user.id)
    if kept.is_away is not is_away:
        kept.is_away = is_away
        audit.record(
            write.session, now=write.now, action="user.away" if is_away else "user.back", entity="user",
            entity_id=user.id, user_id=user.id,
        )  # fmt: skip
    return RedirectResponse("/account?saved=profile#presence", status_code=303)


@router.post("/password")
def change_password(
    request: Request,
    house: HouseOf,
    user: SignedIn,
    current: Annotated[str, Form(max_length=2000)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Change the password; needs the present one, ends all other sign-ins and keeps this one."""
    if not check_password(user.password_hash, current):
        return _refuse(request, house, user, {"current": N_("This is not your present password.")})
    try:
        with house.store.write() as session:
            now = house.clock()
            set_password(session, user.id, password, now=now, by_user_id=user.id)
            token = start_sign_in(session, user.id, user_agent=request.headers.get("user-agent", ""), now=now)
    except InvalidError as error:
        return _refuse(request, house, user, {"password": words_for(request).fill(error.message, error.values)})
    response = RedirectResponse("/account?saved=password", status_code=303)
    set_cookie(response, house.settings, token)
    return response


@router.post("/sessions/end")
def end_session(write: WriteScope, user: SignedIn, digest: Annotated[str, Form(max_length=64)] = "") -> Response:
    """Sign one of one's own browsers out."""
    if not end_sign_in_by_digest(write.session, user.id, digest):
        raise NotFoundError(N_("This browser is signed out already."))
    return RedirectResponse("/account?saved=ended#sessions", status_code=303)


@router.post("/sessions/end-others")
def end_other_sessions(request: Request, house: HouseOf, write: WriteScope, user: SignedIn) -> Response:
    """Sign all browsers but this one out."""
    here = _digest_here(request, house)
    for sign_in in sign_ins_of(write.session, user.id):
        if sign_in.token_digest != here:
            end_sign_in_by_digest(write.session, user.id, sign_in.token_digest)
    return RedirectResponse("/account?saved=others#sessions", status_code=303)


def describe_browser(user_agent: str) -> str:
    """Give a browser and its system in a few words; what it says of itself where we do not know it."""
    browsers = (
        ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"),
        ("curl", "curl"),
    )  # fmt: skip
    systems = (
        ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
        ("Mac OS", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
    )  # fmt: skip
    browser = next((name for sign, name in browsers if sign in user_agent), "")
    system = next((name for sign, name in systems if sign in user_agent), "")
    return " · ".join(part for part in (browser, system) if part) or user_agent[:60] or "?"


def _refuse(request: Request, house: HouseOf, user: User, errors: dict[str, str]) -> Response:
    words = words_for(request)
    told = {field: words.gettext(message) for field, message in errors.items()}
    with house.store.read() as session:
        return _page(request, house, session, user, errors=told, status=UNPROCESSABLE)


def _page(
    request: Request,
    house: HouseOf,
    session: ReadSession,
    user: User,
    *,
    saved: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    here = _digest_here(request, house)
    devices = [
        {"sign_in": sign_in, "title": describe_browser(sign_in.user_agent), "is_here": sign_in.token_digest == here}
        for sign_in in sign_ins_of(session, user.id)
    ]
    context = {
        "active_nav": "account",
        "person": user,
        "devices": devices,
        "message": words_for(request).gettext(SAVED[saved]) if saved in SAVED else "",
        "errors": errors or {},
        "takes_work": user.role is not Role.READ_ONLY,
    }
    return render(request, "account/page.html", context, status=status)


def _digest_here(request: Request, house: HouseOf) -> str:
    return token_digest(request.cookies.get(cookie_name(house.settings), ""))
