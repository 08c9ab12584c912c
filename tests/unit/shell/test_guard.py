"""The guard: strangers in the rooms are named with the cure, before anything else runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ascolto.guard import ROOMS, IntruderError, ensure_own_house, find_intruders, foreign_owners

ROOT = Path(__file__).resolve().parents[3]


def run_guard(*, cwd: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from ascolto.guard import ensure_own_house; ensure_own_house()"],
        cwd=cwd, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_own_house_is_in_order() -> None:
    ensure_own_house()


def test_no_other_distribution_claims_a_room() -> None:
    assert foreign_owners() == {}


def test_every_room_has_its_landmark() -> None:
    for room, landmark in ROOMS.items():
        assert (ROOT / room / landmark).is_file()


@pytest.mark.parametrize("as_package", [True, False])
def test_stranger_earlier_on_the_path_is_named(tmp_path: Path, as_package: bool) -> None:  # noqa: FBT001 - pytest gives it by name
    if as_package:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "__init__.py").write_text("")
    else:
        (tmp_path / "config.py").write_text("")
    done = run_guard(cwd=tmp_path, path=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 1
    assert 'The package "config"' in done.stderr
    assert str(tmp_path) in done.stderr


def test_installed_stranger_is_named_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "nlp").mkdir()
    (tmp_path / "nlp" / "__init__.py").write_text("")
    metadata = tmp_path / "some_nlp-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: some-nlp\nVersion: 1.0\n")
    (metadata / "RECORD").write_text("nlp/__init__.py,,\nsome_nlp-1.0.dist-info/METADATA,,\n")
    done = run_guard(cwd=tmp_path, path=f"{tmp_path}{os.pathsep}{ROOT}")
    assert "pip uninstall some-nlp" in done.stderr


def test_room_overwritten_in_place_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROOMS, "config", "not_there.py")
    assert [intruder.room for intruder in find_intruders()] == ["config"]
    with pytest.raises(IntruderError, match="config"):
        ensure_own_house()


def test_start_from_another_folder_is_fine(tmp_path: Path) -> None:
    assert run_guard(cwd=tmp_path, path=str(ROOT)).returncode == 0
