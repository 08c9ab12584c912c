"""Who can take work, and how much each has."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Conversation, User
from inbox.store.types import ConversationState, Role

# Who conversations are given to; managers and admins take them by hand.
WORKING_ROLES = (Role.AGENT, Role.APPROVER)
UNFINISHED = (ConversationState.OPEN, ConversationState.PENDING, ConversationState.SNOOZED)


def get_user(session: Session, user_id: int) -> User | None:
    """Give a user."""
    return session.get(User, user_id)


def users_by_id(session: Session, user_ids: Sequence[int]) -> dict[int, User]:
    """Give these users by id."""
    return {user.id: user for user in session.scalars(sa.select(User).where(User.id.in_(user_ids)))}


def list_available(session: Session) -> list[User]:
    """Give those who may be given work now, who was given some longest ago first."""
    return list(
        session.scalars(
            sa.select(User)
            .where(User.is_active.is_(True), User.is_away.is_(False), User.role.in_(WORKING_ROLES))
            .order_by(User.last_assigned_at.asc().nulls_first(), User.id)
        )
    )


def count_open_by_assignee(session: Session) -> dict[int, int]:
    """Count the open conversations of each assignee."""
    rows = session.execute(
        sa.select(Conversation.assignee_id, sa.func.count())
        .where(Conversation.state == ConversationState.OPEN, Conversation.assignee_id.is_not(None))
        .group_by(Conversation.assignee_id)
    )
    return {row[0]: row[1] for row in rows if row[0] is not None}


def list_colleagues(session: Session) -> list[User]:
    """Give everybody a conversation can be given to, by name."""
    return list(
        session.scalars(
            sa.select(User).where(User.is_active.is_(True), User.role != Role.READ_ONLY).order_by(User.name, User.id)
        )
    )
