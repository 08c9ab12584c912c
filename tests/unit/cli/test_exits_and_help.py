"""How the command line speaks: help at once, mistakes in words, codes that scripts rely on."""

import errno
import os
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from ascolto.__main__ import run
from ascolto.cli.exits import CliError, ExitCode
from ascolto.cli.failures import explain
from ascolto.cli.output import printable
from ascolto.guard import IntruderError
from config.brand import BrandFileError
from connectors.errors import (
    AuthError,
    BadQueryError,
    ConnectorError,
    MissingExtraError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from connectors.registry import UnknownNetworkError
from inbox.errors import ConflictError, InvalidError, NotFoundError
from inbox.store.backup import BackupError
from inbox.store.secrets import SecretsError
from tests.docs_reference import commands

ROOT = Path(__file__).resolve().parents[3]


def database_error(words: str, kind: type[Exception] = sqlite3.OperationalError) -> Exception:
    return sa.exc.OperationalError("SELECT 1", {}, kind(words))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AuthError("The token is refused."), ExitCode.NETWORK),
        (TransientError("No network."), ExitCode.NETWORK),
        (RateLimitedError("Too often.", retry_after=timedelta(seconds=1)), ExitCode.NETWORK),
        (PermanentError("Refused."), ExitCode.FAILED),
        (MissingExtraError("Install it."), ExitCode.CONFIGURATION),
        (BadQueryError("Too many words."), ExitCode.USAGE),
        (UnknownNetworkError("no connector for 'icq'"), ExitCode.NOT_FOUND),
        (NotFoundError("Not here."), ExitCode.NOT_FOUND),
        (ConflictError("Too late."), ExitCode.CONFLICT),
        (InvalidError("Too short."), ExitCode.USAGE),
        (BrandFileError("brand.toml: slug"), ExitCode.USAGE),
        (BackupError("No backup."), ExitCode.FAILED),
        (SecretsError("Another key."), ExitCode.CONFIGURATION),
        (IntruderError("config"), ExitCode.CONFIGURATION),
        (database_error("database is locked"), ExitCode.BUSY),
        (database_error("database or disk is full"), ExitCode.STORAGE),
        (database_error("attempt to write a readonly database"), ExitCode.STORAGE),
        (database_error("unable to open database file"), ExitCode.STORAGE),
        (database_error("database disk image is malformed"), ExitCode.STORAGE),
        (database_error("no such table: brand"), ExitCode.CONFIGURATION),
        (sqlite3.DatabaseError("file is not a database"), ExitCode.STORAGE),
        (sa.exc.ArgumentError("nonsense"), ExitCode.CONFIGURATION),
        (ModuleNotFoundError("No module named 'psycopg'", name="psycopg"), ExitCode.CONFIGURATION),
        (OSError(errno.ENOSPC, "No space left on device"), ExitCode.STORAGE),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), ExitCode.STORAGE),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x"), ExitCode.NOT_FOUND),
    ],
    ids=lambda value: type(value).__name__ + str(value)[:20] if isinstance(value, Exception) else value.name,
)
def test_foreseeable_failure_has_words_and_its_code(error: Exception, code: ExitCode) -> None:
    explained = explain(error)
    assert explained is not None
    assert explained.code is code
    assert explained.words.strip()


def test_every_error_of_a_connector_is_foreseen() -> None:
    for kind in ConnectorError.__subclasses__():
        error = kind.__new__(kind)
        error.message = "words"
        assert explain(error) is not None, kind.__name__


def test_a_bug_is_no_foreseeable_failure() -> None:
    assert explain(ZeroDivisionError()) is None


def test_codes_are_what_scripts_rely_on() -> None:
    assert [(code.name, code.value) for code in ExitCode] == [
        ("OK", 0), ("FAILED", 1), ("USAGE", 2), ("CONFIGURATION", 3), ("NETWORK", 4), ("NOT_FOUND", 5),
        ("CONFLICT", 6), ("BUSY", 7), ("STORAGE", 8), ("INTERRUPTED", 130),
    ]  # fmt: skip
    assert CliError("x").code is ExitCode.FAILED


def test_help_is_answered_at_once() -> None:
    """Under half a second of processor time: nothing heavy is imported for it."""
    script = (
        "import resource, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-m', 'ascolto', '--help'], stdout=subprocess.DEVNULL, cwd={str(ROOT)!r})\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime)\n"
    )
    seconds = [
        float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(seconds) < 0.5


def test_no_command_imports_heavy_libraries_before_it_runs() -> None:
    script = "import sys, ascolto.cli.app as app; app.build_command(); print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    heavy = {
        "sqlalchemy",
        "spacy",
        "transformers",
        "numpy",
        "fastapi",
        "uvicorn",
        "apscheduler",
        "tweepy",
        "cryptography",
    }
    assert heavy & set(loaded.split()) == set()


@pytest.mark.parametrize("arguments", [["nonsense"], ["source", "nonsense"], ["serve", "--port", "99999"], ["import"]])
def test_wrong_command_line_ends_with_2_and_words(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == ExitCode.USAGE
    assert capsys.readouterr().err.strip()


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    from ascolto.cli.app import create_app

    found = list(commands(typer.main.get_command(create_app()), ""))
    assert len(found) > 25
    for path, command in found:
        assert command.help, path
        for parameter in command.params:
            assert parameter.help, f"{path} {parameter.name}"


def test_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ascolto ")


def test_terminal_is_never_handed_control_characters() -> None:
    assert printable("a\x1b[2Jb\x07\u202e") == "a\ufffd[2Jb\ufffd\ufffd"
    assert printable("à😀\ud800", for_stream="ascii") == "\\xe0\\U0001f600\\ufffd"


def test_stranger_in_the_house_is_told_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "ascolto", "--help"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.CONFIGURATION
    assert '"config"' in done.stderr
    assert "Traceback" not in done.stderr
