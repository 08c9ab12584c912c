"""The documentation agrees with the code, and its links lead somewhere."""

import re
import tomllib
from pathlib import Path

import pytest

from ascolto.cli.exits import ExitCode
from config.brand import BrandFile
from config.settings import Settings
from connectors.registry import load_registry
from tests.docs_reference import EXIT_MEANINGS, cli_page, configuration_page

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def page_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"(?m)^#{1,6} (.+)$", path.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_configuration_page_is_what_the_settings_say() -> None:
    written = (DOCS / "configuration.md").read_text("utf-8")
    assert written == configuration_page(), "run: python -m tests.docs_reference"


def test_cli_page_is_what_the_commands_say() -> None:
    assert (DOCS / "cli.md").read_text("utf-8") == cli_page(), "run: python -m tests.docs_reference"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is(name: str) -> None:
    assert Settings.model_fields[name].description


def test_example_settings_show_every_setting_with_its_default() -> None:
    text = (ROOT / "config" / "examples" / "ascolto.toml").read_text("utf-8")
    shown = tomllib.loads("\n".join(re.findall(r"(?m)^# (\w+ = .*)$", text)))
    assert set(shown) == set(Settings.model_fields)
    assert Settings(**shown) == Settings()


def test_every_exit_code_is_documented() -> None:
    assert set(EXIT_MEANINGS) == set(ExitCode)


def test_every_field_of_the_brand_file_is_documented() -> None:
    page = (DOCS / "howto" / "add-a-brand.md").read_text("utf-8")
    assert [name for name in BrandFile.model_fields if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("network", load_registry().names())
def test_every_connector_has_its_page(network: str) -> None:
    assert (DOCS / "connectors" / f"{network}.md").is_file()


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for found in _LINK.finditer(re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)):
        target = found.group(1) or found.group(2)
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        aim = (path.parent / name).resolve() if name else path
        if not aim.exists() or (anchor and aim.suffix == ".md" and anchor not in anchors(aim)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("path", sorted((DOCS / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_decisions_have_their_four_headings_and_living_references(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.findall(r"(?m)^## (.+)$", text) == ["Context", "Decision", "Consequences", "References"]
    for name in re.findall(r"`([\w/.-]+)`", text.split("## References")[1]):
        assert (ROOT / name).exists(), name


def test_decisions_have_numbers_of_their_own() -> None:
    numbers = [path.name[:4] for path in (DOCS / "decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize(
    "path", [p for p in PAGES if p.parent.name in {"howto", "main"} or p.name == "README.md"], ids=page_id
)
def test_commands_shown_exist(path: Path) -> None:
    known = {
        line.removeprefix("### `").split(" [")[0].rstrip("`")
        for line in cli_page().splitlines()
        if line.startswith("### `")
    }
    known = {" ".join(word for word in command.split() if word == word.lower()) for command in known}
    shown = re.findall(
        r"(?:^|[`\s/])ascolto ((?:source|reply|user|db|secrets|audit) [a-z]+|[a-z]+)", path.read_text("utf-8")
    )
    first_words = {command.split()[1] for command in known}
    unknown = {
        words for words in shown if words.split()[0] in first_words and f"ascolto {words}" not in known and " " in words
    }
    assert unknown == set()
