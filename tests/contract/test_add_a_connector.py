"""The page on adding a connector is true: its two files pass the contract and the registry finds the network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "add-a-connector.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the page, installed as a package of their own."""
    page = PAGE.read_text(encoding="utf-8")
    connector, test = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "bacheca.py").write_text(connector, encoding="utf-8")
    (tmp_path / "test_bacheca.py").write_text(test, encoding="utf-8")
    (entry_points,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    info = tmp_path / "bacheca-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bacheca\nVersion: 1.0\n")
    # An installer turns the table into this file: [group] and "name = module:class".
    installed = entry_points.replace('[project.entry-points."', "[").replace('"]', "]", 1).replace('"', "")
    (info / "entry_points.txt").write_text(installed)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python beside the package's files, with this checkout on its path."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{ROOT}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_the_pages_connector_passes_the_contract(folder: Path) -> None:
    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bacheca.py")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed.group(1)) >= 24, done.stdout


def test_the_registry_finds_it_and_makes_its_form(folder: Path) -> None:
    code = (
        "from connectors.registry import load_registry;"
        "registry = load_registry();"
        "print(registry.get('bacheca').title, sorted(registry.get('bacheca').config_class.model_fields))"
    )
    done = run(folder, "-c", code)
    assert done.stdout.strip() == "Bacheca ['api_url', 'kind', 'query', 'token']", done.stderr
