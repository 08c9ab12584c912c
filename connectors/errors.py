"""Errors of a connector, named for what the caller does next."""

from datetime import timedelta


class ConnectorError(Exception):
    """Base of all connector errors; never raised itself.

    `message` is for the operator's screen: it says what happened and what to do, and holds no secret and no
    post text.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class AuthError(ConnectorError):
    """The network refuses our credentials or permissions: stop polling and tell a person."""


class SourceGoneError(ConnectorError):
    """The account, page, community or feed no longer exists: disable the source."""


class RateLimitedError(ConnectorError):
    """Asked too often: wait `retry_after` and go on; this does not count as a failed attempt."""

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotAskedError(RateLimitedError):
    """Our own count says to wait: nothing was asked of the network, nothing can have happened there."""


class BudgetExceededError(ConnectorError):
    """The money or quota set for this source is used up: wait for the next period or a bigger budget."""


class TransientError(ConnectorError):
    """The network failed before anything can have happened: back off and try again."""


class PermanentError(ConnectorError):
    """This item can never succeed as it is (deleted parent, text refused): give it up, keep the rest."""


class AmbiguousError(ConnectorError):
    """The call may have taken effect (time-out, reset, 5xx after sending): read back before anything else."""


class MissingExtraError(ConnectorError):
    """A library this connector needs is not installed; the message names the install command."""


class BadQueryError(ConnectorError):
    """The listening query cannot be expressed on this network; the message says what to change."""
