"""What a route asks for: the house, a session, the person signed in, and what they may do.

    def show(request: Request, session: ReadSession, user: SignedIn) -> HTMLResponse: ...
    def save(write: WriteScope, user: Writer) -> HTMLResponse:
        change(write.session, now=write.now)
        write.poke("conversation", id=7)      # told to the browsers after the commit

`WriteScope` commits when the route returns, before the answer leaves; an exception rolls everything back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from ascolto.web.signing_in import cookie_name
from ascolto.wiring import House
from inbox.errors import ForbiddenError
from inbox.people.users import find_signed_in, needs_touch, touch_sign_in
from inbox.store.tables import User
from inbox.store.types import Role


class NotSignedInError(Exception):
    """Nobody is signed in: the person is sent to the sign-in page."""


@dataclass(frozen=True)
class Write:
    """A transaction of one request: its session, its time, and the pokes to send once it is committed."""

    session: Session
    now: datetime
    pokes: list[tuple[str, dict[str, int | str]]] = field(default_factory=list)
    nudges: list[str] = field(default_factory=list)

    def poke(self, topic: str, **data: int | str) -> None:
        """Tell the browsers after the commit."""
        self.pokes.append((topic, data))

    def nudge(self, job: str) -> None:
        """Start a background step ("publish", "poll") at once after the commit, where one runs in this process."""
        self.nudges.append(job)


def get_house(request: Request) -> House:
    """Give the house this application was built for."""
    house: House = request.app.state.house
    return house


HouseOf = Annotated[House, Depends(get_house)]


def read_session(house: HouseOf) -> Iterator[Session]:
    """Give a session for reading."""
    with house.store.read() as session:
        yield session


def write_scope(request: Request, house: HouseOf) -> Iterator[Write]:
    """Give a transaction; it commits when the route returned, then the pokes and nudges go out."""
    with house.store.write() as session:
        write = Write(session, house.clock())
        yield write
    for topic, data in write.pokes:
        house.bus.publish(topic, data)
    nudge: Callable[[str], None] | None = getattr(request.app.state, "nudge", None)
    if nudge is not None:
        for job in write.nudges:
            nudge(job)


ReadSession = Annotated[Session, Depends(read_session, scope="function")]
WriteScope = Annotated[Write, Depends(write_scope, scope="function")]


def find_user(request: Request, house: HouseOf) -> User | None:
    """Give the person signed in, or None; remembered for the templates and the rest of this request."""
    user = None
    token = request.cookies.get(cookie_name(house.settings))
    if token:
        now = house.clock()
        idle = timedelta(hours=house.settings.session_hours)
        lifetime = timedelta(days=house.settings.session_days)
        with house.store.read() as session:
            user = find_signed_in(session, token, now, idle=idle, lifetime=lifetime)
            is_touched = user is None or not needs_touch(session, token, now)
        if not is_touched:
            with house.store.write() as session:
                touch_sign_in(session, token, now)
    request.state.user = user
    return user


MaybeSignedIn = Annotated[User | None, Depends(find_user)]


def require_user(user: MaybeSignedIn) -> User:
    """Give the person signed in; raises NotSignedInError."""
    if user is None:
        raise NotSignedInError
    return user


SignedIn = Annotated[User, Depends(require_user)]


def require_role(*roles: Role) -> Callable[[User], User]:
    """Make a dependency that lets only these roles pass; ForbiddenError (403) for others."""

    def check_role(user: SignedIn) -> User:
        if user.role not in roles:
            raise ForbiddenError("Your role does not allow this. Ask an administrator.")
        return user

    return check_role


WRITERS = (Role.AGENT, Role.APPROVER, Role.MANAGER, Role.ADMIN)
MANAGERS = (Role.MANAGER, Role.ADMIN)

Writer = Annotated[User, Depends(require_role(*WRITERS))]  # may work on conversations
Manager = Annotated[User, Depends(require_role(*MANAGERS))]  # may change sources, queries, labels
Admin = Annotated[User, Depends(require_role(Role.ADMIN))]  # may change people and the system
