"""Installations for tests of the command line, made once and copied."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ascolto.demo.town import Town
from tests.cli_factory import PASSWORD, Cli, make_cli

ROOT = Path(__file__).resolve().parents[2]
BRAND = """
slug = "fiordaliso"
name = "Fiordaliso"
competitors = [{ slug = "lampara", name = "Lampara" }]
"""


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    yield from make_cli(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """The data folder of an installation with a brand and an administrator, made once by `ascolto init`."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "brand.toml").write_text(BRAND)
    (folder / "data").mkdir()
    shutil.copy(sqlite_template, folder / "data" / "ascolto.sqlite3")
    done = subprocess.run(
        [sys.executable, "-m", "ascolto", "init", "--brand", "brand.toml",
         "--admin", "anna@example.com", "--password-stdin"],
        input=f"{PASSWORD}\n", text=True, capture_output=True, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ASCOLTO_DATA_DIR": "data"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def ready(cli: Cli, prepared: Path) -> Cli:
    """An installation with a brand and an administrator."""
    shutil.copytree(prepared, cli.folder, dirs_exist_ok=True)
    return cli


@pytest.fixture
def listening(ready: Cli, town: Town) -> Cli:
    """The same, listening to a Mastodon account on which somebody spoke to us."""
    town.mastodon.add_account("fiordaliso", "Fiordaliso")
    town.mastodon.add_account("ugo", "=Ugo()")
    for text in ("@fiordaliso bolletta sbagliata, che vergogna", "@fiordaliso grazie mille"):
        town.mastodon.add_post("ugo", text)
    ready.monkeypatch.setenv("TOKEN", town.mastodon.token_for("fiordaliso"))
    ready.ok(
        "source", "add", "mastodon", "--brand", "fiordaliso", "--name", "Masto", "--publish",
        "--set", f"api_url={town.url}/mastodon", "--set", "server=mastodon.example", "--set", "access_token=env:TOKEN",
    )  # fmt: skip
    return ready
