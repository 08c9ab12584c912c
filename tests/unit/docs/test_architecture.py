"""The walk through the code in docs/architecture.md must name what is there."""

import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "architecture.md"
NAMED = sorted(set(re.findall(r"`([a-z_.]+):(\w+)`", PAGE.read_text())) - {("room.module", "function")})


@pytest.mark.parametrize(("module", "name"), NAMED)
def test_architecture_names_what_exists(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_architecture_walks_the_whole_way() -> None:
    assert len(NAMED) >= 20
