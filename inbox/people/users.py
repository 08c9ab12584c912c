"""The people who work here: accounts, passwords, and their sign-ins.

Passwords are argon2id; checking one takes about 0.3 s and 64 MiB, so callers check outside any transaction and
limit how many run at once. A sign-in is an opaque random token of which only the SHA-256 is kept.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from inbox import audit
from inbox.errors import ConflictError, InvalidError, NotFoundError
from inbox.store.queries.sign_ins import count_failures, sign_in_with_user, user_by_email
from inbox.store.tables import SignIn, SignInFailure, User
from inbox.store.types import Role

MIN_PASSWORD = 10
MAX_PASSWORD = 512
MAX_NAME = 120
MAX_EMAIL = 254
TOKEN_BYTES = 32
MAX_USER_AGENT = 200
TOUCH_AFTER = timedelta(minutes=1)
FAILURE_WINDOW = timedelta(minutes=15)
FAILURES_PER_EMAIL = 5
FAILURES_PER_ADDRESS = 30
IDLE = timedelta(hours=12)
LIFETIME = timedelta(days=30)

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
_hasher = PasswordHasher()


def create_user(
    session: Session,
    *,
    email: str,
    name: str,
    password: str,
    role: Role,
    language: str,
    now: datetime,
    by_user_id: int | None = None,
) -> User:
    """Add a person. InvalidError names the field to correct; ConflictError when the e-mail is taken."""
    address = normal_email(email)
    clean_name = " ".join(name.split())[:MAX_NAME]
    if not _EMAIL.fullmatch(address) or len(address) > MAX_EMAIL:
        raise InvalidError("This is not an e-mail address.", field="email")
    if not clean_name:
        raise InvalidError("Please give a name.", field="name")
    if language not in {"it", "en"}:
        raise InvalidError("This language is not available.", field="language")
    if user_by_email(session, address) is not None:
        raise ConflictError("Somebody with this e-mail is already here.")
    user = User(
        email=address,
        name=clean_name,
        role=role,
        language=language,
        password_hash=hash_password(password),
        created_at=now,
    )
    session.add(user)
    session.flush()
    audit.record(
        session,
        now=now,
        action="user.created",
        entity="user",
        entity_id=user.id,
        user_id=by_user_id,
        after={"role": role.value},
    )
    return user


def set_password(
    session: Session, user_id: int, password: str, *, now: datetime, by_user_id: int | None = None
) -> None:
    """Change a password and end all sign-ins of its owner, in case somebody else knew the old one."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFoundError("This person is not here.")
    user.password_hash = hash_password(password)
    session.execute(sa.delete(SignIn).where(SignIn.user_id == user_id))
    audit.record(session, now=now, action="user.password_set", entity="user", entity_id=user_id, user_id=by_user_id)


def hash_password(password: str) -> str:
    """Give the argon2id hash of a new password. InvalidError when it is too short or absurdly long."""
    if len(password) < MIN_PASSWORD:
        raise InvalidError(
            "A password needs at least %(count)s characters.", field="password", values={"count": MIN_PASSWORD}
        )
    if len(password) > MAX_PASSWORD:
        raise InvalidError("This password is too long.", field="password")
    return _hasher.hash(password.encode("utf-8", "surrogatepass"))


def check_password(password_hash: str | None, password: str) -> bool:
    """Whether a password fits. Without a hash (nobody has this e-mail) it takes just as long and says no."""
    encoded = password[: MAX_PASSWORD + 1].encode("utf-8", "surrogatepass")
    try:
        _hasher.verify(password_hash or _nobodys_hash(), encoded)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def normal_email(email: str) -> str:
    """Give an e-mail the way it is stored and looked up."""
    return email.strip().lower()


def start_sign_in(session: Session, user_id: int, *, user_agent: str, now: datetime) -> str:
    """Open a sign-in and give its token, which exists only in the person's browser."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    session.add(
        SignIn(
            token_digest=_digest(token),
            user_id=user_id,
            created_at=now,
            seen_at=now,
            user_agent=user_agent[:MAX_USER_AGENT],
        )
    )
    return token


def find_signed_in(
    session: Session, token: str, now: datetime, *, idle: timedelta = IDLE, lifetime: timedelta = LIFETIME
) -> User | None:
    """Give whose token this is; None when it is unknown, too long unused, too old, or its owner switched off."""
    found = sign_in_with_user(session, _digest(token))
    if found is None:
        return None
    sign_in, user = found
    session.info["sign_in"] = sign_in  # held, so that `needs_touch` need not ask again
    is_over = now - sign_in.seen_at > idle or now - sign_in.created_at > lifetime
    return None if is_over else user


def touch_sign_in(session: Session, token: str, now: datetime) -> None:
    """Note that a token was used, at most once a minute."""
    session.execute(
        sa.update(SignIn)
        .where(SignIn.token_digest == _digest(token), SignIn.seen_at < now - TOUCH_AFTER)
        .values(seen_at=now)
    )


def needs_touch(session: Session, token: str, now: datetime) -> bool:
    """Whether the last use noted is more than a minute ago."""
    found = session.get(SignIn, _digest(token))  # at hand: find_signed_in has just read it
    return found is not None and found.seen_at < now - TOUCH_AFTER


def end_sign_in(session: Session, token: str) -> None:
    """Close a sign-in."""
    session.execute(sa.delete(SignIn).where(SignIn.token_digest == _digest(token)))


def end_sign_in_by_digest(session: Session, user_id: int, token_digest: str) -> bool:
    """Close one of a person's own sign-ins from the device list; says whether there was one."""
    statement = sa.delete(SignIn).where(SignIn.token_digest == token_digest, SignIn.user_id == user_id)
    return bool(session.execute(statement.returning(SignIn.token_digest)).all())


def token_digest(token: str) -> str:
    """Give what is stored of a token, to tell the present device in the list."""
    return _digest(token)


def may_try(session: Session, *, email: str, address: str, now: datetime) -> bool:
    """Whether another sign-in may be tried: guessing is slowed down by e-mail and by network address."""
    since = now - FAILURE_WINDOW
    return (
        count_failures(session, _failure_key("email", normal_email(email)), since) < FAILURES_PER_EMAIL
        and count_failures(session, _failure_key("address", address), since) < FAILURES_PER_ADDRESS
    )


def note_failure(session: Session, *, email: str, address: str, now: datetime) -> None:
    """Note a refused sign-in, and forget those that count no more."""
    session.execute(sa.delete(SignInFailure).where(SignInFailure.at < now - FAILURE_WINDOW))
    for key in (_failure_key("email", normal_email(email)), _failure_key("address", address)):
        session.add(SignInFailure(key=key, at=now))


def forget_failures(session: Session, *, email: str) -> None:
    """Forget an e-mail's refused sign-ins, after one that succeeded."""
    key = _failure_key("email", normal_email(email))
    session.execute(sa.delete(SignInFailure).where(SignInFailure.key == key))


def _failure_key(kind: str, value: str) -> str:
    return _digest(f"{kind}:{value}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _nobodys_hash() -> str:
    global _nobody  # noqa: PLW0603 - made once, when first needed: no work at import
    if _nobody is None:
        _nobody = _hasher.hash(secrets.token_bytes(TOKEN_BYTES))
    return _nobody


_nobody: str | None = None
