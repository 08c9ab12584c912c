"""Finds the shared recordings and data sets, which stand beside the project and are never part of it."""

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data(relative: str) -> Path:
    """Give the path of shared data; fails in CI when it is missing, skips with the reason elsewhere."""
    path = Path(os.environ.get("ASCOLTO_SHARED_DATA", FOLDER)) / relative
    if path.exists():
        return path
    reason = f"shared data {relative} is not beside this checkout"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI requires it")
    pytest.skip(reason)
