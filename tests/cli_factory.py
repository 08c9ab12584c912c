"""Runs commands in this process, as a person or a script would."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from ascolto.__main__ import run
from ascolto.cli import opening
from config.settings import load_settings

PASSWORD = "una-parola-lunga"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON it wrote."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Cli:
    """An installation in a folder of its own, and commands on it."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, stdin: str = "") -> Ended:
        """Run a command."""
        load_settings.cache_clear()
        opening._VERBOSE["level"] = ""
        self.monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        self.capsys.readouterr()
        with pytest.MonkeyPatch.context() as environment:
            environment.delenv("ASCOLTO_CONFIG", raising=False)  # --config sets it for its process
            environment.setenv("ASCOLTO_CONFIG", "ascolto.toml")
            code = run(list(arguments))
        captured = self.capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    def ok(self, *arguments: str, stdin: str = "") -> Ended:
        """Run a command that must succeed."""
        ended = self(*arguments, stdin=stdin)
        assert ended.code == 0, ended.err
        return ended


def make_cli(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Give a command line whose installation is `folder`/data; logging is put back afterwards."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ASCOLTO_DATA_DIR", str(folder / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Cli(folder, monkeypatch, capsys)
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    load_settings.cache_clear()
