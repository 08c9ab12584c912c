"""Opens what a command works on: settings, logs, the house, and checks that it is ready."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ascolto.cli.exits import CliError, ExitCode

if TYPE_CHECKING:
    from ascolto.wiring import House
    from config.settings import Settings
    from inbox.store.engine import Store

_VERBOSE = {"level": ""}


def be_verbose() -> None:
    """Let the logs of this command through from DEBUG up."""
    _VERBOSE["level"] = "DEBUG"


def open_settings() -> "Settings":
    """Read the settings; CliError naming every wrong one."""
    import tomllib

    from pydantic import ValidationError

    from config.settings import load_settings

    try:
        return load_settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False)
        )
        raise CliError(
            f"The settings are wrong. {problems}.",
            code=ExitCode.CONFIGURATION,
            cure="Correct ascolto.toml or the ASCOLTO_ variables; docs/configuration.md lists them all.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CliError(f"ascolto.toml is no valid TOML: {error}.", code=ExitCode.CONFIGURATION) from error


def start_logs(settings: "Settings", *, is_server: bool = False) -> None:
    """Set up logging: as configured for servers, warnings only for one-shot commands unless verbose."""
    from config.logs import configure_logs

    level = _VERBOSE["level"] or settings.log_level
    if not is_server and not _VERBOSE["level"] and level == "INFO":
        level = "WARNING"
    configure_logs(level=level, log_format=settings.log_format, stream=sys.stderr)


@contextmanager
def open_house(*, is_server: bool = False) -> Iterator["House"]:
    """Give the house, its database present and at this version's schema; closed afterwards."""
    settings = open_settings()
    start_logs(settings, is_server=is_server)
    from ascolto.wiring import build_house

    house = build_house(settings)
    try:
        check_ready(house.store)
        yield house
    finally:
        house.close()


def check_ready(store: "Store") -> None:
    """Raise CliError when the database is missing or at another schema than this version's."""
    from inbox.store.migrate import current_revision, head_revision

    if store.is_sqlite and not _has_file(store):
        raise CliError(
            f"There is no database at {store.url.database} yet.",
            code=ExitCode.CONFIGURATION,
            cure="Run `ascolto init` (or `ascolto demo` to look around).",
        )
    revision = current_revision(store)
    if revision is None:
        raise CliError("The database is empty.", code=ExitCode.CONFIGURATION, cure="Run `ascolto init`.")
    if revision != head_revision():
        raise CliError(
            f"The database is at schema {revision}, this version works with {head_revision()}.",
            code=ExitCode.CONFIGURATION,
            cure="Run `ascolto backup`, then `ascolto db upgrade`; if the database is newer, upgrade Ascolto.",
        )


def _has_file(store: "Store") -> bool:
    from pathlib import Path

    path = Path(store.url.database or "")
    return path.is_file() and path.stat().st_size > 0
