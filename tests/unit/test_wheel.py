"""The wheel holds all that is needed at run time, and nothing that is not."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ascolto", "config", "connectors", "inbox", "nlp", "playbooks")
LEFT_OUT = ("nlp/corpus/", "nlp/train/")
NEEDED = (
    "ascolto/web/templates/base.html",
    "ascolto/web/static/vendor/htmx.min.js",
    "ascolto/web/locale/it/networks.po",
    "ascolto/demo/brand.toml",
    "ascolto/demo/words/people.txt",
    "config/examples/ascolto.toml",
    "config/examples/brand.toml",
    "inbox/store/migrations/versions/0001_people_and_sources.py",
    "nlp/lexicon/it.txt",
    "playbooks/library/it/delay.md",
    "playbooks/library/en/delay.md",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_it_holds_every_file_of_the_packages_but_what_only_training_needs(wheel: set[str]) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    missing = sorted(name for name in files - wheel if not name.startswith(LEFT_OUT))
    assert not missing
    assert set(NEEDED) <= wheel
    assert any(name.startswith("nlp/models/") and name.endswith(".npz") for name in wheel)


def test_it_holds_nothing_but_the_packages_and_its_own_record(wheel: set[str]) -> None:
    foreign = sorted(name for name in wheel if name.split("/")[0] not in PACKAGES and ".dist-info/" not in name)
    assert not foreign
    assert not sorted(name for name in wheel if name.startswith(LEFT_OUT))
    assert any(name.endswith("licenses/LICENSE") for name in wheel)
    assert any(name.endswith("entry_points.txt") for name in wheel)
