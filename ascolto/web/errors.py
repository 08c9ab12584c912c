"""What a person sees when something is refused or fails: a page, or a message beside what they were doing."""

from urllib.parse import quote, urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from ascolto.web.deps import NotSignedInError, find_user
from ascolto.web.i18n import N_
from ascolto.web.templating import is_fragment, render, words_for
from inbox.errors import InboxError

log = structlog.get_logger(__name__)

TITLES = {
    400: N_("This request cannot be understood"),
    403: N_("This is not open to you"),
    404: N_("Nothing here"),
    405: N_("This request cannot be understood"),
    409: N_("Something changed meanwhile"),
    413: N_("This is too much at once"),
    422: N_("Something in this request is not right"),
    429: N_("Too many tries"),
    500: N_("Something went wrong on our side"),
}
WORDS = {
    403: N_("Your role does not allow this. Ask an administrator."),
    404: N_("The page or conversation does not exist, or no longer does."),
    405: N_("This address does not take that kind of request."),
    500: N_("It has been noted. Try again; if it stays, give your administrator the number below."),
}
BAD_REQUEST, UNPROCESSABLE, SERVER_ERROR = 400, 422, 500


def add_error_handlers(app: FastAPI) -> None:
    """Register how each error is shown."""
    app.add_exception_handler(NotSignedInError, _send_to_sign_in)
    app.add_exception_handler(InboxError, _show_inbox_error)
    app.add_exception_handler(HTTPException, _show_http_error)
    app.add_exception_handler(RequestValidationError, _show_invalid)
    app.add_exception_handler(Exception, _show_crash)


def show_error(request: Request, status: int, message: str) -> Response:
    """Answer with an error: a message for a fragment, a page for a browser. `message` is already translated."""
    if not hasattr(request.state, "user"):  # an address no route knows: nobody has asked yet who this is
        find_user(request, request.app.state.house)
    title = words_for(request).gettext(TITLES.get(status, TITLES[SERVER_ERROR]))
    template = "errors/fragment.html" if is_fragment(request) else "errors/page.html"
    return render(request, template, {"status": status, "title": title, "message": message}, status=status)


def _send_to_sign_in(request: Request, _error: Exception) -> Response:
    place = ""
    if is_fragment(request):
        shown = urlsplit(request.headers.get("hx-current-url", ""))  # the page the fragment was for
        place = f"{shown.path}?{shown.query}" if shown.query else shown.path
    elif request.method == "GET" and request.url.path != "/":
        place = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    target = f"/login?next={quote(place, safe='')}" if place else "/login"
    if is_fragment(request) or request.url.path == "/events":
        return Response(status_code=401, headers={"HX-Redirect": target})
    return RedirectResponse(target, status_code=303)


def _show_inbox_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, InboxError):
        raise error
    message = words_for(request).fill(error.message, error.values)
    return show_error(request, error.status, message)


def _show_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else SERVER_ERROR
    message = words_for(request).gettext(WORDS[status]) if status in WORDS else ""
    return show_error(request, status, message)


def _show_invalid(request: Request, error: Exception) -> Response:
    words = words_for(request)
    fields: list[str] = []
    if isinstance(error, RequestValidationError):
        fields = sorted({str(part) for item in error.errors() for part in item["loc"][1:2]})
    message = words.fill(N_("Not understood: %(fields)s."), {"fields": ", ".join(fields)}) if fields else ""
    return show_error(request, UNPROCESSABLE, message)


def _show_crash(request: Request, error: Exception) -> Response:
    log.error(
        "request.failed",
        path=request.url.path,
        request_id=getattr(request.state, "request_id", ""),
        exc_info=error,
    )
    return show_error(request, SERVER_ERROR, words_for(request).gettext(WORDS[SERVER_ERROR]))
