"""Who gets a conversation: in turn, among those who are here and have room."""

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from inbox import audit
from inbox.store.queries import routing, users
from inbox.store.rows import insert_rows
from inbox.store.statements import table_of
from inbox.store.tables import Assignment, User


class Assignable(Protocol):
    """What handing a conversation over reads and sets of it."""

    id: int
    assignee_id: int | None
    version: int


class RoundRobin:
    """Deals conversations out within one transaction: who was given work longest ago comes first.

    Reads the people once; made anew for each batch.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._queue = users.list_available(session)
        self._available = {user.id for user in self._queue}
        self._open = users.count_open_by_assignee(session) if self._queue else {}
        self._is_full = not self._queue
        self._dealt: list[dict[str, Any]] = []

    @property
    def has_room(self) -> bool:
        """Whether anybody can take one more."""
        return not self._is_full and any(self._open.get(user.id, 0) < user.max_open for user in self._queue)

    def is_available(self, user_id: int) -> bool:
        """Whether this person is here to go on with a conversation that was theirs."""
        return user_id in self._available

    def deal(self, conversation: Assignable, *, now: datetime) -> User | None:
        """Give the conversation to the next in turn with room; None when there is nobody."""
        if self._is_full:
            return None
        user = next((one for one in self._queue if self._open.get(one.id, 0) < one.max_open), None)
        if user is None:
            self._is_full = True  # work is only added here, so it stays so
            return None
        self._queue.remove(user)
        self._queue.append(user)
        self._open[user.id] = self._open.get(user.id, 0) + 1
        user.last_assigned_at = now
        self._dealt.append(
            _pass_on(self._session, conversation, user_id=user.id, by_user_id=None, reason="round_robin", now=now)
        )
        return user

    def note_dealt(self) -> None:
        """Write the history of what was dealt out, at the batch's end and in one statement."""
        insert_rows(self._session, table_of(Assignment), self._dealt)
        self._dealt.clear()


def hand_over(
    session: Session,
    conversation: Assignable,
    *,
    user_id: int | None,
    by_user_id: int | None,
    reason: str,
    now: datetime,
) -> None:
    """Make somebody (None: nobody) the assignee, with its step in the history and the audit trail."""
    row = _pass_on(session, conversation, user_id=user_id, by_user_id=by_user_id, reason=reason, now=now)
    session.add(Assignment(**row))


def _pass_on(
    session: Session,
    conversation: Assignable,
    *,
    user_id: int | None,
    by_user_id: int | None,
    reason: str,
    now: datetime,
) -> dict[str, Any]:
    # Everything but the step in the history, which is given back to be written.
    before = conversation.assignee_id
    conversation.assignee_id = user_id
    conversation.version += 1
    audit.record(
        session,
        now=now,
        action="conversation.assigned" if user_id is not None else "conversation.unassigned",
        entity="conversation",
        entity_id=conversation.id,
        conversation_id=conversation.id,
        user_id=by_user_id,
        before={"assignee": before},
        after={"assignee": user_id, "reason": reason, "version": conversation.version},
    )
    return {
        "conversation_id": conversation.id,
        "user_id": user_id,
        "team_id": None,
        "by_user_id": by_user_id,
        "reason": reason,
        "at": now,
    }


def drain_backlog(session: Session, *, now: datetime, limit: int = 200) -> list[int]:
    """Give waiting conversations that nobody ever had to those who have room now; gives their ids."""
    robin = RoundRobin(session)
    if not robin.has_room:
        return []
    given = []
    for conversation in routing.waiting_for_somebody(session, limit):
        if robin.deal(conversation, now=now) is None:
            break
        given.append(conversation.id)
    robin.note_dealt()
    return given
