"""The sign-in cookie, and the check of a password at the door."""

import threading
from datetime import timedelta

from fastapi import Request
from fastapi.responses import Response

from ascolto.wiring import House
from config.settings import Settings
from inbox.people.users import (
    check_password,
    forget_failures,
    may_try,
    normal_email,
    note_failure,
    start_sign_in,
)
from inbox.store.queries.sign_ins import user_by_email
from inbox.store.tables import User

# argon2 takes 64 MiB and four threads each: more at once would starve everybody else.
_CHECKS_AT_ONCE = 2
_WAIT_SECONDS = 10
_checking = threading.BoundedSemaphore(_CHECKS_AT_ONCE)


class TooManyTriesError(Exception):
    """Too many refused sign-ins: wait a quarter of an hour."""


def is_https(settings: Settings) -> bool:
    """Whether people reach us by https."""
    return settings.resolved_base_url.startswith("https://")


def cookie_name(settings: Settings) -> str:
    """Give the cookie's name; browsers refuse the `__Host-` prefix on plain http."""
    return "__Host-sid" if is_https(settings) else "sid"


def set_cookie(response: Response, settings: Settings, token: str) -> None:
    """Put the sign-in into the browser."""
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=int(timedelta(days=settings.session_days).total_seconds()),
        path="/",
        httponly=True,
        secure=is_https(settings),
        samesite="lax",
    )


def clear_cookie(response: Response, settings: Settings) -> None:
    """Take the sign-in out of the browser."""
    response.delete_cookie(cookie_name(settings), path="/", httponly=True, secure=is_https(settings), samesite="lax")


def sign_in(house: House, request: Request, *, email: str, password: str) -> tuple[User, str] | None:
    """Check a password and open a sign-in; gives the person and the token, None when refused.

    Raises TooManyTriesError. The password is checked outside any transaction.
    """
    now = house.clock()
    address = request.client.host if request.client else ""
    with house.store.read() as session:
        if not may_try(session, email=email, address=address, now=now):
            raise TooManyTriesError
        user = user_by_email(session, normal_email(email))
    if not _checking.acquire(timeout=_WAIT_SECONDS):
        raise TooManyTriesError
    try:
        is_right = check_password(user.password_hash if user and user.is_active else None, password)
    finally:
        _checking.release()
    with house.store.write() as session:
        if user is None or not is_right:
            note_failure(session, email=email, address=address, now=now)
            return None
        forget_failures(session, email=email)
        agent = request.headers.get("user-agent", "")
        return user, start_sign_in(session, user.id, user_agent=agent, now=now)
