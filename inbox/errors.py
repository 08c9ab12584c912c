"""Errors of the inbox, each with the HTTP status a screen or the API answers with.

`message` is an English msgid for the person at the screen, with `%(name)s` places filled from `values`, so that it
can be translated before it is filled. `log_message` is for the operator and never holds a post's text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


class InboxError(Exception):
    """Base of all inbox errors; never raised itself."""

    status: ClassVar[int] = 500

    def __init__(
        self, message: str, *, values: Mapping[str, str | int] | None = None, log_message: str | None = None
    ) -> None:
        self.message = message
        self.values = dict(values or {})
        self.log_message = log_message or self.filled
        super().__init__(self.log_message)

    @property
    def filled(self) -> str:
        """The message for the person, in English, with its values."""
        return self.message % self.values if self.values else self.message


class NotFoundError(InboxError):
    """What was asked for does not exist (any more)."""

    status = 404


class ForbiddenError(InboxError):
    """The person may not do this."""

    status = 403


class InvalidError(InboxError):
    """What was sent cannot be understood or accepted as it is: correct it and send again.

    `field` names the form's field, None where the whole is meant.
    """

    status = 422

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        values: Mapping[str, str | int] | None = None,
        log_message: str | None = None,
    ) -> None:
        super().__init__(message, values=values, log_message=log_message)
        self.field = field


class ConflictError(InboxError):
    """The thing is no longer in a state that allows this; look again."""

    status = 409


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened since the person looked. `kind`: "post", "reply" or an audit action."""

    kind: str
    at: datetime
    who: str | None = None  # name of the user or handle of the author; None: the product itself
    text: str = ""  # what was written, for posts and replies
    count: int = 1  # how many such posts, when only the latest is told


class StaleVersionError(ConflictError):
    """Something changed since the person looked; `changes` says what, newest last. The text is kept by the caller."""

    def __init__(self, *, expected: int, actual: int, changes: Sequence[Change] = ()) -> None:
        super().__init__(
            "The conversation changed while you were writing. Look at what is new, then send again.",
            log_message=f"version {expected} is stale, now {actual}",
        )
        self.expected = expected
        self.actual = actual
        self.changes = tuple(changes)


class LeaseHeldError(ConflictError):
    """Somebody else is writing an answer; it can be taken over."""

    def __init__(self, *, user_id: int, name: str, expires_at: datetime) -> None:
        super().__init__(
            "%(name)s is replying.", values={"name": name}, log_message=f"reply lease held by user {user_id}"
        )
        self.user_id = user_id
        self.name = name
        self.expires_at = expires_at
