"""Turns every foreseeable failure into words and an exit code, in one place for all commands."""

import errno
import sqlite3

from ascolto.cli.exits import CliError, ExitCode

# What SQLAlchemy looks for when the URL names a database we do not work with.
_OTHER_DRIVERS = {"oracledb", "MySQLdb", "pyodbc", "psycopg2"}
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


def explain(error: Exception) -> CliError | None:
    """Give words and exit code for a failure; None when it is none that can be foreseen: a bug."""
    if isinstance(error, CliError):
        return error
    # Imported here: only a command that failed needs them, and they are loaded by then.
    for explainer in (_of_networks, _of_the_inbox, _of_files, _of_databases, _of_the_disk):
        explained = explainer(error)
        if explained is not None:
            return explained
    return None


def _of_networks(error: Exception) -> CliError | None:
    from connectors.errors import BadQueryError, ConnectorError, MissingExtraError, PermanentError
    from connectors.registry import UnknownNetworkError

    if isinstance(error, UnknownNetworkError):
        return CliError(f"{_first_up(str(error))}.", code=ExitCode.NOT_FOUND)
    if isinstance(error, BadQueryError):
        return CliError(error.message, code=ExitCode.USAGE)
    if isinstance(error, MissingExtraError):
        return CliError(error.message, code=ExitCode.CONFIGURATION)
    if isinstance(error, PermanentError):
        return CliError(error.message, code=ExitCode.FAILED)
    if isinstance(error, ConnectorError):
        return CliError(error.message, code=ExitCode.NETWORK)
    return None


def _of_the_inbox(error: Exception) -> CliError | None:
    from inbox.errors import ConflictError, InboxError, InvalidError, NotFoundError

    if isinstance(error, NotFoundError):
        return CliError(error.filled, code=ExitCode.NOT_FOUND)
    if isinstance(error, ConflictError):
        return CliError(error.filled, code=ExitCode.CONFLICT)
    if isinstance(error, InvalidError):
        return CliError(error.filled, code=ExitCode.USAGE)
    if isinstance(error, InboxError):
        return CliError(error.filled)
    return None


def _of_files(error: Exception) -> CliError | None:
    from ascolto.guard import IntruderError
    from config.brand import BrandFileError
    from inbox.store.backup import BackupError
    from inbox.store.secrets import SecretsError

    if isinstance(error, BrandFileError):
        return CliError(str(error), code=ExitCode.USAGE)
    if isinstance(error, BackupError):
        is_storage = isinstance(error.__cause__, OSError) or "not enough room" in str(error)
        return CliError(str(error), code=ExitCode.STORAGE if is_storage else ExitCode.FAILED)
    if isinstance(error, SecretsError):
        return CliError(error.message, code=ExitCode.CONFIGURATION)
    if isinstance(error, IntruderError):
        return CliError(str(error), code=ExitCode.CONFIGURATION)
    return None


def _of_databases(error: Exception) -> CliError | None:
    import sqlalchemy as sa

    is_other_driver = isinstance(error, ModuleNotFoundError) and error.name in _OTHER_DRIVERS
    if is_other_driver or isinstance(error, sa.exc.NoSuchModuleError | sa.exc.ArgumentError):
        return CliError(
            "The database URL cannot be used: write sqlite:///path or postgresql+psycopg://user@host/name.",
            code=ExitCode.CONFIGURATION,
        )
    if isinstance(error, ModuleNotFoundError) and error.name in {"psycopg", "procrastinate"}:
        return CliError(
            "PostgreSQL support is not installed.",
            code=ExitCode.CONFIGURATION,
            cure="Install it with: pip install 'ascolto[postgres]'",
        )
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        return _of_drivers(error.orig)
    if isinstance(error, sqlite3.Error):
        return _of_drivers(error)
    return None


def _of_drivers(error: BaseException) -> CliError | None:  # noqa: PLR0911 - one return a failure reads best
    words = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    told = words.lower()
    if "locked" in told or "busy" in told:
        return CliError(
            "The database is locked by another process.",
            code=ExitCode.BUSY,
            cure="Wait a moment and try again; look for a program that keeps the file open.",
        )
    if "disk is full" in told or "no space left" in told:
        return CliError("The disk is full.", code=ExitCode.STORAGE, cure="Make room and try again; nothing is lost.")
    if "readonly" in told or "read-only" in told or "unable to open" in told:
        return CliError(f"The database cannot be written: {words}.", code=ExitCode.STORAGE)
    if "malformed" in told or "not a database" in told:
        return CliError(
            "The database file is damaged or no SQLite database.",
            code=ExitCode.STORAGE,
            cure="Restore a backup with `ascolto restore`.",
        )
    if "no such table" in told or "does not exist" in told:
        return CliError(f"The database is not ready: {words}.", code=ExitCode.CONFIGURATION, cure="Run `ascolto init`.")
    if type(error).__name__ in {"OperationalError", "InterfaceError", "ConnectionTimeout"}:
        return CliError(
            f"The database cannot be reached: {words}.",
            code=ExitCode.STORAGE,
            cure="See that it runs and that ASCOLTO_DATABASE_URL is right; `ascolto doctor` says more.",
        )
    return None


def _of_the_disk(error: Exception) -> CliError | None:
    if not isinstance(error, OSError):
        return None
    where = f" ({error.filename})" if error.filename else ""
    reason = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        return CliError(f"There is no such file or folder{where}.", code=ExitCode.NOT_FOUND)
    if error.errno in _DISK or isinstance(error, PermissionError):
        return CliError(f"The disk refused: {reason}{where}.", code=ExitCode.STORAGE)
    return CliError(f"The system refused: {reason}{where}.")


def _first_up(words: str) -> str:
    return words[:1].upper() + words[1:]
