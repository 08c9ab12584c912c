"""tests/README.md says truly which recordings are replayed and which are left out."""

import importlib
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.shared_data import shared_data

pytestmark = pytest.mark.recordings

README = Path(__file__).resolve().parents[1] / "README.md"
NETWORKS = ("x", "reddit", "facebook", "mastodon")


def rows(heading: str) -> dict[str, str]:
    """Give the patterns under a heading with what the row says of them."""
    section = README.read_text(encoding="utf-8").split(f"### {heading}\n")[1].split("\n#")[0]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {pattern: cell[1].strip() for cell in cells for pattern in re.findall(r"`([^`]+)`", cell[0])}


def recordings() -> list[str]:
    folder = shared_data("recorded")
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != "README.md"
    )


def matching(patterns: dict[str, str], name: str) -> list[str]:
    return [pattern for pattern in patterns if fnmatchcase(name, pattern)]


def test_every_recording_stands_in_one_row() -> None:
    patterns = rows("Replayed") | rows("Left out")
    wrong = {name: found for name in recordings() if len(found := matching(patterns, name)) != 1}
    assert not wrong, f"not in exactly one row: {wrong}"


def test_every_row_names_recordings_and_says_why() -> None:
    names = recordings()
    for pattern, words in (rows("Replayed") | rows("Left out")).items():
        assert any(fnmatchcase(name, pattern) for name in names), f"no recording fits {pattern}"
        assert words


def test_what_is_called_replayed_is() -> None:
    said = {name for name in recordings() if matching(rows("Replayed"), name)}
    replayed: set[str] = set()
    for network in NETWORKS:
        replayed |= set(importlib.import_module(f"tests.contract.test_recordings_{network}").REPLAYED)
    assert said == replayed
