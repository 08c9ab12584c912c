"""Signing in and out, and the two choices that need no account: language and theme."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from ascolto.web.deps import HouseOf, MaybeSignedIn, WriteScope
from ascolto.web.i18n import LANGUAGES, N_
from ascolto.web.signing_in import (
    TooManyTriesError,
    clear_cookie,
    cookie_name,
    is_https,
    set_cookie,
    sign_in,
)
from ascolto.web.templating import THEMES, render, words_for
from inbox.errors import InvalidError
from inbox.people.users import end_sign_in
from inbox.store.queries.sign_ins import has_users
from inbox.store.tables import User

router = APIRouter(include_in_schema=False)

ONE_YEAR_SECONDS = 31_536_000
UNPROCESSABLE, TOO_MANY = 422, 429


@router.get("/")
def go_home(house: HouseOf, user: MaybeSignedIn) -> Response:
    """Send people where their day starts; a fresh house to its set-up."""
    if user is None:
        with house.store.read() as session:
            return RedirectResponse("/login" if has_users(session) else "/setup", status_code=303)
    return RedirectResponse("/inbox", status_code=303)


@router.get("/login")
def show_sign_in(request: Request, house: HouseOf, user: MaybeSignedIn, next: str = "/") -> Response:  # noqa: A002 - the address people know
    """Show the sign-in page."""
    if user is not None:
        return RedirectResponse(safe_path(next), status_code=303)
    with house.store.read() as session:
        if not has_users(session):
            return RedirectResponse("/setup", status_code=303)
    return render(request, "sign_in/page.html", {"next": safe_path(next), "email": "", "error": ""})


@router.post("/login")
def do_sign_in(
    request: Request,
    house: HouseOf,
    email: Annotated[str, Form(max_length=500)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - as above
) -> Response:
    """Check the password; wrong ones are answered the same whether the e-mail is known or not."""
    words = words_for(request)
    try:
        done = sign_in(house, request, email=email, password=password)
        error = words.gettext(N_("E-mail or password is wrong.")) if done is None else ""
        status = UNPROCESSABLE
    except TooManyTriesError:
        done, status = None, TOO_MANY
        error = words.gettext(N_("Too many tries. Wait a quarter of an hour, or ask an administrator."))
    if done is None:
        context = {"next": safe_path(next), "email": email[:200], "error": error}
        return render(request, "sign_in/page.html", context, status=status)
    response = RedirectResponse(safe_path(next), status_code=303)
    set_cookie(response, house.settings, done[1])
    return response


@router.post("/logout")
def do_sign_out(request: Request, house: HouseOf, write: WriteScope) -> Response:
    """Close this sign-in and forget the cookie."""
    token = request.cookies.get(cookie_name(house.settings))
    if token:
        end_sign_in(write.session, token)
    response = RedirectResponse("/login", status_code=303)
    clear_cookie(response, house.settings)
    return response


@router.post("/preferences")
def save_preferences(
    house: HouseOf,
    user: MaybeSignedIn,
    write: WriteScope,
    language: Annotated[str, Form(max_length=8)] = "",
    theme: Annotated[str, Form(max_length=8)] = "",
    back: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Keep language or theme: with the person who is signed in, else in a cookie."""
    if (language and language not in LANGUAGES) or (theme and theme not in THEMES):
        raise InvalidError("This choice is not available.", field="language")
    response = RedirectResponse(safe_path(back), status_code=303)
    for name, value in (("lang", language), ("theme", theme)):
        if value:
            response.set_cookie(
                name,
                value,
                max_age=ONE_YEAR_SECONDS,
                path="/",
                httponly=True,
                samesite="lax",
                secure=is_https(house.settings),
            )
    if user is not None:
        kept = write.session.get(User, user.id)
        if kept is not None:
            kept.language = language or kept.language
            kept.theme = theme or kept.theme
    return response


def safe_path(path: str) -> str:
    """Give a path within this site; anything else becomes the start page."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path
    return path if is_ours and path.isprintable() else "/"
